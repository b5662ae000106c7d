"""FileQuotas: how much each uploader has stored, and all of them together (files §1, §6).

The leader knows of every file, every open slot and every upload that is under way; the other processes ask it. It reads the folder once,
and again whenever old files are removed, so that what a crashed process has not told of is counted from then on.
"""

from __future__ import annotations

import heapq
import time
from collections.abc import Callable, Iterable
from typing import NamedTuple

from xmpp_rest.config.file_tables import FileSettings
from xmpp_rest.processes.on_leader import on_leader
from xmpp_rest.processes.remote import Remote
from xmpp_rest.protocol.jid import JID
from xmpp_rest.service.files.values import Slot, StoredFile
from xmpp_rest.threads.tasks import OrderLock

DAY = 86400
OWN, TOTAL = "own", "total"


class Full(NamedTuple):
    """There is no room. `bound`: OWN or TOTAL; `used` of `quota` bytes are taken; `retry_after`: seconds until there may be room."""

    bound: str
    used: int
    quota: int
    retry_after: int


class _Held(NamedTuple):
    """Bytes that are taken. `process`: of an upload that is under way."""

    owner: JID
    size: int
    until: float | None
    process: str = ""


class FileQuotas:
    """Counts bytes, in the leader. Its methods may be called in every process, and raise GatewayError, OSError."""

    def __init__(
        self,
        settings: FileSettings,
        walk: Callable[[], Iterable[StoredFile]],
        slots: Callable[[], Iterable[Slot]],
        remote: Remote,
    ) -> None:
        """`walk`, `slots`: what there is on disk."""
        self._settings = settings
        self._walk = walk
        self._slots = slots
        self._remote = remote
        self._lock = OrderLock()
        self._held: dict[str, _Held] | None = None  # by id; None: not read yet
        self._of: dict[JID, dict[str, int]] = {}  # uploader → id → bytes
        self._total = 0
        self._ends: list[tuple[float, str]] = []  # a heap: when what is held comes to its end
        remote.offer(self)
        remote.on_left(self._process_left)

    def configure(self, settings: FileSettings) -> None:
        """Hold these bounds from now on."""
        self._settings = settings

    @on_leader
    def reserve(self, file_id: str, owner: JID, size: int, process: str) -> Full | None:
        """Set so many bytes aside for an upload under way in `process`, in place of those that were before; None: done."""
        with self._lock:
            return self._take(file_id, _Held(owner, size, None, process))

    @on_leader
    def room(self, owner: JID, size: int) -> Full | None:
        """Whether there is room for so many bytes; None: there is."""
        with self._lock:
            self._drop_over()
            return self._full(owner, size)

    def take_slot(self, slot: Slot) -> Full | None:
        """Set the bytes of a slot aside; in the leader."""
        with self._lock:
            return self._take(slot.id, _Held(slot.owner, slot.size, slot.until))

    @on_leader
    def stored(self, file: StoredFile) -> None:
        """The file is there; what was set aside for it is taken."""
        with self._lock:
            self._put(file.id, _Held(file.owner, file.size, file.expires))

    @on_leader
    def gone(self, file_id: str) -> None:
        """The bytes of this id are free again."""
        with self._lock:
            self._drop(file_id)

    @on_leader
    def used_by(self, owner: JID) -> int:
        """The bytes of the files and open slots of this one, and of its uploads under way."""
        with self._lock:
            self._drop_over()
            return self._sum(owner)

    @on_leader
    def total(self) -> tuple[int, int]:
        """How many files, slots and uploads there are, and their bytes."""
        with self._lock:
            self._drop_over()
            return len(self._known()), self._total

    @on_leader
    def ids(self, owner: JID) -> list[str]:
        """The ids of the files, slots and uploads of this one."""
        with self._lock:
            self._drop_over()
            return list(self._of.get(owner, ()))

    def read_again(self) -> None:
        """Compare with what there is on disk; in the leader."""
        found = {file.id: _Held(file.owner, file.size, file.expires) for file in self._walk()}
        with self._lock:
            known = self._known()
            for file_id in [i for i, held in known.items() if i not in found and not held.process and held.until is None]:
                self._drop(file_id)
            for file_id, held in found.items():
                if file_id not in known or known[file_id].process:
                    self._put(file_id, held)

    def _process_left(self, process: str) -> None:
        """What it was writing, nobody goes on with."""
        with self._lock:
            for file_id in [i for i, held in (self._held or {}).items() if held.process == process]:
                self._drop(file_id)

    # under the lock

    def _known(self) -> dict[str, _Held]:
        if self._held is None:
            self._held = {}
            try:
                for file in self._walk():
                    self._put(file.id, _Held(file.owner, file.size, file.expires))
                for slot in self._slots():
                    if slot.id not in self._held:
                        self._put(slot.id, _Held(slot.owner, slot.size, slot.until))
            except BaseException:
                self._held, self._total = None, 0
                self._of.clear()
                self._ends.clear()
                raise
        return self._held

    def _take(self, file_id: str, held: _Held) -> Full | None:
        self._drop_over()
        before = self._known().get(file_id)
        more = held.size - (before.size if before else 0)
        if (full := self._full(held.owner, more)) is None:
            self._put(file_id, held)
        return full

    def _full(self, owner: JID, more: int) -> Full | None:
        used, settings = self._sum(owner), self._settings
        if settings.quota and used + more > settings.quota:
            return Full(OWN, used, settings.quota, self._until_free(owner, used + more - settings.quota))
        if settings.quota_total and self._total + more > settings.quota_total:
            return Full(TOTAL, self._total, settings.quota_total, DAY)
        return None

    def _sum(self, owner: JID) -> int:
        return sum(self._of.get(owner, {}).values())

    def _until_free(self, owner: JID, wanted: int) -> int:
        """Seconds until so many bytes of this one have gone, at most a day."""
        now, known = time.time(), self._known()
        own = [known[file_id] for file_id in self._of.get(owner, ())]
        for until, size in sorted((held.until, held.size) for held in own if held.until is not None):
            wanted -= size
            if wanted <= 0:
                return max(1, min(DAY, int(until - now) + 1))
        return DAY

    def _put(self, file_id: str, held: _Held) -> None:
        self._drop(file_id)
        self._known()[file_id] = held
        self._of.setdefault(held.owner, {})[file_id] = held.size
        self._total += held.size
        if held.until is not None:
            heapq.heappush(self._ends, (held.until, file_id))

    def _drop(self, file_id: str) -> None:
        if (held := self._known().pop(file_id, None)) is None:
            return
        self._total -= held.size
        own = self._of[held.owner]
        del own[file_id]
        if not own:
            del self._of[held.owner]

    def _drop_over(self) -> None:
        """What has come to its end counts no more, removed or not."""
        known, now = self._known(), time.time()
        while self._ends and self._ends[0][0] <= now:
            until, file_id = heapq.heappop(self._ends)
            if file_id in known and known[file_id].until == until:
                self._drop(file_id)
