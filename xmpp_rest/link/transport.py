"""The transport of a stream: xmpppy's transport class, with a socket that never blocks its owner.

xmpppy's own socket drains the peer before it parses, blocks in `sendall`, uses `select` and never times out. This one is driven by xmpppy's
`Process` loop: `pending_data` says whether there is something to read. The thread that fills the outbox also writes it, by `flush`: waking
the owner for it costs more than writing does. Tasks of one round do so once. What the kernel does not take at once is left to the owner.
"""

from __future__ import annotations

import contextlib
import selectors
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

import xmpp

from xmpp_rest.config.table import LinkSettings
from xmpp_rest.link.errors import LinkDown
from xmpp_rest.link.outbox import Entry, Outbox
from xmpp_rest.threads.tasks import may_park

READ_SIZE = 65536
MAX_TAG = 65536  # bytes of a tag of the login; that of a stream has some hundred
CONGESTED_PAUSE = 0.05  # seconds between two looks whether there is room for received stanzas again


MayWrite = Callable[[], bool]
"""Whether this process may write to the streams now; quick, and called by any thread."""


class Transport(xmpp.transports.TCPsocket):  # type: ignore[misc]
    """One connection to one server. Every method belongs to the thread that owns it, except `flush`, `wake` and `abort`.

    `confirmation`: the iq that is to follow stanzas that were just taken out of the outbox, b"" for none; called with `writing` held.
    """

    def __init__(
        self,
        settings: LinkSettings,
        outbox: Outbox,
        congested: Callable[[], bool],
        confirmation: Callable[[], bytes],
        may_write: MayWrite | None = None,
    ) -> None:
        super().__init__((settings.host, settings.port), use_srv=False)
        self._settings = settings
        self._outbox = outbox
        self._congested = congested  # while true, nothing is read, so that the server's TCP window fills
        self._due_confirmation = confirmation
        self._may_write = may_write  # None: always
        self._selector = selectors.DefaultSelector()
        self.writing = threading.Lock()  # guards what is written, and its order and end; never held while waiting
        self._up = False  # logged in, and not ended
        self._scheduled = False  # whether a task of a round is to write
        self._writing: list[Entry] = []  # whole stanzas, the first of them perhaps partly written
        self._written = 0  # bytes of self._writing[0] that are gone
        self._received = b""  # login phase: what follows the tag that xmpppy was given
        self._tag = b""  # login phase: the beginning of a tag that has not come whole
        self._login_until: float | None = None
        self._waker, self._woken = socket.socketpair()
        self._woken_up = False
        self.last_heard = time.monotonic()
        self._aborted = False
        self.failure: LinkDown | None = None  # xmpppy's auth() swallows what is raised inside it (client.py:327)

    # xmpppy looks for these in the class itself (client.py:73)
    def plugin(self, owner: Any) -> Any:
        return super().plugin(owner)

    def plugout(self) -> Any:
        return super().plugout()

    def _down(self, reason: str, text: str) -> LinkDown:
        self.failure = LinkDown(reason, text)
        return self.failure

    def connect(self, server: tuple[str, int] | None = None) -> str:
        """Open the socket; xmpppy wants a non-empty text. Raises LinkDown."""
        host, port = server or self._server
        try:
            sock = socket.create_connection((host, port), self._settings.connect_timeout)
        except OSError as e:
            raise self._down("unreachable", f"{host}:{port}: {e.strerror or e}") from e
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        if hasattr(socket, "TCP_USER_TIMEOUT"):  # Linux: unacknowledged data means a dead peer
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(self._settings.keepalive * 1000))
        sock.setblocking(False)
        self._woken.setblocking(False)
        self._waker.setblocking(False)
        self._sock = sock
        self._selector.register(sock, selectors.EVENT_READ)
        self._selector.register(self._woken, selectors.EVENT_READ)
        self._login_until = time.monotonic() + self._settings.login_timeout
        return "ok"

    def logged_in(self) -> bytes:
        """The handshake is done: the outbox is written from now on. What the server sent after it."""
        self._login_until = None
        rest, self._received = self._received, b""
        self._up = True
        self._outbox.attach(self.flush)
        self.wake()
        return rest

    def abort(self) -> None:
        """The component is being stopped: a login that is under way ends at once. Any thread may call this."""
        self._aborted = True
        self.wake()

    def wake(self) -> None:
        """Something is left for the owner to write, or it should look up. Any thread may call this."""
        if self._woken_up:  # it has not looked yet
            return
        self._woken_up = True
        with contextlib.suppress(BlockingIOError, OSError):  # full: the owner is awake; closed: it has ended
            self._waker.send(b"\0")

    def flush(self) -> None:
        """Write what waits in the outbox; if a task asks for it that may park, at the end of its round, for all. For any thread."""
        if (task := may_park()) is None or not task.runner.is_busy:
            self._flush()
        elif not self._scheduled:
            self._scheduled = True
            task.runner.at_end(self._flush_scheduled)

    def _flush_scheduled(self) -> None:
        self._scheduled = False  # before it looks: whatever is put from now on is written by another one
        self._flush()

    def _flush(self) -> None:
        """Write, unless another thread does, and as far as the kernel accepts it at once."""
        while self._up and self._outbox.waits and self.writing.acquire(blocking=False):
            try:
                if self._writing or not self._up:  # the owner waits for the kernel; or has closed meanwhile: nothing must be taken
                    return
                if self._may_write is not None and not self._may_write():  # the owner looks again
                    return
                self._write()
            except LinkDown:  # the owner finds that out by itself, and says so
                self.wake()
                return
            finally:
                self.writing.release()
            if self._writing:
                self.wake()

    def send(self, raw_data: Any, retry_timeout: float = 1) -> None:
        """Append to what is written next: what xmpppy logs in with; from then on, with `writing` held, an iq or the closing tag."""
        text = raw_data if isinstance(raw_data, str) else str(raw_data)
        self._writing.append(Entry(text.encode(), None, lasting=False))

    def end(self) -> None:
        """Append the closing tag, after which nothing more is taken out of the outbox (RFC 6120 §4.4)."""
        with self.writing:
            self._up = False
            self.send("</stream:stream>")

    def pending_data(self, timeout: float = 0) -> bool:
        """Write what waits; whether there is something to read within `timeout` seconds. Raises LinkDown."""
        if self._received:
            return True
        if self._login_until is not None and self._aborted:
            raise self._down("stopped", "the gateway stops")
        if self._login_until is not None and time.monotonic() > self._login_until:
            raise self._down("login-timeout", f"no handshake within {self._settings.login_timeout:g} s")
        self._write_on()
        ready = self._select(timeout)
        if any(key.fileobj is self._woken for key, _ in ready):
            with contextlib.suppress(BlockingIOError):
                self._woken.recv(4096)
            self._woken_up = False  # before it looks: whatever is put from now on wakes it again
            self._write_on()
        readable = any(key.fileobj is self._sock and mask & selectors.EVENT_READ for key, mask in ready)
        return readable and not self._congested()  # it may have become so while this waited

    def _select(self, timeout: float) -> list[tuple[selectors.SelectorKey, int]]:
        congested = self._congested()
        events = (0 if congested else selectors.EVENT_READ) | (selectors.EVENT_WRITE if self._writing else 0)
        if events:
            self._selector.modify(self._sock, events)
            return self._selector.select(min(timeout, CONGESTED_PAUSE) if congested else timeout)
        time.sleep(CONGESTED_PAUSE)
        return []

    def _write_on(self) -> None:
        with self.writing:
            self._write()
        self._flush()  # stanzas of threads that found the lock taken

    def _next(self) -> list[Entry]:
        """What is to be written next, once nothing is under way."""
        burst = self._outbox.take() if self._up else []
        if burst and (confirmation := self._due_confirmation()):
            burst.append(Entry(confirmation, None, lasting=False))
        return burst

    def _write(self) -> None:
        if self._may_write is not None and not self._may_write():
            return
        self._writing = self._writing or self._next()
        while self._writing:
            burst = b"".join([e.data for e in self._writing])[self._written :]
            try:
                sent = self._sock.send(burst)
            except BlockingIOError:
                return
            except OSError as e:
                raise self._down("disconnected", e.strerror or str(e)) from e
            self._forget(sent)
            if sent < len(burst):
                return
            self._writing = self._next()

    def _forget(self, sent: int) -> None:
        """Drop what is wholly written."""
        sent += self._written
        done = 0
        while done < len(self._writing) and sent >= len(self._writing[done].data):
            sent -= len(self._writing[done].data)
            done += 1
        written, self._writing = self._writing[:done], self._writing[done:]
        self._written = sent
        self._outbox.wrote(written)

    def receive(self) -> bytes:
        """What there is to read, never more than one system call's worth. Raises LinkDown at the end of the stream."""
        data = self._received
        if not data:
            try:
                data = self._sock.recv(READ_SIZE)
            except BlockingIOError:
                return b""
            except OSError as e:
                raise self._down("disconnected", e.strerror or str(e)) from e
            if not data:
                raise self._down("disconnected", "the server closed the connection")
            self.last_heard = time.monotonic()
        self._received = b""
        return data if self._login_until is None else self._one_tag(data)

    def _one_tag(self, data: bytes) -> bytes:
        """One whole tag of the login for each Process(), b"" as long as it has not come whole. Raises LinkDown if it is too long.

        A stanza after <handshake/> must reach our parser, not xmpppy's, whose expat, from 2.6 on, would wait for more after a tag that
        comes in three reads.
        """
        data = self._tag + data
        end = data.find(b">") + 1 or (0 if b"<" in data else len(data))  # what is not XML is refused at once
        if not end and len(data) > MAX_TAG:
            raise self._down("bad-xml", f"a tag of the login has more than {MAX_TAG} bytes")
        data, rest = data[:end], data[end:]
        self._tag, self._received = (b"", rest) if end else (rest, b"")
        return data

    def close(self) -> None:
        """Give the sockets back. Called once, by the owner, whether the connection was ever up or not."""
        with self.writing:
            self._up = False
            self._outbox.attach(None)
        self._selector.close()
        for sock in (getattr(self, "_sock", None), self._waker, self._woken):
            if isinstance(sock, socket.socket):
                sock.close()
