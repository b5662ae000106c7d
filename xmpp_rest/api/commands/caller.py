"""Who calls? The peer's reading of an Authorization field (spec commands-api §4)."""

from __future__ import annotations

from werkzeug.datastructures import Authorization

from xmpp_rest.api.commands.errors import Failure, bad_token, throttled, unauthorized
from xmpp_rest.api.commands.services import Services
from xmpp_rest.auth.credentials import BANNED, Caller, Kind, Outcome
from xmpp_rest.auth.rights import Asker

TOKEN = "Bearer"  # COMPAT ejabberd: in this spelling only  # noqa: S105


def asker(services: Services, header: str | None, address: str) -> Asker:
    """The caller whom the field proves; anonymous without one. Raises Failure for credentials that are wrong."""
    if header is None:
        return Asker(address=address)
    scheme, _, rest = header.partition(" ")
    if scheme == TOKEN:
        found = _by_token(services, rest.strip(" "), address)
        if found is None:
            _checked(services, header, address, bad_token())
            raise bad_token()  # what has become good since is looked at when it is sent again
        return found
    if not _names_account(header):
        raise unauthorized()
    return _checked(services, header, address, unauthorized())


def _by_token(services: Services, text: str, address: str) -> Asker | None:
    token = services.tokens.check(text)
    if token is None:
        return None
    record = services.accounts.record(token.owner)
    if record and record.get(BANNED):
        return None
    if record:
        services.last.seen(token.owner)
    return Asker(token.owner, token.owner in services.gateway.settings.auth.admins, token.scopes, address)


def _checked(services: Services, header: str, address: str, refusal: Failure) -> Asker:
    """What the authenticator of all APIs says, which also counts what is wrong."""
    who = services.gateway.authenticator.check(header, address)
    if isinstance(who, Caller) and who.kind is Kind.ACCOUNT:
        return Asker(who.jid, who.admin, None, address)
    if not isinstance(who, Caller) and who.outcome is Outcome.THROTTLED:
        raise throttled(who.retry_after)
    raise refusal


def _names_account(header: str) -> bool:
    """Whether this is Basic with a user name that has a domain: the peer has several, and supplies none."""
    try:
        given = Authorization.from_header(header)
    except ValueError:  # characters that no base64 has
        return False
    return given is not None and given.type == "basic" and "@" in (given.username or "")
