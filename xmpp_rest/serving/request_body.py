"""The body of a request as the application reads it: `wsgi.input`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator

from werkzeug.exceptions import ClientDisconnected


class Body:
    """Bytes that the connection feeds, and the application reads, perhaps on another thread.

    `more`: called by a reader who wants more than is there; returns when something has come, or raises ClientDisconnected.
    `complete` and `failed`: no more bytes come; with `failed`, though there should be some. `received`: number of bytes so far.
    """

    # Each access to the bytearray is one call under the interpreter lock, and the flags are set after the last bytes: no lock is needed.
    __slots__ = ("_data", "_discarding", "_more", "complete", "failed", "received")

    def __init__(self, more: Callable[[], None], *, complete: bool = False) -> None:
        self._more = more
        self._data = bytearray()
        self._discarding = False
        self.received = 0
        self.complete = complete
        self.failed = False

    @property
    def buffered(self) -> int:
        """Number of bytes that are there and not read yet."""
        return len(self._data)

    @property
    def over(self) -> bool:
        """Whether no more bytes come."""
        return self.complete or self.failed

    def feed(self, data: bytes) -> None:
        """Take the next bytes."""
        if not self._discarding:
            self._data += data
        self.received += len(data)

    def end(self) -> None:
        """No more bytes come: this is all."""
        self.complete = True

    def fail(self) -> None:
        """No more bytes come, though there should be some: it broke off, or was not in chunks."""
        self.failed = True

    def discard(self) -> None:
        """Nobody reads any more: forget what is there, and what still comes."""
        self._discarding = True
        self._data.clear()

    def read(self, size: int | None = -1) -> bytes:
        """Read `size` bytes, fewer only at the end; all of them without a size.

        Raises ClientDisconnected, 400, if it broke off: an error of the client's that no application should log.
        """
        size = _limit(size)
        while not self.complete and len(self._data) < size:
            self._wait()
        return self._take(size)

    def readline(self, size: int | None = -1) -> bytes:
        """Read up to and with the next line feed, at most `size` bytes. Raises what `read` raises."""
        size = _limit(size)
        seen = 0
        while True:
            complete, there = self.complete, len(self._data)
            end = self._data.find(b"\n", seen, size) + 1
            if end or complete or there >= size:
                return self._take(end or size)
            seen = there
            self._wait()

    def readlines(self, hint: int | None = -1) -> list[bytes]:
        """Read the lines; with a hint, none is begun after that many bytes. Raises what `read` raises."""
        lines = []
        size = 0
        for line in self:
            lines.append(line)
            size += len(line)
            if hint is not None and 0 < hint <= size:
                break
        return lines

    def __iter__(self) -> Iterator[bytes]:
        while line := self.readline():
            yield line

    def _wait(self) -> None:
        if self.failed:
            raise ClientDisconnected("the request's body broke off")
        self._more()

    def _take(self, size: int) -> bytes:
        data = bytes(self._data[:size])
        del self._data[:size]
        return data


def _limit(size: int | None) -> int:
    return sys.maxsize if size is None or size < 0 else size
