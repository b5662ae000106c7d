"""What is done from time to time: sessions that nobody uses end, and passwords of those that are listened to are checked again."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from functools import partial
from xml.etree.ElementTree import Element

from xmpp_rest.errors import GatewayError
from xmpp_rest.link.c2s.session import ClientSession, SessionEvents
from xmpp_rest.logs.events import say
from xmpp_rest.protocol.jid import JID
from xmpp_rest.service.sessions.asking import LoginCounts
from xmpp_rest.service.sessions.core import SessionCore
from xmpp_rest.service.sessions.ends import IDLE
from xmpp_rest.service.sessions.login_queue import LoginJob
from xmpp_rest.service.sessions.logins import Logins
from xmpp_rest.service.sessions.session_table import KeptSession
from xmpp_rest.threads.timers import Timers

log = logging.getLogger("xmpp_rest.sessions")
OFTEN = 5.0  # seconds between two looks at most


class Upkeep(SessionEvents):
    """Looks after the sessions while there are any. Its thread begins with the first attempt to log in."""

    def __init__(self, core: SessionCore, logins: Logins, counts: LoginCounts, changed: Callable[[JID], object]) -> None:
        """`changed`: as of `Logins`."""
        self._core = core
        self._counts = counts
        self._changed = changed
        self._broken: set[ClientSession] = set()
        self._logins = logins
        self._timers = Timers("sessions' upkeep")
        self._lock = threading.Lock()
        self._is_set = False  # whether a timer runs
        self._checking: set[KeptSession] = set()  # sessions whose keys are being checked

    def wake(self) -> None:
        """There may be something to look after."""
        with self._lock:
            if self._is_set:
                return
            self._is_set = True
        self._timers.after(self._period(), self._look)

    def stop(self) -> None:
        """Look no more."""
        self._timers.stop()

    def _period(self) -> float:
        settings = self._core.settings
        return min(OFTEN, settings.idle / 4, settings.recheck / 4, settings.login_timeout / 4)

    def _look(self) -> None:
        with self._lock:
            self._is_set = False
        try:
            self._core.queue.look()
            self._end_idle()
            self._recheck()
        finally:
            with self._core.lock:
                goes_on = len(self._core.table) > 0
            if goes_on or self._core.queue.under_way or self._core.queue.waiting:
                self.wake()

    def _end_idle(self) -> None:
        with self._core.lock:
            oldest = self._core.clock() - self._core.settings.idle
            longest = self._core.settings.idle
            idle = list(self._core.table.idle(lambda kept: kept.used <= oldest and kept.session.idle >= longest))
        for kept in idle:
            self._logins.end(kept, IDLE)

    def _recheck(self) -> None:
        """Have the passwords of sessions with streams checked, by their keys."""
        with self._core.lock:
            oldest = self._core.clock() - self._core.settings.recheck
            due = [kept for kept in self._core.table if kept.streams and kept.keys and kept.proven <= oldest and kept not in self._checking]
            for kept in list(due):
                try:
                    self._core.pauses.require_none(kept.account)
                except GatewayError:
                    due.remove(kept)
            self._checking.update(due)
        for kept in due:
            job = LoginJob(kept.account, lambda: True, partial(self._check, kept), partial(self._checked, kept))
            try:
                self._core.queue.put(job)
            except GatewayError:  # next time
                self._checked(kept)

    def _check(self, kept: KeptSession) -> None:
        try:
            self._logins.recheck(kept)
        finally:
            self._checked(kept)

    def _checked(self, kept: KeptSession, _: GatewayError | None = None) -> None:
        with self._core.lock:
            self._checking.discard(kept)

    # -- what happens to sessions, on their thread

    def received(self, session: ClientSession, stanza: Element, size: int) -> None:
        """That is for others."""

    def is_worth_resuming(self, session: ClientSession) -> bool:
        """A stream waits for what comes; the table knows of each."""
        with self._core.lock:
            kept = self._core.table.of(session)
            return kept is not None and kept.streams > 0

    def broke(self, session: ClientSession) -> None:
        self._broken.add(session)
        say(log, logging.WARNING, "session-broke", account=str(session.jid), server=session.server)

    def resumed(self, session: ClientSession) -> None:
        self._resumed(session, "resumed")
        say(log, logging.INFO, "session-resumed", account=str(session.jid), server=session.server)

    def rebound(self, session: ClientSession) -> None:
        self._resumed(session, "rebound")
        say(log, logging.INFO, "session-rebound", account=str(session.jid), server=session.server)

    def ended(self, session: ClientSession, reason: str) -> None:
        with self._core.lock:
            kept = self._core.table.of(session)
            if kept is not None:
                self._core.table.remove(kept)
        self._changed(session.account)
        if session in self._broken:
            self._resumed(session, "failed")
        say(log, logging.INFO, "session-end", account=str(session.jid), reason=reason)

    def _resumed(self, session: ClientSession, result: str) -> None:
        self._broken.discard(session)
        self._counts.session_resumed(result)
