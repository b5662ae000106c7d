"""How does gunicorn serve slow, silent and lingering clients without a thread being lost to each? A subclass of its threaded worker.

gunicorn 27's own gives a connection a thread as soon as a byte has come, and waits for the rest without end; it closes gracefully in
the loop that accepts, up to two seconds each. Here every request has a deadline for its head and one for its body, an unread answer too,
and closing is the business of a thread of its own. This leans on gunicorn's internals: its version is pinned, and tests/http/test_worker.py
holds them.
"""

from __future__ import annotations

import contextlib
import errno
import heapq
import itertools
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from gunicorn.workers.gthread import TConn, ThreadWorker
from werkzeug.exceptions import ClientDisconnected

from xmpp_rest.http.client_socket import ClientSocket
from xmpp_rest.http.shares import ABSENT, Shares

HEAD_SECONDS = 15.0  # from the first byte to the end of the head
BODY_SECONDS = 30.0  # for the body, and one more for each BODY_RATE bytes that came
BODY_RATE = 1000  # bytes a second that a client should manage
IO_SECONDS = 30.0  # for one write to get anywhere
DRAIN_SECONDS, DRAIN_BYTES = 5.0, 16 << 20  # for a body that nobody read; then the connection ends
LINGER_SECONDS = 2.0  # for a client to take the end of an answer (RFC 9112 §9.6)
YIELD = 0.005  # seconds that a worker which has more connections than another lets that one go first
NEXT_REQUEST = 0.02  # seconds that a thread waits for the next request on its connection, if nobody else waits for a thread


class Reaper:
    """Ends what has passed its deadline, and closes connections gently, in one thread. Owned by the worker."""

    def __init__(self) -> None:
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = itertools.count()
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="reaper", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def at(self, when: float, act: Callable[[], None]) -> None:
        """Call `act` at the monotonic time `when`; it must not block, and looks for itself whether it is still due."""
        with self._changed:
            heapq.heappush(self._due, (when, next(self._numbers), act))
            if self._due[0][0] == when:
                self._changed.notify()

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._due or self._due[0][0] > time.monotonic():
                    self._changed.wait(self._due[0][0] - time.monotonic() if self._due else None)
                _, _, act = heapq.heappop(self._due)
            with contextlib.suppress(OSError, ValueError):  # the connection went away by itself
                act()


class Connection(TConn):  # type: ignore[misc]
    """One client. `deadline` is when its thread is to be freed; None while the application has the word."""

    def __init__(self, reaper: Reaper, cfg: Any, sock: socket.socket, client: Any, server: Any) -> None:
        # under TLS it is OpenSSL that reads, which knows nothing of this
        client_socket = sock if cfg.is_ssl else ClientSocket(sock, patience=NEXT_REQUEST, write=IO_SECONDS)
        super().__init__(cfg, client_socket, client, server)
        self.reaper = reaper
        self.deadline: float | None = None
        self._watched = False

    def init(self) -> None:
        """Called before each request, with the socket blocking."""
        super().init()
        if self.cfg.is_ssl:
            self.sock.settimeout(IO_SECONDS)
        self.due_in(HEAD_SECONDS)

    def due_in(self, seconds: float | None) -> None:
        """Free the thread after so many seconds from now, unless told otherwise before."""
        self.deadline = None if seconds is None else time.monotonic() + seconds
        if self.deadline is not None and not self._watched:
            self._watched = True
            self.reaper.at(self.deadline, self._look)

    def _look(self) -> None:
        """One look at a time is planned for each connection, however often its deadline moves."""
        self._watched = False
        deadline = self.deadline
        if deadline is None:
            return
        if deadline > time.monotonic():
            self._watched = True
            self.reaper.at(deadline, self._look)
            return
        self.sock.shutdown(socket.SHUT_RDWR)  # wakes the thread that waits in recv

    def has_next(self) -> bool:
        """Whether the next request is there, or comes within NEXT_REQUEST; or the client has closed."""
        unreader = self.parser.unreader
        if unreader.buf.getvalue():
            return True
        if not isinstance(self.sock, ClientSocket):
            return False
        begun = self.sock.next_request(unreader.mxchunk)
        if begun:
            unreader.unread(begun)
        return begun is not None  # the parser looks for itself that there is no more

    def close(self, graceful: bool = False) -> None:
        self.deadline = None
        if not graceful:
            super().close()
            return
        with contextlib.suppress(OSError):
            self.sock.setblocking(False)
            self.sock.shutdown(socket.SHUT_WR)
        until = time.monotonic() + LINGER_SECONDS
        self.reaper.at(time.monotonic(), lambda: self._linger(until))

    def _linger(self, until: float) -> None:
        """Read what the client still sends, so that the kernel does not cut off the end of the answer with a reset."""
        try:
            while self.sock.recv(65536):
                if time.monotonic() > until:
                    break
        except BlockingIOError:
            if time.monotonic() < until:
                self.reaper.at(time.monotonic() + 0.05, lambda: self._linger(until))
                return
        except OSError:
            self.sock.close()
            raise
        self.sock.close()


@contextlib.contextmanager
def _disconnecting() -> Iterator[None]:
    """A body that breaks off is the client's error, 400, and none that an application should log."""
    try:
        yield
    except OSError as e:
        raise ClientDisconnected("the request's body broke off") from e


