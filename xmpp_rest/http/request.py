"""Is the whole body there? Servers hand on what came until the client closed its side, and say nothing."""

from __future__ import annotations

from typing import Any

from flask import Request
from werkzeug.exceptions import ClientDisconnected


class WholeRequest(Request):
    """A request whose body is as long as it said, or an error (RFC 9112 §8)."""

    def get_data(self, *args: Any, **kwargs: Any) -> Any:
        """The body. Raises ClientDisconnected, a BadRequest, where it is shorter than Content-Length."""
        data = super().get_data(*args, **kwargs)
        if len(data) < (self.content_length or 0):
            raise ClientDisconnected("The body is shorter than its Content-Length; nothing was done with it")
        return data
