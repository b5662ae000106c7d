"""Deadlines for request bodies, and what is left of a body that was not read."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

from gunicorn.http.body import Body, LengthReader
from gunicorn.http.errors import ParseException
from gunicorn.http.unreader import Unreader
from werkzeug.exceptions import ClientDisconnected

BODY_SECONDS = 30.0  # for the body, and one more for each BODY_RATE bytes that came
BODY_RATE = 1000  # bytes a second that a client should manage
STEP = 65536  # bytes that are waited for at once, at most: the deadline moves after each


def is_here(body: Body, unreader: Unreader) -> bool:
    """Whether nothing of a body is to be waited for: all of it came along with the head, or has been read."""
    reader = body.reader
    if body.failed:
        return False
    if isinstance(reader, LengthReader):
        return bool(reader.length <= unreader.buf.seek(0, os.SEEK_END))
    return reader.parser is None  # chunked: only who has read it knows


class TimedBody(Body):  # type: ignore[misc]
    """A request's body that moves the deadline as it comes, and lifts it at its end.

    `due_in`: called with the seconds from now in which the next bytes have to be there; None: nothing more is due.
    """

    def __init__(self, body: Body, unreader: Unreader, due_in: Callable[[float | None], None]) -> None:
        super().__init__(body.reader)
        self._unreader = unreader
        self._due_in = due_in
        self._until = time.monotonic() + BODY_SECONDS
        due_in(BODY_SECONDS)

    def _read_reader(self, size: int) -> bytes:
        """A body that breaks off, or is not in chunks, is the client's error, 400, and none that an application should log."""
        here = self._unreader.buf.seek(0, os.SEEK_END)
        try:
            data: bytes = super()._read_reader(min(size, here + STEP))
        except (OSError, ParseException) as e:
            raise ClientDisconnected("the request's body broke off") from e
        self._until += len(data) / BODY_RATE
        self._due_in(None if is_here(self, self._unreader) else self._until - time.monotonic())
        return data
