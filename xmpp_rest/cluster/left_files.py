"""The journals of a node that was alone until now: files whose entries become part of those that all nodes share (many-machines §13)."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from drivers import Addition
from xmpp_rest.link.journal import NotedEntry, read_entries

log = logging.getLogger("xmpp_rest.link")

JOINED = ".joined"
"""In place of `.journal` in the name of a file whose entries have been taken."""

OfNote = Callable[[NotedEntry], Addition | None]
"""The item of an archive that the note of an entry stands for; None: it cannot be read."""


class LeftEntry:
    """An entry of such a file. `is_acknowledged`: its note alone is left, so it is not to be sent."""

    __slots__ = ("is_acknowledged", "note", "request_id", "text")

    def __init__(self, text: str, note: Any, request_id: str, is_acknowledged: bool) -> None:
        self.text = text
        self.note = note
        self.request_id = request_id
        self.is_acknowledged = is_acknowledged

    def to_json(self) -> list[Any]:
        """For another process."""
        return [self.text, self.note, self.request_id, self.is_acknowledged]

    @classmethod
    def from_json(cls, values: Sequence[Any]) -> LeftEntry:
        return cls(*values)

    def addition(self, of_note: OfNote) -> Addition | None:
        """What is to be archived with it."""
        return None if self.note is None else of_note(NotedEntry(0, self.text, self.note))


class LeftFile:
    """One file of a journal. Methods raise OSError."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def entries(self) -> list[LeftEntry]:
        """What is in it, in its order; nothing, if there is no such file."""
        found = sorted(read_entries(self._path).items())
        return [LeftEntry(entry.text, entry.note, entry.request_id, entry.is_acknowledged) for _, entry in found]

    def taken(self, count: int) -> None:
        """Its entries are in the journal of all nodes: it is not read again."""
        if self._path.exists():
            self._path.rename(self._path.with_suffix(JOINED))
            if count:
                log.warning("%d entries of %s are in the journal of all nodes now", count, self._path)
