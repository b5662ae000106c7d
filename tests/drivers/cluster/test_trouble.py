"""A PostgreSQL that stands still, restarts, fails over, or is reached by way of a pooler."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from drivers import CommitInDoubt, StorageError, open_driver
from drivers.postgres import Postgres
from drivers.shared import JournalChange, JournalRow, channel_of
from drivers.sql.boundedconnection import BoundedConnection
from drivers.sql.cluster import schema
from drivers.sql.cluster.schema import TABLES
from drivers.sql.cluster.session import BoundedSession
from drivers.sql.cluster.shared import PostgresShared
from drivers.sql.session import DatabaseSession
from tests.drivers.cluster.conftest import DOMAIN, OpenShared, row
from tests.drivers.cluster.test_frames import heard
from tests.drivers.cluster.test_journal import owner
from tests.drivers.contract_base import JULIET
from tests.drivers.postgrescluster import Cluster, program
from tests.drivers.test_postgres_failover import Pair, pair

pytestmark = [pytest.mark.live, pytest.mark.timeout(120)]
__all__ = ["pair"]
HOSTED = "gateway.example"
RUN1 = channel_of(DOMAIN, "run1")


def answered(call: Callable[[], object]) -> None:
    """Call it until the database answers."""
    end = time.monotonic() + 60
    while True:
        try:
            call()
        except StorageError:
            assert time.monotonic() < end
        else:
            return


@pytest.fixture
def own() -> Iterator[Cluster]:
    """A server that a test may stop."""
    cluster = Cluster()
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()


class TestServerOfItsOwn:
    @pytest.fixture
    def url(self, own: Cluster) -> str:
        return f"{own.new_database()}&statement_timeout=2"

    def test_a_server_that_stands_still(self, own: Cluster, open_node: Callable[[], Postgres], open_shared: OpenShared) -> None:
        driver = open_node()
        shared = open_shared(driver)
        owner(shared)
        listener = shared.listen([RUN1])
        backends = own.backends()
        for pid in backends:
            os.kill(pid, signal.SIGSTOP)
        assert own.process is not None
        own.process.send_signal(signal.SIGSTOP)
        try:
            began = time.monotonic()
            with pytest.raises(StorageError, match="reached"):
                shared.renew(HOSTED, "run1", 1)
            with pytest.raises(StorageError, match="connection is being made"):
                shared.renew(HOSTED, "run1", 1)
            with pytest.raises(StorageError):
                heard(listener, 1)
            with pytest.raises(StorageError):
                driver.load(*JULIET, "settings")
            assert time.monotonic() - began < 30
        finally:
            own.process.send_signal(signal.SIGCONT)
            for pid in backends:
                os.kill(pid, signal.SIGCONT)
        answered(lambda: shared.renew(HOSTED, "run1", 1))
        answered(lambda: driver.load(*JULIET, "settings"))
        driver.store(*JULIET, "settings", {"a": 1})

    def test_a_server_that_stands_still_while_it_commits(self, open_node: Callable[[], Postgres]) -> None:
        driver = open_node()
        driver.store(*JULIET, "settings", {"a": 1})
        stopped = []

        def work(session: DatabaseSession) -> None:
            session.run('UPDATE "prosody" SET "value"=?', "2")
            stopped.append(session.rows("SELECT pg_backend_pid()")[0][0])
            os.kill(stopped[0], signal.SIGSTOP)

        try:
            with pytest.raises(CommitInDoubt):
                driver._postgres.change(work)
        finally:
            os.kill(stopped[0], signal.SIGCONT)
        driver.update(*JULIET, "settings", lambda table: {"was": table})  # waits for the end of the other
        assert driver.load(*JULIET, "settings") in ({"was": {"a": 1}}, {"was": {"a": 2}})

    def test_a_restart(self, own: Cluster, open_node: Callable[[], Postgres], open_shared: OpenShared) -> None:
        driver = open_node()
        one, two = open_shared(driver), open_shared()
        owner(one)
        journal = one.journal("outbox:a", HOSTED)
        journal.commit(JournalChange([JournalRow(1, "a")]))
        assert one.hold_lock(HOSTED)
        with closing(one.listen([RUN1])) as listener:
            own.halt()
            with pytest.raises(StorageError):
                heard(listener, 1)
            for call in (
                one.nodes,
                one.nodes,
                lambda: one.notify([(RUN1, "a")]),
                lambda: one.listen([RUN1]),
                lambda: journal.commit(JournalChange()),
            ):
                with pytest.raises(StorageError):
                    call()
            own.start()
        answered(lambda: one.renew(HOSTED, "run1", 1))
        answered(two.nodes)
        assert two.lock_is_free(HOSTED)
        assert one.hold_lock(HOSTED)
        with closing(one.listen([RUN1])) as listener:
            answered(lambda: one.notify([(RUN1, "a")]))
            assert heard(listener, 1) == [(RUN1, "a")]
        journal.commit(JournalChange([JournalRow(2, "b")]))
        assert [entry.number for entry in journal.read()] == [1, 2]

    def test_one_that_is_closed_while_it_connects(self, own: Cluster, open_shared: OpenShared) -> None:
        shared = open_shared(lease=0.3)
        assert own.process is not None
        own.process.send_signal(signal.SIGSTOP)
        try:
            with pytest.raises(StorageError):
                shared.nodes()
            shared.close()
        finally:
            own.process.send_signal(signal.SIGCONT)
        with pytest.raises(StorageError, match="closed"):
            shared.nodes()


def test_a_call_waits_its_turn_only_for_so_long(url: str) -> None:
    session = BoundedSession(lambda: BoundedConnection.connect(url, autocommit=True), lambda e: StorageError(str(e)), 30.0)

    def work(connection: object) -> None:
        with ThreadPoolExecutor(1) as pool, pytest.raises(StorageError, match="another call"):
            pool.submit(session.call, lambda _: None, 0.1).result()

    session.call(work)
    session.close()


def test_a_failover(pair: Pair, tmp_path: Path) -> None:
    with closing(open_driver(pair.start(), tmp_path)) as driver:
        driver.in_cluster(3.0)
        with closing(driver.open_shared(DOMAIN)) as shared:
            owner(shared)
            journal = shared.journal("outbox:a", HOSTED)
            for number in range(20):
                journal.commit(JournalChange([JournalRow(number, "text")]))
            with closing(shared.listen([RUN1])) as listener:
                pair.primary.halt()
                with pytest.raises(StorageError):
                    heard(listener, 1)
            command = [program("pg_ctl") or "", "promote", "-D", str(pair.standby.folder / "data")]
            subprocess.run(command, check=True, capture_output=True, cwd=pair.standby.folder, **pair.standby.as_user())
            answered(lambda: shared.renew(HOSTED, "run1", 1))
            assert shared.hold_lock(HOSTED)
            answered(lambda: journal.commit(JournalChange([JournalRow(20, "text")])))
            assert [entry.number for entry in journal.read()] == list(range(21))
            with closing(shared.listen([RUN1])) as listener:
                answered(lambda: shared.notify([(RUN1, "x" * 8000)]))
                assert heard(listener, 1) == [(RUN1, "x" * 8000)]


def test_without_the_standby_promises_wait_and_nothing_else(pair: Pair, tmp_path: Path) -> None:
    with closing(open_driver(f"{pair.start()}&statement_timeout=1", tmp_path)) as driver:
        driver.in_cluster(3.0)
        with closing(driver.open_shared(DOMAIN)) as shared:
            shared.enter(row())
            owner(shared)
            assert shared.standby_settings().copies == 2
            pair.standby.halt()
            assert shared.beat(row())
            assert shared.renew(HOSTED, "run1", 1)
            with closing(shared.listen([RUN1])) as listener:
                shared.notify([(RUN1, "x" * 8000)])
                assert heard(listener, 1)
            journal = shared.journal("outbox:a", HOSTED)
            with pytest.raises(CommitInDoubt):
                journal.commit(JournalChange([JournalRow(1, "text")]))
            assert journal.read() == [JournalRow(1, "text")]


def test_tables_that_another_node_makes_at_the_same_time(url: str, open_shared: OpenShared) -> None:
    shared = open_shared(lease=30.0)
    with psycopg.connect(url) as first, psycopg.connect(url, autocommit=True) as look, ThreadPoolExecutor(1) as pool:
        first.execute(f"CREATE TABLE xmpprest_nodes ({TABLES['xmpprest_nodes']})".encode())
        nodes = pool.submit(shared.nodes)
        end = time.monotonic() + 60
        while not look.execute("SELECT 1 FROM pg_locks WHERE NOT granted").fetchall():
            assert time.monotonic() < end
        first.commit()
        assert nodes.result() == []


def test_an_engine_without_autovacuum(open_shared: OpenShared, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schema, "TUNING", 'ALTER TABLE "{}" TUNE')
    assert open_shared().nodes() == []


def test_what_a_node_says_of_itself_may_be_unreadable(url: str, open_shared: OpenShared) -> None:
    shared = open_shared()
    shared.enter(row())
    with psycopg.connect(url, autocommit=True) as connection:
        for info in ("{", "[]", ""):
            connection.execute("UPDATE xmpprest_nodes SET info=%s", [info])
            assert [each.info for each in shared.nodes()] == [{}]


def test_a_connection_that_comes_after_the_end_is_closed(url: str) -> None:
    going, made = threading.Event(), list[BoundedConnection]()

    def connect() -> BoundedConnection:
        going.wait(60)
        made.append(BoundedConnection.connect(url))
        return made[0]

    session = BoundedSession(connect, lambda e: StorageError(str(e)), 0.1)
    with pytest.raises(StorageError, match="being made"):
        session.call(lambda _: None)
    session.close()
    going.set()
    end = time.monotonic() + 60
    while not (made and made[0].closed):
        assert time.monotonic() < end
        time.sleep(0.01)


def test_rows_that_others_change_as_well(open_shared: OpenShared, url: str) -> None:
    shared = open_shared()
    shared.enter(row())
    assert isinstance(shared, PostgresShared)

    def conflict(session: DatabaseSession) -> None:
        raise psycopg.errors.SerializationFailure

    with pytest.raises(StorageError, match="others change"):
        shared._keeper.run(conflict)

    def standby(session: DatabaseSession) -> None:
        session.run("SET default_transaction_read_only = on")
        session.run("DELETE FROM xmpprest_nodes")

    with pytest.raises(StorageError, match="read-only"):
        shared._keeper.run(standby)
    assert shared.beat(row()), "by another connection"
