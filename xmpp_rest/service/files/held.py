"""HeldBytes: the bytes that files, slots and uploads take, by uploader."""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple

from xmpp_rest.protocol.jid import JID

SPARE = 1000  # ends of what is not held any more, which may stay in the heap


class HeldKind(Enum):
    """What takes bytes."""

    FILE = 0
    SLOT = 1
    UPLOAD = 2


class Held(NamedTuple):
    """Bytes that are taken until then (Unix time; None: for good). `process`: in which an upload is under way; `uploads`: how many are."""

    owner: JID
    size: int
    until: float | None
    kind: HeldKind
    process: str = ""
    uploads: int = 0


@dataclass(slots=True)
class _Own:
    """What one uploader has."""

    size: int = 0
    ids: dict[str, None] = field(default_factory=dict)  # the oldest first
    slots: int = 0

    def count(self, held: Held, sign: int) -> None:
        """Count this, or with -1 no more."""
        self.size += sign * held.size
        self.slots += sign * (held.kind is HeldKind.SLOT)


class HeldBytes:
    """Knows what is taken; what has come to its end counts until `drop_over`. Not safe to be used by several threads."""

    def __init__(self) -> None:
        self._held: dict[str, Held] = {}
        self._owners: dict[JID, _Own] = {}
        self._ends: list[tuple[float, str]] = []  # a heap
        self.slots = 0
        """How many slots there are."""
        self._files = 0
        self._file_bytes = 0
        self.total = 0
        """Bytes of all."""

    def get(self, file_id: str) -> Held | None:
        """What this id has."""
        return self._held.get(file_id)

    def size(self, file_id: str) -> int:
        """The bytes of this id."""
        held = self._held.get(file_id)
        return held.size if held else 0

    def kind(self, file_id: str) -> HeldKind | None:
        """What has this id."""
        held = self._held.get(file_id)
        return held.kind if held else None

    def sum(self, owner: JID) -> int:
        """The bytes of one uploader."""
        own = self._owners.get(owner)
        return own.size if own else 0

    def count(self, owner: JID, kind: HeldKind) -> int:
        """How many slots, or other things, one uploader has."""
        own = self._owners.get(owner)
        if own is None:
            return 0
        return own.slots if kind is HeldKind.SLOT else sum(self._held[i].kind is kind for i in own.ids)

    def number(self, owner: JID) -> int:
        """How many files, slots and uploads one uploader has."""
        own = self._owners.get(owner)
        return len(own.ids) if own else 0

    def ids(self, owner: JID) -> list[str]:
        """The ids of what one uploader has, the oldest first."""
        own = self._owners.get(owner)
        return list(own.ids) if own else []

    def ids_of_files(self) -> list[str]:
        """The ids of all files."""
        return [file_id for file_id, held in self._held.items() if held.kind is HeldKind.FILE]

    def of_files(self) -> tuple[int, int]:
        """How many files there are, and their bytes."""
        return self._files, self._file_bytes

    def free_at(self, owner: JID, wanted: int) -> float | None:
        """When so many bytes of this one will have gone; None: nobody knows."""
        held = [self._held[file_id] for file_id in self.ids(owner)]
        for until, size in sorted((h.until, h.size) for h in held if h.until is not None):
            wanted -= size
            if wanted <= 0:
                return until
        return None

    def put(self, file_id: str, held: Held) -> None:
        """Take these bytes, in place of what this id had."""
        self.drop(file_id)
        self._held[file_id] = held
        own = self._owners.setdefault(held.owner, _Own())
        own.ids[file_id] = None
        self._count(own, held, 1)
        if held.until is not None:
            if len(self._ends) > 2 * len(self._held) + SPARE:
                self._ends = [(each.until, name) for name, each in self._held.items() if each.until is not None and name != file_id]
                heapq.heapify(self._ends)
            heapq.heappush(self._ends, (held.until, file_id))

    def drop(self, file_id: str) -> None:
        """Take them no more."""
        if (held := self._held.pop(file_id, None)) is None:
            return
        own = self._owners[held.owner]
        del own.ids[file_id]
        self._count(own, held, -1)
        if not own.ids:
            del self._owners[held.owner]

    def _count(self, own: _Own, held: Held, sign: int) -> None:
        own.count(held, sign)
        self.total += sign * held.size
        self.slots += sign * (held.kind is HeldKind.SLOT)
        if held.kind is HeldKind.FILE:
            self._files += sign
            self._file_bytes += sign * held.size

    def drop_over(self, now: float) -> None:
        """Drop what has come to its end."""
        while self._ends and self._ends[0][0] <= now:
            until, file_id = heapq.heappop(self._ends)
            if file_id in self._held and self._held[file_id].until == until:
                self.drop(file_id)

    def process_left(self, process: str) -> None:
        """Drop the uploads of this process."""
        for file_id in [i for i, held in self._held.items() if held.kind is HeldKind.UPLOAD and held.process == process]:
            self.drop(file_id)
