"""The load generator: wrk with kept-alive connections, requests per second, and what the answers cost the processes."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from bench.process import usage

SCRIPT = Path(__file__).with_name("request.lua")
CONNECTIONS = 16


class Target(NamedTuple):
    """A request to the server that listens at `port`."""

    port: int
    method: str
    path: str
    body: str
    headers: Mapping[str, str]


class Measured(NamedTuple):
    """So many a second, with latencies in ms; each cost `cpu` µs of the server's processor time, and `behind` µs of the XMPP server's."""

    rate: float
    cpu: float
    behind: float
    p50: float | None = None
    p99: float | None = None
    bad: int = 0  # answers with an error status, and broken connections


class Clock:
    """The processor time of a server, and of the one behind it, since this was made."""

    def __init__(self, pids: Sequence[int]) -> None:
        self._pids = pids
        self._before = self._now()

    def _now(self) -> list[float]:
        return [usage(pid).cpu for pid in self._pids]

    def each(self, count: int) -> tuple[float, float]:
        """µs for each of `count` things that were done: of the server, and of the one behind it."""
        spent = [(now - before) / max(count, 1) * 1e6 for now, before in zip(self._now(), self._before, strict=True)]
        return spent[0], sum(spent[1:])


def hammer(target: Target, pids: Sequence[int], seconds: float, connections: int = CONNECTIONS) -> Measured:
    """Ask as fast as the answers come, over so many connections."""
    headers = [part for item in target.headers.items() for part in item]
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds:g}s", "-s", str(SCRIPT), f"http://127.0.0.1:{target.port}", "--"]
    clock = Clock(pids)
    done = subprocess.run(
        [*command, target.method, target.path, target.body, *headers], capture_output=True, text=True, timeout=seconds + 30, check=True
    )
    line = next(line for line in done.stdout.splitlines() if line.startswith("RESULT"))
    count, duration, p50, p99, bad_status, broken = map(int, line.split()[1:])
    return Measured(count / duration * 1e6, *clock.each(count), p50 / 1e3, p99 / 1e3, bad_status + broken)
