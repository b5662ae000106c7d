"""Does the gateway come back when its database does, whatever became of its processes meanwhile?"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from urllib3.exceptions import HTTPError

from tests.drivers.postgrescluster import Cluster, program
from tests.link.attached import until
from tests.live.gateway import Gateway

pytestmark = pytest.mark.skipif(program("initdb") is None, reason="PostgreSQL is not installed")


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    cluster = Cluster()
    cluster.start()
    yield cluster
    cluster.stop()


def workers(gateway: Gateway) -> set[int]:
    return {int(pid) for pid in Path(f"/proc/{gateway.pid}/task/{gateway.pid}/children").read_text().split()}


def outcome(gateway: Gateway, path: str = "/api/status") -> tuple[int, str | None]:
    """Status and Retry-After; 0 while nobody listens, or a process ends under the request."""
    try:
        answer = gateway.request("GET", path, user="admin")
    except HTTPError:
        return 0, None
    return answer.status, answer.headers.get("Retry-After")


@pytest.mark.parametrize("count", [1, 2])
def test_a_process_that_dies_while_the_database_is_down(tmp_path: Path, cluster: Cluster, count: int) -> None:
    sections: dict[str, dict[str, object]] = {
        "server": {"workers": count, "threads": 8},
        "link": {"kind": "none"},
        "storage": {"url": "postgres:" + cluster.new_database().removeprefix("postgresql:")},
    }
    gateway = Gateway(tmp_path, 1, sections)
    gateway.start()
    try:
        until(lambda: len(workers(gateway)) == count and outcome(gateway)[0] == 200, 20)
        cluster.halt()
        before = workers(gateway)
        for pid in before:
            os.kill(pid, signal.SIGKILL)
        until(lambda: len(workers(gateway) - before) == count, 20)
        until(lambda: gateway.output.read_text().count("cannot begin, and tries again") == count, 30)
        for _ in range(4 * count):
            for path in ("/api/status", "/rest/ping/x", "/api/messages", "/data/x"):
                assert outcome(gateway, path) == (503, "5")
            assert outcome(gateway, "/health")[0] == 200
        assert gateway.running
        log = gateway.output.read_text()
        assert log.count("Traceback") == 0
        assert log.count("still cannot begin") <= 2 * count
        cluster.start()
        until(lambda: gateway.output.read_text().count("the gateway has begun") == count, 30)
        until(lambda: {outcome(gateway)[0] for _ in range(8)} == {200}, 30)
    finally:
        gateway.stop()
