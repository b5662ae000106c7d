"""Is the whole body there, and is it short enough? Servers hand on what came until the client closed its side, and say nothing."""

from __future__ import annotations

from typing import Any

from flask import Request
from werkzeug.exceptions import ClientDisconnected, RequestEntityTooLarge
from werkzeug.utils import cached_property
from werkzeug.wsgi import get_content_length


class WholeRequest(Request):
    """A request whose body is as long as it said, or an error (RFC 9112 §8)."""

    @cached_property
    def content_length(self) -> int | None:
        """As Werkzeug reads it, without the detour over `headers`; None where nobody knows, 0 for what is no length."""
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
    """The body of at most `limit` bytes, which can be read once. Raises RequestEntityTooLarge; and ClientDisconnected for a part of it."""
    length = request.content_length
    if length and length <= limit:
        return _read(request, length)
    request.max_content_length = limit + 1  # Werkzeug cuts a chunked body there without a word (RFC 9112 §6)
    data: bytes = request.get_data(cache=False)
    if len(data) > limit:
        raise RequestEntityTooLarge
    return data


def _read(request: Request, length: int) -> bytes:
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
