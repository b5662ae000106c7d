"""OpenedShared: what the nodes share, opened in the process that asks for it first."""

from __future__ import annotations

import threading

from drivers import Driver, Shared
from xmpp_rest.config.cluster_tables import ClusterSettings


class OpenedShared:
    """Opens it once. Called by any thread; built before a fork, and called after it."""

    def __init__(self, driver: Driver, domain: str, settings: ClusterSettings) -> None:
        """`domain`: `[gateway] domain`."""
        self._driver = driver
        self._domain = domain
        self._settings = settings
        self._shared: Shared | None = None
        self._opening = threading.Lock()

    def __call__(self) -> Shared:
        """Raises StorageError."""
        with self._opening:
            if self._shared is None:
                s = self._settings
                self._shared = self._driver.open_shared(self._domain, url=s.url, notify=s.notify, poll=s.poll, lease=s.lease)
            return self._shared

    def close(self) -> None:
        """End its sessions, if it was opened."""
        with self._opening:
            if self._shared is not None:
                self._shared.close()
