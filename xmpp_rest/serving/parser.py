"""gunicorn's parser of requests, with the checks of Host and Connection that it lacks."""

from __future__ import annotations

from typing import Any

from gunicorn.http.errors import InvalidHeader
from gunicorn.http.message import Request
from gunicorn.http.parser import RequestParser

from xmpp_rest.serving.body import is_here
from xmpp_rest.serving.host import is_host


class Parser(RequestParser):  # type: ignore[misc]
    """gunicorn's parser of one connection's requests."""

    def __init__(self, plain: Any) -> None:
        """Go on where `plain` is, which is not used from then on."""
        super().__init__(plain.cfg, (), plain.source_addr)
        self.unreader = plain.unreader  # it may hold the first bytes already
        self.mesg_class = _Request

    def finish_body(self, deadline: float | None = None, max_bytes: int | None = None) -> bool:
        """gunicorn asks twice after each request, and sets timeouts for it: in vain where nothing is to be waited for."""
        if self.mesg is None or not is_here(self.mesg.body, self.unreader):
            return bool(super().finish_body(deadline, max_bytes))
        while self.mesg.body.reader.read(65536):
            pass
        return True


class _Request(Request):  # type: ignore[misc]
    """One request."""

    def __init__(self, *args: Any) -> None:
        self._closes: bool | None = None  # asked three times for each request
        super().__init__(*args)

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
