"""HTTP connections to a callback's URL: http.client's answers, kept open between requests, with one deadline for a whole exchange."""

from __future__ import annotations

import http.client
import io
import select
import socket
import ssl
import threading
import time
from collections.abc import Mapping
from typing import Any, NamedTuple, cast

MAX_ANSWER = 1 << 20  # bytes of a body that are read

Server = tuple[bool, str, int]
"""Whether it speaks TLS, its host and port."""


class Endpoint(NamedTuple):
    """Where a request goes. `path`: with the query; `authority`: the value of the Host field."""

    secure: bool
    host: str
    port: int
    path: str
    authority: str

    @property
    def server(self) -> Server:
        """What connections are kept for."""
        return self.secure, self.host, self.port


class HttpAnswer(NamedTuple):
    """A final answer, its body whole."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes


class AnswerTooLong(Exception):
    """The body is longer than MAX_ANSWER bytes."""


class ConnectionRefused(OSError):
    """No connection came to be, for another reason than time or TLS."""


class _Received(io.RawIOBase):
    """What a socket receives until `end` (monotonic): a slow sender must not hold a thread."""

    def __init__(self, connected: socket.socket, end: float) -> None:
        self._socket = connected
        self.end = end
        self.begun = False  # whether anything has come

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._socket.settimeout(_left(self.end))
        received = self._socket.recv_into(buffer)
        self.begun = self.begun or received > 0
        return received

    def makefile(self, *_: object) -> io.BufferedReader:
        """As a socket's: http.client reads answers from it."""
        return io.BufferedReader(self)


class DeadlineConnections:
    """Connections that are kept between requests, at most `most` of them. Safe to be used by several threads."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._idle: list[tuple[Server, socket.socket]] = []  # the one used last at the end
        self._lock = threading.Lock()
        self._closed = False
        self._tls: ssl.SSLContext | None = None  # made once it is needed: reading the certificates takes 20 ms

    def request(
        self, method: str, target: Endpoint, headers: Mapping[str, str], body: bytes | None, timeout: float, *, repeatable: bool
    ) -> HttpAnswer:
        """Send a request and read its answer within `timeout` seconds, connecting included; redirects are not followed.

        A kept connection that breaks before anything of the answer has come may have been closed by the server as the request was on its
        way: `repeatable` requests are then sent once more on a new one (RFC 9110 §9.2.2, RFC 9112 §9.3.1). Raises AnswerTooLong,
        ConnectionRefused, and other OSError and HTTPException of what failed later.
        """
        end = time.monotonic() + timeout
        request = _written(method, target, headers, body)
        kept = self._take(target.server)
        if kept is not None:
            received = _Received(kept, end)
            try:
                return self._exchange(method, target, kept, request, received)
            except (ConnectionError, ssl.SSLEOFError):
                if received.begun or not repeatable:
                    raise
        connected = self._connect(target, end)
        return self._exchange(method, target, connected, request, _Received(connected, end))

    def close(self) -> None:
        """Close what is kept; whatever is in use is closed after its answer."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for _, connected in idle:
            connected.close()

    def _exchange(self, method: str, target: Endpoint, connected: socket.socket, request: bytes, received: _Received) -> HttpAnswer:
        """Send the request and read the answer; the connection is kept if the server keeps it, else closed."""
        try:
            _send(connected, request, received.end)
            with http.client.HTTPResponse(cast("socket.socket", received), method=method) as answer:
                answer.begin()
                body = _body(answer)
                keep = answer.isclosed() and not answer.will_close and answer.status >= 200
        except BaseException:
            connected.close()
            raise
        if keep:
            self._keep(target.server, connected)
        else:
            connected.close()
        return HttpAnswer(answer.status, answer.headers, body)

    def _take(self, server: Server) -> socket.socket | None:
        """A kept connection that is open. Whatever a server says on an idle one, above all its end, makes it useless."""
        while True:
            with self._lock:
                place = next((n for n in reversed(range(len(self._idle))) if self._idle[n][0] == server), None)
                if place is None:
                    return None
                connected = self._idle.pop(place)[1]
            poll = select.poll()
            poll.register(connected, select.POLLIN)
            if not poll.poll(0):
                return connected
            connected.close()

    def _keep(self, server: Server, connected: socket.socket) -> None:
        """Keep a connection; the one that was used longest ago goes, if there are too many."""
        with self._lock:
            if not self._closed:
                self._idle.append((server, connected))
            surplus = [connected] if self._closed else [self._idle.pop(0)[1]] if len(self._idle) > self._most else []
        for one in surplus:
            one.close()

    def _connect(self, target: Endpoint, end: float) -> socket.socket:
        """A new connection. Raises ConnectionRefused, gaierror, TimeoutError, SSLError."""
        try:
            plain = _dial(target.host, target.port, end)
        except (TimeoutError, socket.gaierror):
            raise
        except OSError as e:
            raise ConnectionRefused(str(e)) from e
        try:
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            plain.settimeout(_left(end))
            return self._context().wrap_socket(plain, server_hostname=target.host) if target.secure else plain
        except BaseException:
            plain.close()
            raise

    def _context(self) -> ssl.SSLContext:
        """Certificates are checked against the system's authorities, and names against certificates."""
        with self._lock:
            if self._tls is None:
                self._tls = ssl.create_default_context()
                self._tls.set_alpn_protocols(["http/1.1"])
            return self._tls


def _body(answer: http.client.HTTPResponse) -> bytes:
    """The whole body. Raises AnswerTooLong, IncompleteRead."""
    body = answer.read(MAX_ANSWER + 1)
    if len(body) > MAX_ANSWER:
        raise AnswerTooLong
    if answer.length:
        raise http.client.IncompleteRead(body, answer.length)
    return body


def _left(end: float) -> float:
    """Seconds until `end` (monotonic). Raises TimeoutError."""
    left = end - time.monotonic()
    if left <= 0:
        raise TimeoutError("timed out")
    return left


def _dial(host: str, port: int, end: float) -> socket.socket:
    """A connection to the first address of the host that takes it. Raises OSError: what the last one has said."""
    failure = OSError("the name has no address")
    for family, kind, protocol, _, address in socket.getaddrinfo(host, port, 0, socket.SOCK_STREAM):
        connected = socket.socket(family, kind, protocol)
        try:
            connected.settimeout(_left(end))
            connected.connect(address)
        except OSError as e:
            connected.close()
            failure = e
        else:
            return connected
    raise failure


def _written(method: str, target: Endpoint, headers: Mapping[str, str], body: bytes | None) -> bytes:
    """The bytes of a request, head and body at once: one segment where it fits."""
    length = {} if body is None else {"Content-Length": str(len(body))}
    fields = {"Host": target.authority, "Accept-Encoding": "identity"} | length | dict(headers)
    lines = (f"{method} {target.path} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items()), "", "")
    if any("\r" in line or "\n" in line for line in lines):
        raise ValueError("a header field of the request would have a line break")
    return "\r\n".join(lines).encode("latin-1") + (body or b"")


def _send(connected: socket.socket, request: bytes, end: float) -> None:
    """Write the request within the time. Under TLS `sendall` would have all of the time again for each record."""
    rest = memoryview(request)
    while rest:
        connected.settimeout(_left(end))
        rest = rest[connected.send(rest) :]
