"""Quotas: how much each uploader has stored, and all of them together (files §1, §6).

The leader knows of every file, every open slot and every upload that is under way; the other processes ask it. It reads the folder once,
and again whenever old files are removed, so that what a crashed process has not told of is counted from then on.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import NamedTuple

from xmpp_rest.config.file_tables import FileSettings
from xmpp_rest.processes.on_leader import on_leader
from xmpp_rest.processes.remote import Remote
from xmpp_rest.protocol.jid import JID
from xmpp_rest.service.files.held import Held, HeldBytes, HeldKind
from xmpp_rest.service.files.values import Slot, StoredFile
from xmpp_rest.threads.tasks import OrderLock

DAY = 86400
NOBODY = JID("", "", "")
"""Has the uploads under way of those who were removed: nothing is kept of them."""
MOST_SLOTS = 100  # of one uploader
MOST_SLOTS_IN_ALL = 10_000  # each is a small file; users of other servers may be any number
MOST_FILES = 100_000  # of one uploader: those of a byte take more than that
OWN, TOTAL, SLOTS, FILES = "own", "total", "slots", "files"


class Full(NamedTuple):
    """There is no room. `bound`: one of those above; `used` of `quota` are taken; `retry_after`: seconds until there may be room."""

    bound: str
    used: int
    quota: int
    retry_after: int


class Stored(NamedTuple):
    """How many files there are, and how many bytes they have together."""

    files: int
    used: int


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
        self._held: HeldBytes | None = None  # None: not read yet
        self._has_slots = False  # whether the slots on disk were read
        remote.offer(self)
        remote.on_left(self._process_left)
        remote.on_role(self._role_changed)

    def configure(self, settings: FileSettings) -> None:
        """Hold these bounds from now on."""
        self._settings = settings

    @on_leader(repeatable=True)
    def reserve(self, file_id: str, owner: JID, size: int, process: str) -> Full | None:
        """Set so many bytes aside for an upload under way in `process`, in place of those that were before; None: done."""
        with self._lock:
            held = self._known().get(file_id)
            return self._take(file_id, Held(held.owner if held else owner, size, None, HeldKind.UPLOAD, process))

    @on_leader(repeatable=True)
    def room(self, owner: JID, size: int) -> Full | None:
        """Whether there is room for so many bytes; None: there is."""
        with self._lock:
            return self._crowded(self._known(), owner) or self._full(self._known(), owner, size)

    @on_leader(repeatable=True)
    def take_slot(self, slot: Slot) -> Full | None:
        """Set the bytes of a slot aside."""
        with self._lock:
            known = self._known()
            if (count := known.count(slot.owner, HeldKind.SLOT)) >= MOST_SLOTS or known.slots >= MOST_SLOTS_IN_ALL:
                return Full(SLOTS, count, MOST_SLOTS, self._settings.slot_seconds)
            return self._take(slot.id, _of_slot(slot))

    @on_leader(repeatable=True)
    def upload_begins(self, slot: Slot, process: str) -> None:
        """The slot is used in `process`: its bytes stay taken until that ends, though its time may be over before."""
        with self._lock:
            held = (known := self._known()).get(slot.id)
            if held is None or held.kind is not HeldKind.FILE:
                known.put(slot.id, Held(slot.owner, slot.size, None, HeldKind.UPLOAD, process, (held.uploads if held else 0) + 1))

    @on_leader(repeatable=True)
    def upload_failed(self, slot: Slot) -> None:
        """It was not used after all, and may be until its end."""
        with self._lock:
            held = (known := self._known()).get(slot.id)
            if held is None or held.kind is not HeldKind.UPLOAD:
                return
            if held.uploads > 1:
                known.put(slot.id, held._replace(uploads=held.uploads - 1))
            elif held.owner is NOBODY:
                known.drop(slot.id)
            else:
                known.put(slot.id, _of_slot(slot))

    @on_leader(repeatable=True)
    def stored(self, file: StoredFile) -> bool:
        """The file is there; what was set aside for it is taken. False: its owner was removed meanwhile, so it must not be kept."""
        with self._lock:
            held = (known := self._known()).get(file.id)
            if held is not None and held.owner is NOBODY:
                known.drop(file.id)
                return False
            known.put(file.id, _of_file(file))
            return True

    @on_leader(repeatable=True)
    def disown(self, owner: JID) -> list[str]:
        """The owner is removed: keep nothing of the uploads that are under way. Their ids."""
        with self._lock:
            known = self._known()
            uploads = [(i, held) for i in known.ids(owner) if (held := known.get(i)) is not None and held.kind is HeldKind.UPLOAD]
            for file_id, held in uploads:
                known.put(file_id, held._replace(owner=NOBODY))
        return [file_id for file_id, _ in uploads]

    @on_leader(repeatable=True)
    def gone(self, file_id: str) -> None:
        """The bytes of this id are free again."""
        with self._lock:
            self._known().drop(file_id)

    @on_leader(repeatable=True)
    def used_by(self, owner: JID) -> int:
        """The bytes of the files and open slots of this one, and of its uploads under way."""
        with self._lock:
            return self._known().sum(owner)

    @on_leader(repeatable=True)
    def total(self) -> Stored:
        """All files."""
        with self._lock:
            return Stored(*self._known().of_files())

    @property
    def counted(self) -> Stored:
        """All files, as far as they are known already; in the leader. Does not wait."""
        return Stored(*self._held.of_files()) if self._held is not None else Stored(0, 0)

    @on_leader(repeatable=True)
    def ids(self, owner: JID) -> list[str]:
        """The ids of the files, slots and uploads of this one."""
        with self._lock:
            return self._known().ids(owner)

    def read_again(self) -> None:
        """Compare with what there is on disk; in the leader."""
        with self._lock:
            before = set(self._known().ids_of_files())
        found = {file.id: file for file in self._walk()}
        with self._lock:
            known = self._known()
            for file_id in before - found.keys():
                known.drop(file_id)
            for file_id, file in found.items():
                if file_id not in before and not file.is_over and known.kind(file_id) is not HeldKind.FILE:
                    known.put(file_id, _of_file(file))

    def _role_changed(self, _: bool) -> None:
        """Read the folder when it is needed: another process may have changed it meanwhile."""
        with self._lock:
            self._held = None

    def _process_left(self, process: str) -> None:
        """What it was writing, nobody goes on with."""
        with self._lock:
            if self._held is not None:
                self._held.process_left(process)
                self._has_slots = False  # those that it was using are open again

    # under the lock

    def _take(self, file_id: str, held: Held) -> Full | None:
        known = self._known()
        crowded = self._crowded(known, held.owner) if known.kind(file_id) is None else None
        full = crowded or self._full(known, held.owner, held.size - known.size(file_id))
        if full is None:
            known.put(file_id, held)
        return full

    def _known(self) -> HeldBytes:
        if self._held is None:
            held = HeldBytes()
            for file in self._walk():
                held.put(file.id, _of_file(file))
            self._held, self._has_slots = held, False
        if not self._has_slots:
            for slot in self._slots():
                if self._held.get(slot.id) is None:
                    self._held.put(slot.id, _of_slot(slot))
            self._has_slots = True
        self._held.drop_over(time.time())
        return self._held

    @staticmethod
    def _crowded(known: HeldBytes, owner: JID) -> Full | None:
        """Whether one more is too many, however small."""
        number = known.number(owner)
        return Full(FILES, number, MOST_FILES, _seconds(known.free_at(owner, 1))) if number >= MOST_FILES else None

    def _full(self, known: HeldBytes, owner: JID, more: int) -> Full | None:
        used, settings = known.sum(owner), self._settings
        if settings.quota and used + more > settings.quota:
            return Full(OWN, used, settings.quota, _seconds(known.free_at(owner, used + more - settings.quota)))
        if settings.quota_total and known.total + more > settings.quota_total:
            return Full(TOTAL, known.total, settings.quota_total, DAY)
        return None


def _of_file(file: StoredFile) -> Held:
    return Held(file.owner, file.size, file.expires, HeldKind.FILE)


def _of_slot(slot: Slot) -> Held:
    return Held(slot.owner, slot.size, slot.until, HeldKind.SLOT)


def _seconds(until: float | None) -> int:
    """Seconds until then, at most a day."""
    return DAY if until is None else max(1, min(DAY, int(until - time.time()) + 1))
