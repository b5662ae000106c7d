"""Parses heads with gunicorn's parser: what it says of a head holds."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from gunicorn.http import errors
from gunicorn.http.body import ChunkedReader
from gunicorn.http.message import Request as GunicornRequest
from gunicorn.http.unreader import IterUnreader

from xmpp_rest.serving.host import is_host
from xmpp_rest.serving.limits import Limits
from xmpp_rest.serving.request import BadRequest, Peer, RequestHead, Version

_STATUSES: dict[type[Exception], tuple[int, str]] = {  # as gunicorn answers them; 400 for all others
    errors.LimitRequestLine: (414, "URI Too Long"),
    errors.LimitRequestHeaders: (431, "Request Header Fields Too Large"),
    errors.ExpectationFailed: (417, "Expectation Failed"),
    errors.UnsupportedTransferCoding: (501, "Not Implemented"),
    errors.ForbiddenProxyRequest: (403, "Forbidden"),
}


def refusal(error: Exception) -> BadRequest:
    """The answer to what gunicorn's parser refuses."""
    status, reason = _STATUSES.get(type(error), (400, "Bad Request"))
    return BadRequest(status, reason, str(error), type(error).__name__)


def closes(connection: Iterable[str], version: Version) -> bool:
    """Whether the values of the Connection fields end the connection after this request (RFC 9112 §9.3)."""
    options = {option.strip(" \t").lower() for value in connection for option in value.split(",")}
    return "close" in options or (version <= (1, 0) and "keep-alive" not in options)


class Parsed(GunicornRequest):  # type: ignore[misc]
    """gunicorn's request, with the checks of Host and Connection that it lacks."""

    def parse(self, unreader: Any) -> Any:
        rest = super().parse(unreader)
        # RFC 9112 §3.2: 400 for a request of HTTP/1.1 without a Host field, and for any with an invalid one
        hosts = [value for name, value in self.headers if name == "HOST"]
        if (not hosts and self.version >= (1, 1)) or not all(map(is_host, hosts)):
            raise errors.InvalidHeader("HOST", req=self)
        return rest

    def should_close(self) -> bool:
        """RFC 9112 §9.3: `close` among the options of any Connection field; gunicorn looks for fields that say nothing else."""
        if self.must_close or self.method == "CONNECT":
            return True
        return closes([value for name, value in self.headers if name == "CONNECTION"], self.version)


class _Part(Parsed):
    """A request of which only a part is parsed."""

    def __init__(self, cfg: Any, limits: Limits) -> None:
        self.cfg = cfg
        self.limit_request_fields = limits.fields
        self.limit_request_field_size = limits.field_size
        self.peer_addr = ("", 0)
        self.version = (1, 1)


class HeadParser:
    """gunicorn's parser, given one complete head at a time.

    `after_proxy_header`: whether a connection may begin with a PROXY protocol header.
    """

    def __init__(self, cfg: Any, limits: Limits) -> None:
        self.cfg = cfg
        self.limits = limits
        self.after_proxy_header = cfg.proxy_protocol != "off"

    def parse(self, raw: bytes, peer: Peer) -> RequestHead:
        """Parse a head, which ends with the first CRLF CRLF. Raises BadRequest."""
        if raw.startswith(b"\r\n"):  # gunicorn would skip it (RFC 9112 §2.2); the reader has done so already, and only one is skipped
            raise BadRequest(400, "Bad Request", "a request begins with its request line")
        unreader = IterUnreader([raw])
        try:
            parsed = Parsed(self.cfg, unreader, peer, 2)  # not the first: that would begin with a PROXY protocol header
        except (errors.ParseException, errors.NoMoreData) as e:
            raise refusal(e) from None
        if unreader.take_buffered():
            raise BadRequest(400, "Bad Request", "the head ends before its end")
        chunked = isinstance(parsed.body.reader, ChunkedReader)
        has_length = any(name == "CONTENT-LENGTH" for name, _ in parsed.headers)
        return RequestHead(
            parsed.method,
            parsed.uri,
            parsed.version,
            parsed.headers,
            scheme=parsed.scheme,
            keeps_alive=not parsed.should_close(),
            expects_continue=parsed._expected_100_continue,
            length=parsed.body.reader.length if has_length else None,
            chunked=chunked,
        )

    def check_line(self, line: bytes) -> None:
        """Raise BadRequest for a wrong request line, before the rest of its head has come."""
        try:
            _Part(self.cfg, self.limits).parse_request_line(line)
        except errors.ParseException as e:
            raise refusal(e) from None

    def check_trailers(self, lines: bytes) -> None:
        """Raise BadRequest for lines that a trailer section may not have (RFC 9110 §6.5.1)."""
        try:
            _Part(self.cfg, self.limits).parse_headers(lines, from_trailer=True)
        except errors.ParseException as e:
            raise refusal(e) from None
