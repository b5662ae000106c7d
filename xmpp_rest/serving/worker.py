"""The gunicorn worker: one event loop (decision 0033).

The main thread has the signals, the heartbeat, and watches that no request keeps the loop's thread; it serves none itself.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

from gunicorn import sock
from gunicorn.workers.base import Worker as Base

from xmpp_rest.answered import EXTENSION, NOBODY
from xmpp_rest.config.worker_class import OWN, lacking
from xmpp_rest.serving.arbiter import accept_ending
from xmpp_rest.serving.hooks import RequestHooks
from xmpp_rest.serving.leaving import leave_at_exit
from xmpp_rest.serving.listener import Listener
from xmpp_rest.serving.loop import Loop
from xmpp_rest.serving.service import Service

HEARTBEAT = 1.0  # seconds between two signs of life, and two looks whether gunicorn's parent process is there
SILENCE = 5  # heartbeats without a sign of life, before the log says so
STOP_LINGER = 2.0  # seconds in which a stopping worker still takes a request on a connection that was kept alive
LEAVING = 1.0  # seconds for the end of the application, before gunicorn kills what goes on after `graceful_timeout`
STEP = 0.05  # seconds between two looks whether all has ended
SWITCH = 0.001  # seconds after which Python gives another thread its turn: what computes delays the loop by that


class Worker(Base):  # type: ignore[misc]
    """Serves an application from one event loop. `threads`: how many requests may block at once."""

    alive: bool
    loop: Loop | None = None
    silent = 0
    """How many heartbeats ago the loop last went on."""

    @classmethod
    def setup(cls) -> None:
        """Called by gunicorn at its start. Raises RuntimeError: this worker cannot work here."""
        if reason := lacking():
            raise RuntimeError(f"{OWN} cannot serve, as {reason}; use gthread")

    def init_signals(self) -> None:
        """Set up the signals, and take those that came before."""
        super().init_signals()
        accept_ending()

    def init_process(self) -> None:
        """Load the application, and run."""
        self.loop = loop = Loop(self.cfg.threads)
        try:
            super().init_process()
        finally:
            if loop.leader is None:  # it was not begun, and others may wait for it
                loop.stop()

    def load_wsgi(self) -> None:
        """Give the application the loop, if it says that it has a use for it: callables in its `extensions["loop"]`."""
        super().load_wsgi()
        for take in getattr(self.wsgi, "extensions", {}).get("loop", ()):
            take(self.loop)

    def run(self) -> None:
        """Serve until told to stop; then end what is under way, within gunicorn's `graceful_timeout`."""
        sys.setswitchinterval(SWITCH)
        loop = self.loop
        assert loop is not None
        tls = sock.ssl_context(self.cfg) if self.cfg.is_ssl else None
        if tls is not None and "h2" in self.cfg.http_protocols:
            self.log.warning("HTTP/2 is not offered: this worker speaks HTTP/1.1")
            tls.set_alpn_protocols(["http/1.1"])
        listeners: list[Listener] = []

        def listen() -> None:
            for listener in listeners:
                listener.listen()

        hooks = RequestHooks(self.cfg, self, self.log)
        answers = getattr(self.wsgi, "extensions", {}).get(EXTENSION, NOBODY)
        service = Service(self.cfg, self.log, self.wsgi, loop, tls, listen, self._spent, self.max_requests, hooks, answers)
        listeners += [Listener(loop, s, service.accept, lambda: service.has_room, service.relieve) for s in self.sockets]
        loop.every_second(listen)
        loop.call(listen)
        self.notify()  # until the first sign of life gunicorn measures no time: who hangs before it is never replaced
        loop.start()
        code: Any = 1
        try:
            while self.alive and self._is_wanted(loop):
                loop.watch(HEARTBEAT)
            self._end_gracefully(loop, service, listeners)
            code = 0
        except SystemExit as e:  # by a signal handler of gunicorn's
            code = e.code
            raise
        finally:
            if not loop.stop():
                leave_at_exit(code if isinstance(code, int) else 0)

    def _is_wanted(self, loop: Loop) -> bool:
        self.silent = 0 if self._show_life(loop) else self.silent + 1
        if self.silent == SILENCE:
            self.log.error("no request is served: all %d threads block or compute; the timeout is %d s", self.cfg.threads, self.cfg.timeout)
        if self.ppid == os.getppid():
            return True
        self.log.info("Parent changed, shutting down: %s", self)
        self._end_waiting()
        return False

    def _show_life(self, loop: Loop) -> bool:
        """gunicorn ends a worker that shows none for `timeout` seconds. Whether it lives."""
        if lives := loop.lives():
            self.notify()
        return lives

    def _end_gracefully(self, loop: Loop, service: Service, listeners: list[Listener]) -> None:
        service.stop()
        for listener in listeners:
            loop.call(listener.stop)
        until = time.monotonic() + max(self.cfg.graceful_timeout - LEAVING, self.cfg.graceful_timeout / 2)
        while (service.connections or not all(listener.stopped for listener in listeners)) and time.monotonic() < until:
            self._show_life(loop)
            loop.call(lambda: service.close_idle(STOP_LINGER))
            loop.watch(STEP)
        under_way = [self._beside(call, "handing over") for call in self._extension("handing over")]  # while tasks go on
        while any(thread.is_alive() for thread in under_way):
            self._show_life(loop)
            loop.watch(STEP)

    def _spent(self) -> None:
        """As many requests were served as gunicorn's `max_requests` says."""
        if self.alive:
            self.log.info("Autorestarting worker after current request.")
            self._end_waiting()
            self.alive = False
            if self.loop is not None:
                self.loop.attend()

    def handle_exit(self, sig: int, frame: Any) -> None:
        """Told to stop: what waits or streams ends now, so that the rest can end in time."""
        if self.alive:
            self._end_waiting()
        super().handle_exit(sig, frame)
        if self.loop is not None:
            self.loop.attend()

    def _end_waiting(self) -> None:
        """End what waits or streams. The application says how: callables in its `extensions["ending"]`. Not called here, as this may be
        inside a signal handler.
        """
        for end in self._extension("ending"):
            self._beside(end, "ending")

    def _extension(self, name: str) -> Iterable[Callable[[], None]]:
        loaded = getattr(self, "wsgi", None)  # it may be told while it still loads the application
        found: Iterable[Callable[[], None]] = getattr(loaded, "extensions", {}).get(name, ())
        return found

    def _beside(self, call: Callable[[], None], name: str) -> threading.Thread:
        thread = threading.Thread(target=self._try, args=(call, name), name=name, daemon=True)
        thread.start()
        return thread

    def _try(self, call: Callable[[], None], name: str) -> None:
        try:
            call()
        except Exception:
            self.log.exception("%s has failed", name)
