"""Remarks of `check` about a storage that the gateway could use, but that needs attention."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path

from drivers import StorageError, open_driver
from xmpp_rest.config.table import Settings

SHOWN = 20  # sentences of one storage


def storage_remarks(settings: Settings) -> Iterator[str]:
    """The remarks, a sentence each, if the storage can be opened. Opens it read-only; makes nothing."""
    try:
        with closing(open_driver(settings.storage.url, Path(settings.base) / settings.server.data_dir)) as driver:
            doubts = driver.doubts()
            yield from islice(doubts, SHOWN)
            if next(doubts, None) is not None:
                yield "there is more of this in the storage"
    except StorageError:  # an error, not a remark: gateway/startup.py
        return
