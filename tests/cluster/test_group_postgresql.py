"""The processes of several nodes over a real PostgreSQL: calls, broadcasts, publications, and what its trouble costs."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import ExitStack, closing, suppress
from pathlib import Path

import pytest

from drivers import open_driver
from tests.cluster.nodes import ClusterProcess, Make
from tests.drivers.conftest import give_up
from tests.drivers.postgrescluster import Cluster, program
from tests.link.attached import until
from xmpp_rest.errors import GatewayError

LEASE = 1.5


@pytest.fixture(scope="module")
def server() -> Iterator[Cluster]:
    if program("initdb") is None:
        give_up("PostgreSQL is not installed (on Debian: apt-get install postgresql)")
    server = Cluster()
    try:
        server.start()
        yield server
    finally:
        server.stop()


@pytest.fixture(params=["notify", "poll"])
def notify(request: pytest.FixtureRequest) -> bool:
    return bool(request.param == "notify")


@pytest.fixture
def make(tmp_path: Path, server: Cluster, notify: bool) -> Iterator[Make]:
    url = server.new_database()
    with ExitStack() as stack:

        def make(node: str) -> ClusterProcess:
            folder = tmp_path / node
            folder.mkdir(exist_ok=True)
            driver = stack.enter_context(closing(open_driver(url, folder)))
            driver.in_cluster(LEASE)
            shared = stack.enter_context(closing(driver.open_shared("capulet.example", notify=notify, lease=LEASE)))
            process = ClusterProcess(folder, node, shared, LEASE, notify=notify).start()
            stack.callback(process.stop)
            return process

        yield make


def test_calls_broadcasts_and_publications_cross_the_database(make: Make) -> None:
    owner, beside, other, behind = make("web1"), make("web1"), make("web2"), make("web2")
    assert [each.inn.enter(str(i)) for i, each in enumerate((owner, beside, other, behind))] == [1, 2, 3, 4]
    assert owner.inn.guests == ["0", "1", "2", "3"]
    behind.inn.enter("é" * 100_000)
    assert owner.inn.guests[-1] == "é" * 100_000
    for process in (beside, other, behind):
        process.remote.listen()
    behind.inn.paint("red")
    behind.inn.say("the nurse" * 1000)
    until(lambda: all(process.inn.heard == ["the nurse" * 1000] for process in (beside, other, behind)))
    until(lambda: all(process.inn.colours == ["red"] for process in (owner, beside, other, behind)))
    owner.remote.hand_over()
    owner.stop()
    assert behind.inn.enter("Benvolio") == 1
    assert sorted(beside.inn.guests + other.inn.guests) == ["Benvolio"], "either may own next"


@pytest.mark.parametrize("notify", [True])
def test_after_a_restart_of_the_database_calls_go_on(make: Make, server: Cluster, notify: bool) -> None:
    owner, behind = make("web1"), (make("web2"), make("web2"))[1]
    assert behind.inn.enter("Romeo") == 1
    former = behind.group.id
    server.halt(signal.SIGINT)
    server.start()
    until(lambda: behind.group.id != former)

    until(lambda: _gets_through(behind))
    assert owner.group.is_leader


def _gets_through(process: ClusterProcess) -> bool:
    with suppress(GatewayError):
        return process.inn.enter("Benvolio") > 0
    return False
