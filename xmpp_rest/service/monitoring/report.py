"""What one process has counted, as other processes know it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from xmpp_rest.metrics.families import Figures


@dataclass(frozen=True, slots=True)
class ProcessReport:
    """The figures of one process at one time. `counts` only grow; `gauges` hold as long as the process lives.

    `process`: its id, as long as it lives; `member`: that of its group, another one under each leader, "" once the process counts from zero
    again, by another id; `number`: later reports of it have a greater one.
    """

    process: str
    member: str
    number: int
    counts: Figures
    gauges: Figures

    def to_json(self) -> list[Any]:
        """The JSON form for other processes, and for the data folder."""
        return [self.process, self.member, self.number, self.counts, self.gauges]

    @classmethod
    def from_json(cls, values: list[Any]) -> ProcessReport:
        """The report in the JSON form. Raises ValueError, TypeError."""
        process, member, number, counts, gauges = values
        return cls(process, member, number, counts, gauges)


@dataclass(frozen=True, slots=True)
class Totals:
    """The figures of all processes as one."""

    figures: Figures

    def to_json(self) -> Figures:
        return self.figures

    @classmethod
    def from_json(cls, values: Figures) -> Totals:
        return cls(values)
