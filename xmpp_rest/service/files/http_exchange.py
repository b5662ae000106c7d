"""One HTTP request on a connection of its own, sent and read in pieces, with deadlines that move (files §5, §7)."""

from __future__ import annotations

import http.client
import io
import ssl
import time
from collections.abc import Mapping
from typing import Any, cast

from xmpp_rest.service.callbacks.deadline_connections import Endpoint
from xmpp_rest.service.callbacks.deadline_socket import Addresses, DeadlineSocket, dial
from xmpp_rest.threads.crew import poll

USER_AGENT = "xmpp-rest"


class HttpFailed(Exception):
    """There is no answer, or none that can be read; the sentence says why. `timed_out`: because of the time."""

    def __init__(self, sentence: str, *, timed_out: bool = False) -> None:
        super().__init__(sentence)
        self.timed_out = timed_out


class _Incoming(io.RawIOBase):
    """What comes, as http.client reads it."""

    def __init__(self, connected: DeadlineSocket) -> None:
        self._connected = connected

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        piece = self._connected.receive(len(buffer))
        buffer[: len(piece)] = piece
        return len(piece)

    def makefile(self, *_: object) -> io.BufferedReader:
        """As a socket's."""
        return io.BufferedReader(self, 65536)


class HttpExchange:
    """A context. Its methods raise HttpFailed; they wait with their thread."""

    def __init__(self, target: Endpoint, addresses: Addresses, seconds: float, last: float | None = None) -> None:
        """`addresses`: where to connect to. `seconds`: without progress; `last`: monotonic time after which nothing is waited for."""
        self._target = target
        self._seconds = seconds
        self._last = last
        self._answer: http.client.HTTPResponse | None = None
        with _failures():
            self._connected = dial(addresses, poll, self._end())
        try:
            if target.secure:
                with _failures():
                    self._connected.secure(_context(), target.host)
        except BaseException:
            self._connected.close()
            raise

    def _end(self) -> float:
        end = time.monotonic() + self._seconds
        return end if self._last is None else min(end, self._last)

    def __enter__(self) -> HttpExchange:
        return self

    def __exit__(self, *_: object) -> None:
        try:
            if self._answer is not None:
                self._answer.close()
        finally:
            self._connected.close()

    def send_head(self, method: str, fields: Mapping[str, str]) -> None:
        """Send the request without its body."""
        target = self._target
        lines = {"Host": target.authority, "User-Agent": USER_AGENT, "Accept-Encoding": "identity", "Connection": "close", **fields}
        text = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        self.send(f"{method} {target.path} HTTP/1.1\r\n{text}\r\n".encode("latin-1"))

    def send(self, data: bytes) -> None:
        """Send a piece."""
        self._connected.wait_until(self._end())
        with _failures():
            self._connected.send(data)

    def answer(self, method: str) -> http.client.HTTPResponse:
        """The head of the answer; its body is read by `read`."""
        self._connected.wait_until(self._end())
        answer = http.client.HTTPResponse(cast("Any", _Incoming(self._connected)), method=method)
        self._answer = answer  # before its head is read: one that is broken is closed too
        with _failures():
            answer.begin()
        return answer

    def read(self, size: int) -> bytes:
        """The next bytes of the body; none at its end."""
        assert self._answer is not None
        self._connected.wait_until(self._end())
        with _failures():
            data = self._answer.read1(size)
        if not data and self._answer.length:
            raise HttpFailed("the answer broke off")
        return data


class _failures:  # noqa: N801  # it is used as a function
    """In this context whatever fails is HttpFailed."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, TimeoutError):
            raise HttpFailed("it took too long", timed_out=True) from error
        if isinstance(error, ssl.SSLError):
            raise HttpFailed("the certificate or the TLS of the server is not accepted") from error
        if isinstance(error, (OSError, http.client.HTTPException, ValueError)):
            raise HttpFailed("the connection was refused, or broke off") from error


def _context() -> ssl.SSLContext:
    """Certificates are checked against the system's authorities, and names against certificates."""
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    return context
