"""Where journals are kept: what their users need of one, the factory that opens them by name, and that of files in the data folder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from xmpp_rest.link.journal import Journal, NotedEntry


class LateEntry(NamedTuple):
    """An entry that is kept after all, though `append` has said that it may not be."""

    number: int
    text: str
    request_id: str

    def __repr__(self) -> str:
        return f"LateEntry({self.number})"  # the text has what people write


OnLate = Callable[[Sequence[LateEntry]], None]
"""Handles such entries as those that an earlier process left, before all that is appended later. Must not wait."""


class JournalPort(Protocol):
    """Entries that survive a power cut until they are acknowledged; `Journal` is one. One process at a time owns it."""

    def unacknowledged(self) -> list[tuple[int, str]]:
        """Numbers and texts of the entries that are not acknowledged, oldest first."""
        ...

    def request_id(self, number: int) -> str:
        """The id of the request that an open entry is of; "" for none."""
        ...

    def noted(self) -> list[NotedEntry]:
        """The entries whose notes are not acknowledged, oldest first."""
        ...

    def append(self, texts: Sequence[str], notes: Sequence[Any] = (), request_ids: Sequence[str] = ()) -> list[int]:
        """Append these; their numbers, which grow, once they are kept. Raises OSError."""
        ...

    def ack(self, numbers: Sequence[int]) -> None:
        """Acknowledge these entries, but not their notes; kept with the next append, or at the end."""
        ...

    def ack_notes(self, numbers: Sequence[int]) -> None:
        """Acknowledge the notes of these entries; kept with the acknowledgement of the entry, or by `forget_notes`."""
        ...

    def forget_notes(self) -> None:
        """Have every acknowledgement kept when this returns. Raises OSError."""
        ...

    def on_late(self, listener: OnLate) -> None:
        """Tell `listener` of what turns out later to be kept, by whatever thread finds out. Called before anything is appended."""
        ...

    def close(self) -> None:
        """Keep what is collected, and let the next process have the journal. Raises OSError."""
        ...


class Journals(Protocol):
    """Opens journals by name. The methods raise OSError: it cannot be read."""

    def outbox(self, name: str) -> JournalPort:
        """What is on its way out: by the hosted domain, or of what is said in rooms on other servers (`rooms_outbox`)."""
        ...

    def callback(self, name: str) -> JournalPort:
        """What waits for the URL of this callback."""
        ...


class FileJournals:
    """Journals in files of a data folder, which one process uses at a time."""

    def __init__(self, folder: Path) -> None:
        """Nothing is opened yet."""
        self._folder = folder

    def outbox(self, name: str) -> Journal:
        return Journal(journal_path(self._folder, name))

    def callback(self, name: str) -> Journal:
        return Journal(callback_path(self._folder, name))


def journal_path(folder: Path, name: str) -> Path:
    """Where the outbox of a domain, or that of rooms, is kept in this data folder."""
    return folder / "outbox" / f"{name}.journal"


def callback_path(folder: Path, name: str) -> Path:
    """Where the journal of a callback is kept in this data folder."""
    return folder / "callbacks" / f"{name}.journal"


def outbox_name(name: str) -> str:
    """The name of an outbox among the journals in a storage."""
    return f"outbox:{name}"


def callback_name(domain: str, name: str) -> str:
    """Likewise of a callback's: other gateways, of another `[gateway] domain`, may have another of that name in the same database."""
    return f"callback:{domain}/{name}"


def written(text: str, request_id: str) -> str:
    """An entry as a storage keeps it."""
    return f"{request_id}\n{text}"


def parted(row: str) -> tuple[str, str]:
    """The id of the request, and the text, of what `written` wrote."""
    request_id, _, text = row.partition("\n")
    return request_id, text


def rooms_outbox(domain: str) -> str:
    """The name of the outbox for rooms on other servers of the accounts at `domain`."""
    return f"rooms@{domain}"
