"""The thread that serves all sessions: it waits for their sockets and their deadlines, and does what other threads ask for."""

from __future__ import annotations

import contextlib
import itertools
import logging
import selectors
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from functools import partial
from weakref import ref

from xmpp_rest.config.login_tables import LoginSettings, SessionsSettings
from xmpp_rest.errors import GatewayError
from xmpp_rest.incidents import Incidents
from xmpp_rest.link.c2s.left_session import LeftSession
from xmpp_rest.link.c2s.opened_stream import OpenedStream
from xmpp_rest.link.c2s.resuming import LogInAgain
from xmpp_rest.link.c2s.session import CLOSES_WITHIN, CONFIRMS_WITHIN, ClientSession, SessionEvents
from xmpp_rest.link.c2s.session_keeper import ServedSession
from xmpp_rest.link.c2s.session_stream import SessionStream
from xmpp_rest.link.c2s.tls_stream import close_unused
from xmpp_rest.link.c2s.watched_stream import WatchedStream
from xmpp_rest.protocol.jid import JID
from xmpp_rest.threads.deadlines import Deadlines

log = logging.getLogger("xmpp_rest.link")

AFTER_FAILURE = 0.05  # seconds of rest after a round that failed: it might fail again at once
STOPS_WITHIN = CONFIRMS_WITHIN + CLOSES_WITHIN + 3.0  # seconds


