"""The counts of messages that are accepted, and not yet archived: one array for all processes of a data folder, in shared memory."""

from __future__ import annotations

import mmap
import os
import threading
import zlib
from collections.abc import Iterable
from pathlib import Path

from xmpp_rest.protocol.jid import JID

FILE = "unarchived"  # in the data folder; its content means nothing once no gateway runs
STRIPES = 1024  # accounts share them: two that do cost each other a question to the leader, no more
_WIDTH = 4  # bytes of a count


class UnarchivedCounts:
    """How many messages of the accounts of each stripe are not archived. Written by the leader alone; read by every process."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE
        self._lock = threading.Lock()  # guards the two below
        self._opened: memoryview | None = None
        self._counts = [0] * STRIPES  # of the leader

    def has_some(self, owner: JID) -> bool:
        """Whether the account may have messages that are not archived. Raises OSError."""
        return self._view()[_stripe(owner)] != 0

    def has_any(self) -> bool:
        """Whether any account may. Raises OSError."""
        return any(self._view())

    def replace(self, owners: Iterable[JID]) -> None:
        """Count these instead of what an earlier leader had counted; no stripe is 0 in between that is not 0 at the end. Raises OSError."""
        counts = [0] * STRIPES
        for owner in owners:
            counts[_stripe(owner)] += 1
        view = self._view()
        with self._lock:
            self._counts = counts
            for stripe, count in enumerate(counts):
                view[stripe] = count

    def add(self, owner: JID, more: int) -> None:
        """Count so many more, or fewer. Raises OSError."""
        stripe, view = _stripe(owner), self._view()
        with self._lock:
            self._counts[stripe] += more
            view[stripe] = self._counts[stripe]

    def _view(self) -> memoryview:
        return self._opened or self._open()

    def _open(self) -> memoryview:
        """Map the file, which the first process makes; it is never removed, as other processes have it."""
        with self._lock:
            if self._opened is None:
                file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
                try:
                    os.ftruncate(file, STRIPES * _WIDTH)
                    self._opened = memoryview(mmap.mmap(file, STRIPES * _WIDTH)).cast("I")
                finally:
                    os.close(file)
            return self._opened


def _stripe(owner: JID) -> int:
    return zlib.crc32(owner.local.encode()) % STRIPES  # the same in every process, unlike hash()
