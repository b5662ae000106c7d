"""The journal: an append-only file of entries that must survive a power cut until they are acknowledged. Many threads share one commit.

One line for each record: a checksum, then JSON. `["+", number, text]` appends one, `["-", number, …]` acknowledges some. An entry is
on disk before `append` returns; an acknowledgement may be lost with the power: the entry is then handled twice, at least once.

An entry may have a *note*: other work that it stands for, which is acknowledged by itself (decision 0037), and the id of a request.
`["+", number, text, note]` and `["+", number, text, note, id]` append such ones, `["n", number, …]` says that only the notes of some are
left; without its note an entry is written again.
"""

from __future__ import annotations

import contextlib
import errno
import json
import logging
import os
import threading
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from xmpp_rest.threads.group import GroupExecutor

log = logging.getLogger("xmpp_rest.link")

RESERVE = 256 << 10  # bytes that the file grows by at once: a sync that need not note a new size takes half the time
COMPACT_AT = 4 << 20  # bytes of the file after which it is rewritten, if most of it is acknowledged


class NotedEntry(NamedTuple):
    """An entry whose note is not acknowledged. `note`: any JSON but null."""

    number: int
    text: str
    note: Any


class JournalEntry:
    """A text; it gets its number in the order of the file."""

    __slots__ = ("is_acknowledged", "note", "number", "request_id", "text")

    def __init__(self, text: str, note: Any = None, request_id: str = "", number: int = 0, *, is_acknowledged: bool = False) -> None:
        self.text = text
        self.note = note  # None: there is none, or it is acknowledged
        self.number = number
        self.request_id = request_id
        self.is_acknowledged = is_acknowledged  # and so here for its note alone

    def record(self) -> list[object]:
        if self.request_id:
            return ["+", self.number, self.text, self.note, self.request_id]
        return ["+", self.number, self.text] if self.note is None else ["+", self.number, self.text, self.note]


