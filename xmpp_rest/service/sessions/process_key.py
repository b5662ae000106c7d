"""The key of proofs, as processes that do not lead learn it: sealed, where their channel is not one of the machine, and into memory alone
(accounts-anywhere §4.4).
"""

from __future__ import annotations

import logging
from functools import partial

from xmpp_rest.errors import GatewayError
from xmpp_rest.processes.on_leader import on_leader
from xmpp_rest.processes.remote import Remote
from xmpp_rest.service.sessions.core import SessionCore
from xmpp_rest.service.sessions.password_carriage import PasswordCarriage

log = logging.getLogger("xmpp_rest.sessions")

AGAIN = 1.0  # seconds until the leader is asked again
PURPOSE = "the key of proofs"  # no address of an account


class ProcessKey:
    """Asks for the key once, and again when another process leads."""

    def __init__(
        self, core: SessionCore, carriage: PasswordCarriage, remote: Remote, *, learns_early: bool = False, former: bytes | None = None
    ) -> None:
        """`learns_early`: as soon as another process leads, since this one may lead next, and is to go on with the key then.

        `former`: what this process has known before its parts were built again: it may lead at once.
        """
        self._core = core
        self._carriage = carriage
        self._remote = remote
        self._learns_early = learns_early
        self._roles = 0  # how often the leader has changed
        self._leads = False
        self._learnt = (-1, former or b"")  # the number at which the key was learnt, and the key
        remote.offer(self)
        remote.on_role(self._take_role)

    def get(self) -> bytes:
        """The key. Raises GatewayError where there is no leader to ask."""
        if not self._remote.follows():
            return self._core.key
        roles, (learnt_at, key) = self._roles, self._learnt
        if learnt_at != roles:
            key = bytes.fromhex(self._carriage.taken_out(self.of_leader(), PURPOSE))
            self._learnt = roles, key
        return key

    @on_leader(repeatable=True)
    def of_leader(self) -> str:
        """The leader's own, in hex."""
        return self._carriage.put_in(self._core.key.hex(), PURPOSE)

    @property
    def former(self) -> bytes | None:
        """That of the leader before, as far as it is known; in the leader."""
        return self._learnt[1] or None

    @property
    def latest(self) -> bytes | None:
        """That of the leader, or of the last one, as far as it is known; also once this process takes part no more."""
        return self._core.key if self._leads else self.former

    def _take_role(self, leads: bool) -> None:
        self._roles += 1
        self._leads = leads
        if self._learns_early and not leads:
            self._learn_soon(self._roles)

    def _learn_soon(self, roles: int) -> None:
        self._remote.pool.submit(partial(self._learn, roles))

    def _learn(self, roles: int) -> None:
        if roles != self._roles:
            return
        try:
            self.get()
        except GatewayError as e:
            log.debug("the key of proofs is not known yet: %s", e)
            self._remote.timers.after(AGAIN, partial(self._learn_soon, roles))
