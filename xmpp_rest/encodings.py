"""Undoes the content codings of HTTP within a bound (RFC 9110 §8.4). The one place that inflates what came from outside."""

from __future__ import annotations

import zlib

CODINGS = ("gzip", "deflate")
ACCEPTED = ", ".join(CODINGS)
"""What `Accept-Encoding` says in a 415 (RFC 9110 §15.5.16)."""
MAX_CODINGS = 2  # applied one after the other
MAX_MEMBERS = 64  # of one gzip file: each has what follows it copied once

_NAMES = {"gzip": "gzip", "x-gzip": "gzip", "deflate": "deflate", "x-deflate": "deflate", "identity": ""}  # RFC 9110 §8.4.1
_GZIP = 16 + zlib.MAX_WBITS


class UnknownEncoding(ValueError):
    """The content is coded in a way that is not known here."""


class BadEncoding(ValueError):
    """The content is not what its coding says."""


class TooLong(ValueError):
    """The content is longer than it may be once it is decoded."""


def codings(field: str | None) -> list[str]:
    """The codings that a Content-Encoding field lists, in the order in which they were applied. Raises UnknownEncoding."""
    found = []
    for word in (field or "").split(","):
        name = word.strip(" \t").lower()
        if not name:
            continue
        if name not in _NAMES:
            raise UnknownEncoding(f"the content coding {name[:40]!r} is not known; use {ACCEPTED} or none")
        if coding := _NAMES[name]:
            found.append(coding)
    if len(found) > MAX_CODINGS:
        raise UnknownEncoding(f"more than {MAX_CODINGS} content codings; use {ACCEPTED} or none")
    return found


def decode(data: bytes, applied: list[str], limit: int) -> bytes:
    """`data` without its codings, of which none leaves more than `limit` bytes. Raises BadEncoding, TooLong."""
    for coding in reversed(applied):
        data = _inflated(data, coding, limit)
    return data


def _inflated(data: bytes, coding: str, limit: int) -> bytes:
    try:
        return _gunzip(data, limit) if coding == "gzip" else _deflated(data, limit)
    except zlib.error as e:
        raise BadEncoding(f"the content is not {coding}: {e}") from e


def _gunzip(data: bytes, limit: int) -> bytes:
    """All members of a gzip file (RFC 1952 §2.2)."""
    text = bytearray()
    for _ in range(MAX_MEMBERS):
        if not data:
            return bytes(text)
        more, data = _once(data, _GZIP, limit - len(text))
        text += more
    raise BadEncoding(f"a gzip file of more than {MAX_MEMBERS} members")


def _deflated(data: bytes, limit: int) -> bytes:
    """RFC 9110 §8.4.1.2: the zlib format; some clients send the data of RFC 1951 alone."""
    wrapped = len(data) > 1 and data[0] & 15 == zlib.DEFLATED and (data[0] << 8 | data[1]) % 31 == 0  # RFC 1950 §2.2
    text, rest = _once(data, zlib.MAX_WBITS if wrapped else -zlib.MAX_WBITS, limit) if data else (b"", b"")
    if rest:
        raise BadEncoding("there is something after the end of the deflated content")
    return text


def _once(data: bytes, window: int, limit: int) -> tuple[bytes, bytes]:
    """One compressed stream, and what follows it."""
    inflater = zlib.decompressobj(window)
    text = inflater.decompress(data, limit + 1)  # memory is bounded, however well it was compressed
    if len(text) > limit:
        raise TooLong(f"the content has more than {limit} bytes once it is decoded")
    if not inflater.eof:
        raise BadEncoding("the compressed content breaks off")
    return text, inflater.unused_data
