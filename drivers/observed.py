"""Who is told of what a storage does: each commit, and each error."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from drivers.errors import BadValue, ItemNotFound, StorageError

READ, WRITE = "read", "write"


class StorageObserver(Protocol):
    """Called by any thread; it does not wait."""

    def storage_failed(self, operation: str) -> None:
        """An operation has failed: READ or WRITE."""

    def committed(self, seconds: float) -> None:
        """Something was committed, which took so long."""


class Unobserved:
    """Nobody is told."""

    def storage_failed(self, operation: str) -> None:
        """Tell nobody."""

    def committed(self, seconds: float) -> None:
        """Tell nobody."""


def is_of_storage(error: BaseException | None) -> bool:
    """Whether this is trouble of the storage, and not something that the caller has asked for in vain."""
    return isinstance(error, StorageError) and not isinstance(error, BadValue | ItemNotFound)


@contextmanager
def observed(observer: StorageObserver, operation: str) -> Iterator[None]:
    """A context for one operation."""
    try:
        yield
    except StorageError as e:
        if is_of_storage(e):
            observer.storage_failed(operation)
        raise


@contextmanager
def timed(observer: StorageObserver) -> Iterator[None]:
    """A context for one commit; what fails is none."""
    began = time.monotonic()
    yield
    observer.committed(time.monotonic() - began)
