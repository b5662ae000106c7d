"""Reads a body in chunks (RFC 9112 §7.1), as its bytes come."""

from __future__ import annotations

import re
from collections.abc import Callable

from gunicorn.http.body import CHUNK_EXT_RE

from xmpp_rest.serving.limits import Limits
from xmpp_rest.serving.lines import has_bare_lf
from xmpp_rest.serving.request import BadRequest
from xmpp_rest.serving.request_body import Body

CheckTrailers = Callable[[bytes], None]
"""Raises BadRequest unless these are lines that a trailer section may have; the last one comes without its CRLF."""

_SIZE = re.compile(rb"([0-9A-Fa-f]+)(?:[ \t]*(;.*))?", re.DOTALL)  # white space belongs to an extension
_PLAIN = re.compile(rb"([0-9A-Fa-f]{1,8})\r\n")  # nearly every one; a body may have thousands in 64 KiB


class Chunks:
    """The decoder of one body."""

    __slots__ = ("_body", "_check", "_held", "_left", "_limits", "_reads")

    def __init__(self, body: Body, limits: Limits, check_trailers: CheckTrailers) -> None:
        self._body = body
        self._limits = limits
        self._check = check_trailers
        self._held = bytearray()  # the beginning of what is read next: a line, a CRLF, or the trailer section
        self._left = 0  # bytes of this chunk
        self._reads = self._size

    @property
    def held(self) -> int:
        """Number of bytes that are there of a line or of the trailer section."""
        return len(self._held)

    def feed(self, data: bytes, at: int) -> int:
        """Read `data` from `at`; returns where it stopped, which is before the end only if the body is complete.

        Raises BadRequest for what is not in chunks.
        """
        while at < len(data) and not self._body.complete:
            at = self._reads(data, at)
        return at

    def _size(self, data: bytes, at: int) -> int:
        """The line that begins a chunk."""
        if not self._held and (plain := _PLAIN.match(data, at)):
            return self._plain(plain, data)
        stop = data.find(b"\n", at) + 1 or len(data)
        self._held += data[at:stop]
        line = bytes(self._held)
        content = line.removesuffix(b"\n").removesuffix(b"\r")
        if len(content) > self._limits.field_size:
            raise _bad(f"a line that begins a chunk has more than {self._limits.field_size} bytes")
        if not line.endswith(b"\n"):
            return stop
        match = _SIZE.fullmatch(content)
        if not line.endswith(b"\r\n") or match is None or not CHUNK_EXT_RE.fullmatch(match[2] or b""):
            raise _bad("a line that begins a chunk is a size in hexadecimal digits, perhaps extensions, and CRLF")
        self._held.clear()
        return self._begin(match[1], stop)

    def _plain(self, line: re.Match[bytes] | None, data: bytes) -> int:
        """The line of a chunk, with all chunks that are there as a whole: a body of small ones takes a third of the time."""
        pieces = []
        at = 0
        while line:
            at = line.end()
            stop = at + int(line[1], 16)
            if stop == at or data[stop : stop + 2] != b"\r\n":
                at = self._begin(line[1], at)
                break
            pieces.append(data[at:stop])
            at = stop + 2
            line = _PLAIN.match(data, at)
        if pieces:
            self._body.feed(b"".join(pieces))
        return at

    def _begin(self, size: bytes, stop: int) -> int:
        self._left = int(size, 16)
        self._reads = self._data if self._left else self._trailers
        return stop

    def _data(self, data: bytes, at: int) -> int:
        piece = data[at : at + self._left]
        self._body.feed(piece)
        self._left -= len(piece)
        if not self._left:
            self._reads = self._end
        return at + len(piece)

    def _end(self, data: bytes, at: int) -> int:
        if not self._held and data.startswith(b"\r\n", at):
            self._reads = self._size
            return at + 2
        stop = at + 2 - len(self._held)
        self._held += data[at:stop]
        if not b"\r\n".startswith(self._held):
            raise _bad("a chunk ends with CRLF, after as many bytes as it said")
        if len(self._held) == len(b"\r\n"):
            self._held.clear()
            self._reads = self._size
        return min(stop, len(data))

    def _trailers(self, data: bytes, at: int) -> int:
        seen = len(self._held)
        self._held += data[at:]
        if self._held.startswith(b"\r\n"):
            end = 2
        elif (last := self._held.find(b"\r\n\r\n", max(0, seen - 3))) >= 0:
            self._check(bytes(self._held[:last]))
            end = last + 4
        else:
            if has_bare_lf(self._held, seen):
                raise _bad("a line of the trailer section ends with CRLF")
            if len(self._held) > self._limits.head:
                raise BadRequest(431, "Request Header Fields Too Large", f"the trailer section has more than {self._limits.head} bytes")
            return len(data)
        self._body.end()
        return len(data) - (len(self._held) - end)


def _bad(sentence: str) -> BadRequest:
    return BadRequest(400, "Bad Request", sentence)
