"""What makes a file storage write Lua, or JSON? A format: how tables, list items and archive items look as bytes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

from drivers import ArchiveItem, StorageError, Table, Value


class Unreadable(StorageError):
    """A file contains what this format does not know. The driver adds which file."""


class Damaged(Unreadable):
    """There is something unreadable in a file of items, which is not just an unfinished item at its end."""

    def __init__(self, offset: int, why: str) -> None:
        super().__init__(f"damaged at byte {offset}: {why}")


@contextmanager
def at_byte(offset: int) -> Iterator[None]:
    """Say where in the file it is that cannot be read."""
    try:
        yield
    except Damaged:
        raise
    except Unreadable as e:
        raise Damaged(offset, str(e)) from e


class Record(NamedTuple):
    """One item of a file of items."""

    offset: int
    data: bytes
    plain: bool = False
    """In the very form in which we write it, so that it may be searched instead of read."""


class Head(NamedTuple):
    """What a query asks of an archive item."""

    id: str
    when: float
    with_: str


class Format(ABC):
    """Bytes for values. Methods that read raise Unreadable."""

    keyval: str
    """File name suffix of tables."""
    list: str
    archive: str
    indexed: bool = False
    """Whether another program keeps an index of each file of items beside it (see listindex)."""
    boundary: bytes
    """Files of items are cut behind the first byte of this, to have pieces that hold one whole record each as a rule."""

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
        """The record of an archive item; `last` is the record before it, b"" for none, whose writer has to read this one too."""

    @abstractmethod
    def records(self, pieces: Iterable[Record]) -> Iterator[Record]:
        """The records in the pieces of a file. Ends before an unfinished one at the end of the file; raises Damaged for one before that."""

    @abstractmethod
    def finished(self, line: bytes) -> bool:
        """Whether a file of items whose last line this is ends with a whole record, in the form in which we write it."""
