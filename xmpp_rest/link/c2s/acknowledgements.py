"""The stanzas of one session that wait to be written, acknowledged (XEP-0198) or confirmed (accounts-anywhere §7.1).

XEP-0198 counts what the server has *received*, so that a resumed stream goes on where it broke. A stanza is *confirmed* once the iq behind
it, the barrier, was answered: the server has *processed* it. What is confirmed needs no acknowledgement; what was given with a barrier
waits for that, whatever is acknowledged.
"""

from __future__ import annotations

import heapq
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from operator import itemgetter
from typing import NamedTuple

from xmpp_rest.errors import GatewayError
from xmpp_rest.link.c2s.left_session import LeftQueue, LeftStanza
from xmpp_rest.link.errors import OtherStream, OutboxFull

BURST = 64  # most stanzas written at once
MOST_LEFT = 100  # stanzas that nobody waits for, which go on in another process
MOST_LEFT_BYTES = 1 << 16  # of all of them
MAX_BYTES = 4 << 20  # of what waits, from where on nothing is taken; one stanza or batch may be as large as it may
OnConfirmed = Callable[[GatewayError | None], object]
"""Gets None once the server has processed the stanzas, or why that will not be known. Called once, on the sessions' thread."""
_Written = deque[tuple[int, "QueuedStanza"]]  # with their numbers on this stream
_MODULUS = 1 << 32  # XEP-0198 §4: counts begin again


class Barrier:
    """An iq that the server answers once it has processed what came before it. It may stand for others that were written with it."""

    __slots__ = ("data", "done", "id")

    def __init__(self, identifier: str, data: bytes, done: OnConfirmed) -> None:
        self.id = identifier
        self.data = data
        self.done = [done]


class QueuedStanza(NamedTuple):
    """One stanza on its way."""

    data: bytes
    kind: str  # message, presence, iq
    confirmed: bool  # whether a barrier follows it, or it is one
    barrier: Barrier | None = None  # which it is
    on_written: Callable[[], object] | None = None

    def __repr__(self) -> str:
        return f"<{self.kind} of {len(self.data)} bytes>"

    @property
    def is_lasting(self) -> bool:
        """Whether it is worth something in a session that is new to the server."""
        return self.confirmed or self.kind == "message"


