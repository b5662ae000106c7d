"""Processor time and memory of a server's processes (Linux, /proc)."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import NamedTuple

TICK = os.sysconf("SC_CLK_TCK")


class Usage(NamedTuple):
    """Processor seconds so far, and resident bytes now, of a process with all its descendants."""

    cpu: float
    resident: int


def usage(*roots: int) -> Usage:
    """Of these processes and of all that they started, and that is still there."""
    pids = _with_descendants(roots)
    return Usage(sum(map(_cpu, pids)), sum(map(_resident, pids)))


def serving(port: int, client: int) -> int:
    """The process that has the connection from the loopback port `client` to `port`; 0 where it is not known."""
    ends = f"0100007F:{port:04X} 0100007F:{client:04X} "
    lines = Path("/proc/net/tcp").read_text().splitlines()
    inode = next((line.split()[9] for line in lines if ends in line), "")
    return _owner(f"socket:[{inode}]") if inode else 0


def children(root: int) -> set[int]:
    """The processes that this one has started, directly."""
    return {pid for pid in _with_descendants((root,)) if (fields := _fields(pid)) and int(fields[1]) == root}


def _owner(name: str) -> int:
    """The process that has a descriptor of this name (proc(5))."""
    for link in Path("/proc").glob("[0-9]*/fd/*"):
        with contextlib.suppress(OSError):  # closed meanwhile
            if os.readlink(link) == name:
                return int(link.parts[2])
    return 0


def _with_descendants(roots: tuple[int, ...]) -> set[int]:
    parents = {int(p.name): _fields(int(p.name)) for p in Path("/proc").iterdir() if p.name.isdigit()}
    found = set(roots)
    while new := {pid for pid, fields in parents.items() if fields and int(fields[1]) in found} - found:
        found |= new
    return found


def _fields(pid: int) -> list[str]:
    """The fields of /proc/PID/stat from the state on (proc(5)); none for a process that is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def _cpu(pid: int) -> float:
    fields = _fields(pid)
    return (int(fields[11]) + int(fields[12])) / TICK if fields else 0.0


def _resident(pid: int) -> int:
    """The proportional set size: pages that processes share are counted once."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:")), 0)
