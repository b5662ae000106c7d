"""The caller of a command, by the peer's reading of an Authorization field (commands-api §4)."""

from __future__ import annotations

from werkzeug.datastructures import Authorization

from xmpp_rest.api.commands.errors import Failure, bad_token, throttled, unauthorized
from xmpp_rest.api.commands.services import Services
from xmpp_rest.auth.credentials import Outcome, Refused
from xmpp_rest.auth.rights import Asker

TOKEN = "Bearer"  # COMPAT ejabberd: in another spelling a wrong token is answered as an unknown scheme  # noqa: S105


def asker(services: Services, header: str | None, address: str) -> Asker:
    """The caller whom the field proves; anonymous without one. Raises Failure for credentials that are wrong."""
    if header is None:
        return Asker(address=address)
    scheme, _, rest = header.partition(" ")
    if scheme.lower() == TOKEN.lower():  # RFC 9110 §11.1
        return _by_token(services, rest.strip(" "), address, unauthorized() if scheme != TOKEN else bad_token())
    if not _names_account(header):
        domain = services.domain
        raise unauthorized(f"Send Basic with the whole address as user name, such as admin@{domain}, or Bearer with a token")
    return _by_password(services, header, address)


def _by_token(services: Services, text: str, address: str, wrong: Failure) -> Asker:
    token = services.gateway.parts.authenticator.bearer(text, address)
    if isinstance(token, Refused):
        raise throttled(token.retry_after) if token.outcome is Outcome.THROTTLED else wrong
    return Asker(token.owner, services.gateway.parts.authenticator.is_admin(token.owner), token.scopes, address)


def _by_password(services: Services, header: str, address: str) -> Asker:
    who = services.gateway.parts.authenticator.check(header, address)
    if isinstance(who, Refused):
        raise throttled(who.retry_after) if who.outcome is Outcome.THROTTLED else unauthorized()
    return Asker(who.jid, who.admin, None, address)


def _names_account(header: str) -> bool:
    """Whether this is Basic with a user name that has a domain: the peer has several, and supplies none."""
    try:
        given = Authorization.from_header(header)
    except ValueError:  # characters that no base64 has
        return False
    return given is not None and given.type == "basic" and "@" in (given.username or "")