class Acknowledgements:
    """First in, first out. `put` may be called by any thread, all else by the one of the sessions. `size`: bound of all that waits."""

    def __init__(self, counts: bool) -> None:
        """`counts`: whether XEP-0198 is enabled on the stream."""
        self._counts = counts
        self._lock = threading.Lock()
        self._waiting: deque[QueuedStanza] = deque()
        self._first: list[QueuedStanza] | None = None  # goes before `_waiting`, once all of it is there
        self._unconfirmed: _Written = deque()  # written, with their barriers; not settled
        self._plain: _Written = deque()  # written, and no barrier follows them; not settled
        self._number = 0  # stanzas that were written on this stream
        self._acknowledged = 0  # of them, known to be received
        self._barriers: dict[str, tuple[int, float]] = {}  # id → number, and when it was taken; the oldest is the first
        self._bytes = 0
        self._count = 0  # of what waits or is not settled, without the barriers
        self._closed = False

    def __len__(self) -> int:
        """Stanzas that wait to be written, acknowledged or confirmed."""
        return self._count

    @property
    def unacknowledged(self) -> int:
        """How many stanzas that no barrier follows are written, and not known to have arrived."""
        return len(self._plain)

    @property
    def asks(self) -> bool:
        """Whether an answer to a barrier is due."""
        return bool(self._barriers)

    @property
    def is_confirmed(self) -> bool:
        """Whether all that somebody waits for was written and is confirmed."""
        return not (self._barriers or self._waiting)

    @property
    def asks_since(self) -> float | None:
        """Since when the oldest of these answers is due; None: there is none."""
        with self._lock:
            return next((since for _, since in self._barriers.values()), None)

    def put(self, stanzas: Sequence[QueuedStanza], size: int, *, first: bool = False) -> None:
        """Append these, all or none; `first`: before all that is to be written again. Raises OutboxFull, OtherStream: closed."""
        with self._lock:
            if self._closed:
                raise OtherStream
            count = sum(stanza.barrier is None for stanza in stanzas)
            if self._count + count > size or self._bytes > MAX_BYTES:
                raise OutboxFull
            self._count += count
            self._bytes += sum(len(stanza.data) for stanza in stanzas)
            if first and self._first is not None:
                self._first.extend(stanzas)
            else:
                self._waiting.extend(stanzas)

    def take(self) -> list[QueuedStanza]:
        """What is to be written next. Barriers of one burst are one, the last of them."""
        with self._lock:
            burst = [self._waiting.popleft() for _ in range(min(BURST, len(self._waiting)))]
            barriers = [stanza.barrier for stanza in burst if stanza.barrier is not None]
            for barrier in barriers[:-1]:
                barriers[-1].done[:0] = barrier.done
            dropped = set(map(id, barriers[:-1]))
            burst = [stanza for stanza in burst if stanza.barrier is None or id(stanza.barrier) not in dropped]
            self._bytes -= sum(len(barrier.data) for barrier in barriers[:-1])
            for stanza in burst:
                self._write(stanza)
        return burst

    def _write(self, stanza: QueuedStanza) -> None:
        self._number += 1
        if stanza.barrier is not None:
            self._barriers[stanza.barrier.id] = (self._number, time.monotonic())
        if not (stanza.confirmed or self._counts):  # nobody will say that it has arrived
            self._settle(stanza)
            return
        (self._unconfirmed if stanza.confirmed else self._plain).append((self._number, stanza))

    def _settle(self, stanza: QueuedStanza) -> None:
        self._count -= stanza.barrier is None
        self._bytes -= len(stanza.data)

    def acknowledged(self, h: int) -> bool:
        """The server says how many stanzas it has received on this stream; whether that is possible."""
        with self._lock:
            received = self._acknowledged + (h - self._acknowledged) % _MODULUS
            if received > self._number:
                return False
            self._received(received)
            return True

    def _received(self, number: int) -> None:
        """The server has all up to this one."""
        self._acknowledged = max(self._acknowledged, number)
        while self._plain and self._plain[0][0] <= number:
            self._settle(self._plain.popleft()[1])

    def answered(self, identifier: str) -> list[OnConfirmed] | None:
        """The barrier of this id was answered: who is to be told that all before it is processed. None: there is no such barrier."""
        with self._lock:
            if (found := self._barriers.pop(identifier, None)) is None:
                return None
            last, _ = found
            done: list[OnConfirmed] = []
            while self._unconfirmed and self._unconfirmed[0][0] <= last:
                _, stanza = self._unconfirmed.popleft()
                self._settle(stanza)
                if stanza.barrier is not None:
                    self._barriers.pop(stanza.barrier.id, None)
                    done += stanza.barrier.done
            self._received(last)
            return done

    def resumed(self, h: int) -> bool:
        """The stream was resumed; what the server did not receive is written again. Whether its count is possible."""
        if not self.acknowledged(h):
            return False
        with self._lock:
            again = [each for each in self._unconfirmed if each[0] > self._acknowledged]
            self._unconfirmed = deque(each for each in self._unconfirmed if each[0] <= self._acknowledged)
            self._back(again)
            self._number = self._acknowledged
        return True

    def rebinds(self, counts: bool) -> None:
        """The next stream is a new one for the server, with XEP-0198 or without.

        What lasts is written again, behind what is put `first` from now on.
        """
        with self._lock:
            again = list(self._unconfirmed)
            self._unconfirmed.clear()
            self._back(again)
            for stanza in self._waiting:
                if not stanza.is_lasting:
                    self._settle(stanza)
            self._waiting = deque(stanza for stanza in self._waiting if stanza.is_lasting)
            self._number = self._acknowledged = 0
            self._counts = counts
            self._first = []

    def _back(self, again: Iterable[tuple[int, QueuedStanza]]) -> None:
        """These, and all that are written and not acknowledged, are to be written again, in their order."""
        stanzas = [stanza for _, stanza in heapq.merge(again, self._plain, key=itemgetter(0))]
        self._plain.clear()
        for stanza in stanzas:
            if stanza.barrier is not None:
                self._barriers.pop(stanza.barrier.id, None)
        self._waiting.extendleft(reversed(stanzas))

    def rebound(self) -> None:
        """All that is to come first was put."""
        with self._lock:
            first, self._first = self._first or [], None
            self._waiting.extendleft(reversed(first))

    def close(self) -> None:
        """Take nothing any more; what is there goes on."""
        with self._lock:
            self._closed = True

    def left(self) -> LeftQueue:
        """What another process is to know that goes on with this stream. What somebody waits for is not among it: they are told."""
        with self._lock:
            plain = [*self._plain, *((0, stanza) for stanza in self._waiting if not stanza.confirmed)]
            stanzas: list[LeftStanza] = []
            size = 0
            for number, stanza in plain[:MOST_LEFT]:
                if (size := size + len(stanza.data)) > MOST_LEFT_BYTES:
                    break
                stanzas.append(LeftStanza(number, stanza.kind, stanza.data.decode()))
            return LeftQueue(self._number, self._acknowledged, tuple(stanzas), len(plain) - len(stanzas))

    def go_on(self, left: LeftQueue) -> None:
        """Begin with what another process has left; before anything is put."""
        with self._lock:
            self._number, self._acknowledged = left.written, left.acknowledged
            for number, kind, text in left.stanzas:
                stanza = QueuedStanza(text.encode(), kind, confirmed=False)
                self._count += 1
                self._bytes += len(stanza.data)
                if number:
                    self._plain.append((number, stanza))
                else:
                    self._waiting.append(stanza)

    def lose(self) -> list[OnConfirmed]:
        """Drop everything, and take nothing any more; who is to be told."""
        with self._lock:
            self._closed = True
            lost = [*(stanza for _, stanza in self._unconfirmed), *self._waiting, *(self._first or ())]
            self._unconfirmed.clear()
            self._plain.clear()
            self._waiting.clear()
            self._barriers.clear()
            self._first = None
            self._count = self._bytes = 0
        return [done for stanza in lost if stanza.barrier is not None for done in stanza.barrier.done]
