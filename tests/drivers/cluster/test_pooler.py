"""Several gateways whose way to the database is a PgBouncer, which has neither LISTEN nor locks of a session."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing

import pytest

from drivers import StorageError
from drivers.postgres import Postgres
from drivers.shared import JournalChange, JournalRow, Shared, channel_of
from tests.drivers.cluster.conftest import DOMAIN, OpenShared, row
from tests.drivers.cluster.test_frames import heard
from tests.drivers.cluster.test_journal import owner
from tests.drivers.cluster.test_standstill import copy_in, nothing, standing, takes
from tests.drivers.pgbouncer import PgBouncer
from tests.drivers.postgrescluster import Cluster
from tests.drivers.test_postgres_pooler import pooler

pytestmark = pytest.mark.live
__all__ = ["pooler"]
HOSTED = "gateway.example"
RUN1 = channel_of(DOMAIN, "run1")


@pytest.fixture
def direct(cluster: Cluster) -> str:
    return cluster.new_database()


@pytest.fixture
def url(direct: str, pooler: PgBouncer) -> str:
    return pooler.url(direct)


def test_it_has_no_notifications(open_shared: OpenShared) -> None:
    with pytest.raises(StorageError, match="pooler") as raised:
        open_shared().nodes()
    assert raised.value.lasting


def test_a_direct_way(open_shared: OpenShared, open_node: Callable[[], Postgres], direct: str) -> None:
    one, two = open_shared(open_node(), url=direct), open_shared(open_node(), url=direct)
    assert one.enter(row()) is None
    works(one, two)
    assert not two.lock_is_free(HOSTED)


def test_without_notifications(open_shared: OpenShared, open_node: Callable[[], Postgres]) -> None:
    one, two = open_shared(open_node(), notify=False), open_shared(open_node(), notify=False)
    one.enter(row())
    works(one, two)
    assert not two.lock_is_free(HOSTED)  # as it has no locks
    one.free_lock(HOSTED)


def test_the_next_owner_ends_what_stands_still_behind_the_pooler(open_shared: OpenShared, open_node: Callable[[], Postgres], direct: str) -> None:
    driver = open_node()
    one, two = open_shared(driver, url=direct), open_shared(open_node(), url=direct)
    owner(one)
    with standing(driver, copy_in) as change:
        takes(two)
    with pytest.raises(StorageError):
        change.result()


def test_the_database_ends_what_stands_still_behind_the_pooler(open_shared: OpenShared, open_node: Callable[[], Postgres]) -> None:
    driver = open_node()
    one, two = open_shared(driver, notify=False), open_shared(open_node(), notify=False)
    owner(one)
    with standing(driver, nothing) as change:
        takes(two)
    with pytest.raises(StorageError):
        change.result()


def works(one: Shared, two: Shared) -> None:
    owner(one)
    one.hold_lock(HOSTED)
    with closing(one.listen([RUN1, channel_of(DOMAIN)])) as listener:
        two.notify([(RUN1, "a"), (channel_of(DOMAIN), "b")])
        assert heard(listener, 2) == [(RUN1, "a"), (channel_of(DOMAIN), "b")]
    one.journal("outbox:a", HOSTED).commit(JournalChange([JournalRow(1, "text")]))
    assert two.take(HOSTED, "web2", "run2", two.leases()[HOSTED]) == 2
    with pytest.raises(StorageError, match="does not own"):
        one.journal("outbox:a", HOSTED).commit(JournalChange([JournalRow(2, "text")]))
    assert two.journal("outbox:a").read() == [JournalRow(1, "text")]
