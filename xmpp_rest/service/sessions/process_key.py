"""The key of proofs, as processes that do not lead learn it: sealed, where their channel is not one of the machine, and into memory alone
(accounts-anywhere §4.4).
"""

from __future__ import annotations

from xmpp_rest.processes.on_leader import on_leader
from xmpp_rest.processes.remote import Remote
from xmpp_rest.service.sessions.core import SessionCore
from xmpp_rest.service.sessions.password_carriage import PasswordCarriage

PURPOSE = "the key of proofs"  # no address of an account


class ProcessKey:
    """Asks for the key once, and again when another process leads."""

    def __init__(self, core: SessionCore, carriage: PasswordCarriage, remote: Remote) -> None:
        self._core = core
        self._carriage = carriage
        self._remote = remote
        self._roles = 0  # how often the leader has changed
        self._learnt = (-1, b"")  # the number at which the key was learnt, and the key
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

    def _take_role(self, leads: bool) -> None:
        self._roles += 1
