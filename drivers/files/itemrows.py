"""The rows of an archive's index that meet the conditions of a query: time, partner, and being a stanza."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from drivers import ArchiveQuery
from drivers.files.indexes import IndexRows
from drivers.files.indexfile import BLOCK
from drivers.files.indexrows import hashed, skipped_of

CHUNK = 512
"""Rows that are read and compared at once."""


@dataclass(frozen=True)
class _Wanted:
    """Conditions; `timed`: whether times are still to be compared."""

    start: float
    end: float
    with_: int | None
    timed: bool
    newest_first: bool


def matching(rows: IndexRows, query: ArchiveQuery, start: int, stop: int, newest_first: bool) -> Iterator[range]:
    """The rows from one up to another that match, in ranges, in the order asked for."""
    first = -math.inf if query.start is None else query.start
    last = math.inf if query.end is None else query.end
    timed = query.start is not None or query.end is not None
    wanted = _Wanted(first, last, None if query.with_ is None else hashed(query.with_), timed, newest_first)
    return _of_blocks(rows, wanted, start, stop)


def _of_blocks(rows: IndexRows, wanted: _Wanted, start: int, stop: int) -> Iterator[range]:
    sealed = rows.file.sealed if rows.file and (wanted.timed or wanted.with_ is not None) else 0
    blocks = range(start // BLOCK, min(sealed, -(-stop // BLOCK)))
    rest = (max(start, sealed * BLOCK), stop)
    if wanted.newest_first:
        yield from _within(rows, wanted, *rest)
    for block in reversed(blocks) if wanted.newest_first else blocks:
        low, high = max(start, block * BLOCK), min(stop, (block + 1) * BLOCK)
        if narrowed := _narrowed(rows, wanted, block):
            yield from _within(rows, narrowed, low, high)
    if not wanted.newest_first:
        yield from _within(rows, wanted, *rest)


def _narrowed(rows: IndexRows, wanted: _Wanted, block: int) -> _Wanted | None:
    """What is still to be compared in a full block; None if nothing in it can match."""
    if rows.file is None:
        return wanted
    summary = rows.file.summary(block)
    if summary.latest < wanted.start or summary.earliest > wanted.end or not (wanted.with_ is None or summary.may_have(wanted.with_)):
        return None
    return wanted


def _within(rows: IndexRows, wanted: _Wanted, start: int, stop: int) -> Iterator[range]:
    if start >= stop:
        return

    def when(number: int) -> float:
        return rows.row(number).when

    if wanted.timed and stop - start > CHUNK:
        if rows.row(start).late == rows.row(stop - 1).late:  # in the order of time
            numbers = range(start, stop)
            low = 0 if wanted.start == -math.inf else bisect_left(numbers, wanted.start, key=lambda number: rows.row(number).when)
            high = (
                len(numbers) if wanted.end == math.inf else bisect_right(numbers, wanted.end, low, key=lambda number: rows.row(number).when)
            )
            yield from _within(rows, replace(wanted, timed=False), start + low, start + high)
        else:
            middle = (start + stop) // 2
            parts = [(start, middle), (middle, stop)]
            for part in reversed(parts) if wanted.newest_first else parts:
                yield from _within(rows, wanted, *part)
    elif wanted.timed or wanted.with_ is not None or rows.row(start - 1).skipped != rows.row(stop - 1).skipped:
        chunks = range(start, stop, CHUNK)
        for low in reversed(chunks) if wanted.newest_first else chunks:
            found = _compared(rows, wanted, low, min(low + CHUNK, stop))
            yield from reversed(found) if wanted.newest_first else found
    else:
        yield range(start, stop)


def _compared(rows: IndexRows, wanted: _Wanted, start: int, stop: int) -> list[range]:
    """The rows that match, one by one, of at most CHUNK."""
    data = memoryview(rows.read(start, stop))
    words = data.cast("Q")
    numbers: Sequence[int] = range(stop - start)
    if wanted.with_ is not None:
        numbers = [number for number, partner in enumerate(words[3::5].tolist()) if partner == wanted.with_]
    if wanted.timed:
        times = data.cast("d")[1::5].tolist()
        numbers = [number for number in numbers if wanted.start <= times[number] <= wanted.end]
    before = rows.row(start - 1).skipped
    if skipped_of(words[-1]) != before:
        skipped = [before, *map(skipped_of, words[4::5].tolist())]
        numbers = [number for number in numbers if skipped[number] == skipped[number + 1]]
    return [range(start + number, start + number + 1) for number in numbers]
