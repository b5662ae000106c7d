"""Requests to a gateway by its URL."""

from __future__ import annotations

import http.client
import json
import re
import socket
import ssl
from typing import Any, BinaryIO, NamedTuple
from urllib.parse import SplitResult, urlsplit

from xmpp_rest.gateway.exit_codes import CannotStart, Exit

TIMEOUT = 30.0  # seconds without a byte, on top of those that the gateway is asked to wait
PRINTED = re.compile(r"[^\s\x00-\x20\x7f-\x9f]+")
MOST = 256 << 20  # bytes of an answer


class HttpReply(NamedTuple):
    """An answer, read whole."""

    status: int
    fields: http.client.HTTPMessage
    body: bytes

    def json(self) -> Any:
        """The body; None if it is not JSON."""
        try:
            return json.loads(self.body)
        except ValueError:
            return None


class HttpClient:
    """One connection at a time to one URL; certificates are verified. Not for several threads at once."""

    def __init__(self, url: str, token: str) -> None:
        """`token`: "" for none. Raises CannotStart, USAGE, for what is not a URL."""
        parts, host, port = _read(url)
        self.url = url
        self.is_open_to_others = parts.scheme == "http" and host not in ("localhost", "127.0.0.1", "::1")
        """Whether the token could be read on its way."""
        self._prefix = parts.path.rstrip("/")
        self._host, self._port, self._is_secure = host, port, parts.scheme == "https"
        self._token = token
        self._fields = {"Authorization": f"Bearer {token}"} if token else {}
        self._connection: http.client.HTTPConnection | None = None
        self._sock: socket.socket | None = None  # the connection forgets it where the answer says that it closes

    def again(self) -> HttpClient:
        """Another connection to the same URL."""
        return HttpClient(self.url, self._token)

    def request(self, method: str, path: str, body: bytes | None = None, *, wait: float = 0, **fields: str) -> HttpReply:
        """Ask; `wait`: seconds that the answer may take beside the usual ones. Raises CannotStart, UNAVAILABLE."""
        is_new = self._connection is None
        try:
            return self._ask(method, path, body, wait, fields)
        except (OSError, http.client.HTTPException) as e:
            self.close()
            if is_new or method != "GET":  # else it was kept open, and the other end has closed it meanwhile
                raise self._unreachable(e) from e
        try:
            return self._ask(method, path, body, wait, fields)
        except (OSError, http.client.HTTPException) as e:
            self.close()
            raise self._unreachable(e) from e

    def upload(self, path: str, content: BinaryIO, size: int, *, wait: float = 0, **fields: str) -> HttpReply:
        """POST a file of this size as it is read; its refusal may come before all was sent. Raises CannotStart, UNAVAILABLE."""
        self.close()
        self._connection = connection = self._connect(TIMEOUT + wait)
        named = self._fields | {name.replace("_", "-"): value for name, value in fields.items()} | {"Content-Length": str(size)}
        try:
            try:
                connection.request("POST", self._prefix + path, content, named)
            except (BrokenPipeError, ConnectionResetError):
                return self._answered(connection)
            return self._answered(connection)
        except (OSError, http.client.HTTPException) as e:
            raise self._unreachable(e) from e
        finally:
            self.close()

    @staticmethod
    def _answered(connection: http.client.HTTPConnection) -> HttpReply:
        response = connection.getresponse()
        return HttpReply(response.status, response.headers, response.read(MOST))

    def open(self, path: str, **fields: str) -> http.client.HTTPResponse:
        """The answer to a GET, whose body is read as it comes. Raises CannotStart, UNAVAILABLE."""
        try:
            return self._begin("GET", path, None, TIMEOUT, fields)
        except (OSError, http.client.HTTPException) as e:
            self.close()
            raise self._unreachable(e) from e

    def _ask(self, method: str, path: str, body: bytes | None, wait: float, fields: dict[str, str]) -> HttpReply:
        response = self._begin(method, path, body, TIMEOUT + wait, fields)
        return HttpReply(response.status, response.headers, response.read(MOST))

    def _begin(self, method: str, path: str, body: bytes | None, timeout: float, fields: dict[str, str]) -> http.client.HTTPResponse:
        if self._connection is None:
            self._connection = self._connect(timeout)
        if (sock := self._connection.sock) is not None:
            sock.settimeout(timeout)
        named = {name.replace("_", "-"): value for name, value in fields.items()}
        self._connection.request(method, self._prefix + path, body, self._fields | named)
        self._sock = self._connection.sock
        return self._connection.getresponse()

    def _connect(self, timeout: float) -> http.client.HTTPConnection:
        if self._is_secure:
            return http.client.HTTPSConnection(self._host, self._port, timeout=timeout, context=ssl.create_default_context())
        return http.client.HTTPConnection(self._host, self._port, timeout=timeout)

    def set_timeout(self, seconds: float) -> None:
        """How long the next read of an open answer may take."""
        if self._sock is not None:
            self._sock.settimeout(seconds)

    def close(self) -> None:
        """End the connection."""
        if self._connection is not None:
            self._connection.close()
        if self._sock is not None:
            _shut(self._sock)
        self._connection = self._sock = None

    def _unreachable(self, error: Exception) -> CannotStart:
        reason = getattr(error, "verify_message", "") or getattr(error, "strerror", None) or str(error) or type(error).__name__
        return CannotStart(Exit.UNAVAILABLE, f"{self.url} cannot be reached: {reason}")


def _read(url: str) -> tuple[SplitResult, str, int | None]:
    """The parts of a URL, its host and port. Raises CannotStart, USAGE."""
    remedy = "write one such as https://gw.example.net"
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
        host.encode("idna")
        is_url = parts.scheme in ("http", "https") and host and not (parts.query or parts.fragment)
    except ValueError as e:  # also UnicodeError
        raise CannotStart(Exit.USAGE, f"--url: {url!r} is not the URL of a gateway; {remedy}") from e
    if parts.username is not None:  # which may be secret
        raise CannotStart(Exit.USAGE, f"--url: write it without user and password: --token-file has a token; {remedy}")
    if not is_url or not PRINTED.fullmatch(url) or not parts.path.isascii():
        raise CannotStart(Exit.USAGE, f"--url: {url!r} is not the URL of a gateway; {remedy}")
    return parts, host, port


def _shut(sock: socket.socket) -> None:
    try:
        sock.shutdown(socket.SHUT_RDWR)
    except OSError:  # the other end has closed it
        return
