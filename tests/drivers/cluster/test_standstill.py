"""Owners that stand still in the midst of a change, wherever that is, keep neither its lease nor what it writes from others for long."""

from __future__ import annotations

import os
import signal
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

from drivers import StorageError
from drivers.postgres import Postgres
from drivers.shared import Shared
from drivers.sql.cluster import leases, standstill
from drivers.sql.postgressession import PostgresSession
from drivers.sql.session import DatabaseSession
from tests.drivers.cluster.conftest import OpenShared
from tests.drivers.cluster.standing import ENDED, LIST
from tests.drivers.contract_base import JULIET
from tests.many import in_threads

pytestmark = [pytest.mark.live, pytest.mark.timeout(120)]
HOSTED = "gateway.example"
ROOT = Path(__file__).parents[3]
BOUND = 15.0
"""Seconds, of a machine that is busy; otherwise two, two thirds of a lease, for which a session may say nothing."""


def parse_and_half_of_bind(connection: psycopg.Connection[Any]) -> None:
    """As a long statement goes that the network takes in parts."""
    parse = b"\0" + b"SELECT $1" + b"\0" + struct.pack("!h", 0)
    bind = b"\0\0" + struct.pack("!hhi", 0, 1, 100_000)
    message = b"P" + struct.pack("!i", len(parse) + 4) + parse + b"B" + struct.pack("!i", len(bind) + 100_006) + bind + b"x" * 1000
    assert os.write(connection.fileno(), message) == len(message)


def several_without_sync(connection: psycopg.Connection[Any]) -> None:
    """As `executemany` of psycopg sends them."""
    connection.pgconn.enter_pipeline_mode()
    connection.pgconn.send_query_params(b"SELECT 1", None)
    assert connection.pgconn.flush() == 0


def copy_in(connection: psycopg.Connection[Any]) -> None:
    connection.pgconn.send_query(b"COPY prosody FROM STDIN")
    assert connection.pgconn.flush() == 0


def answer_unread(connection: psycopg.Connection[Any]) -> None:
    connection.pgconn.send_query(b"SELECT repeat('x', 1000) FROM generate_series(1, 100000)")
    assert connection.pgconn.flush() == 0


def nothing(connection: psycopg.Connection[Any]) -> None:
    """Between two statements."""


PLACES = (nothing, parse_and_half_of_bind, several_without_sync, copy_in, answer_unread)


@contextmanager
def standing(driver: Postgres, stand: Callable[[psycopg.Connection[Any]], None]) -> Iterator[Future[None]]:
    """An owner in a change, which it goes on with behind this context."""
    stands, awake = threading.Event(), threading.Event()

    def work(session: DatabaseSession) -> None:
        assert isinstance(session, PostgresSession)
        stand(session._connection)
        stands.set()
        assert awake.wait(60)
        session.rows("SELECT 1")

    with ThreadPoolExecutor(1) as pool:
        change = pool.submit(driver._postgres.write, LIST, work)
        try:
            assert stands.wait(60) or change.result()
            yield change
        finally:
            awake.set()


@pytest.mark.parametrize("stand", PLACES)
def test_the_next_owner_takes_the_lease(
    stand: Callable[[psycopg.Connection[Any]], None], open_node: Callable[[], Postgres], open_shared: OpenShared
) -> None:
    driver = open_node()
    one, two = open_shared(driver), open_shared()
    owner(one)
    with standing(driver, stand) as change:
        takes(two)
    with pytest.raises(StorageError):
        change.result()


def owner(shared: Shared) -> None:
    assert shared.take(HOSTED, "web1", "run1", None) == 1
    shared.fence(HOSTED, "run1", 1, (), lambda: None)


def takes(shared: Shared) -> None:
    """The next owner, which tries again as a node does. Raises StorageError where that takes too long."""
    deadline = time.monotonic() + BOUND
    while True:
        try:
            assert shared.take(HOSTED, "web2", "run2", shared.leases()[HOSTED]) == 2
        except StorageError:
            if time.monotonic() > deadline:
                raise
        else:
            return


def test_of_many_candidates_one_takes_it(open_node: Callable[[], Postgres], open_shared: OpenShared) -> None:
    driver = open_node()
    owner(open_shared(driver))
    nodes = [open_shared(lease=6.0) for _ in range(4)]  # none of them is to take too long
    seen = nodes[0].leases()[HOSTED]
    with standing(driver, copy_in):
        taken = in_threads(lambda i: nodes[i].take(HOSTED, f"web{i}", f"run{i}", seen), range(4))
    assert sorted(epoch is None for epoch in taken) == [False, True, True, True]
    assert nodes[0].leases()[HOSTED].epoch == 2


def test_a_candidate_that_stands_still_as_it_takes(open_shared: OpenShared) -> None:
    one, two, three = open_shared(), open_shared(), open_shared()
    assert one.take(HOSTED, "web1", "run1", None) == 1
    holds, awake = threading.Event(), threading.Event()

    def take(session: DatabaseSession) -> None:
        session.rows(leases.LOCK, HOSTED)
        holds.set()
        assert awake.wait(60)
        session.rows("SELECT 1")

    with ThreadPoolExecutor(1) as pool:
        taking = pool.submit(two._keeper.run, take, whole=True, seconds=60.0)  # type: ignore[attr-defined]
        assert holds.wait(60)
        takes(three)
        awake.set()
        with pytest.raises(StorageError):
            taking.result()


def test_a_node_that_does_something_is_waited_for(open_node: Callable[[], Postgres], open_shared: OpenShared) -> None:
    driver = open_node()
    one, two = open_shared(driver), open_shared(lease=1.0)
    owner(one)
    begun = threading.Event()

    def work(session: DatabaseSession) -> None:
        begun.set()
        session.rows("SELECT pg_sleep(2.5)")

    with ThreadPoolExecutor(1) as pool:
        change = pool.submit(driver._postgres.write, LIST, work)
        assert begun.wait(60)
        takes(two)
        change.result()


def test_engines_that_know_no_processes(open_shared: OpenShared, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(standstill, "OWN", "SELECT backend()")
    shared = open_shared()
    owner(shared)
    takes(shared)


def test_a_role_that_may_end_no_sessions(
    open_node: Callable[[], Postgres], open_shared: OpenShared, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(standstill, "END", standstill.END.replace("pg_terminate_backend", "pg_reload_or_terminate"))
    driver = open_node()
    one, two = open_shared(driver), open_shared()
    owner(one)
    with standing(driver, nothing) as change:
        takes(two)  # by what the database does itself
    with pytest.raises(StorageError):
        change.result()
    assert "it is not known what keeps a lease from being taken" in caplog.text


def test_a_process_that_stops_as_it_writes(open_node: Callable[[], Postgres], open_shared: OpenShared, url: str, tmp_path: Path) -> None:
    other, two = open_node(), open_shared()
    other.list_store(*JULIET, "list", ["before"])
    folder = tmp_path / "standing"
    folder.mkdir()
    command = [sys.executable, "-m", "tests.drivers.cluster.standing", url, str(folder), HOSTED]
    process = subprocess.Popen(command, cwd=ROOT)
    try:
        assert os.WIFSTOPPED(os.waitpid(process.pid, os.WUNTRACED)[1])
        began = time.monotonic()
        other.list_append(*JULIET, "list", "after")
        assert time.monotonic() - began < BOUND / 2  # a statement may take 10 s
        takes(two)
        os.kill(process.pid, signal.SIGCONT)
        assert process.wait(60) == ENDED
    finally:
        process.kill()
        process.wait(60)
    assert other.list_load(*JULIET, "list") == ["before", "after"]
