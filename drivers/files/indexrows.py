"""The rows of an index of a file of items: one for each item, in their order.

The first word of a row says where the item ends (so where the next one begins), and has a checksum of its bytes. A row of an archive has
four more words: the time, hashes of the id and of the partner, and two running numbers: of the items that are earlier than the one before
them, and of those that are not stanzas.
"""

from __future__ import annotations

import math
import os
import struct
from collections.abc import Iterator
from hashlib import blake2b
from typing import NamedTuple
from zlib import crc32

from drivers.files.format import Format, Record, UnreadableFile, at_byte
from drivers.files.records import records

PLACE = struct.Struct("=Q")
HEAD = struct.Struct("=QdQQQ")
_END = 2**48 - 1
LATE = 2**32 - 1
POSITIONAL = 2**63
"""Set in the last word of an item without an id, whose id is its position."""
BATCH = 512  # rows that are made at once


def hashed(text: str) -> int:
    """64 bits: so many that nobody finds another text with the same ones."""
    return int.from_bytes(blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little")


def place_word(end: int, data: bytes | memoryview) -> int:
    """The first word of a row."""
    return end | (crc32(data) & 0xFFFF) << 48


def end_of(word: int) -> int:
    """Where the item of a row ends."""
    return word & _END


def is_right(word: int, data: bytes | memoryview) -> bool:
    """Whether these are the bytes of the item of a row."""
    return word >> 48 == crc32(data) & 0xFFFF


def skipped_of(numbers: int) -> int:
    """How many items so far are not stanzas, by the last word of a row."""
    return (numbers & ~POSITIONAL) >> 32


class IndexRow(NamedTuple):
    """A row of an archive."""

    word: int
    when: float
    id: int
    with_: int
    numbers: int

    @property
    def late(self) -> int:
        """How many items so far are earlier than the one before them."""
        return self.numbers & LATE

    @property
    def skipped(self) -> int:
        """How many items so far are not stanzas."""
        return skipped_of(self.numbers)

    def stanza(self, word: int, when: float, id_: int, with_: int, positional: bool) -> IndexRow:
        """The row of a stanza that follows this one."""
        late = self.late + (not when >= self.when)  # also for what is not a number
        return IndexRow(word, when, id_, with_, late | self.skipped << 32 | POSITIONAL * positional)

    def other(self, word: int) -> IndexRow:
        """The row of an item that is not a stanza, and follows this one."""
        return IndexRow(word, self.when, 0, 0, self.late | (self.skipped + 1) << 32)


BEFORE_ALL = IndexRow(0, -math.inf, 0, 0, 0)


class NewRows(NamedTuple):
    """New rows; `lasting`: how many of them are of items that end with a line break. Others may be unfinished in fact."""

    rows: bytes
    lasting: int


def places(descriptor: int, form: Format, start: int) -> Iterator[NewRows]:
    """Rows for the items of a list from a byte on."""
    made: list[int] = []
    lasting, end = 0, start
    for record in records(descriptor, form, start):
        word, end = _place(descriptor, record, end)
        made.append(word)
        lasting = len(made) if record.data.endswith(b"\n") else lasting
        if len(made) >= BATCH and lasting == len(made):
            yield NewRows(struct.pack(f"={len(made)}Q", *made), lasting)
            made, lasting = [], 0
    yield NewRows(struct.pack(f"={len(made)}Q", *made), lasting)


def heads(descriptor: int, form: Format, start: int, last: IndexRow, position: int) -> Iterator[NewRows]:
    """Rows for the items of an archive from a byte on, after another row, and after so many. Raises Damaged, after all rows before that."""
    made = bytearray()
    count = lasting = 0
    end = start
    try:
        for record in records(descriptor, form, start):
            position += 1
            word, end = _place(descriptor, record, end)
            last = _head(form, record, word, last, position)
            made += HEAD.pack(*last)
            count += 1
            lasting = count if record.data.endswith(b"\n") else lasting
            if count >= BATCH and lasting == count:
                yield NewRows(bytes(made), lasting)
                made.clear()
                count = lasting = 0
    except UnreadableFile:
        yield NewRows(bytes(made), lasting)
        raise
    yield NewRows(bytes(made), lasting)


def _head(form: Format, record: Record, word: int, last: IndexRow, position: int) -> IndexRow:
    with at_byte(record.offset):
        head = form.head(record, position)
    if head is None:
        return last.other(word)
    return last.stanza(word, head.when, hashed(head.id), hashed(head.with_), head.id == str(position))


def _place(descriptor: int, record: Record, before: int) -> tuple[int, int]:
    end = record.offset + len(record.data)
    # what stands between two items, such as a comment, belongs to the second
    data = record.data if record.offset == before else os.pread(descriptor, end - before, before)
    return place_word(end, data), end
