"""gunicorn's parser of requests, with the checks of Host and Connection that it lacks."""

from __future__ import annotations

from typing import Any

from gunicorn.http.parser import RequestParser

from xmpp_rest.serving.body import is_here
from xmpp_rest.serving.head_parser import Parsed


class Parser(RequestParser):  # type: ignore[misc]
    """gunicorn's parser of one connection's requests."""

    def __init__(self, plain: Any) -> None:
        """Go on where `plain` is, which is not used from then on."""
        super().__init__(plain.cfg, (), plain.source_addr)
        self.unreader = plain.unreader  # it may hold the first bytes already
        self.mesg_class = Parsed

    def finish_body(self, deadline: float | None = None, max_bytes: int | None = None) -> bool:
        """gunicorn asks twice after each request, and sets timeouts for it: in vain where nothing is to be waited for."""
        if self.mesg is None or not is_here(self.mesg.body, self.unreader):
            return bool(super().finish_body(deadline, max_bytes))
        while self.mesg.body.reader.read(65536):
            pass
        return True
