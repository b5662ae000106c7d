"""The head of an answer: which fields it has, and how the end of its body is found (RFC 9112 §6.3)."""

from __future__ import annotations

import time
from collections.abc import Sequence
from email.utils import formatdate
from enum import Enum
from functools import lru_cache

from gunicorn import SERVER
from gunicorn.http.errors import InvalidResponseHeader, InvalidResponseHeaderName
from gunicorn.http.message import TOKEN_RE
from gunicorn.http.wsgi import HEADER_VALUE_RE, STATUS_RE
from gunicorn.util import is_hoppish

from xmpp_rest.serving.request import Field, Version


class _Kind(Enum):
    """What becomes of a field of the application's."""

    SENT = 0
    LENGTH = 1
    LEFT_OUT = 2  # hop-by-hop, or the server's own


@lru_cache(maxsize=1024)
def _kind(name: str) -> _Kind:
    if not TOKEN_RE.fullmatch(name):
        raise InvalidResponseHeaderName(repr(name))
    if is_hoppish(name):
        return _Kind.LEFT_OUT
    return _Kind.LENGTH if name.lower() == "content-length" else _Kind.SENT


@lru_cache(maxsize=1)
def _server_and_date(second: int) -> str:
    return f"Server: {SERVER}\r\nDate: {formatdate(second, usegmt=True)}\r\n"


class ResponseHead:
    """The head of an answer to a request with this method and version.

    `length`: of Content-Length. `chunked`: the body has to be sent in chunks. `omits_body`: none may be sent, whatever the
    application gives. `delimited`: the client finds the end of the body without the end of the connection.

    Raises what gunicorn raises for what an application may not send: TypeError, ValueError, InvalidResponseHeader,
    InvalidResponseHeaderName.
    """

    __slots__ = ("chunked", "code", "delimited", "fields", "length", "omits_body", "status", "version")

    def __init__(self, status: str, fields: Sequence[Field], method: str, version: Version) -> None:
        _check_status(status)
        self.status = status
        self.version = version
        self.code = int(status[:3])
        self.fields, self.length = _checked(fields)
        bodiless = self.code < 200 or self.code in (204, 304)
        self.omits_body = bodiless or method == "HEAD"
        if self.length is not None and (self.code < 200 or self.code == 204):  # RFC 9110 §8.6
            self.fields = [field for field in self.fields if field[0].lower() != "content-length"]
            self.length = None
        self.chunked = self.length is None and not self.omits_body and version > (1, 0)
        self.delimited = self.length is not None or self.chunked or self.omits_body

    def serialise(self, *, keep_alive: bool) -> bytes:
        """The bytes of the head. An answer that is not `delimited` ends the connection in any case."""
        return _serialise(self.status, self.fields, keep_alive and self.delimited, self.chunked, self.version)


def serialise_head(status: str, fields: Sequence[Field], *, keep_alive: bool, chunked: bool, version: Version) -> bytes:
    """The bytes of a head of the server's own, whose body is delimited as the caller says. Raises what ResponseHead raises."""
    _check_status(status)
    return _serialise(status, _checked(fields)[0], keep_alive, chunked, version)


def _serialise(status: str, fields: Sequence[Field], keep_alive: bool, chunked: bool, version: Version) -> bytes:
    lines = "".join([f"{name}: {value}\r\n" for name, value in fields])
    connection = "keep-alive" if keep_alive else "close"
    coding = "Transfer-Encoding: chunked\r\n" if chunked else ""
    major, minor = version
    return (
        f"HTTP/{major}.{minor} {status}\r\n{_server_and_date(int(time.time()))}Connection: {connection}\r\n{coding}{lines}\r\n"
    ).encode("latin-1")


def _check_status(status: str) -> None:
    if not isinstance(status, str):
        raise TypeError(f"{status!r} is not a string")
    if not STATUS_RE.fullmatch(status):
        raise ValueError(f"Invalid status {status!r}")


def _checked(fields: Sequence[Field]) -> tuple[list[Field], int | None]:
    """The fields that are sent, and the length that they say."""
    length = None
    sent = []
    for name, value in fields:
        if not isinstance(name, str) or not isinstance(value, str):
            raise TypeError(f"{name!r} or its value is not a string")
        kind = _kind(name)
        if not HEADER_VALUE_RE.fullmatch(value):
            raise InvalidResponseHeader(repr(name))  # not the value, which may be a secret
        if kind is _Kind.LEFT_OUT:
            continue
        value = value.strip(" \t")
        if kind is _Kind.LENGTH:
            length = int(value)
        sent.append((name, value))
    return sent, length
