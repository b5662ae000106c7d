"""HTTP connections to a callback's URL: urllib3's, with a deadline for the whole answer, and percent escapes in lower case."""

from __future__ import annotations

import http.client
import io
import socket
import time
from typing import Any

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection

from xmpp_rest.protocol.percent import lower_hex


class _Bounded(io.RawIOBase):
    """What a socket receives, until the time is over that its timeout gave for one read: a slow sender must not hold a thread."""

    def __init__(self, connected: socket.socket) -> None:
        self._socket = connected
        self._raw: Any = connected.makefile("rb", buffering=0)  # holds the socket open, as http.client counts on
        timeout = connected.gettimeout()
        self._end = None if timeout is None else time.monotonic() + timeout

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        if self._end is not None:
            left = self._end - time.monotonic()
            if left <= 0:
                raise TimeoutError("timed out")
            self._socket.settimeout(left)
        received: int | None = self._raw.readinto(buffer)
        return received

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Answer(http.client.HTTPResponse):
    """An answer whose status line, fields and body have one deadline."""

    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self.fp.close()
        self.fp = io.BufferedReader(_Bounded(sock))


class _Plain(HTTPConnection):
    response_class = _Answer

    def putrequest(self, method: str, url: str, skip_host: bool = False, skip_accept_encoding: bool = False) -> None:
        super().putrequest(method, lower_hex(url), skip_host, skip_accept_encoding)


class _Secure(_Plain, HTTPSConnection):
    """The same with TLS."""


class _PlainPool(urllib3.HTTPConnectionPool):
    ConnectionCls = _Plain


class _SecurePool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _Secure


class DeadlineConnections(urllib3.PoolManager):
    """Such connections, kept open between requests: at most `maxsize` to one host."""

    def __init__(self, maxsize: int) -> None:
        super().__init__(num_pools=8, maxsize=maxsize, retries=False)
        self.pool_classes_by_scheme = {"http": _PlainPool, "https": _SecurePool}
