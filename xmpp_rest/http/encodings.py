"""Undoes the content codings of HTTP within a bound (RFC 9110 §8.4). The one place that inflates what came from outside."""

from __future__ import annotations

import io
import zlib
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from zlib import _Decompress as _Decompressor

CODINGS = ("gzip", "deflate")
ACCEPTED = ", ".join(CODINGS)
"""What `Accept-Encoding` says in a 415 (RFC 9110 §15.5.16)."""
MAX_MEMBERS = 64  # of one gzip file: an empty one costs as much as many bytes of another
PIECE = 65536  # bytes that are read, and decoded, at once

_NAMES = {"gzip": "gzip", "x-gzip": "gzip", "deflate": "deflate", "identity": ""}  # RFC 9110 §8.4.1
_GZIP = 16 + zlib.MAX_WBITS


class UnknownEncoding(ValueError):
    """The content is coded in a way that is not known here."""


class BadEncoding(ValueError):
    """The content is not what its coding says."""


class TooLong(ValueError):
    """The content is longer than it may be once it is decoded."""


def coding_of(field: str | None) -> str:
    """The coding that a Content-Encoding field names, one of CODINGS; "" for none. Raises UnknownEncoding, for two as well."""
    found = ""
    for word in (field or "").split(","):
        name = word.strip(" \t").lower()
        if not name:
            continue
        if name not in _NAMES:
            raise UnknownEncoding(f"the content coding {name[:40]!r} is not known; use {ACCEPTED} or none")
        if found and _NAMES[name]:
            raise UnknownEncoding(f"the content is coded twice; use one of {ACCEPTED}, or none")
        found = found or _NAMES[name]
    return found


def decode(data: bytes, coding: str, limit: int) -> bytes:
    """`data` without its coding, at most `limit` bytes. Raises BadEncoding, TooLong."""
    if not coding:
        return data
    inflater, text = Inflater(coding, io.BytesIO(data).read), bytearray()
    while more := inflater.read(PIECE):
        text += more
        if len(text) > limit:
            raise TooLong(f"the content has more than {limit} bytes once it is decoded")
    return bytes(text)


class Inflater:
    """Decodes what `source` reads, so much at a time as it is asked for: memory is bounded, however well something was compressed."""

    def __init__(self, coding: str, source: Callable[[int], bytes]) -> None:
        self._coding = coding
        self._source = source
        self._members = 0
        self._given = b""  # compressed, not looked at yet
        self._stream: _Decompressor | None = None

    def read(self, size: int) -> bytes:
        """At most `size` bytes; none at the end. Raises BadEncoding."""
        try:
            while size > 0 and (self._stream is not None or self._begin()):
                if text := self._more(size):
                    return text
        except zlib.error as e:
            raise BadEncoding(f"the content is not {self._coding}: {e}") from e
        return b""

    def _begin(self) -> bool:
        """Whether there is something to decode, or something more: a gzip file may have several members (RFC 1952 §2.2)."""
        while len(self._given) < 2 and (more := self._source(PIECE)):
            self._given += more
        if not self._given:
            return False
        self._members += 1
        if self._members > (MAX_MEMBERS if self._coding == "gzip" else 1):
            raise BadEncoding("trailing data after the end of the compressed content")
        self._stream = zlib.decompressobj(_GZIP if self._coding == "gzip" else _deflate_window(self._given))
        return True

    def _more(self, size: int) -> bytes:
        stream = self._stream
        assert stream is not None
        if not self._given and not (given := self._source(PIECE)):
            text = stream.decompress(b"", size)  # what it has not handed out yet
            if not text and not stream.eof:
                raise BadEncoding("the compressed content breaks off")
        else:
            text = stream.decompress(self._given or given, size)
        self._given = stream.unconsumed_tail
        if stream.eof:
            self._given, self._stream = stream.unused_data, None
        return text


def _deflate_window(data: bytes) -> int:
    """RFC 9110 §8.4.1.2: the zlib format; some clients send the data of RFC 1951 alone."""
    wrapped = len(data) > 1 and data[0] & 15 == zlib.DEFLATED and (data[0] << 8 | data[1]) % 31 == 0  # RFC 1950 §2.2
    return zlib.MAX_WBITS if wrapped else -zlib.MAX_WBITS
