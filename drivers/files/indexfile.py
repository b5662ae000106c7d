"""A file with the index of a file of items, which is made from that, and may be removed at any time (decision 0040).

It has a header, and then blocks of BLOCK rows. A full block of an archive is followed by a table of its ids, in order, and by a summary:
its earliest and latest time, and which partners it may have. Nothing is changed but by appending, so that readers need no lock.
"""

from __future__ import annotations

import os
import struct
from functools import cache
from pathlib import Path
from typing import NamedTuple

from drivers.files import durable
from drivers.files.indexrows import HEAD, PLACE

BLOCK = 2**14
"""Rows of a block. The tables of ids of all blocks are searched, one after the other; the rows behind the last full one are read."""
_POSITION = BLOCK - 1
"""The bits of an entry of a table of ids that say where the row is; the others are those of the hash."""
BLOOM = 2048  # bits
_HEADER = struct.Struct("=8sIIQ16s")
_SUMMARY = struct.Struct(f"=dd{BLOOM // 8}s")
_MAGIC = b"xmpprest"
_VERSION = 1
_AT = 64  # where rows begin
_WINDOW = 320  # entries beside the expected one: five times the standard deviation


class BlockSummary(NamedTuple):
    """What is known of the rows of a full block."""

    earliest: float
    latest: float
    partners: int

    def may_have(self, partner: int) -> bool:
        """Whether one of the rows may be of a partner."""
        bits = _bits(partner)
        return self.partners & bits == bits


def _bits(partner: int) -> int:
    return 1 << (partner % BLOOM) | 1 << ((partner >> 16) % BLOOM) | 1 << ((partner >> 32) % BLOOM)


@cache
def boot() -> bytes:
    """What is different after each start of the machine: what was not synced may be missing then."""
    try:
        return bytes.fromhex(Path("/proc/sys/kernel/random/boot_id").read_text().strip().replace("-", ""))[:16].ljust(16)
    except (OSError, ValueError):
        return bytes(16)


class IndexFile:
    """An open index. `width` is the size of a row in bytes. Methods raise OSError."""

    def __init__(self, descriptor: int, width: int, inode: int, booted: bytes) -> None:
        self.descriptor = descriptor
        self.width = width
        self.inode = inode
        self.boot = booted
        self._trailer = BLOCK * PLACE.size + _SUMMARY.size if width == HEAD.size else 0
        self._block = BLOCK * width + self._trailer
        full, rest = divmod(max(0, os.fstat(descriptor).st_size - _AT), self._block)
        self.count = full * BLOCK + min(BLOCK, rest // width)
        self.sealed = full
        """Full blocks, which are on the disk."""

    @classmethod
    def opened(cls, path: Path, width: int) -> IndexFile | None:
        """The index in a file; None if there is none in this form."""
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
        except FileNotFoundError:
            return None
        header = os.pread(descriptor, _HEADER.size, 0)
        if len(header) == _HEADER.size:
            magic, version, size, inode, booted = _HEADER.unpack(header)
            if (magic, version, size) == (_MAGIC, _VERSION, width):
                return cls(descriptor, width, inode, booted)
        os.close(descriptor)
        return None

    @classmethod
    def created(cls, path: Path, width: int, inode: int) -> IndexFile:
        """A new, empty index of the file with a number."""
        durable.make_folder(path.parent)
        flags = os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW
        file = cls(os.open(path, flags, durable.FILE_MODE), width, inode, boot())
        file.sign(inode)
        return file

    def sign(self, inode: int) -> None:
        """Say which file this is the index of, and that it is right since the start of the machine."""
        os.pwrite(self.descriptor, _HEADER.pack(_MAGIC, _VERSION, self.width, inode, boot()).ljust(_AT, b"\0"), 0)
        self.inode, self.boot = inode, boot()

    def read(self, start: int, stop: int) -> bytes:
        """The rows from one up to, not including, another."""
        found = []
        while start < stop:
            block, first = divmod(start, BLOCK)
            count = min(stop - start, BLOCK - first)
            found.append(os.pread(self.descriptor, count * self.width, _AT + block * self._block + first * self.width))
            start += count
        return b"".join(found)

    def append(self, rows: bytes) -> None:
        """Add rows. The caller holds the lock."""
        self._seal()
        while rows:
            block, first = divmod(self.count, BLOCK)
            part = rows[: (BLOCK - first) * self.width]
            self._write(part, _AT + block * self._block + first * self.width)
            self.count += len(part) // self.width
            rows = rows[len(part) :]
            self._seal()

    def _write(self, data: bytes, offset: int) -> None:
        while data:
            written = os.pwrite(self.descriptor, data, offset)
            data, offset = data[written:], offset + written

    def _seal(self) -> None:
        """Add the tables to a block that is full."""
        if self.count // BLOCK > self.sealed:
            if self._trailer:
                self._write(_tables(self.read(self.sealed * BLOCK, self.count)), _AT + self.sealed * self._block + BLOCK * self.width)
            os.fsync(self.descriptor)
            self.sealed += 1

    def summary(self, block: int) -> BlockSummary:
        """The summary of a full block."""
        data = os.pread(self.descriptor, _SUMMARY.size, _AT + (block + 1) * self._block - _SUMMARY.size)
        earliest, latest, partners = _SUMMARY.unpack(data)
        return BlockSummary(earliest, latest, int.from_bytes(partners, "little"))

    def rows_of(self, block: int, hashed: int) -> list[int]:
        """The rows of a full block that may be of an id."""
        # hashes are spread evenly, so this one is not far from where it would be if they were exactly so
        expected = hashed * BLOCK >> 64
        for first, last in ((max(0, expected - _WINDOW), min(BLOCK, expected + _WINDOW)), (0, BLOCK)):
            entries = self._ids(block, first, last)
            least, most = hashed & ~_POSITION, hashed | _POSITION
            if (first == 0 or entries[0] < least) and (last == BLOCK or entries[-1] > most):
                break
        found, at = [], _bisect(entries, least)
        while at < len(entries) and entries[at] <= most:
            found.append(block * BLOCK + (entries[at] & _POSITION))
            at += 1
        return found

    def _ids(self, block: int, first: int, last: int) -> memoryview:
        start = _AT + block * self._block + BLOCK * self.width + first * PLACE.size
        return memoryview(os.pread(self.descriptor, (last - first) * PLACE.size, start)).cast("Q")

    def close(self) -> None:
        """Close the file."""
        os.close(self.descriptor)


def _bisect(entries: memoryview, least: int) -> int:
    low, high = 0, len(entries)
    while low < high:
        middle = (low + high) // 2
        if entries[middle] < least:
            low = middle + 1
        else:
            high = middle
    return low


def _tables(rows: bytes) -> bytes:
    words = memoryview(rows).cast("Q")
    ids = sorted(id_ & ~_POSITION | position for position, id_ in enumerate(words[2::5].tolist()))
    # what is not a number meets no condition
    times: list[float] = [time for time in memoryview(rows).cast("d")[1::5].tolist() if time == time] or [0.0]
    partners = 0
    for partner in set(words[3::5].tolist()):
        partners |= _bits(partner)
    summary = _SUMMARY.pack(min(times), max(times), partners.to_bytes(BLOOM // 8, "little"))
    return struct.pack(f"={BLOCK}Q", *ids) + summary
