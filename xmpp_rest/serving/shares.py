"""Which worker takes the next connection? One that has the fewest.

All workers wait at the same socket. Whichever is awake when many clients connect takes all of them, and kept-alive connections stay: of 16
that a proxy opened at once, one worker was seen to get 15 or all. So a worker that is ahead of another lets the others go first, for a
moment. `pre_fork` and `child_exit` are gunicorn's hooks by name.
"""

from __future__ import annotations

import mmap
import struct
from typing import Any

SLOTS = 64  # workers that can be counted; those beyond take what comes
ABSENT = 0xFFFFFFFF  # nobody is in this slot, or nobody who takes connections
_NUMBER = struct.Struct("=I")


class Shares:
    """How many connections each worker has, in memory that they share. Made in the parent, before the forks; each worker writes its own."""

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, SLOTS * _NUMBER.size)
        for slot in range(SLOTS):
            self.tell(slot, ABSENT)

    def tell(self, slot: int, connections: int) -> None:
        """The worker in this slot has so many."""
        _NUMBER.pack_into(self._memory, slot * _NUMBER.size, connections)

    def fewest(self) -> int:
        """How many the worker has that has the fewest."""
        numbers: list[tuple[int]] = list(_NUMBER.iter_unpack(self._memory))
        return min(numbers)[0]


def pre_fork(arbiter: Any, worker: Any) -> None:
    """In the parent: a slot for the worker, if one is free."""
    if getattr(arbiter, "shares", None) is None:
        arbiter.shares = Shares()
    taken = {getattr(sibling, "slot", None) for sibling in arbiter.WORKERS.values()}
    worker.slot = next((slot for slot in range(SLOTS) if slot not in taken), None)
    worker.shares = arbiter.shares if worker.slot is not None else None
    child_exit(arbiter, worker)


def child_exit(_: Any, worker: Any) -> None:
    """In the parent: nobody waits for this worker; it has ended, or not begun."""
    if worker.shares is not None:
        worker.shares.tell(worker.slot, ABSENT)
