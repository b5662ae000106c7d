"""The gateway recovers when its database does, whatever happened to its processes in the meantime."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from urllib3.exceptions import HTTPError

from tests.drivers.postgrescluster import Cluster, program
from tests.link.attached import until
from tests.live.child import NotStarted
from tests.live.gateway import ROOT, Gateway, Sections
from tests.serving.plain_workers import accepting

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


class Own(Gateway):
    """gunicorn as the gateway starts it."""


class Plain(Gateway):
    """gunicorn as others start it, with none of our hooks."""

    options: tuple[str, ...] = ("app:create_app()",)

    def command(self) -> list[str]:
        return [sys.executable, "-m", "gunicorn", "-w2", "--threads=8", "--no-control-socket", f"-b127.0.0.1:{self.port}", *self.options]

    def environment(self) -> Mapping[str, str]:
        return {"XMPP_REST_CONFIG": str(self.folder / "wsgi.ini"), "PYTHONPATH": str(ROOT)}

    def ready(self) -> bool:
        return super().ready() and len(accepting(self.pid)) == 2


class PlainApp(Plain):
    options = ("app:app",)


class Preloaded(Plain):
    options = ("--preload", "app:create_app()")


def settings(cluster: Cluster, count: int) -> Sections:
    return {
        "server": {"workers": count, "threads": 8},
        "link": {"kind": "none"},
        "storage": {"url": "postgres:" + cluster.new_database().removeprefix("postgresql:")},
    }


def is_alive(pid: int) -> bool:
    """Whether it runs, or can."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


@pytest.mark.parametrize(("kind", "count"), [(Own, 1), (Own, 2), (Plain, 2), (PlainApp, 2)])
def test_a_process_that_dies_while_the_database_is_down(tmp_path: Path, cluster: Cluster, kind: type[Gateway], count: int) -> None:
    gateway = kind(tmp_path, 1, settings(cluster, count))
    gateway.start()
    try:
        until(lambda: len(workers(gateway)) == count and outcome(gateway)[0] == 200, 60)
        cluster.halt()
        before = workers(gateway)
        for pid in before:
            os.kill(pid, signal.SIGKILL)
        until(lambda: not any(map(is_alive, before)), 60)
        known = len(gateway.output.read_text())  # one that was killed may have said so too

        def said(what: str) -> int:
            return gateway.output.read_text()[known:].count(what)

        until(lambda: len(workers(gateway) - before) == count, 60)
        until(lambda: said("cannot begin, and tries again") == count, 30)
        for _ in range(4 * count):
            for path in ("/api/status", "/rest/ping/x", "/api/messages", "/data/x"):
                assert outcome(gateway, path) == (503, "5")
            assert [outcome(gateway, path)[0] for path in ("/livez", "/health")] == [200, 200]
        assert gateway.running
        assert said("Traceback") == 0
        assert said("still cannot begin") <= 2 * count
        cluster.start()
        until(lambda: said("the gateway has begun") == count, 30)
        until(lambda: {outcome(gateway)[0] for _ in range(8)} == {200}, 30)
    finally:
        gateway.stop()


@pytest.mark.parametrize("kind", [Plain, PlainApp, Preloaded])
def test_a_start_while_the_database_is_down(tmp_path: Path, cluster: Cluster, kind: type[Gateway]) -> None:
    """A server that was started with the machine, before its database: the processes are there, and begin when they can."""
    gateway = kind(tmp_path, 1, settings(cluster, 2))
    cluster.halt()
    gateway.start()
    try:
        for path in ("/api/status", "/rest/ping/x", "/api/messages", "/data/x") * 4:
            assert outcome(gateway, path) == (503, "5")
        cluster.start()
        until(lambda: {outcome(gateway)[0] for _ in range(8)} == {200}, 30)
        assert gateway.output.read_text().count("Booting worker") == 2
    finally:
        gateway.stop()


@pytest.mark.parametrize(("part", "says"), [("no_such_database", "there is no such database"), ("nobody@", "refused the user")])
def test_a_start_with_a_wrong_url(tmp_path: Path, cluster: Cluster, part: str, says: str) -> None:
    url = cluster.new_database().removeprefix("postgresql:")
    database = url.partition("?")[0].rpartition("/")[2]
    wrong = url.replace("postgres@", part) if part.endswith("@") else url.replace(database, part)
    gateway = Plain(tmp_path, 1, {"link": {"kind": "none"}, "storage": {"url": f"postgres:{wrong}"}})
    try:
        with pytest.raises(NotStarted):
            gateway.start()
        line, *_ = [line for line in gateway.output.read_text().splitlines() if line.startswith("xmpp-rest: ")]
        assert line.startswith("xmpp-rest: [storage] url = postgres://")
        assert says in line
    finally:
        gateway.stop()
