"""The gunicorn worker: serves slow, silent and lingering clients without a thread for each. A subclass of gunicorn's threaded worker.

gunicorn 27's own gives a connection a thread as soon as a byte has come, and waits for the rest without end; it closes gracefully in
the loop that accepts, up to two seconds each. Here every request has a deadline for its head and one for its body, an unread answer too,
and closing is the business of a thread of its own. This leans on gunicorn's internals: its version is pinned, and tests/serving hold them.
"""

from __future__ import annotations

import contextlib
import errno
import os
import select
import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from gunicorn.http.parser import RequestParser
from gunicorn.workers.gthread import TConn, ThreadWorker
from werkzeug.exceptions import ClientDisconnected

from xmpp_rest.serving.arbiter import accept_ending
from xmpp_rest.serving.body import TimedBody, is_here
from xmpp_rest.serving.parser import Parser
from xmpp_rest.serving.reaper import Reaper
from xmpp_rest.serving.sending_socket import ClientSocket

HEAD_SECONDS = 15.0  # from the first byte to the end of the head
IO_SECONDS = 30.0  # for one write to get anywhere
DRAIN_SECONDS, DRAIN_BYTES = 5.0, 16 << 20  # for a body that nobody read; then the connection ends
EXHAUSTED = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
PAUSE = 0.5  # seconds without taking a connection, where the system has no descriptor for it
QUIET = 60.0  # seconds between two lines about trouble of the loop
NEXT_REQUEST = 0.02  # seconds that a thread waits for the next request on its connection, if nobody else waits for a thread


class ServingPool(ThreadPoolExecutor):
    """The threads that serve. Where the system gives no further one, those that there are do the work."""

    def _adjust_thread_count(self) -> None:
        try:
            super()._adjust_thread_count()
        except RuntimeError:  # what was to be done waits in the queue already
            if not self._threads:
                raise


class Connection(TConn):  # type: ignore[misc]
    """One client. `deadline` is when its thread is to be freed; None while the application has the word."""

    def __init__(self, reaper: Reaper, cfg: Any, sock: socket.socket, client: Any, server: Any) -> None:
        self.tls = bool(cfg.is_ssl)
        # under TLS it is OpenSSL that reads, which knows nothing of this
        client_socket = sock if self.tls else ClientSocket(sock, patience=NEXT_REQUEST, write=IO_SECONDS)
        super().__init__(cfg, client_socket, client, server)
        self.reaper = reaper
        self.deadline: float | None = None
        self._watched = False

    def init(self) -> None:
        """Called before each request, with the socket blocking."""
        if not self.initialized:
            super().init()
            self.parser: Any  # that of HTTP/1, unless it is set up otherwise
            if type(self.parser) is RequestParser:
                self.parser = Parser(self.parser)
        if self.tls:
            self.sock.settimeout(IO_SECONDS)
        self.due_in(HEAD_SECONDS)

    def wait_for_data(self, timeout: float) -> bool:
        """As gunicorn's, which takes a descriptor for it."""
        poll = select.poll()
        poll.register(self.sock, select.POLLIN)
        self.data_ready: bool = bool(poll.poll(timeout * 1000))
        return self.data_ready

    def due_in(self, seconds: float | None) -> None:
        """Free the thread after so many seconds from now, unless told otherwise before."""
        self.deadline = None if seconds is None else time.monotonic() + seconds
        if seconds is not None and not self._watched:
            self._watched = True
            self.reaper.after(seconds, self._look)

    def _look(self) -> None:
        """One look at a time is planned for each connection, however often its deadline moves."""
        self._watched = False
        deadline = self.deadline
        if deadline is None:
            return
        left = deadline - time.monotonic()
        if left > 0:
            self._watched = True
            self.reaper.after(left, self._look)
            return
        with contextlib.suppress(OSError):  # the connection went away by itself
            self.sock.shutdown(socket.SHUT_RDWR)  # wakes the thread that waits in recv

    def has_next(self) -> bool:
        """Whether the next request is there, or comes within NEXT_REQUEST; or the client has closed."""
        unreader = self.parser.unreader
        if unreader.buf.getvalue():
            return True
        if self.tls:
            return False
        begun = self.sock.next_request(unreader.mxchunk)
        if begun:
            unreader.unread(begun)
        return begun is not None  # the parser looks for itself that there is no more

    def close(self, graceful: bool = False) -> None:
        self.deadline = None
        if graceful:
            self.reaper.close(self.sock)
        else:
            super().close()


