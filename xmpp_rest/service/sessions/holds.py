"""Holds: while one of them is there, its session is in use."""

from __future__ import annotations

import threading
from collections.abc import Callable

from xmpp_rest.link.c2s.session import ClientSession
from xmpp_rest.service.sessions.session_table import KeptSession


class SessionHold:
    """Keeps a session from being ended as unused, until `release`. Made under the lock of the table."""

    def __init__(self, kept: KeptSession, lock: threading.Lock, clock: Callable[[], float]) -> None:
        self._kept = kept
        self._clock = clock
        self._lock = lock
        self._is_released = False
        kept.hold(1)

    @property
    def session(self) -> ClientSession:
        """The session."""
        return self._kept.session

    def release(self) -> None:
        """It is not needed any more. May be called again."""
        with self._lock:
            if not self._is_released:
                self._is_released = True
                self._kept.hold(-1)
                self._kept.touch(self._clock())
