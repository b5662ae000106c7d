"""Bearer tokens for this API (commands-api §13)."""

from __future__ import annotations

import time

from xmpp_rest.api.commands.errors import rejected
from xmpp_rest.api.commands.registry import command
from xmpp_rest.api.commands.results import Rows
from xmpp_rest.api.commands.services import Services
from xmpp_rest.auth.scopes import is_scope
from xmpp_rest.protocol.jid import JID, InvalidJID, parse_jid


def _owner(text: str) -> JID:
    try:
        jid = parse_jid(text).bare
    except InvalidJID as e:
        raise rejected(f"Invalid JID: {text}") from e
    return jid


def _issue(services: Services, jid: str, ttl: int, scopes: list[str]) -> str:
    owner = _owner(jid)
    if not all(is_scope(scope, services.names) for scope in scopes):
        raise rejected("invalid_scope")
    try:
        return services.parts.tokens.issue(owner, scopes, ttl)
    except ValueError as e:
        raise rejected(str(e)) from e


@command("oauth_issue_token", 1)
def oauth_issue_token(services: Services, jid: str, ttl: int, scopes: list[str]) -> tuple[str, list[str], str]:
    return _issue(services, jid, ttl, scopes), scopes, f"{ttl} seconds"


@command("oauth_issue_token")
def oauth_issue_token_v0(services: Services, jid: str, ttl: int, scopes: str) -> tuple[str, str, str]:
    names = [name for name in scopes.split(";") if name]
    return _issue(services, jid, ttl, names), ";".join(names), f"{ttl} seconds"


@command("oauth_list_tokens")
def oauth_list_tokens(services: Services) -> Rows:
    """Tokens are shown by their hash, which is all that is kept; `oauth_revoke_token` takes it too."""
    now = int(time.time())
    tokens = services.parts.tokens.all()
    return Rows((t.hash, str(t.owner), ";".join(sorted(t.scopes)), f"{t.expires - now} seconds") for t in tokens)


@command("oauth_revoke_token")
def oauth_revoke_token(services: Services, token: str) -> str:
    services.parts.tokens.revoke(token)
    return ""


@command("oauth_add_client_password")
def oauth_add_client_password(services: Services, client_id: str, client_name: str, secret: str) -> str:
    if not client_id or not secret:
        raise rejected("A client needs a client_id and a secret")
    services.clients.add(client_id, client_name, secret)
    return ""


@command("oauth_add_client_implicit")
def oauth_add_client_implicit(services: Services, client_id: str, client_name: str, redirect_uri: str) -> str:
    if not client_id:
        raise rejected("A client needs a client_id")
    try:
        services.clients.add_implicit(client_id, client_name, redirect_uri)
    except ValueError as e:
        raise rejected(str(e)) from e
    return ""


@command("oauth_remove_client")
def oauth_remove_client(services: Services, client_id: str) -> str:
    services.clients.remove(client_id)
    return ""


COMMANDS = (
    oauth_add_client_password, oauth_add_client_implicit, oauth_remove_client,
    oauth_issue_token, oauth_issue_token_v0, oauth_list_tokens, oauth_revoke_token,
)  # fmt: skip