class _Body:
    """A request's body that moves the deadline as it comes, and lifts it at its end."""

    def __init__(self, body: Any, conn: Connection, length: int | None) -> None:
        self._body = body
        self._conn = conn
        self._left = length
        self._until = time.monotonic() + BODY_SECONDS
        self.over = length == 0
        """Whether the whole of it has been read."""
        conn.due_in(BODY_SECONDS if length != 0 else None)

    def _came(self, data: bytes, asked: int | None) -> bytes:
        self._until += len(data) / BODY_RATE
        if self._left is not None:
            self._left -= len(data)
        if asked != 0:
            self.over = not data if self._left is None else self._left <= 0
            self._conn.due_in(None if self.over else self._until - time.monotonic())
        return data

    def __getattr__(self, name: str) -> Any:
        return getattr(self._body, name)  # gunicorn looks whether reading it `failed`

    def read(self, size: int | None = None) -> bytes:
        with _disconnecting():
            return self._came(self._body.read(size), size)

    def readline(self, size: int | None = None) -> bytes:
        with _disconnecting():
            return self._came(self._body.readline(size), size)

    def readlines(self, _hint: int | None = None) -> list[bytes]:
        return list(self)

    def __iter__(self) -> Any:
        while line := self.readline():
            yield line


class Worker(ThreadWorker):  # type: ignore[misc]
    """gunicorn's threaded worker, with deadlines, and with an eye on how many connections the others have (shares.py)."""

    shares: Shares | None = None
    slot = 0
    _yields_until = 0.0  # monotonic time; 0.0: it has yielded nothing since it last took a connection

    def init_process(self) -> None:
        self.reaper = Reaper()
        self.reaper.start()
        super().init_process()

    def wait_for_and_dispatch_events(self, timeout: float) -> None:
        left = self._yields_until - time.monotonic()
        self._tell()
        super().wait_for_and_dispatch_events(min(timeout, left) if left > 0 else timeout)

    def _tell(self) -> None:
        if self.shares is not None:
            self.shares.tell(self.slot, self.nr_conns if self.alive else ABSENT)

    def set_accept_enabled(self, enabled: bool) -> None:
        """Told before each wait; not to enable what is yielded to others."""
        if not enabled or time.monotonic() >= self._yields_until:
            super().set_accept_enabled(enabled)

    def accept(self, listener: socket.socket) -> None:
        """Take a connection; but let others that have fewer go first, once for each, and not for long."""
        if self.shares is not None and not self._yields_until and self.nr_conns > self.shares.fewest():
            self._yields_until = time.monotonic() + YIELD
            self.set_accept_enabled(False)
            return
        self._yields_until = 0.0
        try:
            sock, address = listener.accept()
        except OSError as e:
            if e.errno not in (errno.EAGAIN, errno.ECONNABORTED, errno.EWOULDBLOCK):
                raise
            return
        self.nr_conns += 1
        self._tell()
        self.enqueue_req(Connection(self.reaper, self.cfg, sock, address, listener.getsockname()))

    def handle(self, conn: Connection) -> Any:
        """Serve a request, and the next ones too as long as they follow at once and nobody waits for a thread."""
        keep = super().handle(conn)
        while keep is True and self.alive and self._idle() and conn.has_next():
            keep = super().handle(conn)
        conn.due_in(None)
        return keep

    def _keepalive_after(self, conn: Connection, keepalive: Any) -> bool:
        """Read what the application left of the body, so that the next request on the connection gets its answer.

        gunicorn would stop after 64 KiB and close, though the answer said keep-alive.
        """
        if not keepalive:
            return False
        body = conn.parser.mesg.body
        if not isinstance(body, _Body) or body.over:
            return True
        try:
            return bool(conn.parser.finish_body(deadline=time.monotonic() + DRAIN_SECONDS, max_bytes=DRAIN_BYTES))
        except ClientDisconnected:  # it has its answer
            return False

    def _idle(self) -> bool:
        return bool(self.tpool._work_queue.empty())

    def handle_request(self, req: Any, conn: Connection) -> Any:
        """The head is complete: from here on the body has its own deadline, and the application none."""
        length = next((int(value) for name, value in req.headers if name == "CONTENT-LENGTH"), None)
        chunked = any(name == "TRANSFER-ENCODING" for name, _ in req.headers)
        if length or chunked:
            req.body = _Body(req.body, conn, None if chunked else length)
        else:
            conn.due_in(None)
        with self._whole_head(conn.sock):
            return super().handle_request(req, conn)

    @staticmethod
    @contextlib.contextmanager
    def _whole_head(sock: socket.socket) -> Iterator[None]:
        """gunicorn sends the head by itself: let it go together with what follows."""
        if not isinstance(sock, ClientSocket):
            yield
            return
        sock.hold()
        try:
            yield
        finally:
            sock.flush()

    def handle_exit(self, sig: int, frame: Any) -> None:
        """Told to stop: what waits or streams ends now, so that the rest can end in time.

        The application says how: callables in its `extensions["ending"]`. Not called here, inside a signal handler.
        """
        if self.alive:
            for end in getattr(self.wsgi, "extensions", {}).get("ending", ()):
                threading.Thread(target=end, name="ending", daemon=True).start()
        super().handle_exit(sig, frame)
