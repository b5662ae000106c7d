"""Which workers take the place of which, one after the other: a new one serves before an old one is told to end."""

from __future__ import annotations

from collections.abc import Collection, Sequence


class Succession:
    """Knows workers by their process ids. Those that were told to end, and still complete what they have, are `leaving`."""

    def __init__(self) -> None:
        self.leaving: set[int] = set()
        self._old: list[int] = []

    @property
    def is_under_way(self) -> bool:
        """Whether there are workers to be replaced."""
        return bool(self._old)

    def begin(self, pids: Sequence[int]) -> None:
        """Replace these, in this order."""
        self._old = list(pids)

    def abandon(self) -> None:
        """Those that are not replaced yet stay."""
        self._old = []

    def look(self, pids: Collection[int]) -> None:
        """These are the workers that there are."""
        self.leaving.intersection_update(pids)
        self._old = [pid for pid in self._old if pid in pids and pid not in self.leaving]

    def wanted(self, most: int) -> int:
        """How many workers there are to be besides those that are leaving, where there are usually `most`."""
        return most + 1 if self._old else most

    def next_to_leave(self, staying: Collection[int], accepting: Collection[int], most: int) -> int | None:
        """The next one to be told to end: once all that stay serve, and there are enough without it."""
        if not self._old or len(staying) <= most or any(pid not in accepting for pid in staying):
            return None
        return self._old[0]
