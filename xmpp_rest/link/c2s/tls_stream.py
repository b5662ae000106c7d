"""The connection of a kept session: TLS on a socket that never blocks, and the parser. Belongs to the sessions' thread."""

from __future__ import annotations

import contextlib
import selectors
import socket
import ssl
import time
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from xml.etree.ElementTree import Element

from xmpp_rest.link.c2s.opened_stream import OpenedStream
from xmpp_rest.link.errors import LinkDown
from xmpp_rest.link.stream import StanzaStream

READ_SIZE = 4096  # bytes that are parsed at once: those of small elements take 3 ms
TURN = 0.003  # seconds of one connection, after which it is the turn of the others
RESTS_AFTER = 1.0  # seconds without anything to parse
NEVER = float("inf")
_Callbacks = Sequence[Callable[[], object]]


class TlsStream:
    """Reads stanzas, and writes bytes as fast as the network takes them."""

    def __init__(
        self, opened: OpenedStream, on_stanza: Callable[[Element, int], None], on_skipped: Callable[[Element, str], None], limit: int
    ) -> None:
        """`limit`: bytes of a received stanza."""
        self.socket = opened.socket
        self._new_parser = partial(opened._replace(pending=b"", early=()).parser, on_stanza, limit, on_skipped)
        self._parser: StanzaStream | None = None  # while nothing comes there is none, which saves 15 KiB, or what the largest stanza took
        self._parsed = NEVER  # when it had something to do; NEVER: there is none, or it waits for the rest of a stanza
        self._pending = opened.pending
        self._out: deque[tuple[bytes, _Callbacks]] = deque()
        self._write_waits_for = selectors.EVENT_WRITE
        self._read_waits_for = selectors.EVENT_READ
        self.has_more = True  # TLS may have kept what came with the login
        """Whether there may be something to read that the selector does not know of."""

    def prepare(self, keepalive: float) -> None:
        """Have the system say when the server does not acknowledge what was written. Raises OSError."""
        self.socket.setblocking(False)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        if hasattr(socket, "TCP_USER_TIMEOUT"):
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(keepalive * 1000))

    @property
    def is_idle(self) -> bool:
        """Whether all is written."""
        return not self._out

    def events(self, reading: bool) -> int:
        """What the selector is to look for."""
        return (self._read_waits_for if reading else 0) | (self._write_waits_for if self._out else 0)

    def write(self, data: bytes, written: _Callbacks = ()) -> None:
        """Append to what is written; `written` are called once the system has it."""
        self._out.append((data, written))

    def flush(self) -> None:
        """Write what the system takes. Raises LinkDown."""
        while self._out:
            data, written = self._out[0]
            try:
                self.socket.send(data)  # all of it, or it is to be called again with the same
            except ssl.SSLWantWriteError:
                self._write_waits_for = selectors.EVENT_WRITE
                return
            except ssl.SSLWantReadError:  # before TLS 1.3 the server may ask for other keys
                self._write_waits_for = selectors.EVENT_READ
                return
            except (OSError, ValueError) as e:  # ValueError: OpenSSL has closed it
                raise _broken(e) from e
            self._out.popleft()
            for call in written:
                call()

    def read(self) -> bool:
        """Parse what there is; whether there was anything. Raises LinkDown at the end of the stream."""
        self.has_more = False
        heard, until = False, time.monotonic() + TURN
        while not heard or time.monotonic() < until:
            if not (data := self._received()):
                return heard
            heard = True
            if self._parser is None:
                self._parser = self._new_parser()
            self._parser.Parse(data)
            self._parsed = time.monotonic()
        self.has_more = True
        return True

    @property
    def rests_at(self) -> float:
        """When `rest` is to be called, unless something comes before."""
        return self._parsed + RESTS_AFTER

    def rest(self, now: float) -> None:
        """Give the parser back if nothing has come for a while: a new one, which takes 30 µs to make, reads what comes next."""
        if now < self.rests_at:
            return
        self._parsed = NEVER
        if self._parser is not None and self._parser.is_between_stanzas:
            self._parser = None

    def _received(self) -> bytes:
        """What has come next, b"" for nothing yet. Raises LinkDown."""
        if self._pending:
            data, self._pending = self._pending, b""
            return data
        try:
            data = self.socket.recv(READ_SIZE)
        except ssl.SSLWantReadError:
            self._read_waits_for = selectors.EVENT_READ
            return b""
        except ssl.SSLWantWriteError:
            self._read_waits_for = selectors.EVENT_READ | selectors.EVENT_WRITE
            return b""
        except (OSError, ValueError) as e:
            raise _broken(e) from e
        if not data:
            raise LinkDown("disconnected", "the server closed the connection")
        return data

    def close(self) -> None:
        """Close the socket, and say so to the server if it listens."""
        with contextlib.suppress(OSError, ValueError):
            self.socket.unwrap()  # does not wait: its answer would come later
        self.socket.close()


def close_unused(opened: OpenedStream, *, goes_on: bool = False) -> None:
    """Close a stream that nobody takes, so that the server does not keep its session, unless that `goes_on` elsewhere."""
    if not goes_on:
        with contextlib.suppress(OSError, ValueError):
            opened.socket.send(b"</stream:stream>")
    with contextlib.suppress(OSError, ValueError):
        opened.socket.unwrap()
    opened.socket.close()


def _broken(error: Exception) -> LinkDown:
    return LinkDown("disconnected", getattr(error, "strerror", None) or str(error))
