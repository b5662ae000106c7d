"""Who calls? The peer's reading of an Authorization field (spec commands-api §4)."""

from __future__ import annotations

from werkzeug.datastructures import Authorization

from xmpp_rest.api.commands.errors import bad_token, throttled, unauthorized
from xmpp_rest.auth.credentials import Authenticator, Caller, Kind, Outcome, Refused
from xmpp_rest.auth.rights import Asker

TOKEN = "Bearer"  # COMPAT ejabberd: in this spelling only  # noqa: S105
ANONYMOUS = Asker()


def asker(authenticator: Authenticator, header: str | None, address: str) -> Asker:
    """The caller whom the field proves; anonymous without one. Raises Failure for credentials that are wrong."""
    if header is None:
        return ANONYMOUS
    token = header.split(" ", 1)[0] == TOKEN
    if not token and not _names_account(header):
        raise unauthorized()
    who = authenticator.check(header, address)
    if isinstance(who, Refused) and who.outcome is Outcome.THROTTLED:
        raise throttled(who.retry_after)
    if isinstance(who, Caller) and who.kind is Kind.ACCOUNT:
        return Asker(who.jid, who.admin)
    raise bad_token() if token else unauthorized()


def _names_account(header: str) -> bool:
    """Whether this is Basic with a user name that has a domain: the peer has several, and supplies none."""
    try:
        given = Authorization.from_header(header)
    except ValueError:  # characters that no base64 has
        return False
    return given is not None and given.type == "basic" and "@" in (given.username or "")
