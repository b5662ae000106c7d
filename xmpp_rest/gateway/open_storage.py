"""Opens the storage of a gateway."""

from __future__ import annotations

from pathlib import Path

from drivers import Driver, open_driver
from xmpp_rest.config.table import Settings


def open_storage(settings: Settings, data_dir: Path) -> Driver:
    """The storage, which others change as well where there are other nodes. Raises StorageError."""
    driver = open_driver(settings.storage.url, data_dir)
    if settings.cluster.is_on:
        driver.in_cluster(settings.cluster.lease)
    return driver
