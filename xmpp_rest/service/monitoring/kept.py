"""The latest reports in the data folder: what a process has counted is still there when it has ended, and the leader with it.

They belong to one start of the gateway: counters begin at zero with the next one. All processes of a start have the same parent process, or
are told by their leader which start theirs is.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from xmpp_rest.service.monitoring.report import ProcessReport

FOLDER = "metrics"  # in the data folder


class KeptReports:
    """A file for each process. Written by the leader; by a follower only where no leader answers. Methods raise OSError."""

    def __init__(self, data_dir: Path) -> None:
        self._folder = data_dir / FOLDER

    def put(self, start: str, report: ProcessReport) -> None:
        """Keep this report in place of an earlier one of the same process. It need not outlive the machine, so nothing is synced."""
        self._folder.mkdir(mode=0o700, exist_ok=True)
        path = self._folder / f"{report.process}.json"
        new = path.with_suffix(f".{os.getpid()}")
        with open(new, "w", encoding="utf-8", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
            json.dump({"start": start, "report": report.to_json()}, file)
        new.replace(path)

    def remove(self, process: str) -> None:
        """Keep nothing of this process any more."""
        (self._folder / f"{process}.json").unlink(missing_ok=True)

    def read(self, start: str) -> list[ProcessReport]:
        """The reports of this start."""
        return [report for _, its_start, report in self._all() if report is not None and its_start == start]

    def take_over(self, start: str) -> list[ProcessReport]:
        """As `read`; those of other starts, and what cannot be read, are removed."""
        found = []
        for path, its_start, report in self._all():
            if report is None or its_start != start:
                path.unlink(missing_ok=True)
            else:
                found.append(report)
        return found

    def _all(self) -> Iterator[tuple[Path, str, ProcessReport | None]]:
        with suppress(FileNotFoundError):
            for path in sorted(self._folder.iterdir()):
                yield (path, *_read(path))


def _read(path: Path) -> tuple[str, ProcessReport | None]:
    try:
        kept = json.loads(path.read_bytes())
        return str(kept["start"]), ProcessReport.from_json(kept["report"])
    except FileNotFoundError:  # removed meanwhile
        return "", None
    except (ValueError, TypeError, KeyError):  # a half-written one, say
        return "", None


def lives(process: str) -> bool:
    """Whether the process with this id, which begins with its number, is there."""
    try:
        os.kill(int(process.partition("-")[0]), 0)
    except (OSError, ValueError):
        return False
    return True
