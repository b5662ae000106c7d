"""Readers of the settings of a cluster. Each raises ValueError with the sentence that tells what would be right."""

from __future__ import annotations

import re
import socket

LONGEST = 32
"""Characters of the name of a node."""
_NAME = re.compile(rf"[A-Za-z0-9._-]{{1,{LONGEST}}}")
_OTHER = re.compile(r"[^A-Za-z0-9._-]")
_COPIES = {"": None, "1": 1, "2": 2}


def node(value: str) -> str:
    """The name of a node. For an empty value: the host's name, cut off to what may be one."""
    if not value:
        return _OTHER.sub("-", socket.gethostname())[:LONGEST] or "node"
    if not _NAME.fullmatch(value):
        raise ValueError(f"write 1 to {LONGEST} letters, digits, dots, hyphens and underscores, such as web1")
    return value


def copies(value: str) -> int | None:
    """The number of machines, which has no default."""
    if value not in _COPIES:
        raise ValueError("write 1, or 2 where the database has a synchronous standby")
    return _COPIES[value]


def database(value: str) -> str:
    """The address of a PostgreSQL database; or nothing."""
    if value and not re.fullmatch(r"(?:postgresql|postgres):\S+", value):
        raise ValueError("write postgresql://USER@HOST/DATABASE, the database of [storage] url")
    return value
