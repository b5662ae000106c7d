"""Notes on which indexes of other content a storage has whole: content that a program derives from other content, and keeps beside it.

The gateway keeps its indexes with every change that it makes. A program that writes content past it (a migration, an import) calls
`outdate` first, so that the gateway makes all indexes again when it next needs them. A storage without these notes, such as one of an
older version, has no index that is whole.
"""

from __future__ import annotations

from drivers import Driver, Table

NOTE = "derived"


def is_whole(driver: Driver, index: str, version: int) -> bool:
    """Whether this version of the index lacks nothing. Raises StorageError."""
    return _table(driver.note(NOTE)).get(index) == version


def made(driver: Driver, index: str, version: int) -> None:
    """The index lacks nothing from now on. Raises StorageError."""
    driver.note(NOTE, lambda table: {**_table(table), index: version})


def outdate(driver: Driver) -> None:
    """All indexes may lack something. Raises StorageError."""
    if driver.note(NOTE):
        driver.note(NOTE, lambda _: {})


def _table(table: Table | None) -> dict[str, int]:
    return table if isinstance(table, dict) else {}
