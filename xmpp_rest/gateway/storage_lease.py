"""The storage lease of a gateway: renews it, and notices when it is lost (decision 0022)."""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import secrets
import socket
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from drivers import Driver
from drivers.alone import ALONE, BEAT, SILENCE, AloneInDatabase
from drivers.lease import LIFE, RENEWAL, Lease, LeaseTaken
from drivers.shared import NodeRow
from xmpp_rest import __version__
from xmpp_rest.config.cluster_tables import ClusterSettings
from xmpp_rest.incidents import Incidents
from xmpp_rest.threads.tasks import OrderLock

log = logging.getLogger("xmpp_rest.storage")
NODE = "node"  # in the data folder
PROCESSES = "processes.lock"  # likewise: each process of the gateway has a shared lock of it
_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)  # goes on while the machine sleeps


def node_of(data_dir: Path) -> str:
    """The id of the gateway of this data folder; "" if none was started yet.

    A copy of the folder has the same file, so the folder's own number counts too. Raises OSError.
    """
    try:
        text = (data_dir / NODE).read_text(encoding="ascii").strip()
    except FileNotFoundError:
        return ""
    return f"{text}-{data_dir.stat().st_ino}"


def make_node(data_dir: Path) -> str:
    """As `node_of`; made if need be. Raises OSError."""
    if not (data_dir / NODE).exists():
        scratch = data_dir / f"{NODE}.{os.getpid()}"
        scratch.touch(0o600)
        scratch.write_text(f"{secrets.token_hex(8)}\n", encoding="ascii")
        with contextlib.suppress(FileExistsError):  # of several processes one comes first
            os.link(scratch, data_dir / NODE)
        scratch.unlink()
    return node_of(data_dir)


def of_cluster(domain: str) -> str:
    """The holder of the lease that all nodes of a cluster have together."""
    return f"cluster-{domain}"


def _holder(row: NodeRow, domain: str) -> str:
    """The holder of the lease that the gateway of this row has."""
    return row.id if row.kind == ALONE else of_cluster(domain)


class StorageLease:
    """The lease in one process: renews it on a thread, and remembers that it is lost.

    Where several machines can reach the storage, the process that leads also counts up a beat there, so that others know within seconds
    whether this gateway lives (many-machines §4). All nodes of a cluster are one holder of the lease.
    """

    def __init__(
        self,
        driver: Driver,
        data_dir: Path,
        domains: Sequence[str],
        incidents: Incidents,
        cluster: ClusterSettings,
        follows: Callable[[], bool] = lambda: False,
    ) -> None:
        """`domains`: the gateway's own first; `follows`: whether another process leads those of the gateway."""
        self._driver = driver
        self._data_dir = data_dir
        self._domains = domains
        self._incidents = incidents
        self._cluster = cluster
        self._follows = follows
        self._lease: Lease | None = None
        self._alone: AloneInDatabase | None = None
        self._beats = driver.shared and not cluster.is_on
        self._stopping = threading.Event()
        self._looking = OrderLock()
        self._looked = 0.0
        self._lost: LeaseTaken | None = None
        self._thread: threading.Thread | None = None
        self._shared: int | None = None  # descriptor of PROCESSES, locked

    @property
    def lost(self) -> bool:
        """Whether another gateway has the lease now."""
        return self._lost is not None

    def join(self) -> None:
        """Count as a process of the gateway, until `stop`; before the first claim. Waits for one that is giving the lease back."""
        if self._shared is None:
            self._shared = os.open(self._data_dir / PROCESSES, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            fcntl.flock(self._shared, fcntl.LOCK_SH)

    def claim(self) -> None:
        """Take the lease; waits until it is known which others live (bounded). Raises LeaseTaken, StorageError."""
        own = make_node(self._data_dir)
        where = f"that of {self._data_dir.resolve()} at {socket.gethostname()}"
        alone = self._made_alone(own, where) if self._driver.shared else None
        dead = alone.require() if alone else []
        holder = of_cluster(self._domains[0]) if self._cluster.is_on else own
        self._lease = Lease(self._driver, holder, where, self._domains, over=[_holder(row, self._domains[0]) for row in dead])
        self._lease.claim()
        self._looked = time.clock_gettime(_CLOCK)
        self._alone = alone
        if alone is not None:
            alone.forget(dead)
            if self._beats:
                alone.enter()
        for row in dead:
            log.warning("the storage is taken over from node %s (%s), which has not been heard of for %.0f s", row.node, row.id, SILENCE)

    def _made_alone(self, own: str, where: str) -> AloneInDatabase:
        cluster, domain = self._cluster, self._domains[0]
        row = NodeRow(cluster.node, own, own, cluster.kind, __version__, 0, 0, {"where": where})
        return AloneInDatabase(self._driver.node_table(domain), row, domain)

    def require_free(self) -> None:
        """Raise LeaseTaken if another gateway has the lease, StorageError."""
        Lease(self._driver, node_of(self._data_dir), "", self._domains).require_free()

    def start(self, on_loss: Callable[[], None]) -> None:
        """Renew the lease from now on. `on_loss` is called, on the thread, when it is lost."""
        thread = threading.Thread(target=self._run, args=(on_loss,), name="lease", daemon=True)
        thread.start()
        self._thread = thread  # not before: who ends it meanwhile could not join it

    def require(self) -> None:
        """Raise LeaseTaken if the lease is lost. Looks at once if that has not been done for long, as in a process that was suspended."""
        if self._lost is None and time.clock_gettime(_CLOCK) - self._looked > (SILENCE if self._beats else LIFE):
            self._look()
        if self._lost is not None:
            raise self._lost

    def stop(self) -> None:
        """End; the last process of the gateway gives the lease back."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(5)
        if self._shared is None:
            return
        try:
            if self._is_last(self._shared) and self._lost is None and self._lease is not None:
                self._release(self._lease)
        except Exception as e:
            log.warning("the lease of the storage could not be given back, and ends by itself: %s", e)
        finally:
            fcntl.flock(self._shared, fcntl.LOCK_UN)  # closing it would not do where a process was forked off, which has it too
            os.close(self._shared)
            self._shared = None

    def _release(self, lease: Lease) -> None:
        if self._alone is not None and self._beats:
            self._alone.leave()
        if self._alone is None or self._beats or not self._alone.others():  # the lease of a cluster is that of all its nodes
            lease.release()

    @staticmethod
    def _is_last(shared: int) -> bool:
        """Whether no other process goes on; of several that stop at once one finds out, as each gives its own lock back first."""
        fcntl.flock(shared, fcntl.LOCK_UN)
        try:
            fcntl.flock(shared, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _run(self, on_loss: Callable[[], None]) -> None:
        while not self._stopping.wait(BEAT if self._beats else RENEWAL):
            self._look()
            if self._lost is not None:
                log.critical("the storage is lost, nothing is served any more: %s", self._lost)
                on_loss()
                return

    def _look(self) -> None:
        with self._looking:
            try:
                if self._lease is not None:
                    self._lease.keep()
                if self._alone is not None and self._beats and not self._follows():
                    self._alone.beat()
            except LeaseTaken as e:
                self._lost = e
            except Exception as e:  # while the storage is unreachable, no other gateway can take the lease
                self._incidents.report(log, "lease-not-renewed", "the lease of the storage could not be renewed: %s", e)
            self._looked = time.clock_gettime(_CLOCK)
