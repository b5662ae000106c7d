"""HTTP connections to a callback's URL: kept open between requests, with one deadline for a whole exchange."""

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

from xmpp_rest.service.callbacks.deadline_socket import DeadlineSocket, SocketWait, dial, resolve
from xmpp_rest.service.callbacks.ordinary_answer import OrdinaryHead, ordinary_head
from xmpp_rest.threads.crew import poll
from xmpp_rest.threads.daemon_pool import DaemonPool

MAX_ANSWER = 1 << 20  # bytes of a body that are read
READ_SIZE = 65536

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
    """A final answer, its body whole. `fields`: by their names in lower case, of those with the same name the first."""

    status: int
    fields: Mapping[str, str]
    body: bytes


class AnswerTooLong(Exception):
    """The body is longer than MAX_ANSWER bytes."""


class ConnectionRefused(OSError):
    """No connection came to be, for another reason than time or TLS."""


class _Received(io.RawIOBase):
    """What has been received, and what follows it, as http.client reads it."""

    def __init__(self, data: bytes, connected: DeadlineSocket) -> None:
        self._data = data
        self._connected = connected

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._data or self._connected.receive(len(buffer))
        piece, self._data = data[: len(buffer)], data[len(buffer) :]
        buffer[: len(piece)] = piece
        return len(piece)

    def makefile(self, *_: object) -> io.BufferedReader:
        """As a socket's."""
        return io.BufferedReader(self)


class DeadlineConnections:
    """Connections that are kept between requests, at most `most` of them; they wait by `wait`. Safe to be used by several threads."""

    def __init__(self, most: int, wait: SocketWait = poll) -> None:
        self._most = most
        self._wait = wait
        self._idle: list[tuple[Server, DeadlineSocket]] = []  # the one used last at the end
        self._lock = threading.Lock()
        self._closed = False
        self._tls: ssl.SSLContext | None = None  # made once it is needed: reading the certificates takes 20 ms
        self._resolvers = DaemonPool(most, "callback names")

    def request(
        self, method: str, target: Endpoint, headers: Mapping[str, str], body: bytes | None, timeout: float, *, repeatable: bool
    ) -> HttpAnswer:
        """Send a request and read its answer within `timeout` seconds, all that comes before included; redirects are not followed.

        A kept connection that breaks before anything of the answer has come may have been closed by the server as the request was on its
        way: `repeatable` requests are then sent once more on a new one (RFC 9110 §9.2.2, RFC 9112 §9.3.1). Raises AnswerTooLong,
        ConnectionRefused, and other OSError and HTTPException of what failed later.
        """
        end = time.monotonic() + timeout
        request = _written(method, target, headers, body)
        kept = self._take(target.server)
        if kept is not None:
            kept.begin(end)
            try:
                return self._exchange(method, target, kept, request)
            except (ConnectionError, ssl.SSLEOFError):
                if kept.begun or not repeatable:
                    raise
        return self._exchange(method, target, self._connect(target, end), request)

    def close(self) -> None:
        """Close what is kept; whatever is in use is closed after its answer."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for _, connected in idle:
            connected.close()
        self._resolvers.stop()

    def _exchange(self, method: str, target: Endpoint, connected: DeadlineSocket, request: bytes) -> HttpAnswer:
        """Send the request and read the answer; the connection is kept if the server keeps it, else closed."""
        try:
            connected.send(request)
            data = connected.receive(READ_SIZE)
            head = ordinary_head(data)
            if head is not None and head.length <= MAX_ANSWER:
                answer, keep = _ordinary(head, data[head.size :], connected)
            else:
                answer, keep = _any(method, data, connected)
        except BaseException:
            connected.close()
            raise
        if keep:
            self._keep(target.server, connected)
        else:
            connected.close()
        return answer

    def _take(self, server: Server) -> DeadlineSocket | None:
        """A kept connection that is open. Whatever a server says on an idle one, above all its end, makes it useless."""
        while True:
            with self._lock:
                place = next((n for n in reversed(range(len(self._idle))) if self._idle[n][0] == server), None)
                if place is None:
                    return None
                connected = self._idle.pop(place)[1]
            if not poll(connected.socket, select.POLLIN, 0):
                return connected
            connected.close()

    def _keep(self, server: Server, connected: DeadlineSocket) -> None:
        """Keep a connection; the one that was used longest ago goes, if there are too many."""
        with self._lock:
            if not self._closed:
                self._idle.append((server, connected))
            surplus = [connected] if self._closed else [self._idle.pop(0)[1]] if len(self._idle) > self._most else []
        for one in surplus:
            one.close()

    def _connect(self, target: Endpoint, end: float) -> DeadlineSocket:
        try:
            connected = dial(resolve(target.host, target.port, end, self._resolvers), self._wait, end)
        except (TimeoutError, socket.gaierror):
            raise
        except OSError as e:
            raise ConnectionRefused(str(e)) from e
        try:
            if target.secure:
                connected.secure(self._context(), target.host)
        except BaseException:
            connected.close()
            raise
        return connected

    def _context(self) -> ssl.SSLContext:
        """Certificates are checked against the system's authorities, and names against certificates."""
        with self._lock:
            if self._tls is None:
                self._tls = ssl.create_default_context()
                self._tls.set_alpn_protocols(["http/1.1"])
            return self._tls


def _ordinary(head: OrdinaryHead, body: bytes, connected: DeadlineSocket) -> tuple[HttpAnswer, bool]:
    """The answer that has this head, and whether the connection can be used again. Raises IncompleteRead."""
    pieces, size = [body], len(body)
    while size < head.length:
        if not (piece := connected.receive(READ_SIZE)):
            raise http.client.IncompleteRead(b"".join(pieces), head.length - size)
        pieces.append(piece)
        size += len(piece)
    answer = HttpAnswer(head.status, head.fields, b"".join(pieces)[: head.length])
    return answer, head.keeps_alive and size == head.length


def _any(method: str, data: bytes, connected: DeadlineSocket) -> tuple[HttpAnswer, bool]:
    """As `_ordinary`, by http.client; the answer begins with `data`. Raises AnswerTooLong, HTTPException."""
    with http.client.HTTPResponse(cast("socket.socket", _Received(data, connected)), method=method) as answer:
        answer.begin()
        body = answer.read(MAX_ANSWER + 1)
        if len(body) > MAX_ANSWER:
            raise AnswerTooLong
        if answer.length:
            raise http.client.IncompleteRead(body, answer.length)
        keep = answer.isclosed() and not answer.will_close and answer.status >= 200
        fields = {name.lower(): value for name, value in reversed(answer.headers.items())}
    return HttpAnswer(answer.status, fields, body), keep


def _written(method: str, target: Endpoint, headers: Mapping[str, str], body: bytes | None) -> bytes:
    """The bytes of a request, head and body at once: one segment where it fits."""
    length = {} if body is None else {"Content-Length": str(len(body))}
    fields = {"Host": target.authority, "Accept-Encoding": "identity"} | length | dict(headers)
    lines = (f"{method} {target.path} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items()), "", "")
    if any("\r" in line or "\n" in line for line in lines):
        raise ValueError("a header field of the request would have a line break")
    return "\r\n".join(lines).encode("latin-1") + (body or b"")
