"""The databases of a cluster: a primary, the standby that follows it, and what befalls them."""

from __future__ import annotations

import contextlib
import shutil
import signal
import time
from collections.abc import Iterator

import psycopg

from tests.drivers.postgrescluster import Cluster

WAIT = 30.0
SOON = "wal_retrieve_retry_interval=200ms"
"""A standby connects again without a pause of five seconds."""


class Databases:
    """A primary and, unless `standby` is false, one synchronous standby. Owner: the fixture that made it; `stop()` when done."""

    def __init__(self, standby: bool = True) -> None:
        self.primary = Cluster()
        self.standby: Cluster | None = Cluster() if standby else None
        self.name = ""
        """Of the one database."""

    def start(self) -> None:
        self.primary.start(SOON)
        self.empty()
        if self.standby is not None:
            self.follow()

    @property
    def servers(self) -> list[Cluster]:
        """Both, in an order that a failover does not change: a URL names them so."""
        return sorted((s for s in (self.primary, self.standby) if s is not None), key=lambda s: s.folder)

    def empty(self) -> None:
        """Have an empty database from now on."""
        self.name = self.primary.new_database().partition("@/")[2].partition("?")[0]

    def stop(self) -> None:
        for server in self.servers:
            server.stop()

    def follow(self) -> None:
        """Have a standby again, a new copy of the primary, without which that confirms no commit."""
        assert self.standby is not None
        if self.standby.process is None:
            shutil.rmtree(self.standby.folder / "data", ignore_errors=True)
            self.standby.follow(self.primary)
            self.standby.start(SOON)
        self.require("'*'")
        self._until("SELECT sync_state FROM pg_stat_replication", [("sync",)])

    def require(self, standbys: str) -> None:
        """Set whose confirmation a commit waits for: `'*'`, or `''` for nobody's."""
        with self.connection() as connection:
            connection.execute(f"ALTER SYSTEM SET synchronous_standby_names = {standbys}".encode())
            connection.execute("SELECT pg_reload_conf()")

    def restart(self) -> None:
        """As an administrator does: connections are ended, transactions broken off."""
        self.primary.halt(signal.SIGINT)
        self.primary.start(SOON)
        if self.standby is not None and self.standby.process is not None:
            self._until("SELECT sync_state FROM pg_stat_replication", [("sync",)])

    def fail_over(self) -> None:
        """The primary is gone without a word, and the standby takes its place; without a standby of its own."""
        assert self.standby is not None
        self.primary.halt()
        self.standby.promote()
        self.primary, self.standby = self.standby, self.primary
        self.require("''")  # a copy of a primary that waited for a standby has that setting

    def lose_standby(self) -> None:
        """The standby is gone, and the primary goes on waiting for it."""
        assert self.standby is not None
        self.standby.halt()

    @contextlib.contextmanager
    def connection(self) -> Iterator[psycopg.Connection]:
        """A session with the primary, in the gateways' database, each statement a transaction of its own."""
        with psycopg.connect(self.primary.conninfo(self.name or "postgres"), autocommit=True) as connection:
            yield connection

    def _until(self, query: str, wanted: list[tuple[object, ...]]) -> None:
        deadline = time.monotonic() + WAIT
        with self.connection() as connection:
            while (found := connection.execute(query.encode()).fetchall()) != wanted:
                assert time.monotonic() < deadline, found
                time.sleep(0.05)
