"""What the storage has of a background job, and whether its process is still there."""

from __future__ import annotations

import os
import socket
import time
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

DEAD = 30.0  # seconds without a heartbeat after which a job of another machine counts as interrupted
RUNNING, DONE, ABORTED, FAILED, INTERRUPTED = "running", "done", "aborted", "failed", "interrupted"


class JobProgress(NamedTuple):
    """The progress of a job: one of the five states, how many items are done, the error, how many failed, how many there are (0: unknown).

    `began` and `at`, of the last record: Unix time. `about`: what tells it from others of its kind.
    """

    state: str
    done: int = 0
    error: str = ""
    failed: int = 0
    total: int = 0
    began: float = 0.0
    at: float = 0.0
    about: str = ""


def to_row(progress: JobProgress) -> dict[str, Any]:
    """The record, which says by which process."""
    counts = {"count": progress.done, "failed": progress.failed, "total": progress.total}
    by = [socket.gethostname(), os.getpid(), _start_of(os.getpid())]
    said = {"state": progress.state, "error": progress.error, "began": progress.began, "about": progress.about}
    return said | counts | {"at": time.time(), "by": by}


def from_row(row: Any) -> JobProgress:
    """The progress in a record; a job whose process has ended is interrupted."""
    if not isinstance(row, dict):
        return JobProgress(DONE)
    done, failed, total = (int(row.get(name, 0)) for name in ("count", "failed", "total"))
    began, at = (float(row.get(name, 0)) for name in ("began", "at"))
    state, error, about = str(row.get("state", DONE)), str(row.get("error", "")), str(row.get("about", ""))
    progress = JobProgress(state, done, error, failed, total, began, at, about)
    if state == RUNNING and not _is_there(row.get("by"), at):
        return progress._replace(state=INTERRUPTED, error="its process has ended")
    return progress


def _is_there(by: Any, at: float) -> bool:
    """Whether the process that wrote a record at this time is still there, as far as one can tell."""
    here = isinstance(by, list) and len(by) == 3 and by[0] == socket.gethostname() and by[2] and _start_of(os.getpid())
    if here and isinstance(by[1], int):
        return bool(_read_start(by[1]) == by[2])
    return time.time() - at <= DEAD


@cache
def _start_of(process: int) -> int:
    """`_read_start` of this process; a child has another number."""
    return _read_start(process)


def _read_start(process: int) -> int:
    """When a process was started, in ticks since the machine was; 0 if there is none, or nobody can tell (proc_pid_stat(5))."""
    with suppress(OSError, ValueError, IndexError):
        return int(Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[19])
    return 0
