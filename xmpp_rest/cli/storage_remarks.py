"""What in the storage should be seen to, although the gateway would work on it as it is? For `check`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path

from drivers import StorageError, open_driver
from xmpp_rest.config.table import Settings

SHOWN = 20  # sentences of one storage


def storage_remarks(settings: Settings) -> Iterator[str]:
    """A sentence each, if it can be opened. Opens the storage to read it, makes nothing."""
    try:
        with closing(open_driver(settings.storage.url, Path(settings.base) / settings.server.data_dir)) as driver:
            doubts = driver.doubts()
            yield from islice(doubts, SHOWN)
            if next(doubts, None) is not None:
                yield "there is more of this in the storage"
    except StorageError:  # which is more than a remark: gateway/startup.py
        return
