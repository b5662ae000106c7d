"""Paths of the files of stores, and back (Prosody's datamanager: every byte but letters and digits becomes `%xx`)."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import unquote_to_bytes

from drivers.names import Key

GLOBAL = "_global"
"""Folder of content without a host. No encoded name can be equal, as the underscore is encoded."""

_NAME = re.compile(rb"[^A-Za-z0-9]")
_STORE = re.compile(rb"[^A-Za-z0-9_]")  # COMPAT Prosody: store names keep their underscores


def _percent(match: re.Match[bytes]) -> bytes:
    return b"%%%02x" % match[0][0]


def encoded(name: str) -> str:
    """File name of a user or host."""
    return _NAME.sub(_percent, name.encode()).decode()


def encoded_store(name: str) -> str:
    """File name of a store."""
    return _STORE.sub(_percent, name.encode()).decode()


def decoded(name: str) -> str | None:
    """The name for a file name; None for a file that is not ours."""
    if not re.fullmatch(r"(?:[A-Za-z0-9_]|%[0-9A-Fa-f]{2})+", name):
        return None
    try:
        return unquote_to_bytes(name).decode()
    except UnicodeDecodeError:
        return None


def host_folder(root: Path, host: str) -> Path:
    """Folder of a host; the empty host stands for no host."""
    return root / (encoded(host) if host else GLOBAL)


def store_path(root: Path, key: Key, suffix: str) -> Path:
    """File of a store. A host's own data lies beside the folders that hold the users' files."""
    folder = host_folder(root, key.host)
    store = encoded_store(key.store)
    return folder / store / f"{encoded(key.user)}.{suffix}" if key.user else folder / f"{store}.{suffix}"
