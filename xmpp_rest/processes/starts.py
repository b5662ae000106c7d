"""Which start of the gateway a process belongs to: all processes of one start have the same parent, where the server forks its workers."""

from __future__ import annotations

import os
from pathlib import Path


def start_of(built: int) -> str:
    """The start that this process belongs to, where nobody has told it. `built`: the process that has built the gateway.

    Where the server forks its workers, that is the start of their parent process.
    """
    forked = os.getpid() != built or os.environ.get("SERVER_SOFTWARE", "").startswith("gunicorn/")
    return _start_of(os.getppid() if forked else os.getpid())


def lasts(start: str) -> bool:
    """Whether the process that a start is named by still lives; not another one that has got its number since."""
    process, _, began = start.partition("-")
    return process.isdecimal() and bool(began) and _start_of(int(process)) == start


def _start_of(process: int) -> str:
    try:
        began = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[19]  # man 5 proc: starttime
    except (OSError, IndexError):
        began = ""
    return f"{process}-{began}"
