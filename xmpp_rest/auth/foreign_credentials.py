"""Checks the credentials of accounts of other servers, which their servers alone can judge (accounts-anywhere §5)."""

from __future__ import annotations

from xmpp_rest.auth.caller import WRONG, Caller, CallerKind, Denial, DenialReason
from xmpp_rest.auth.foreign_door import ForeignDoor, WrongPassword
from xmpp_rest.auth.refusals import ELSEWHERE, PASSWORD, Refusals
from xmpp_rest.auth.throttle import Throttle
from xmpp_rest.config.login_domains import LoginDomains
from xmpp_rest.protocol.jid import JID


class ForeignCredentials:
    """The accounts of `domains`, as `door` lets them in. Safe to be used by several threads."""

    def __init__(self, door: ForeignDoor, domains: LoginDomains, throttle: Throttle, refusals: Refusals) -> None:
        self._door = door
        self._domains = domains
        self._throttle = throttle
        self._refusals = refusals

    def configure(self, domains: LoginDomains) -> None:
        """Which domains come in from now on."""
        self._domains = domains

    def has(self, jid: JID) -> bool:
        """Whether this is an account of another server that may come in (accounts-anywhere §1.1)."""
        return bool(jid.local and self._domains.of(jid.domain))

    def check(self, jid: JID, password: str, address: str) -> Caller | Denial:
        """The account, by its session at its server, where the password opens one. Raises GatewayError."""
        key = str(jid), address
        if wait := self._throttle.admit(key):
            return self._refusals.refuse(Denial(DenialReason.THROTTLED, wait), PASSWORD, str(jid), address)
        try:
            session = self._door.admit(jid, password, address)
        except WrongPassword:
            if wait := self._throttle.failed(key):
                self._throttle.hold()
            denial = Denial(DenialReason.THROTTLED, wait) if wait else WRONG
            return self._refusals.refuse(denial, PASSWORD, str(jid), address)
        self._throttle.succeeded(key)
        return Caller(jid, CallerKind.FOREIGN, session=session)

    def refuse(self, jid: JID, address: str) -> Denial:
        """The denial where something is not for these: no guess is answered, and a right one is of no use (accounts-anywhere §7.5)."""
        return self._refusals.refuse(Denial(DenialReason.ELSEWHERE, account=jid), ELSEWHERE, str(jid), address)

    def still_good(self, jid: JID, password: str) -> bool:
        """Whether the password is the one of the account's session. Raises GatewayError."""
        return self._door.still_good(jid, password)