class Journal:
    """The entries of one file. Safe to be used by several threads; one process at a time owns it."""

    def __init__(self, path: Path) -> None:
        """Read what an earlier process left. Raises OSError."""
        self._path = path
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._open = read_entries(path)  # entries that are being written too: a new file has to have them
        self._next = max(self._open, default=0) + 1
        self._acknowledged: list[bytes] = []  # lines for the next write
        self._without_note: set[int] = set()  # entries that have a note on disk alone
        self._lock = threading.Lock()  # guards the four above
        self._group: GroupExecutor[JournalEntry, None] = GroupExecutor(self._write, on_enter=self._number)
        self._file = self._rewritten()
        self._sync_folder()
        self._review_at = COMPACT_AT

    def __len__(self) -> int:
        return len(self._open)

    def unacknowledged(self) -> list[tuple[int, str]]:
        """Numbers and texts of the entries that are not acknowledged, oldest first."""
        with self._lock:
            return [(n, entry.text) for n, entry in sorted(self._open.items()) if not entry.is_acknowledged]

    def request_id(self, number: int) -> str:
        """The id of the request that an open entry is of; "" for none."""
        with self._lock:
            return self._open[number].request_id

    def noted(self) -> list[NotedEntry]:
        """The entries whose notes are not acknowledged, oldest first."""
        with self._lock:
            return [NotedEntry(n, entry.text, entry.note) for n, entry in sorted(self._open.items()) if entry.note is not None]

    def append(self, texts: Sequence[str], notes: Sequence[Any] = (), request_ids: Sequence[str] = ()) -> list[int]:
        """Append these; their numbers, once they are on disk. Raises OSError, and then none is appended.

        `notes`: one for each text, or None; nothing: no text has one. `request_ids`: likewise, or "".
        """
        count = len(texts)
        entries = [JournalEntry(*one) for one in zip(texts, notes or (None,) * count, request_ids or ("",) * count, strict=True)]
        try:
            self._group.run(entries)
        except BaseException:
            self._remove([entry.number for entry in entries])
            raise
        return [entry.number for entry in entries]

    def ack(self, numbers: Sequence[int]) -> None:
        """Acknowledge these entries, but not their notes; on disk with the next append, or at the end."""
        gone, left = [], []
        with self._lock:
            for number in numbers:
                if (entry := self._open.get(number)) is not None and entry.note is not None:
                    entry.is_acknowledged = True
                    left.append(number)
                else:
                    gone.append(number)
            if left:
                self._acknowledged.append(line_of(["n", *left]))
        self._remove(gone)

    def ack_notes(self, numbers: Sequence[int]) -> None:
        """Acknowledge the notes of these entries; on disk with the acknowledgement of the entry, or by `forget_notes`."""
        gone = []
        with self._lock:
            for number in numbers:
                if (entry := self._open.get(number)) is not None:
                    entry.note = None
                    if entry.is_acknowledged:
                        gone.append(number)
                    else:
                        self._without_note.add(number)
        self._remove(gone)

    def forget_notes(self) -> None:
        """Have no acknowledged note on disk any more when this returns. Raises OSError."""
        with self._lock:
            self._acknowledged += [line_of(self._open[number].record()) for number in sorted(self._without_note)]
            self._without_note.clear()
        self._group.run(())

    def on_late(self, listener: object) -> None:
        """Nothing: when `append` has raised, nothing is in the file, as it is cut."""

    def _remove(self, numbers: Sequence[int]) -> None:
        if not numbers:
            return
        with self._lock:
            for number in numbers:
                self._open.pop(number, None)
            self._without_note.difference_update(numbers)
            self._acknowledged.append(line_of(["-", *numbers]))

    def close(self) -> None:
        """Write what is collected and give the file back. Raises OSError."""
        try:
            self.forget_notes()
        finally:
            self._file.close()

    def _number(self, entries: Sequence[JournalEntry]) -> None:
        with self._lock:
            for number, entry in enumerate(entries, self._next):
                entry.number = number
                self._open[number] = entry
            self._next += len(entries)

    def _write(self, entries: Sequence[JournalEntry]) -> Sequence[None]:
        """Write all that several threads append, and all acknowledgements so far. Raises OSError."""
        with self._lock:
            acknowledged, self._acknowledged = self._acknowledged, []
        try:
            self._file.append(b"".join([*(line_of(entry.record()) for entry in entries), *acknowledged]))
        except OSError:
            with self._lock:
                self._acknowledged[:0] = acknowledged  # another attempt with the next ones
            raise
        if self._file.size > self._review_at:
            try:
                self._review()
            except OSError as e:  # no descriptor, no room: the lines are on disk all the same
                log.warning("%s cannot be rewritten for now: %s", self._path, e)
        return (None,) * len(entries)

    def _review(self) -> None:
        """Rewrite the file if most of it is acknowledged; in any case look again when it has doubled."""
        with self._lock:
            live = sum(len(entry.text) for entry in self._open.values())
        try:
            if live < self._file.size // 2:
                new = self._rewritten()
                self._file.close()
                self._file = new
                self._sync_folder()
        finally:
            self._review_at = max(COMPACT_AT, 2 * self._file.size)

    def _rewritten(self) -> _File:
        """The file with what is open alone, replaced in one step. Raises OSError, and then the old one is as it was."""
        with self._lock:
            lines = [line_of(entry.record()) for _, entry in sorted(self._open.items())]
            if left := [n for n, entry in sorted(self._open.items()) if entry.is_acknowledged]:
                lines.append(line_of(["n", *left]))
            without_note, self._without_note = self._without_note, set()
        try:
            return self._replaced(b"".join(lines))
        except OSError:
            with self._lock:
                self._without_note |= without_note & self._open.keys()
            raise

    def _replaced(self, data: bytes) -> _File:
        scratch = self._path.with_suffix(".new")
        file = _File(scratch)
        try:
            file.append(data)
            scratch.replace(self._path)
        except OSError:
            file.close()
            raise
        return file

    def _sync_folder(self) -> None:
        folder = os.open(self._path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


class _File:
    """An empty file that grows by whole appends."""

    def __init__(self, path: Path) -> None:
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
        self.size = 0
        self._reserved = 0

    def append(self, data: bytes) -> None:
        """Add `data` and wait until it is on disk; or nothing of it. Raises OSError."""
        if self._fd < 0:
            raise OSError(errno.EBADF, "the gateway is being stopped")
        view, at = memoryview(data), self.size
        try:
            self._reserve(at + len(data))
            while view:
                written = os.pwrite(self._fd, view, at)
                at += written
                view = view[written:]
            os.fdatasync(self._fd)
        except OSError:
            os.ftruncate(self._fd, self.size)  # no half of it may be read later
            self._reserved = self.size
            raise
        self.size = at

    def _reserve(self, size: int) -> None:
        """Append zeros, which are not lines; if the file system has no room for them, the lines may still fit."""
        if size > self._reserved:
            self._reserved = size + RESERVE
            with contextlib.suppress(OSError):
                os.posix_fallocate(self._fd, self.size, self._reserved - self.size)

    def close(self) -> None:
        os.close(self._fd)
        self._fd = -1  # the descriptor may soon be another file's, and a thread may still append


_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))  # to make one takes longer than to use it


def line_of(record: list[object]) -> bytes:
    text = _ENCODER.encode(record).encode()
    return b"%08x %s\n" % (zlib.crc32(text), text)


def read_entries(path: Path) -> dict[int, JournalEntry]:
    """The entries that were not acknowledged; a torn last line was never appended."""
    found: dict[int, tuple[str, Any, str]] = {}  # text, note, id of the request
    acknowledged: set[int] = set()  # but for their notes
    for line in path.read_bytes().split(b"\n") if path.exists() else ():
        checksum, _, text = line.partition(b" ")
        if not text or checksum != b"%08x" % zlib.crc32(text):
            continue
        sign, *rest = json.loads(text)
        if sign == "+":
            number, content, *more = rest
            found[number] = content, *(more + [None, ""][len(more) :])
        elif sign == "n":
            acknowledged.update(rest)
        else:
            for number in rest:
                found.pop(number, None)
    entries = {number: JournalEntry(*one, number, is_acknowledged=number in acknowledged) for number, one in found.items()}
    return {number: entry for number, entry in entries.items() if entry.note is not None or not entry.is_acknowledged}
