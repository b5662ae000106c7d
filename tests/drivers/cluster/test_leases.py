"""Nodes and leases, in a real PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from drivers import Driver, StorageError
from drivers.postgres import Postgres
from drivers.shared import LeaseLost, LeaseRow
from tests.drivers.cluster.conftest import OpenShared, row
from tests.drivers.contract_base import JULIET
from tests.many import in_threads

pytestmark = pytest.mark.live
HOSTED = "gateway.example"


def unwanted() -> None:
    pytest.fail("the lease is held")


def test_nodes_see_one_another(open_shared: OpenShared) -> None:
    one, two = open_shared(), open_shared()
    assert one.nodes() == []
    assert one.enter(row("web1", streams=0)) is None
    assert two.enter(row("web2")) is None
    assert one.beat(row("web1", streams=3))
    assert [(each.node, each.beat, each.info) for each in two.nodes()] == [("web1", 2, {"streams": 3}), ("web2", 1, {})]


def test_the_later_run_of_a_node_goes_on_and_the_earlier_learns_of_it(open_shared: OpenShared) -> None:
    one, two = open_shared(), open_shared()
    one.enter(row(run="first"))
    before = two.enter(row(run="second"))
    assert before is not None
    assert before.run == "first"
    assert not one.beat(row(run="first"))
    assert two.beat(row(run="second"))


def test_a_node_is_forgotten_unless_it_lives(open_shared: OpenShared) -> None:
    one, two = open_shared(), open_shared()
    one.enter(row("web1", "run1"))
    (seen,) = two.nodes()
    one.beat(row("web1", "run1"))
    assert not two.forget("web1", seen)
    (seen,) = two.nodes()
    assert two.forget("web1", seen)
    assert two.nodes() == []
    assert not one.beat(row("web1", "run1"))


def test_one_candidate_takes_a_lease(open_shared: OpenShared) -> None:
    one, two = open_shared(), open_shared()
    assert one.leases() == {}
    assert one.take(HOSTED, "web1", "run1", None) == 1
    assert two.take(HOSTED, "web2", "run2", None) is None
    seen = two.leases()[HOSTED]
    assert seen == LeaseRow(HOSTED, "web1", "run1", 1, 1)
    assert one.renew(HOSTED, "run1", 1)
    assert two.take(HOSTED, "web2", "run2", seen) is None, "it was renewed meanwhile"
    assert two.take(HOSTED, "web2", "run2", two.leases()[HOSTED]) == 2
    assert not one.renew(HOSTED, "run1", 1)
    one.release(HOSTED, "run1", 1)  # is another's
    assert two.leases()[HOSTED].node == "web2"
    two.release(HOSTED, "run2", 2)
    assert two.leases()[HOSTED].node == ""


def test_of_many_candidates_one_takes_it(open_shared: OpenShared) -> None:
    nodes = [open_shared() for _ in range(4)]
    for _ in range(3):
        seen = nodes[0].leases().get(HOSTED)
        taken = in_threads(lambda i: nodes[i].take(HOSTED, f"web{i}", f"run{i}", seen), range(4))  # noqa: B023
        assert sorted(epoch is None for epoch in taken) == [False, True, True, True]


def test_the_lock_goes_with_the_session(open_shared: OpenShared, url: str) -> None:
    one, two = open_shared(), open_shared()
    assert two.lock_is_free(HOSTED)
    assert one.hold_lock(HOSTED)
    assert one.hold_lock(HOSTED)
    assert not one.lock_is_free(HOSTED)
    assert not two.lock_is_free(HOSTED)
    assert not two.hold_lock(HOSTED)
    one.free_lock(HOSTED)
    assert two.lock_is_free(HOSTED)
    assert one.hold_lock(HOSTED)
    end_sessions(url)
    assert two.lock_is_free(HOSTED)
    assert two.hold_lock(HOSTED)
    assert not one.hold_lock(HOSTED)


def end_sessions(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname=current_database() AND pid<>pg_backend_pid()"
        )


WRITES: dict[str, Callable[[Driver], object]] = {
    "store": lambda driver: driver.store(*JULIET, "settings", {"a": 2}),
    "update": lambda driver: driver.update(*JULIET, "settings", lambda _: {"a": 2}),
    "update_members": lambda driver: driver.update_members(*JULIET, "settings", ["a"], lambda *_: {"a": 2}),
    "list_append": lambda driver: driver.list_append(*JULIET, "list", 2),
    "list_store": lambda driver: driver.list_store(*JULIET, "list", [2]),
    "removal of a list": lambda driver: driver.list_store(*JULIET, "list", []),
    "archive_append": lambda driver: driver.archive_append(*JULIET, "archive", "<message/>", when=2.5),
    "archive_delete": lambda driver: driver.archive_delete(*JULIET, "archive"),
    "note": lambda driver: driver.note("own", lambda _: {"a": 2}),
    "purge": lambda driver: driver.purge(*JULIET),
}


def content(driver: Driver) -> object:
    place = JULIET
    return driver.load(*place, "settings"), driver.list_load(*place, "list"), driver.archive_count(*place, "archive"), driver.note("own")


@pytest.fixture
def written(open_node: Callable[[], Postgres]) -> Postgres:
    driver = open_node()
    driver.store(*JULIET, "settings", {"a": 1})
    driver.list_append(*JULIET, "list", 1)
    driver.archive_append(*JULIET, "archive", "<message/>", when=1.5)
    driver.note("own", lambda _: {"a": 1})
    return driver


@pytest.mark.parametrize("write", WRITES)
def test_an_owner_that_has_lost_the_lease_changes_nothing(write: str, written: Postgres, open_shared: OpenShared) -> None:
    one, two, lost = open_shared(written), open_shared(), list[bool]()
    assert one.take(HOSTED, "web1", "run1", None) == 1
    one.fence(HOSTED, "run1", 1, (), lambda: lost.append(True))
    written.list_append(*JULIET, "list", 1.5)
    assert two.take(HOSTED, "web2", "run2", two.leases()[HOSTED]) == 2
    before = content(written)
    with pytest.raises(LeaseLost):
        WRITES[write](written)
    assert content(written) == before
    assert lost == [True]
    one.unfence(HOSTED)
    WRITES[write](written)
    assert content(written) != before


def test_a_fence_is_of_some_hosts(open_node: Callable[[], Postgres], open_shared: OpenShared) -> None:
    driver = open_node()
    shared = open_shared(driver)
    shared.take(HOSTED, "web1", "run1", None)
    shared.fence("rooms.example", "run1", 7, ["rooms.example"], lambda: None)
    driver.store(*JULIET, "settings", {"a": 1})
    with pytest.raises(LeaseLost):
        driver.store("verona", "rooms.example", "room", {"a": 1})
    assert driver.load("verona", "rooms.example", "room") is None


def test_taking_waits_for_a_change_that_has_begun_and_renewing_does_not(open_node: Callable[[], Postgres], open_shared: OpenShared) -> None:
    driver = open_node()
    one, two = open_shared(driver), open_shared()
    one.take(HOSTED, "web1", "run1", None)
    one.fence(HOSTED, "run1", 1, (), unwanted)
    taking = []

    def change(table: object) -> dict[str, int]:
        assert one.renew(HOSTED, "run1", 1)
        taking.append(pool.submit(two.take, HOSTED, "web2", "run2", two.leases()[HOSTED]))
        with pytest.raises(TimeoutError):
            taking[0].result(0.5)
        assert one.leases()[HOSTED].epoch == 1
        return {"a": 1}

    with ThreadPoolExecutor(1) as pool:
        driver.update(*JULIET, "settings", change)
        assert taking[0].result() == 2


def test_a_change_that_stands_still_is_ended(open_node: Callable[[], Postgres], open_shared: OpenShared) -> None:
    driver = open_node()
    driver.in_cluster(0.6)
    one, two = open_shared(driver), open_shared()
    one.take(HOSTED, "web1", "run1", None)
    one.fence(HOSTED, "run1", 1, (), unwanted)

    def change(table: object) -> dict[str, int]:
        seen = two.leases()[HOSTED]
        assert two.take(HOSTED, "web2", "run2", seen) == 2  # once the database has ended this change
        return {"a": 1}

    with pytest.raises(StorageError, match="stood still"):
        driver.update(*JULIET, "settings", change)
    assert driver.load(*JULIET, "settings") is None


def test_nothing_is_remembered_that_others_may_have_written(open_node: Callable[[], Postgres]) -> None:
    driver = open_node()
    assert driver.shared
    assert driver.unchanged(*JULIET, "settings") is None
