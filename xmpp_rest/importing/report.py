"""The report of an import: counts by kind, and a line for everything that is not there afterwards."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator

READ, WRITTEN, SKIPPED, LEFT_OUT = "read", "written", "skipped", "left out"
_COLUMNS = (READ, WRITTEN, SKIPPED, LEFT_OUT)


class ImportReport:
    """Counts what was read, written, skipped as the target has it already, and left out. `say` takes a line for each of the last two."""

    def __init__(self, say: Callable[[str], object]) -> None:
        self._say = say
        self._counts: Counter[tuple[str, str]] = Counter()
        self._remarks: Counter[str] = Counter()

    def read(self, kind: str, count: int = 1) -> None:
        self._counts[kind, READ] += count

    def written(self, kind: str, count: int = 1) -> None:
        self._counts[kind, WRITTEN] += count

    def skipped(self, who: str, kind: str, reason: str, count: int = 1) -> None:
        """The target has other content already, and keeps it."""
        self._add(SKIPPED, who, kind, reason, count)

    def left_out(self, who: str, kind: str, reason: str, count: int = 1) -> None:
        """It cannot be read, or has no place here."""
        self._add(LEFT_OUT, who, kind, reason, count)

    def remark(self, who: str, text: str, *, named: bool = True) -> None:
        """Something to know about an account that was imported; counted by its text. Not `named`: it holds for most of them."""
        self._remarks[text] += 1
        if named:
            self._say(f"remark: {who} {text}")

    def count(self, kind: str, outcome: str) -> int:
        """The number for one kind and one of READ, WRITTEN, SKIPPED, LEFT_OUT."""
        return self._counts[kind, outcome]

    def total(self, outcome: str) -> int:
        return sum(count for (_, other), count in self._counts.items() if other == outcome)

    def lines(self, *, dry_run: bool = False) -> Iterator[str]:
        """The table, and the remarks."""
        kinds = list(dict.fromkeys(kind for kind, _ in self._counts))
        if not kinds:
            yield "there is nothing to import"
            return
        heads = tuple("to write" if dry_run and column == WRITTEN else column for column in _COLUMNS)
        width = max(map(len, kinds))
        yield f"{'':{width}}" + "".join(f"{head:>11}" for head in heads)
        for kind in kinds:
            yield f"{kind:{width}}" + "".join(f"{self._counts[kind, column]:>11}" for column in _COLUMNS)
        yield from (f"{count} accounts: each {text}" if count > 1 else f"1 account {text}" for text, count in self._remarks.items())

    def _add(self, outcome: str, who: str, kind: str, reason: str, count: int) -> None:
        self._counts[kind, outcome] += count
        number = f" ({count})" if count != 1 else ""
        self._say(f"{outcome}: {who}: {kind}{number}: {reason}")
