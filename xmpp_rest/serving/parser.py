"""What need not be asked again at the next request of a connection? gunicorn's parser, with a memory."""

from __future__ import annotations

from functools import partial
from typing import Any

from gunicorn.http.errors import InvalidHeader
from gunicorn.http.message import Request
from gunicorn.http.parser import RequestParser

from xmpp_rest.serving.body import is_here
from xmpp_rest.serving.host import is_host

REMEMBERED = 2048  # bytes of a head, at most: connections may be many, and idle for long


class Parser(RequestParser):  # type: ignore[misc]
    """gunicorn's parser of one connection's requests."""

    def __init__(self, plain: Any) -> None:
        """Go on where `plain` is, which is not used from then on."""
        super().__init__(plain.cfg, (), plain.source_addr)
        self.unreader = plain.unreader  # it may hold the first bytes already
        self.mesg_class = partial(_Request, _Earlier())

    def finish_body(self, deadline: float | None = None, max_bytes: int | None = None) -> bool:
        """gunicorn asks twice after each request, and sets timeouts for it: in vain where nothing is to be waited for."""
        if self.mesg is None or not is_here(self.mesg.body, self.unreader):
            return bool(super().finish_body(deadline, max_bytes))
        while self.mesg.body.reader.read(65536):
            pass
        return True


class _Earlier:
    """What is known from the requests before."""

    def __init__(self) -> None:
        self.trusted: bool | None = None  # whether the peer is a proxy that may set forwarding fields
        self.head: tuple[Any, bytes] | None = None
        self.fields: list[tuple[str, str]] = []
        self.outcome: tuple[str, bool] = ("http", False)


class _Request(Request):  # type: ignore[misc]
    """A request of a connection whose peer is known."""

    def __init__(self, earlier: _Earlier, *args: Any) -> None:
        self._earlier = earlier
        self._closes: bool | None = None  # asked three times for each request
        super().__init__(*args)

    def _peer_is_trusted_proxy(self) -> bool:
        if self._earlier.trusted is None:
            self._earlier.trusted = bool(super()._peer_is_trusted_proxy())
        return self._earlier.trusted

    def parse(self, unreader: Any) -> Any:
        rest = super().parse(unreader)
        self._require_host()
        return rest

    def _require_host(self) -> None:
        """RFC 9112 §3.2: 400 for a request of HTTP/1.1 without a Host field, and for any with an invalid one."""
        hosts = [value for name, value in self.headers if name == "HOST"]
        if (not hosts and self.version >= (1, 1)) or not all(map(is_host, hosts)):
            raise InvalidHeader("HOST", req=self)

    def should_close(self) -> bool:
        """RFC 9112 §9.3: `close` among the options of any Connection field; gunicorn looks for fields that say nothing else."""
        if self.must_close or self.method == "CONNECT":
            return True
        if self._closes is None:
            fields = [value for name, value in self.headers if name == "CONNECTION"]
            options = {option.strip(" \t").lower() for value in fields for option in value.split(",")} if fields else set()
            self._closes = "close" in options or (self.version <= (1, 0) and "keep-alive" not in options)
        return self._closes

    def parse_headers(self, data: bytes, from_trailer: bool = False) -> list[tuple[str, str]]:
        """A client that keeps its connection often sends the same fields again, to the byte: they come to the same."""
        earlier = self._earlier
        head = (self.version, data)  # the version decides what Expect means
        if head == earlier.head and not from_trailer:
            self.scheme, self._expected_100_continue = earlier.outcome
            return earlier.fields.copy()
        fields: list[tuple[str, str]] = super().parse_headers(data, from_trailer)
        if len(data) <= REMEMBERED and not from_trailer:
            earlier.head, earlier.fields, earlier.outcome = head, fields.copy(), (self.scheme, self._expected_100_continue)
        return fields
