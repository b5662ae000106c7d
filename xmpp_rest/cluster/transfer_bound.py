"""TransferBound: how much of what was passed on to one owner may wait there, in all and of one sender (many-machines §11).

Nobody tells when something is taken away, so the storage is asked; but only where what is known to have been passed on is too much.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from drivers.shared import TransferMark, TransferRow
from xmpp_rest.errors import GatewayError

AGAIN = 0.5  # seconds after which it is asked again where that was of no use


class TransferBound:
    """Of one way, from one owner to another. Safe to be used by several threads."""

    def __init__(
        self,
        hosted: str,
        size: int,
        share: int,
        marks: Callable[[], Sequence[TransferMark]],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """At most `size` stanzas wait for the owner of `hosted`, and at most `share` of one sender; `marks` reads what does."""
        self._hosted = hosted
        self._size = size
        self._share = share
        self._marks = marks
        self._clock = clock
        self._kept: dict[TransferMark, str] = {}  # → its sender
        self._by: Counter[str] = Counter()  # how many of each sender are kept, or enter
        self._entering = 0
        self._others = 0  # what others have passed on, as it was last counted
        self._vain_until = 0.0
        self._lock = threading.Lock()  # guards all of the above
        self._looking = threading.Lock()

    def left(self, rows: Iterable[tuple[TransferRow, str]]) -> None:
        """These, with their senders, wait already."""
        with self._lock:
            self._keep([TransferMark(row.source, row.number) for row, _ in rows], [sender for _, sender in rows])

    def enter(self, senders: Sequence[str]) -> None:
        """Stanzas of these senders ("": of none) are to be passed on. Raises GatewayError: outbox-full, outbox-share; StorageError."""
        wanted = Counter(sender for sender in senders if sender)
        if self._refusal(len(senders), wanted, takes=False) is not None:
            self.look()
        if (refusal := self._refusal(len(senders), wanted, takes=True)) is not None:
            raise refusal

    def _refusal(self, count: int, wanted: Counter[str], *, takes: bool) -> GatewayError | None:
        with self._lock:
            if self._count + count > self._size:
                return GatewayError("outbox-full", f"Too many stanzas wait for the owner of {self._hosted}; try again later")
            if any(self._by[sender] + more > self._share for sender, more in wanted.items()):
                text = f"{self._share} stanzas of one sender wait for the owner of {self._hosted}, as many as [link] outbox_share lets"
                return GatewayError("outbox-share", f"{text}; try again later")
            if takes:
                self._entering += count
                self._by += wanted
        return None

    def kept(self, marks: Sequence[TransferMark], senders: Sequence[str], *, entered: bool = True) -> None:
        """They were passed on. `entered`: as was said before."""
        with self._lock:
            if entered:
                self._leave(senders)
            self._keep(marks, senders)

    def gave_up(self, senders: Sequence[str]) -> None:
        """They were not, though that was said."""
        with self._lock:
            self._leave(senders)

    @property
    def count(self) -> int:
        """How many wait, for all that is known: more than do."""
        with self._lock:
            return self._count

    @property
    def _count(self) -> int:
        return len(self._kept) + self._entering + self._others

    def _leave(self, senders: Sequence[str]) -> None:
        self._entering -= len(senders)
        self._forget(senders)

    def _keep(self, marks: Sequence[TransferMark], senders: Sequence[str]) -> None:
        self._kept.update(zip(marks, senders, strict=True))
        self._by.update(sender for sender in senders if sender)

    def _forget(self, senders: Iterable[str]) -> None:
        for sender in senders:
            if sender:
                self._by[sender] -= 1
                if not self._by[sender]:
                    del self._by[sender]

    def look(self) -> None:
        """Find out what was taken away, unless that was of no use just now. Raises StorageError."""
        with self._looking:
            with self._lock:
                if self._clock() < self._vain_until:
                    return
                before = [*self._kept]  # all of these were committed before it is asked
            waiting = set(self._marks())
            with self._lock:
                taken = [self._kept.pop(mark) for mark in before if mark not in waiting]
                self._forget(taken)
                self._others = sum(mark not in self._kept for mark in waiting)
                self._vain_until = 0.0 if taken else self._clock() + AGAIN
