"""Which stanzas wait to be written to one stream? Bounded, filled by any thread, emptied by the one that owns the socket."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from threading import Lock

from xmpp_rest.link.errors import OutboxFull

BURST = 256  # stanzas written with one system call at the most


class Outbox:
    """First in, first out. What was taken but not wholly written comes back to the front (`put_back`), so that order is kept."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._waiting: deque[bytes] = deque()
        self._lock = Lock()
        self._wake: Callable[[], None] | None = None

    def __len__(self) -> int:
        return len(self._waiting)

    def attach(self, wake: Callable[[], None] | None) -> None:
        """Call `wake` whenever there is something new to write; None while no stream is up."""
        self._wake = wake

    def put(self, stanza: bytes) -> None:
        """Append a serialised stanza. Raises OutboxFull."""
        with self._lock:
            if len(self._waiting) >= self._size:
                raise OutboxFull
            self._waiting.append(stanza)
        if wake := self._wake:
            wake()

    def take(self) -> list[bytes]:
        """Remove and return the next stanzas, at most BURST."""
        with self._lock:
            return [self._waiting.popleft() for _ in range(min(BURST, len(self._waiting)))]

    def put_back(self, stanzas: list[bytes]) -> None:
        """What the stream that just ended did not write goes out first on the next one."""
        with self._lock:
            self._waiting.extendleft(reversed(stanzas))
