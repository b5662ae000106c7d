"""Workers of plain gunicorn, which forks them with handlers that forget what comes (`serving/arbiter.py`)."""

from __future__ import annotations

import signal
from pathlib import Path

from tests.serving.load import until


def blocked(process: int) -> set[int]:
    """The signals that its main thread does not take now."""
    return _signals(process, "SigBlk")


def accepting(parent: int) -> list[int]:
    """The workers of this process that have handlers of their own; that for SIGABRT, which their parent does not have, is the last one.

    One that is told to stop before does not hear of it, and is killed after the graceful timeout, which is 30 s.
    """
    children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    return [int(child) for child in children if signal.SIGABRT in _signals(int(child), "SigCgt")]


def all_begun(parent: int, count: int) -> None:
    """Wait until all of them can be told to stop."""
    until(lambda: len(accepting(parent)) == count, f"{count} workers that accept signals", seconds=60, found=lambda: accepting(parent))


def _signals(process: int, line: str) -> set[int]:
    try:
        text = Path(f"/proc/{process}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):  # it has ended meanwhile
        return set()
    masks = [int(mask, 16) for name, _, mask in (each.partition(":") for each in text.splitlines()) if name == line]
    return {number for number in range(1, 65) for mask in masks if mask >> (number - 1) & 1}
