"""The end of all sessions, when the gateway stops or another one has the storage."""

from __future__ import annotations

from typing import Protocol

from xmpp_rest.link.c2s.sessions_thread import SessionsThread
from xmpp_rest.service.sessions.core import SessionCore
from xmpp_rest.service.sessions.ends import STOPPING
from xmpp_rest.service.sessions.logins import Logins
from xmpp_rest.service.sessions.upkeep import Upkeep


class Stoppable(Protocol):
    """What has threads of its own."""

    def stop(self) -> None: ...


class SessionsLifecycle:
    """Nothing is to be started: threads begin with the first login."""

    def __init__(self, core: SessionCore, logins: Logins, upkeep: Upkeep, thread: SessionsThread) -> None:
        self._core = core
        self._logins = logins
        self._upkeep = upkeep
        self._thread = thread
        self._with: list[Stoppable] = []

    def stop_with(self, part: Stoppable) -> None:
        """Stop this as well, after the sessions. Called while building."""
        self._with.append(part)

    def stop(self) -> None:
        """Let nobody in any more, and close all streams politely, as far as that goes at once."""
        self._core.queue.stop()
        self._upkeep.stop()
        with self._core.lock:
            every = list(self._core.table)
        for kept in every:
            self._logins.end(kept, STOPPING)
        self._thread.stop()
        for part in self._with:
            part.stop()
