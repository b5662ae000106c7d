"""The report: results as a table in Markdown, with the machine that they were measured on."""

from __future__ import annotations

import os
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

from bench.load import Measured

HEAD = (
    "scenario", "ours /s", "peer", "peer /s", "ratio", "target", "", "floor /s", "its ratio", "CPU µs ours", "peer", "floor",
    "p50 / p99 ms ours", "peer", "2 workers / 1", "floor",
)  # fmt: skip


class Row(NamedTuple):
    """One scenario's results; without `theirs`, there is no peer, or it is not there. `floor`: the least that does as much."""

    name: str
    ours: Measured
    peer: str = ""
    theirs: Measured | None = None
    target: float | None = None
    floor: Measured | None = None
    alone: Measured | None = None
    """Ours with one worker."""
    floor_alone: Measured | None = None
    """The floor with one worker."""


def table(rows: list[Row]) -> str:
    """All rows as Markdown."""
    lines = [HEAD, tuple("---" if i in (0, 2) else "--:" for i in range(len(HEAD))), *map(_cells, rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _cells(row: Row) -> tuple[str, ...]:
    ours, theirs = row.ours, row.theirs
    ratio = ours.rate / theirs.rate if theirs and theirs.rate else None
    bound = row.floor.rate / theirs.rate if row.floor and theirs and theirs.rate else None
    verdict = "" if ratio is None or row.target is None else "met" if ratio >= row.target else "**missed**"
    name = row.name + (f" ({ours.bad} bad answers)" if ours.bad else "")
    peer = row.peer + (f" ({theirs.bad} bad answers)" if theirs and theirs.bad else "")
    return (
        name, _rate(ours), peer or "–", _rate(theirs), f"{ratio:.2f}" if ratio is not None else "",
        f"{row.target:g}" if row.target else "", verdict, _rate(row.floor), f"{bound:.2f}" if bound else "",
        _cpu(ours), _cpu(theirs), _cpu(row.floor), _latency(ours), _latency(theirs),
        _ratio(ours, row.alone), _ratio(row.floor, row.floor_alone),
    )  # fmt: skip


def _ratio(measured: Measured | None, other: Measured | None) -> str:
    return f"{measured.rate / other.rate:.2f}" if measured and other and other.rate else ""


def _rate(measured: Measured | None) -> str:
    return f"{measured.rate:,.0f}" if measured else ""


def _cpu(measured: Measured | None) -> str:
    if measured is None:
        return ""
    return f"{measured.cpu:,.0f}" + (f" + {measured.behind:,.0f}" if measured.behind >= 1 else "")


def _latency(measured: Measured | None) -> str:
    if measured is None or measured.p50 is None or measured.p99 is None:
        return ""
    return f"{measured.p50:.1f} / {measured.p99:.1f}"


def machine() -> str:
    """Processor, memory, system and versions, one line each."""
    cpu = next((line.partition(":")[2].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")), platform.machine())
    memory = next((int(line.split()[1]) >> 20 for line in _lines("/proc/meminfo") if line.startswith("MemTotal")), 0)
    packages = ", ".join(f"{name} {version(name)}" for name in ("gunicorn", "Flask", "Werkzeug"))
    debian = ", ".join(filter(None, (_package(name) for name in ("prosody", "ejabberd", "wrk"))))
    return "\n".join(
        f"- {line}"
        for line in (
            f"{os.cpu_count()} processors ({cpu}), {memory + 1} GiB, {platform.system()} {platform.release()}",
            f"Python {platform.python_version()}, {packages}",
            debian,
            f"load average at the end: {' '.join(f'{x:.1f}' for x in os.getloadavg())} (the benchmark itself is about 2)",
        )
        if line
    )


def _lines(path: str) -> list[str]:
    return Path(path).read_text().splitlines()


def _package(name: str) -> str:
    found = subprocess.run(["dpkg-query", "-W", "-f", "${Package} ${Version}", name], capture_output=True, text=True, check=False)
    return found.stdout if found.returncode == 0 else ""
