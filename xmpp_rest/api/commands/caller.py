"""The caller of a command, and what the peer says of credentials that are wrong (commands-api §4)."""

from __future__ import annotations

from xmpp_rest.api.commands.errors import CommandFailure, bad_token, forbidden, throttled, unauthorized
from xmpp_rest.api.commands.services import Services
from xmpp_rest.auth.authorization import BEARER, COMMANDS, read_authorization
from xmpp_rest.auth.caller import Denial, DenialReason
from xmpp_rest.auth.rights import Principal
from xmpp_rest.auth.scopes import Use

TOKEN = "Bearer"  # COMPAT ejabberd: in another spelling a wrong token is answered as an unknown scheme  # noqa: S105


def principal_of(services: Services, field: str | None, address: str) -> Principal:
    """The caller whom the Authorization field proves; anonymous without one. Raises CommandFailure for credentials that are wrong."""
    if field is None:
        return Principal(address=address)
    who = services.parts.authenticator.check(field, address, COMMANDS, Use.COMMAND)
    if isinstance(who, Denial) and who.account is not None:  # accounts-anywhere §7.5
        raise forbidden(f"Commands are for accounts of {services.domain} only")
    if isinstance(who, Denial):
        raise throttled(who.retry_after) if who.reason is DenialReason.THROTTLED else _wrong(field, services.domain)
    return Principal(who.jid, who.admin, who.scopes, address)


def _wrong(field: str, domain: str) -> CommandFailure:
    given = read_authorization(field)
    if given and given.scheme == BEARER:
        return bad_token() if given.written == TOKEN else unauthorized()
    if given and given.pair and "@" in given.pair[0]:
        return unauthorized()
    return unauthorized(f"Send Basic with the whole address as user name, such as admin@{domain}, or Bearer with a token")
