"""Who a node is: its name, the id in its data folder, and the run of one life of a speaker (many-machines §2)."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import socket
from pathlib import Path
from typing import NamedTuple

ID = "node.id"  # in the data folder
LONGEST = 32  # characters of a name
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9._-]")
_ID = re.compile(r"[0-9a-f]{16}")


class NodeIdentity(NamedTuple):
    """One life of a speaker. `node`: the name for people; `id`: of the data folder; `run`: of this life, and of no other."""

    node: str
    id: str
    run: str


def identify(data_dir: Path, name: str) -> NodeIdentity:
    """A new life of the node of this data folder, whose id is made if there is none. `name`: "": that of the host. Raises OSError."""
    return NodeIdentity(name or host_name(), _id_of(data_dir), secrets.token_hex(8))


def host_name() -> str:
    """The name of a node that is given none."""
    return _NOT_IN_NAMES.sub("-", socket.gethostname())[:LONGEST] or "node"


def _id_of(data_dir: Path) -> str:
    path = data_dir / ID
    if not path.exists():
        scratch = data_dir / f"{ID}.{os.getpid()}.{secrets.token_hex(4)}"
        with scratch.open("x", encoding="ascii") as file:
            scratch.chmod(0o600)
            file.write(f"{secrets.token_hex(8)}\n")
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):  # of several processes one comes first
            os.link(scratch, path)
        scratch.unlink()
    text = path.read_text(encoding="ascii", errors="replace").strip()
    if not _ID.fullmatch(text):
        raise OSError(f"{path} does not hold the id of a node, 16 hexadecimal digits; remove it, and a new one is made")
    return text
