"""The interface of file formats: tables, list items and archive items as bytes (implemented for Lua and JSON)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

from drivers import ArchiveItem, StorageError, Table, Value


class UnreadableFile(StorageError):
    """A file is not in this format. The driver adds the name of the file."""


class Damaged(UnreadableFile):
    """A file of items has an unreadable part that is not just an incomplete item at its end."""

    def __init__(self, offset: int, why: str) -> None:
        super().__init__(f"damaged at byte {offset}: {why}")


@contextmanager
def at_byte(offset: int) -> Iterator[None]:
    """Add the position in the file to errors."""
    try:
        yield
    except Damaged:
        raise
    except UnreadableFile as e:
        raise Damaged(offset, str(e)) from e


class Record(NamedTuple):
    """One item of a file of items."""

    offset: int
    data: bytes
    plain: bool = False
    """Whether it is in exactly our own form, so that it can be searched instead of parsed."""


class Head(NamedTuple):
    """The parts of an archive item that queries compare."""

    id: str
    when: float
    with_: str


class Format(ABC):
    """Converts values to bytes and back. Methods that read raise UnreadableFile."""

    keyval: str
    """File name suffix of tables."""
    list: str
    archive: str
    indexed: bool = False
    """Whether another program keeps an index of each file of items beside it (see listindex)."""
    boundary: bytes
    """Files of items are split after the first byte of this, into pieces that usually hold one complete record each."""

    @abstractmethod
    def table(self, data: bytes) -> Table | None:
        """The table in a file."""

    @abstractmethod
    def table_bytes(self, table: Table) -> bytes:
        """The file of a table."""

    @abstractmethod
    def item(self, record: bytes) -> Value:
        """The value of a list item."""

    @abstractmethod
    def item_bytes(self, item: Value) -> bytes:
        """The record of a list item, up to its line break."""

    @abstractmethod
    def head(self, record: Record, position: int) -> Head | None:
        """Id, time and partner of the archive item at a position (from 1); None for an item that is not a stanza."""

    @abstractmethod
    def archive_item(self, record: bytes, position: int) -> ArchiveItem:
        """The archive item at a position (from 1)."""

    @abstractmethod
    def archive_bytes(self, item: ArchiveItem, last: bytes) -> bytes:
        """The record of an archive item; `last` is the record before it, b"" for none, whose writer must be able to read this one."""

    @abstractmethod
    def records(self, pieces: Iterable[Record]) -> Iterator[Record]:
        """The records in the pieces of a file. Ends before an incomplete one at the end of the file; raises Damaged for an earlier one."""

    @abstractmethod
    def finished(self, line: bytes) -> bool:
        """Whether a file of items with this last line ends with a complete record in our own form."""
