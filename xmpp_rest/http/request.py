"""Reads a request's body: all of it, within a bound, and without the coding that it was compressed by.

Servers hand on what came until the client closed its side, and say nothing.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import IO, Any

from flask import Request
from werkzeug.exceptions import BadRequest, ClientDisconnected, RequestEntityTooLarge, UnsupportedMediaType
from werkzeug.utils import cached_property
from werkzeug.wsgi import get_content_length

from xmpp_rest.http.encodings import ACCEPTED, BadEncoding, Inflater, TooLong, UnknownEncoding, coding_of, decode

FIELD = "HTTP_CONTENT_ENCODING"
FRAME = 1024  # bytes by which a body may be longer before it is decoded: what is not worth compressing grows a little


class UnsupportedCoding(UnsupportedMediaType):
    """The body is compressed in a way that is not known here (RFC 9110 §15.5.16)."""

    def get_headers(self, *args: Any, **kwargs: Any) -> list[tuple[str, str]]:
        return [*super().get_headers(*args, **kwargs), ("Accept-Encoding", ACCEPTED)]


class BadCoding(BadRequest):
    """The body is not what its Content-Encoding says."""


class WholeRequest(Request):
    """A request whose body is as long as it said, or an error (RFC 9112 §8)."""

    @cached_property
    def content_length(self) -> int | None:
        """As Werkzeug reads it, without the detour over `headers`; None where nobody knows, 0 for what is not a length."""
        return get_content_length(self.environ)

    def get_data(self, *args: Any, **kwargs: Any) -> Any:
        """The body. Raises ClientDisconnected, a BadRequest, where it is shorter than Content-Length."""
        data = super().get_data(*args, **kwargs)
        require_whole(data, self.content_length or 0)
        return data


def require_whole(data: bytes, length: int) -> None:
    """Raise ClientDisconnected, a BadRequest, unless all of `length` bytes have come."""
    if len(data) < length:
        raise ClientDisconnected("The body is shorter than its Content-Length; nothing was done with it")


def read_body(request: Request, limit: int) -> bytes:
    """The body of at most `limit` bytes, which can be read once.

    Raises RequestEntityTooLarge, ClientDisconnected for a part of it, UnsupportedCoding, BadCoding.
    """
    if coding := body_coding(request.environ):
        try:
            return decode(_received(request, limit + FRAME), coding, limit)
        except BadEncoding as e:
            raise BadCoding(f"Content-Encoding: {e}") from e
        except TooLong as e:
            raise RequestEntityTooLarge from e
    return _received(request, limit)


def body_stream(request: Request, limit: int) -> IO[bytes]:
    """The body to be read piecewise, at most `limit` bytes and one more of what was sent. Reading raises as `read_body`."""
    request.max_content_length = limit + 1  # Werkzeug cuts a chunked body there without a word (RFC 9112 §6)
    coding = body_coding(request.environ)
    return io.BufferedReader(_Inflated(request.stream, coding)) if coding else request.stream


def body_coding(environ: Mapping[str, Any]) -> str:
    """The coding that the body was compressed by; "" for none. Raises UnsupportedCoding."""
    if FIELD not in environ:  # nearly always
        return ""
    try:
        return coding_of(environ[FIELD])
    except UnknownEncoding as e:
        raise UnsupportedCoding(f"Content-Encoding: {e}") from e


class _Inflated(io.RawIOBase):
    """A compressed stream, decoded as it is read."""

    def __init__(self, stream: IO[bytes], coding: str) -> None:
        self._inflater = Inflater(coding, stream.read)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        try:
            data = self._inflater.read(len(buffer))
        except BadEncoding as e:
            raise BadCoding(f"Content-Encoding: {e}") from e
        buffer[: len(data)] = data
        return len(data)


def _received(request: Request, limit: int) -> bytes:
    """What was sent, as `read_body`."""
    length = request.content_length
    if length and length <= limit:
        return _read_body(request, length)
    request.max_content_length = limit + 1  # Werkzeug cuts a chunked body there without a word (RFC 9112 §6)
    data: bytes = request.get_data(cache=False)
    if len(data) > limit:
        raise RequestEntityTooLarge
    return data


def _read_body(request: Request, length: int) -> bytes:
    """So many bytes, at once where the server has them: Werkzeug's own stream asks it once more whether that was all."""
    read = request.environ["wsgi.input"].read
    data: bytes = b""
    try:
        while len(data) < length and (more := read(length - len(data))):
            data += more
    except (OSError, ValueError) as e:  # as Werkzeug's own stream does
        raise ClientDisconnected from e
    require_whole(data, length)
    return data
