"""How long a call takes, and how that grows."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

FLAT = 3.0
"""The most that the largest size may take, as a multiple of the smallest, of what is said to be flat."""
REPEATS = 15
SECONDS = 2.0
"""No further call begins after this time, but the first three."""


class Figure(NamedTuple):
    """One operation at one size. `took`: of one call, or of one of the things that it is about, in `unit`."""

    name: str
    unit: str
    took: float
    flat: bool = True
    """Whether it should be the same at all sizes."""


Figures = Iterator[Figure]


class Row(NamedTuple):
    """One operation of one driver. `took`: size → what it took, in `unit`."""

    driver: str
    name: str
    unit: str
    flat: bool
    took: dict[int, float]

    @property
    def exponent(self) -> float | None:
        """The k of `time = c * size**k` that fits best; None for fewer than two sizes."""
        points = [(math.log(size), math.log(took)) for size, took in self.took.items() if took > 0]
        if len(points) < 2:
            return None
        middle = (statistics.fmean(x for x, _ in points), statistics.fmean(y for _, y in points))
        over = sum((x - middle[0]) * (y - middle[1]) for x, y in points)
        return over / sum((x - middle[0]) ** 2 for x, _ in points)

    @property
    def verdict(self) -> str:
        """Whether what should be flat is."""
        if not self.flat or len(self.took) < 2:
            return ""
        first, *_, last = self.took.values()
        return "flat" if last <= first * FLAT else f"**grows {last / first:,.0f} times**"


def milliseconds(call: Callable[[], object]) -> float:
    """The median of the times of a few calls."""
    taken: list[float] = []
    end = time.perf_counter() + SECONDS
    while len(taken) < REPEATS and (len(taken) < 3 or time.perf_counter() < end):
        began = time.perf_counter()
        call()
        taken.append((time.perf_counter() - began) * 1000)
    return statistics.median(taken)


def once(call: Callable[[], object]) -> float:
    """The milliseconds of one call."""
    began = time.perf_counter()
    call()
    return (time.perf_counter() - began) * 1000


def table(rows: list[Row]) -> str:
    """All rows as Markdown, those of equal sizes below one head."""
    parts: list[str] = []
    for driver in dict.fromkeys(row.driver for row in rows):
        mine = [row for row in rows if row.driver == driver]
        for sizes in dict.fromkeys(tuple(row.took) for row in mine):
            head = ["operation", *(f"{size:,}" for size in sizes), "", "exponent", ""]
            lines = [head, ["---", *("--:" for _ in sizes), "---", "--:", "---"]]
            lines += [_cells(row) for row in mine if tuple(row.took) == sizes]
            parts.append(f"### {driver}\n\n" + "\n".join("| " + " | ".join(line) + " |" for line in lines))
    return "\n\n".join(parts)


def _cells(row: Row) -> list[str]:
    exponent = "" if row.exponent is None else f"{row.exponent:.2f}"
    return [row.name, *(_number(took) for took in row.took.values()), row.unit, exponent, row.verdict]


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"
