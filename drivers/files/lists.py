"""Reading a part of a list by its index."""

from __future__ import annotations

import os
from itertools import pairwise
from pathlib import Path

from drivers import Value
from drivers.files.format import Format, Record, UnreadableFile, at_byte
from drivers.files.indexes import Indexes
from drivers.files.indexrows import PLACE, end_of, is_right


def part(path: Path, descriptor: int, form: Format, indexes: Indexes, start: int, stop: int | None) -> list[Value] | None:
    """The items from one up to another; None if there are none at all."""
    with indexes.rows(path, descriptor, PLACE.size) as rows:
        if not rows.count:
            return None
        stop = rows.count if stop is None else min(stop, rows.count)
        words = rows.ends(start, stop) if start < stop else [0]
        ends = [end_of(word) for word in words]
        data = memoryview(os.pread(descriptor, ends[-1] - ends[0], ends[0]))
        found = []
        for word, (before, end) in zip(words[1:], pairwise(ends), strict=True):
            item = bytes(data[before - ends[0] : end - ends[0]])
            if not is_right(word, item):
                rows.wrong()  # somebody has changed the item without changing its length
                raise UnreadableFile(f"the item at byte {before} has been changed; ask again")
            found.append(value(form, Record(before, item)))
        return found


def value(form: Format, record: Record) -> Value:
    """The value of an item."""
    with at_byte(record.offset):
        return form.item(record.data)
