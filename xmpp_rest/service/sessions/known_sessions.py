"""What a process that does not lead remembers of whom the leader has let in, so that it need not ask for each request."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple

from xmpp_rest.errors import GatewayError
from xmpp_rest.processes.remote import Remote
from xmpp_rest.protocol.jid import JID
from xmpp_rest.service.sessions.core import SessionCore
from xmpp_rest.service.sessions.proofs import is_same

CHANGED = "session changed"  # what is published
SECONDS = 2.0  # at most, after which the leader is asked again: it has to know that a session is in use
PLACES = 10_000


class _Known(NamedTuple):
    proof: bytes
    session: JID
    until: float  # monotonic time


class KnownSessions:
    """Forgets a session as soon as the leader tells that it has ended, or has another password. Safe to be used by several threads."""

    def __init__(self, core: SessionCore, remote: Remote) -> None:
        self._core = core
        self._remote = remote
        self._known: dict[JID, _Known] = {}
        self._changes = 0  # how often something was to be forgotten
        remote.on_published(CHANGED, self._hear)
        remote.on_role(self._take_role)

    def get(self, account: JID, proof: bytes) -> JID | None:
        """The full address of the session that this proof opens, if that is known."""
        known = self._known.get(account)
        return known.session if known is not None and time.monotonic() < known.until and is_same(known.proof, proof) else None

    def asked(self, account: JID, proof: bytes, ask: Callable[[], JID | None]) -> JID | None:
        """What `ask` returns, which asks the leader; it is remembered unless something changes meanwhile."""
        if not self._remote.follows():
            return ask()
        hears = self._hears()
        changes = self._changes
        session = ask()
        if session is not None and hears and changes == self._changes:
            if len(self._known) >= PLACES:
                self._known.clear()
            settings = self._core.settings
            self._known[account] = _Known(proof, session, time.monotonic() + min(SECONDS, settings.idle / 2, settings.recheck / 2))
        return session

    def _hears(self) -> bool:
        """Whether the leader tells this process of changes."""
        try:
            self._remote.listen()
        except GatewayError:
            return False
        return True

    def publish(self, account: JID) -> None:
        """The session of a bare address has ended, or has another password; in the leader."""
        self._remote.publish(CHANGED, account=str(account))

    def _hear(self, account: str) -> None:
        self._changes += 1
        local, _, domain = account.rpartition("@")
        self._known.pop(JID(local, domain, ""), None)

    def _take_role(self, leads: bool) -> None:
        self._changes += 1
        self._known.clear()
