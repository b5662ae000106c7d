"""The errors of storages."""

from __future__ import annotations


class StorageError(Exception):
    """The storage refused or failed (full disk, read-only folder, lost database); nothing was changed.

    The text is for the log, and names files and databases. `told` is the text for clients; without it they get the text, unless it may
    contain a path. `lasting`: waiting does not help, as there is no such storage at the configured place.
    """

    def __init__(self, text: str = "", *, told: str = "", lasting: bool = False) -> None:
        super().__init__(text)
        self.lasting = lasting
        self.told = told or (text if "/" not in text and "\\" not in text else "")


class BadStorageURL(StorageError):
    """`[storage] url` names no driver, or something the driver cannot open; the sentence says what would be right."""


class BadValue(StorageError, ValueError):
    """The value cannot be stored (not in JSON's model, too deep, text that the format cannot hold)."""


class CommitInDoubt(StorageError):
    """The change may have been made: the storage was lost, or took too long, while it was committing."""


class NoCopies(StorageError):
    """The driver makes no copies of its storage; the sentence says what does."""


class ItemNotFound(StorageError, KeyError):
    """`before` or `after` names an archive id that is not in this archive (XEP-0313 §4.3: item-not-found)."""
