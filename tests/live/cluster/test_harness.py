"""What these tests stand on: databases that fail over, ways that can be held, and a check that sees what is lost or overtaken."""

from __future__ import annotations

import threading
from pathlib import Path

import psycopg
import pytest

from tests.live.proxy import Proxy

from .clients import BROKEN, Answered, check_answers, check_first_seen
from .databases import Databases


def count(databases: Databases) -> int:
    with databases.connection() as connection:
        row = connection.execute("SELECT count(*) FROM kept").fetchone()
    assert row is not None
    return int(row[0])


def test_what_was_committed_is_there_after_a_restart_and_a_failover(databases: Databases) -> None:
    with databases.connection() as connection:
        connection.execute("CREATE TABLE kept (number integer)")
        connection.execute("INSERT INTO kept VALUES (1)")
    databases.restart()
    assert count(databases) == 1
    databases.fail_over()
    assert count(databases) == 1
    databases.follow()
    databases.lose_standby()
    with databases.connection() as connection:
        waiting = threading.Thread(target=lambda: connection.execute("INSERT INTO kept VALUES (2)"), daemon=True)
        waiting.start()
        waiting.join(0.3)
        assert waiting.is_alive(), "a commit that no standby has confirmed"
        databases.follow()
        waiting.join(30)
    assert count(databases) == 2


def test_what_is_held_comes_later(databases: Databases) -> None:
    way = Proxy(Path(databases.primary.socket))
    way.start()
    try:
        with psycopg.connect(f"host=127.0.0.1 port={way.port} user=postgres dbname={databases.name} sslmode=disable") as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)
            way.hold()
            found: list[object] = []
            asking = threading.Thread(target=lambda: found.append(connection.execute("SELECT 2").fetchone()), daemon=True)
            asking.start()
            asking.join(0.3)
            assert (found, asking.is_alive(), way.held) == ([], True, True)
            way.release()
            asking.join(30)
            assert found == [(2,)]
    finally:
        way.stop()


def test_the_check_sees_what_is_lost_and_what_is_overtaken() -> None:
    assert check_first_seen([0, 1, 2, 1, 2, 3], 4) == 2
    for numbers in ([0, 2, 1, 3], [0, 1, 3], [0, 1, 2]):
        with pytest.raises(AssertionError, match="of 4"):
            check_first_seen(numbers, 4)


def test_an_answer_says_when_to_come_back() -> None:
    answer = Answered("web1", 0.0, 0.1, 503, "5", "There is no node that owns this domain")
    check_answers([answer], lambda answer: True)
    for wrong in (answer._replace(retry_after=""), answer._replace(text="no"), answer._replace(seconds=21.0)):
        with pytest.raises(AssertionError):
            check_answers([wrong], lambda answer: True)
    with pytest.raises(AssertionError):
        check_answers([answer._replace(status=BROKEN)], lambda answer: answer.status != BROKEN)
