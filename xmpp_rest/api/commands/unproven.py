"""A bound on the bodies that are read before anybody has proved who sends them: the body of a call is judged before rights are."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from xmpp_rest.errors import GatewayError

SMALL = 64 << 10  # bytes of a body that is not counted
MOST = 64 << 20  # bytes of all others of a process that are read at once


class UnprovenBodies:
    """How much is being read without credentials, or with wrong ones. Safe to be used by several threads."""

    def __init__(self) -> None:
        self._sum = 0
        self._lock = threading.Lock()

    @contextmanager
    def reading(self, size: int) -> Iterator[None]:
        """Read so many bytes at most. Raises GatewayError, waits-full, before anything is read."""
        if size <= SMALL:
            yield
            return
        with self._lock:
            if self._sum + size > MOST:
                raise GatewayError("waits-full", "Too many large bodies without credentials are being read; send credentials")
            self._sum += size
        try:
            yield
        finally:
            with self._lock:
                self._sum -= size