class Worker(ThreadWorker):  # type: ignore[misc]
    """gunicorn's threaded worker, with deadlines."""

    _paused_until = 0.0  # monotonic time before which no connection is taken
    _quiet_until = 0.0  # monotonic time before which no trouble of the loop is logged

    def get_thread_pool(self) -> ServingPool:
        return ServingPool(max_workers=self.cfg.threads)

    def init_process(self) -> None:
        self.reaper = Reaper()
        self.reaper.start()
        super().init_process()

    def init_signals(self) -> None:
        super().init_signals()
        accept_ending()

    def run(self) -> None:
        # gunicorn reads some twenty-five settings during each request, each through __getattr__: 33 µs, a tenth of a JSON echo
        # (docs/decisions/0030). From here on the settings are as they are; a reload makes new workers.
        self.cfg.__dict__.update((name, setting.get()) for name, setting in self.cfg.settings.items())
        super().run()

    def wait_for_and_dispatch_events(self, timeout: float) -> None:
        """As gunicorn's; but whatever goes wrong with one event, the others come to theirs, and the worker does not end."""
        if (left := self._paused_until - time.monotonic()) > 0:
            timeout = min(timeout, left)
        for key, _ in self.poller.select(timeout):
            try:
                key.data(key.fileobj)
            except Exception:
                self._complain("an event could not be handled", trace=True)

    def _complain(self, what: str, *, trace: bool = False) -> None:
        """Log trouble that comes again as long as its cause is there, once a minute."""
        if time.monotonic() >= self._quiet_until:
            self._quiet_until = time.monotonic() + QUIET
            self.log.error("worker %d: %s", os.getpid(), what, exc_info=trace)

    def enqueue_req(self, conn: Connection) -> None:
        try:
            super().enqueue_req(conn)
        except RuntimeError as e:  # there is no thread at all, and none can be begun; or the pool is shut down
            self.nr_conns -= 1
            conn.close()
            self._complain(f"a connection could not be served: {e}")

    def set_accept_enabled(self, enabled: bool) -> None:
        """Called before each wait; connections are not taken during a pause."""
        if not enabled or time.monotonic() >= self._paused_until:
            super().set_accept_enabled(enabled)

    def accept(self, listener: socket.socket) -> None:
        """Take a connection; without descriptors for it, none for a while."""
        try:
            sock, address = listener.accept()
        except OSError as e:
            if e.errno in EXHAUSTED:
                self._pause(e)
            elif e.errno not in (errno.EAGAIN, errno.ECONNABORTED, errno.EWOULDBLOCK):
                raise
            return
        self.nr_conns += 1
        self.enqueue_req(Connection(self.reaper, self.cfg, sock, address, listener.getsockname()))

    def _pause(self, error: OSError) -> None:
        """The system has no descriptor for another connection: take none for a while, and let go those that nobody uses now."""
        self._complain(f"no connection is taken for now: {error.strerror} (the limit of open files is RLIMIT_NOFILE: `ulimit -n`)")
        self._paused_until = time.monotonic() + PAUSE
        self.set_accept_enabled(False)
        self.murder_keepalived(force=True)

    def handle(self, conn: Connection) -> Any:
        """Serve a request, and the next ones too as long as they follow at once and nobody waits for a thread."""
        keep = super().handle(conn)
        while keep is True and self.alive and self.tpool._work_queue.empty() and conn.has_next():
            keep = super().handle(conn)
        conn.due_in(None)
        return keep

    def _keepalive_after(self, conn: Connection, keepalive: Any) -> bool:
        """Read what the application left of the body, so that the next request on the connection gets its answer.

        gunicorn would stop after 64 KiB and close, though the answer said keep-alive.
        """
        if not keepalive:
            return False
        try:
            return bool(conn.parser.finish_body(deadline=time.monotonic() + DRAIN_SECONDS, max_bytes=DRAIN_BYTES))
        except ClientDisconnected:  # it has its answer
            return False

    def handle_request(self, req: Any, conn: Connection) -> Any:
        """The head is complete: from here on the body has its own deadline, and the application none.

        gunicorn sends the head of the answer by itself: it is let go together with what follows.
        """
        if is_here(req.body, req.unreader):
            conn.due_in(None)
        else:
            req.body = TimedBody(req.body, req.unreader, conn.due_in)
        if conn.tls:
            return super().handle_request(req, conn)
        conn.sock.hold()
        try:
            return super().handle_request(req, conn)
        finally:
            conn.sock.flush()

    def handle_exit(self, sig: int, frame: Any) -> None:
        """Told to stop: what waits or streams ends now, so that the rest can end in time.

        The application says how: callables in its `extensions["ending"]`. Not called here, inside a signal handler.
        """
        if self.alive:
            loaded = getattr(self, "wsgi", None)  # it may be told while it still loads the application
            for end in getattr(loaded, "extensions", {}).get("ending", ()):
                threading.Thread(target=self._end, args=(end,), name="ending", daemon=True).start()
        super().handle_exit(sig, frame)

    def _end(self, end: Callable[[], None]) -> None:
        try:
            end()
        except Exception:
            self.log.exception("what waits could not be ended")
