"""Detection of a running Prosody that has a file open, as far as Linux's /proc tells this user."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

PROC = Path("/proc")
NAME = "prosody"


def prosody_with(path: Path) -> int | None:
    """The process id of a Prosody that has the file open, or that runs as its owner and may not be inspected; None: none is found."""
    with suppress(OSError):
        file = path.stat()
        for process in _prosodies():
            with suppress(OSError):
                try:
                    if _has_open(process, file):
                        return int(process.name)
                except PermissionError:
                    if process.stat().st_uid == file.st_uid:
                        return int(process.name)
    return None


def _prosodies() -> Iterator[Path]:
    for process in PROC.iterdir():
        if process.name.isdigit():
            with suppress(OSError):
                words = (process / "cmdline").read_bytes().split(b"\0")[:3]  # it may run as `lua5.4 /usr/bin/prosody -F`
                if any(os.path.basename(word) == NAME.encode() for word in words):
                    yield process


def _has_open(process: Path, file: os.stat_result) -> bool:
    for descriptor in (process / "fd").iterdir():
        with suppress(FileNotFoundError):
            if os.path.samestat(descriptor.stat(), file):
                return True
    return False
