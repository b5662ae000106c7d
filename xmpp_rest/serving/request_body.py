"""The body of a request as the application reads it: `wsgi.input`."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable, Iterator

from werkzeug.exceptions import ClientDisconnected


class Body:
    """Bytes that the connection feeds, and the application reads, perhaps on another thread.

    `more`: called by a reader who wants more than is there; returns when something has come, or raises ClientDisconnected.
    """

    __slots__ = ("_at", "_discarding", "_more", "_pieces", "_taken", "complete", "failed", "received")

    def __init__(self, more: Callable[[], None], *, complete: bool = False) -> None:
        self._more = more
        self._pieces: deque[bytes] = deque()
        self._at = 0  # in the first piece
        self._taken = 0  # written by the reading thread alone, as `received` is by the feeding one: no lock is needed
        self._discarding = False
        self.received = 0  # bytes so far
        self.complete = complete
        self.failed = False

    @property
    def buffered(self) -> int:
        """Number of bytes that are there and not read yet."""
        return 0 if self._discarding else self.received - self._taken

    def feed(self, data: bytes) -> None:
        """Take the next bytes."""
        if data and not self._discarding:
            self._pieces.append(data)
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
        self._pieces.clear()

    def read(self, size: int | None = -1) -> bytes:
        """Read `size` bytes, fewer only at the end; all of them without a size.

        Raises ClientDisconnected, 400, if it broke off: an error of the client's that no application should log.
        """
        if size is None or size < 0:
            size = sys.maxsize
        self._await(size)
        return self._take(size)

    def readline(self, size: int | None = -1) -> bytes:
        """Read up to and with the next line feed, at most `size` bytes."""
        if size is None or size < 0:
            size = sys.maxsize
        seen = 0
        line = []
        while seen < size:
            self._await(1)
            if not self._pieces:
                break
            first = self._pieces[0]
            end = first.find(b"\n", self._at, self._at + size - seen) + 1
            part = self._take(min(size - seen, (end or len(first)) - self._at))
            line.append(part)
            seen += len(part)
            if end:
                break
        return b"".join(line)

    def readlines(self, hint: int | None = -1) -> list[bytes]:
        """Read the lines; with a hint, none is begun after that many bytes."""
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

    def _await(self, size: int) -> None:
        """Return once `size` bytes are there, or all of them."""
        while not self.complete and self.received - self._taken < size:  # `complete` first: it is set after the last bytes
            if self.failed:
                raise ClientDisconnected("the request's body broke off")
            self._more()

    def _take(self, size: int) -> bytes:
        pieces = self._pieces
        taken = []
        while size > 0 and pieces:
            first = pieces[0]
            part = first[self._at : self._at + size]
            if self._at + len(part) == len(first):
                pieces.popleft()
                self._at = 0
            else:
                self._at += len(part)
            self._taken += len(part)
            size -= len(part)
            taken.append(part)
        return taken[0] if len(taken) == 1 else b"".join(taken)
