"""The journal: an append-only file of entries that must survive a power cut until they are acknowledged. Many threads share one commit.

One line for each record: a checksum, then JSON. `["+", number, text]` appends one, `["-", number, …]` acknowledges some. An entry is
on disk before `append` returns; an acknowledgement may be lost with the power: the entry is then handled twice, at least once.
"""

from __future__ import annotations

import contextlib
import errno
import json
import logging
import os
import threading
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from xmpp_rest.threads.group import GroupExecutor

log = logging.getLogger(__name__)

RESERVE = 256 << 10  # bytes that the file grows by at once: a sync that need not note a new size takes half the time
COMPACT_AT = 4 << 20  # bytes of the file after which it is rewritten, if most of it is acknowledged


class _Entry:
    """A text that is being appended; it gets its number in the order of the file."""

    __slots__ = ("number", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self.number = 0


class Journal:
    """The entries of one file. Safe to be used by several threads; one process at a time owns it."""

    def __init__(self, path: Path) -> None:
        """Read what an earlier process left. Raises OSError."""
        self._path = path
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._open: dict[int, str] = dict(_read_lines(path))  # entries that are being written too: a new file has to have them
        self._next = max(self._open, default=0) + 1
        self._acknowledged: list[bytes] = []  # lines for the next write
        self._lock = threading.Lock()  # guards the three above
        self._group: GroupExecutor[_Entry, None] = GroupExecutor(self._write, on_enter=self._number)
        self._file = self._rewritten()
        self._sync_folder()
        self._review_at = COMPACT_AT

    def __len__(self) -> int:
        return len(self._open)

    def unacknowledged(self) -> list[tuple[int, str]]:
        """Numbers and texts of the entries that are not acknowledged, oldest first."""
        with self._lock:
            return sorted(self._open.items())

    def append(self, texts: Sequence[str]) -> list[int]:
        """Append these; their numbers, once they are on disk. Raises OSError, and then none is appended."""
        entries = [_Entry(text) for text in texts]
        try:
            self._group.run(entries)
        except BaseException:
            self.ack([entry.number for entry in entries])
            raise
        return [entry.number for entry in entries]

    def ack(self, numbers: Sequence[int]) -> None:
        """Acknowledge these entries; on disk with the next append, or at the end."""
        with self._lock:
            for number in numbers:
                self._open.pop(number, None)
            self._acknowledged.append(_line(["-", *numbers]))

    def close(self) -> None:
        """Write what is collected and give the file back. Raises OSError."""
        try:
            self._group.run(())
        finally:
            self._file.close()

    def _number(self, entries: Sequence[_Entry]) -> None:
        with self._lock:
            for number, entry in enumerate(entries, self._next):
                entry.number = number
                self._open[number] = entry.text
            self._next += len(entries)

    def _write(self, entries: Sequence[_Entry]) -> Sequence[None]:
        """Write all that several threads append, and all acknowledgements so far. Raises OSError."""
        with self._lock:
            acknowledged, self._acknowledged = self._acknowledged, []
        try:
            self._file.append(b"".join([*(_line(["+", entry.number, entry.text]) for entry in entries), *acknowledged]))
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
            live = sum(len(text) for text in self._open.values())
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
            lines = [_line(["+", n, text]) for n, text in sorted(self._open.items())]
        scratch = self._path.with_suffix(".new")
        file = _File(scratch)
        try:
            file.append(b"".join(lines))
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


def _line(record: list[object]) -> bytes:
    text = json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode()
    return b"%08x %s\n" % (zlib.crc32(text), text)


def _read_lines(path: Path) -> Iterator[tuple[int, str]]:
    """The entries that were not acknowledged; a torn last line was never appended."""
    if not path.exists():
        return
    found: dict[int, str] = {}
    for line in path.read_bytes().split(b"\n"):
        checksum, _, text = line.partition(b" ")
        if not text or checksum != b"%08x" % zlib.crc32(text):
            continue
        sign, *rest = json.loads(text)
        if sign == "+":
            found[rest[0]] = rest[1]
        else:
            for number in rest:
                found.pop(number, None)
    yield from found.items()
