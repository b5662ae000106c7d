"""The lease of a storage for a program that works on it without being a gateway, such as an import: gateways are kept out meanwhile."""

from __future__ import annotations

import logging
import secrets
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from drivers import Driver, StorageError
from drivers.lease import RENEWAL, Lease, LeaseTaken, held
from xmpp_rest.gateway.storage_lease import node_of

log = logging.getLogger("xmpp_rest.storage")


@contextmanager
def held_for(driver: Driver, folder: Path | None, domains: Sequence[str], program: str) -> Iterator[None]:
    """Hold the leases of the domains, which a thread renews. `folder`: the data folder of a gateway that does not run, if it is known.

    The node is the program's own: a gateway of the same folder that is started meanwhile is refused too. Raises LeaseTaken if a gateway
    uses the storage, also for another domain, or has taken it meanwhile, as after this process was suspended; StorageError.
    """
    own = node_of(folder) if folder else ""
    for domain, holding in held(driver):
        if holding.node != own:
            raise LeaseTaken(f"a gateway uses the storage for {domain}: {holding.where}; stop it first")
    where = f"{program} into {folder.resolve()}" if folder else program
    lease = Lease(driver, f"{program}-{secrets.token_hex(8)}", f"{where} at {socket.gethostname()}", domains, over=[own])
    lease.claim()
    log.info("holds the lease of the storage for %s: gateways are kept out", ", ".join(domains))
    renewal = _LeaseRenewal(lease)
    renewal.start()
    try:
        yield
    finally:
        renewal.end()
    if renewal.lost is not None:
        raise renewal.lost


class _LeaseRenewal(threading.Thread):
    """Renews a lease until it ends, and gives it back."""

    def __init__(self, lease: Lease) -> None:
        super().__init__(name="lease", daemon=True)
        self._lease = lease
        self._ending = threading.Event()
        self.lost: LeaseTaken | None = None

    def run(self) -> None:
        while not self._ending.wait(RENEWAL):
            try:
                self._lease.keep()
            except LeaseTaken as e:
                self.lost = e
                return
            except StorageError as e:  # what it means for the work is found by the work
                log.warning("the lease of the storage could not be renewed: %s", e)

    def end(self) -> None:
        self._ending.set()
        self.join()
        try:
            if self.lost is None:
                self._lease.release()
        except StorageError as e:
            log.warning("the lease of the storage could not be given back, and ends by itself: %s", e)
