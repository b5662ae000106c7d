"""The thread that looks after commits on PostgreSQL ends with its driver, as a process may open several one after the other."""

from __future__ import annotations

import threading
from pathlib import Path

from drivers import open_driver
from tests.drivers.postgrescluster import Cluster
from tests.link.attached import until


def watches() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if thread.name == "commits of PostgreSQL"}


def test_it_ends_with_the_driver(cluster: Cluster, tmp_path: Path) -> None:
    before = watches()
    driver = open_driver(cluster.new_database(), tmp_path)
    driver.store("romeo", "gateway.example", "accounts", {"a": 1})
    own = watches() - before
    assert len(own) == 1
    driver.close()
    until(lambda: not own & watches())
