"""Requests from the bytes of a connection."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from xmpp_rest.serving.chunks import Chunks
from xmpp_rest.serving.head_parser import HeadParser
from xmpp_rest.serving.limits import Limits
from xmpp_rest.serving.lines import has_bare_lf
from xmpp_rest.serving.proxy_protocol import ProxyHeader
from xmpp_rest.serving.request import BadRequest, Peer, Request
from xmpp_rest.serving.request_body import Body

_END = b"\r\n\r\n"
AHEAD = 16  # requests that are parsed before one is taken: 64 KiB may have thousands, at 500 bytes of memory each


def head_parser_of(cfg: Any, limits: Limits, log: Any) -> HeadParser:
    """The parser of heads: llhttp, or gunicorn's where httptools is not installed."""
    try:
        from xmpp_rest.serving.llhttp import LlhttpHeadParser
    except ImportError as e:
        log.info("requests are parsed in Python, as httptools cannot be imported: %s", e)
        return HeadParser(cfg, limits)
    return LlhttpHeadParser(cfg, limits)


class RequestReader:
    """Reads the requests of one connection, in order.

    `requests`: those whose heads are complete and that nobody has taken yet, at most AHEAD of them. `holds_back`: bytes of others are
    there, which the next `feed` reads as far as some were taken; it may be called with b"" for that. `ended`: no further request is
    read, as one asked to close the connection, or was wrong. `more`: for bodies that are read before they have come.
    """

    __slots__ = (
        *("_body", "_checked", "_chunks", "_head_parser", "_held", "_keeps", "_left", "_limits", "_more", "_peer", "_proxy", "_rest"),
        *("_skipped", "ended", "requests"),
    )

    def __init__(self, limits: Limits, head_parser: HeadParser, peer: Peer, more: Callable[[], None]) -> None:
        self._limits = limits
        self._head_parser = head_parser
        self._peer = peer
        self._more = more
        self._proxy = ProxyHeader(head_parser.cfg, peer) if head_parser.after_proxy_header else None
        self._rest = b""  # what is held back
        self._held = bytearray()  # the beginning of a head
        self._checked = False  # whether its request line is there, and right
        self._skipped = False  # whether an empty line was before it
        self._body: Body | None = None  # the one that is still coming
        self._chunks: Chunks | None = None  # where it comes in chunks
        self._left = 0  # bytes of it to come, where it has a length
        self._keeps = True  # whether another request may follow the latest
        self.requests: deque[Request] = deque()
        self.ended = False

    @property
    def head_begun(self) -> bool:
        """Whether bytes of a head are there that is not complete."""
        return bool(self._held) or (self._proxy is not None and self._proxy.begun)

    @property
    def holds_back(self) -> bool:
        """Whether there are bytes that `feed` has not read yet."""
        return bool(self._rest)

    @property
    def unfinished(self) -> int:
        """Number of bytes that are there of a request that is not complete."""
        size = len(self._held)
        if self._body is not None:
            size += self._body.buffered
            if self._chunks is not None:
                size += self._chunks.held
        return size

    def give_up(self) -> None:
        """Read nothing further, and forget the request that is not complete."""
        if self.requests and self.requests[-1].body is self._body:
            self.requests.pop()
        self._body = self._chunks = None
        self.ended = True
        self._held.clear()
        self._rest = b""

    def feed(self, data: bytes) -> None:
        """Read these bytes. Raises BadRequest for a head that is wrong, once what was complete before it is in `requests`.

        A body that is wrong raises nothing, as its request is in `requests` already: it has failed, and its reader is told.
        """
        if self.ended:
            return
        try:
            self._feed(data)
        except BadRequest:
            self.ended = True
            raise
        finally:
            if self.ended:
                self._held.clear()
                self._rest = b""

    def _feed(self, data: bytes) -> None:
        if self._proxy is not None and self._proxy.due:
            data = self._proxy.feed(data)
        if self._held:
            seen = len(self._held)
            self._held += data
            if seen > 1 and self._held.find(_END, max(0, seen - 3)) < 0:  # after one byte it may be an empty line
                self._check_begun(seen)
                return
            data = bytes(self._held)
            self._held.clear()
        elif self._rest:
            data = self._rest + data
        at = 0
        while at < len(data) and not self.ended and (self._body is not None or len(self.requests) < AHEAD):
            at = self._feed_head(data, at) if self._body is None else self._feed_body(self._body, data, at)
        self._rest = data[at:]

    def _feed_head(self, data: bytes, at: int) -> int:
        if data.startswith(b"\r\n", at) and not self._skipped:
            self._skipped = True  # RFC 9112 §2.2: one empty line is ignored
            return at + 2
        end = data.find(_END, at) + 4
        if end < 4:
            self._held += data[at:]
            self._check_begun(0)
            return len(data)
        head = self._head_parser.parse(data[at:end], self._peer)
        self._skipped = self._checked = False
        self._keeps = head.keeps_alive
        body = Body(self._more, complete=not head.chunked and not head.length)
        self.requests.append(Request(head, body, self._proxy and self._proxy.variables))
        if body.complete:
            self.ended = not self._keeps
            return end
        self._body = body
        self._left = head.length or 0
        self._chunks = Chunks(body, self._limits, self._head_parser.check_trailers) if head.chunked else None
        return end

    def _feed_body(self, body: Body, data: bytes, at: int) -> int:
        if self._chunks is None:
            piece = data[at : at + self._left]
            body.feed(piece)
            self._left -= len(piece)
            at += len(piece)
            if not self._left:
                body.end()
        else:
            try:
                at = self._chunks.feed(data, at)
            except BadRequest:
                body.fail()
                self.ended = True
        if body.complete:
            self._body = self._chunks = None
            self.ended = not self._keeps
        return at

    def _check_begun(self, seen: int) -> None:
        """Refuse the beginning of a head that cannot become right; the first `seen` bytes of it were looked at before."""
        held = self._held
        if has_bare_lf(held, seen):
            raise BadRequest(400, "Bad Request", "a line of the head ends with CRLF (RFC 9112 §2.2)")
        if not self._checked:
            end = held.find(b"\r\n")
            if (end if end >= 0 else len(held) - 2) > self._limits.request_line:
                raise BadRequest(414, "URI Too Long", f"the request line has more than {self._limits.request_line} bytes")
            if end >= 0:
                self._head_parser.check_line(bytes(held[:end]))
                self._checked = True
        if len(held) > self._limits.request_line + self._limits.head:
            raise BadRequest(431, "Request Header Fields Too Large", f"the fields have more than {self._limits.head} bytes")
