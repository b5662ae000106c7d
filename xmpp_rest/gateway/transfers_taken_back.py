"""TransfersTakenBack: one machine takes what the owners of its domains have passed on when they were several (many-machines §13)."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING

from drivers import Driver, Shared
from xmpp_rest.incidents import Incidents
from xmpp_rest.link.router import Router

if TYPE_CHECKING:
    from xmpp_rest.cluster.transfer_in import IncomingTransfers

log = logging.getLogger("xmpp_rest.link")


class TransfersTakenBack:
    """In the leader. `start` and `stop` are called once each; nothing of it goes on where nothing is left, as nearly always."""

    def __init__(self, driver: Driver, domains: Sequence[str], router: Router, incidents: Incidents) -> None:
        """`driver`: of a storage that several machines can reach; `domains`: `[gateway] domain` first."""
        self._driver = driver
        self._domains = domains
        self._router = router
        self._incidents = incidents
        self._shared: Shared | None = None
        self._taking: list[IncomingTransfers] = []

    def start(self) -> None:
        """Look, which costs a start one connection, and take what there is in threads that end. Raises StorageError."""
        shared = self._shared = self._driver.open_shared(self._domains[0], notify=False)
        try:
            left = {domain: count for domain in self._domains if (count := len(shared.transfer_marks(domain)))}
            for domain, count in left.items():
                self._taking.append(self._made(domain, shared))
                log.warning("%d stanzas for %s, which owners of several machines have passed on, are taken now", count, domain)
        finally:
            if not self._taking:
                shared.close()
        for each in self._taking:
            each.start()

    def _made(self, domain: str, shared: Shared) -> IncomingTransfers:
        from xmpp_rest.cluster.transfer_in import NO_LEASE, IncomingTransfers  # not loaded where there is nothing
        from xmpp_rest.link.passed_stanzas import PassedStanzas

        taker = PassedStanzas(self._router, self._incidents)
        return IncomingTransfers(domain, lambda: shared, taker, threading.Event(), self._incidents, NO_LEASE)

    def stop(self) -> None:
        """End after what is under way (bounded); the next start takes the rest."""
        for each in self._taking:
            each.stop()
        if self._taking and self._shared is not None:
            self._shared.close()