class SessionsThread:
    """One for a process; its thread begins with the first session. `adopt`, `stop` and `configure` are for any thread."""

    def __init__(self, settings: SessionsSettings, log_in_again: LogInAgain, incidents: Incidents | None = None) -> None:
        """`log_in_again`: how broken sessions get another connection."""
        self.settings = settings
        self.log_in_again = log_in_again
        self.incidents = incidents or Incidents()
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._stopping = False
        self._finished = False
        self._selector: selectors.BaseSelector | None = None
        self._waker: socket.socket | None = None
        self._woken = False
        self._calls: deque[Callable[[], object]] = deque()
        self._wanting: dict[ServedSession, None] = {}
        self._sessions: dict[ServedSession, None] = {}
        self._watched: dict[ServedSession, WatchedStream] = {}
        self._unread: dict[ServedSession, None] = {}
        self._due: Deadlines[Callable[[], object]] = Deadlines()

    def __len__(self) -> int:
        """How many sessions there are."""
        return len(self._sessions)

    # for any thread

    def configure(self, settings: SessionsSettings) -> None:
        """Put these in force, for what begins from now on."""
        self.settings = settings

    def adopt(self, opened: OpenedStream, account: JID, login: LoginSettings, events: SessionEvents) -> ClientSession:
        """Keep this stream from now on. Raises GatewayError, sessions-full: there is no thread for it, or it has been stopped."""
        try:
            session = self._kept(ClientSession(opened, account, login, events, self))
        except GatewayError:
            close_unused(opened)
            raise
        self.call(lambda: session.begin(opened))
        return session

    def go_on(self, left: LeftSession, account: JID, login: LoginSettings, events: SessionEvents) -> ClientSession:
        """Keep what another process has left; its `connect` is to be called. Raises as `adopt`."""
        return self._kept(ClientSession(left, account, login, events, self))

    def _kept(self, session: ClientSession) -> ClientSession:
        with self._lock:
            try:
                self._start()
            except (RuntimeError, OSError) as e:
                raise GatewayError("sessions-full") from e
            self._sessions[session] = None
        return session

    def idle(self, session: ClientSession) -> float:
        """Seconds since something was written in this session, or waited for its server."""
        return session.idle

    def start(self) -> None:
        """Begin the thread now. Raises RuntimeError, OSError."""
        with self._lock:
            self._start()

    def _start(self) -> None:
        if self._stopping:
            raise RuntimeError("the sessions have ended")
        if self._thread is not None:
            return
        selector, (waker, woken) = selectors.DefaultSelector(), socket.socketpair()
        waker.setblocking(False)
        woken.setblocking(False)
        selector.register(woken, selectors.EVENT_READ)
        self._selector, self._waker = selector, waker
        self._thread = threading.Thread(target=self._run, args=(selector, woken), name="sessions", daemon=True)
        try:
            self._thread.start()
        except RuntimeError:
            self._thread = None
            for each in (selector, waker, woken):
                each.close()
            raise

    def stop(self) -> None:
        """End all sessions politely, and the thread (bounded). Nothing is adopted any more."""
        with self._lock:
            self._stopping = True
            sessions, thread = list(self._sessions), self._thread
        for session in sessions:
            session.end("shutdown", unavailable=True)
        self._wake()
        if thread is not None:
            thread.join(STOPS_WITHIN)

    def call(self, act: Callable[[], object]) -> None:
        with self._lock:
            finished = self._finished
            if not finished:
                self._calls.append(act)
        if finished:
            act()  # there is nobody else
        else:
            self._wake()

    def wants_service(self, session: ServedSession) -> None:
        with self._lock:
            self._wanting[session] = None
        self._wake()

    def next_number(self) -> int:
        return next(self._numbers)

    def is_here(self) -> bool:
        return threading.current_thread() is self._thread

    def _wake(self) -> None:
        if self._woken or self.is_here():  # it has not looked yet, or looks before it waits
            return
        self._woken = True
        if self._waker is not None:
            with contextlib.suppress(OSError):  # full: it is awake; closed: it has ended
                self._waker.send(b"\0")

    # for the thread

    def after(self, seconds: float, act: Callable[[], object]) -> None:
        self._due.add(time.monotonic() + seconds, act)

    def watch(self, session: ServedSession, stream: SessionStream) -> None:
        self._watched[session] = WatchedStream(stream)
        self.wants_service(session)

    def forget(self, session: ServedSession) -> None:
        if (watched := self._watched.pop(session, None)) is not None and self._selector is not None:
            watched.forget(self._selector)

    def over(self, session: ServedSession) -> None:
        with self._lock:
            self._sessions.pop(session, None)
            self._wanting.pop(session, None)

    def _run(self, selector: selectors.BaseSelector, woken: socket.socket) -> None:
        while not (self._stopping and not self._sessions and not self._calls):
            try:
                self._round(selector, woken)
            except Exception:  # the sessions need this thread
                self.incidents.report(log, "sessions", "a round of the sessions' thread failed", level=logging.ERROR, trace=True)
                time.sleep(AFTER_FAILURE)
        with self._lock:
            self._finished = True
            left = list(self._calls)
        for act in left:
            self._do(act)
        for each in (selector, woken, self._waker):
            if each is not None:
                each.close()

    def _round(self, selector: selectors.BaseSelector, woken: socket.socket) -> None:
        """Wait until there is something to do, and do it."""
        busy = self._calls or self._wanting or self._unread
        seconds = 0.0 if busy else self._due.seconds()
        for key, _ in selector.select(None if seconds is None else max(0.0, seconds)):
            if key.fileobj is woken:
                with contextlib.suppress(BlockingIOError):
                    woken.recv(4096)
                self._woken = False  # before it looks: whatever is asked for from now on wakes it again
            else:
                self._unread[key.data] = None
        unread, self._unread = self._unread, {}
        for session in unread:
            self._serve(session, readable=True)
        for _ in range(len(self._calls)):
            self._do(self._calls.popleft())
        with self._lock:
            wanting, self._wanting = self._wanting, {}
        for session in wanting:
            self._serve(session, readable=False)
        while (seconds := self._due.seconds()) is not None and seconds <= 0:
            self._do(self._due.pop())

    def _do(self, act: Callable[[], object]) -> None:
        try:
            act()
        except Exception:  # the other sessions go on
            self.incidents.report(log, "sessions", "a session's call failed", level=logging.ERROR, trace=True)

    def _serve(self, session: ServedSession, *, readable: bool) -> None:
        session.serve(readable)
        try:
            self._arrange(session)
        except (OSError, ValueError, KeyError):  # the system watches nothing more, say
            self.incidents.report(log, "sessions", "a session cannot be watched", level=logging.ERROR, trace=True)
            session.end("lost", unavailable=False)

    def _arrange(self, session: ServedSession) -> None:
        """Watch for what the session's stream waits for now."""
        watched, selector = self._watched.get(session), self._selector
        if watched is None or selector is None:
            return
        watched.arrange(selector, session, session.reads)
        if watched.stream.has_more and session.reads:
            self._unread[session] = None
        if (due := watched.earlier_due()) is not None:
            self._due.add(due, partial(self._look, ref(session), ref(watched), due))

    def _look(self, session: ref[ServedSession], watched: ref[WatchedStream], due: float) -> None:
        """The time has come at which a stream was to be looked at; it may be gone, or have been looked at earlier."""
        served, its = session(), watched()
        if served is not None and its is not None and self._watched.get(served) is its and its.is_due(due):
            self._serve(served, readable=False)
