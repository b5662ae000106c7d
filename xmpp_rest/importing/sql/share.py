"""How much of a source was read, and its end."""

from __future__ import annotations

from collections.abc import Iterator

from xmpp_rest.importing.records import Account, ConferenceRoom, Entity, LightRoom
from xmpp_rest.importing.sql.database import Database


class Share:
    """Counts the accounts and rooms that were read, of `size`."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._read = 0

    def share(self) -> float:
        """From 0 to 1."""
        return min(self._read / self._size, 1.0) if self._size else 1.0

    def counted(self, entities: Iterator[Entity]) -> Iterator[Entity]:
        """The same entities."""
        for entity in entities:
            yield entity
            self._read += isinstance(entity, Account | ConferenceRoom | LightRoom)


def closing_at_end(database: Database, entities: Iterator[Entity]) -> Iterator[Entity]:
    """The same entities, and the end of the use of the database."""
    try:
        yield from entities
    finally:
        database.close()
