"""The files that a copied storage consists of, for backups."""

from __future__ import annotations

from collections.abc import Callable
from typing import BinaryIO, NamedTuple


class StorageFile(NamedTuple):
    """A file of a copied storage. `name`: below the storage's folder, with `/`; "" for a storage that is one file."""

    name: str
    file: BinaryIO
    size: int  # bytes to be read; more may have come since


OnCopied = Callable[[int], object]
"""Gets how many bytes were copied since the last call, before any file can be read."""


def unsaid(_: int) -> None:
    """Nobody wants to know how far it is."""
