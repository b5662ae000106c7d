"""Item ranges: the part of an array for `Range: items=0-99` (RFC 9110 §14; the unit is ours)."""

from __future__ import annotations

from typing import Any, NamedTuple

from drivers import Value
from xmpp_rest.http.range_field import Ranges, parse_range, satisfiable

UNIT = "items"
FURTHEST = 2**53  # no list is as long
# With one of these the client compares the whole representation, which then must be known.
COMPARED = frozenset({"HTTP_IF_RANGE", "HTTP_IF_MATCH", "HTTP_IF_NONE_MATCH"})


class Window(NamedTuple):
    """A stretch of a list that can be read without the rest: from `start`, `length` items (None: all that follow)."""

    start: int
    length: int | None


class ArraySlice(NamedTuple):
    """What was read of an array: `values` from the position `first` on; `total` is None if more follow, nobody knows how many."""

    values: list[Value]
    first: int = 0
    total: int | None = None

    @property
    def is_all(self) -> bool:
        """Whether nothing of the array is missing."""
        return self.first == 0 and self.total is not None

    def cut(self, first: int, last: int) -> list[Value]:
        return self.values[first - self.first : last + 1 - self.first]


def asked(field: str) -> Ranges | None:
    """What a Range field, or its text after the unit, asks for; None if it is malformed. Written as byte ranges are."""
    return parse_range(f"bytes={field.partition('=')[2]}")


def window(environ: dict[str, Any]) -> Window | None:
    """The stretch to read for a GET, if it asks for a single one counted from the front, and compares nothing."""
    field = environ.get("HTTP_RANGE", "")
    if field.partition("=")[0].strip(" \t").lower() != UNIT or not environ.keys().isdisjoint(COMPARED):
        return None
    ranges = asked(field)
    if ranges is None or len(ranges[1]) != 1 or not isinstance(only := ranges[1][0], tuple) or only[0] >= FURTHEST:
        return None
    return Window(only[0], None if only[1] is None else min(only[1], FURTHEST) - only[0] + 1)


def taken(window: Window, found: list[Value]) -> ArraySlice:
    """What was read for a window; `found` has one more than asked for, if there is one."""
    if window.length is None or len(found) <= window.length:
        return ArraySlice(found, window.start, window.start + len(found))
    return ArraySlice(found[: window.length], window.start)


def spans(items: ArraySlice, ranges: Ranges | None) -> list[tuple[int, int]]:
    """First and last position of each range that is there."""
    end = items.first + len(items.values)
    found = satisfiable(ranges, end)
    if len(found) > 1 and sum(last - first + 1 for first, last in found) > end:
        return [(0, end - 1)]  # RFC 9110 §14.2: overlapping ranges are how such requests are abused
    return found
