"""Scheduled messages survive a kill -9 of the leader, and a restart, over the wire."""

from __future__ import annotations

import base64
import json
import os
import signal
import time
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPException
from typing import Any

import pytest

from tests.metrics.two_workers import TwoWorkers

pytestmark = [pytest.mark.plain_thread, pytest.mark.timeout(180)]
ADMIN, NURSE = "admin@localhost:parting-is-such", "nurse@localhost:R0m30"
DEADLINE = 60.0  # seconds
COUNT = 40


@pytest.fixture(scope="module")
def workers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TwoWorkers]:
    """Two processes, and an account besides the administrator's."""
    workers = TwoWorkers(tmp_path_factory.mktemp("workers"))
    status, _ = ask(workers, "POST", "/api/register", {"user": "nurse", "host": "localhost", "password": "R0m30"})
    assert status == 200
    yield workers
    workers.stop()


def ask(workers: TwoWorkers, method: str, path: str, value: Any = None, who: str = ADMIN, **fields: str) -> tuple[int, Any]:
    connection = HTTPConnection("127.0.0.1", workers.port, timeout=30)
    try:
        head = {"Authorization": f"Basic {base64.b64encode(who.encode()).decode()}", "Content-Type": "application/json"} | fields
        connection.request(method, path, None if value is None else json.dumps(value), head)
        answer = connection.getresponse()
        body = answer.read()
        return answer.status, json.loads(body) if body else None
    finally:
        connection.close()


def schedule(workers: TwoWorkers, name: str, at: float) -> None:
    for number in range(COUNT):
        value = {"to": "nurse@localhost", "type": "chat", "body": f"{name}-{number}"}
        status, said = ask(workers, "POST", "/rest", value, **{"Send-At": str(int(at))})
        assert (status, set(said)) == (202, {"id", "at", "stanza_id"})


def received(workers: TwoWorkers, name: str) -> list[str]:
    """The bodies that the nurse has got, the oldest first."""
    status, found = ask(workers, "GET", "/api/messages?limit=500", who=NURSE)
    assert status == 200
    return [item["body"] for item in found if item["body"].startswith(name)]


def until_none_waits(workers: TwoWorkers) -> None:
    end = time.monotonic() + DEADLINE
    while True:
        try:
            status, found = ask(workers, "GET", "/rest/scheduled")
            if status == 200 and not found["count"]:
                return
        except (OSError, HTTPException):
            status = 0  # the process that was asked has just been killed
        assert time.monotonic() < end
        time.sleep(0.05)


def test_a_killed_leader_loses_nothing(workers: TwoWorkers) -> None:
    at = time.time() + 8
    schedule(workers, "kill", at)
    end = time.monotonic() + DEADLINE
    while not received(workers, "kill"):  # it is at work
        assert time.monotonic() < end
    os.kill(workers.leader, signal.SIGKILL)
    until_none_waits(workers)
    found = received(workers, "kill")
    assert [*dict.fromkeys(found)] == [f"kill-{number}" for number in range(COUNT)], "none is lost, and in order"
    assert len(found) < 2 * COUNT


def test_a_restart_sends_what_fell_due_meanwhile(workers: TwoWorkers) -> None:
    at = time.time() + 8
    schedule(workers, "late", at)
    workers.stop()
    while time.time() <= at:
        time.sleep(0.1)
    workers.start()
    until_none_waits(workers)
    assert received(workers, "late") == [f"late-{number}" for number in range(COUNT)]
