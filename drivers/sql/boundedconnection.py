"""A connection to PostgreSQL whose calls end in time, even if the network or the server says nothing at all."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import psycopg
from psycopg.abc import PQGen

T = TypeVar("T")
INTERVAL = 0.1
"""Seconds between two looks whether the process was interrupted, as psycopg has them."""


class BoundedConnection(psycopg.Connection[tuple[Any, ...]]):
    """Waits for `limit` seconds for each answer, and within `ending` for all answers together."""

    limit = math.inf
    _until = math.inf

    @contextmanager
    def ending(self, seconds: float) -> Iterator[None]:
        """A context whose calls end after so long in all: they raise OperationalError then, and the connection is closed."""
        self._until = time.monotonic() + seconds
        try:
            yield
        finally:
            self._until = math.inf

    def wait(self, gen: PQGen[T], interval: float = INTERVAL, timeout: float | None = None) -> T:
        """Wait for an answer, as psycopg calls this."""
        until = min(self._until, time.monotonic() + self.limit)
        if until == math.inf:
            return super().wait(gen, interval, timeout)
        try:
            return super().wait(gen, interval, max(0.0, until - time.monotonic()))
        except psycopg.OperationalError as e:
            if not self.closed and time.monotonic() >= until:
                self.close()  # an answer that comes later would be taken for that of another call
                raise psycopg.OperationalError("no answer came in time") from e
            raise
