"""Each worker gets its share of the connections, whatever the others do."""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.live.child import free_port
from xmpp_rest.serving.shares import ABSENT, SLOTS, Shares, child_exit, pre_fork
from xmpp_rest.serving.worker import Worker

CONNECTIONS = 16
ROUNDS = 10
APP = """
import os
def app(environ, start):
    start('200 OK', [('Content-Length', str(len(str(os.getpid()))))])
    return [str(os.getpid()).encode()]
"""


class Served(SimpleNamespace):
    """gunicorn with two workers of ours."""

    port: int
    process: subprocess.Popen[bytes]

    @property
    def workers(self) -> list[int]:
        return [int(pid) for pid in Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()]

    def ask(self, connection: http.client.HTTPConnection) -> int:
        """Which worker answers."""
        connection.request("GET", "/")
        return int(connection.getresponse().read())

    def spread(self, count: int = CONNECTIONS) -> Counter[int]:
        """How many of so many connections, all open at once, each worker gets."""
        with contextlib.ExitStack() as stack:
            sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
            for sock in sockets:  # as a load generator does: all of them, before any is looked at
                sock.setblocking(False)
                sock.connect_ex(("127.0.0.1", self.port))
            connections = [stack.enter_context(contextlib.closing(self.connection())) for _ in range(count)]
            for sock, connection in zip(sockets, connections, strict=True):
                sock.setblocking(True)
                connection.sock = sock
            return Counter(map(self.ask, connections))

    def connection(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    (tmp_path / "who.py").write_text(APP)
    port = free_port()
    command = [sys.executable, "-m", "gunicorn", "-c", "python:xmpp_rest.serving.workers", "-k", "xmpp_rest.serving.worker.Worker"]
    command += [
        "--workers",
        "2",
        "--threads",
        "32",
        "--no-control-socket",
        "-b",
        f"127.0.0.1:{port}",
        "--pythonpath",
        str(tmp_path),
        "who:app",
    ]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL, cwd=Path(__file__).parents[2])
    server = Served(port=port, process=process)
    try:
        until(lambda: len(seen(server)) == 2)
        yield server
    finally:
        process.terminate()
        process.wait(30)


def seen(server: Served) -> set[int]:
    try:
        return set(server.spread(4))
    except OSError:  # it does not listen yet
        return set()


def until(condition: object, seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.05)


def smaller_shares(server: Served) -> list[int]:
    """What the worker that got less had of CONNECTIONS, each time. Not always half on a busy machine, where a worker may be late."""
    found = []
    for _ in range(ROUNDS):
        spread = server.spread()
        found.append(min(spread[worker] for worker in server.workers))
        time.sleep(0.1)  # both see that the connections have ended
    return found


def test_connections_that_come_at_once_are_spread(served: Served) -> None:
    fewer = smaller_shares(served)
    assert sum(fewer) >= ROUNDS * CONNECTIONS * 3 // 7, fewer  # without sharing it is some 50 of 160


def test_who_is_far_ahead_yields_one_after_the_other(served: Served) -> None:
    def one() -> tuple[int, http.client.HTTPConnection]:
        connection = served.connection()
        return served.ask(connection), connection

    came = [one() for _ in range(2 * CONNECTIONS)]
    ahead = came[0][0]
    for worker, connection in came:
        if worker != ahead:
            connection.close()
    time.sleep(0.2)
    for _ in range(CONNECTIONS):
        came.append(one())
        time.sleep(0.02)
    behind = sum(worker != ahead for worker, _ in came[2 * CONNECTIONS :])
    for _, connection in came:
        connection.close()
    assert behind >= CONNECTIONS - 2, f"{behind} of {CONNECTIONS}"


def test_a_worker_that_hangs_holds_up_nobody(served: Served) -> None:
    stuck, other = served.workers
    os.kill(stuck, signal.SIGSTOP)
    try:
        with contextlib.ExitStack() as stack:
            for _ in range(CONNECTIONS):  # one after the other: the other one has to take them although it is ahead
                connection = stack.enter_context(contextlib.closing(served.connection()))
                assert served.ask(connection) == other
    finally:
        os.kill(stuck, signal.SIGCONT)


def test_the_place_of_a_worker_that_was_killed_is_taken_again(served: Served) -> None:
    before = set(served.workers)
    os.kill(next(iter(before)), signal.SIGKILL)
    until(lambda: len(set(served.workers) - before) == 1 and seen(served) == set(served.workers))
    fewer = smaller_shares(served)
    assert sum(fewer) >= ROUNDS * CONNECTIONS * 3 // 7, fewer  # without sharing it is some 50 of 160


def test_who_has_the_fewest() -> None:
    shares = Shares()
    assert shares.fewest() == ABSENT
    shares.tell(3, 7)
    shares.tell(SLOTS - 1, 2)
    assert shares.fewest() == 2
    shares.tell(SLOTS - 1, ABSENT)
    assert shares.fewest() == 7


def test_slots_are_used_again_and_may_run_out() -> None:
    arbiter = SimpleNamespace(WORKERS={})
    for n in range(SLOTS + 1):
        arbiter.WORKERS[n] = worker = SimpleNamespace()
        pre_fork(arbiter, worker)
    assert [w.slot for w in arbiter.WORKERS.values()] == [*range(SLOTS), None]
    assert worker.shares is None
    arbiter.shares.tell(5, 4)
    gone = arbiter.WORKERS.pop(5)
    child_exit(arbiter, gone)
    assert arbiter.shares.fewest() == ABSENT
    arbiter.WORKERS[99] = new = SimpleNamespace()
    pre_fork(arbiter, new)
    assert new.slot == 5


def test_a_worker_that_may_take_no_more_rests(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its yield is over, but it has all the connections it may have: it waits for one to end, not for the clock."""
    waited: list[float] = []
    monkeypatch.setattr(Worker, "_dispatch", lambda _self, timeout: waited.append(timeout))
    worker = Worker.__new__(Worker)
    worker.alive, worker._accepting, worker._yields_until = True, False, time.monotonic() - 1
    worker.wait_for_and_dispatch_events(1.0)
    worker._accepting = True
    worker.wait_for_and_dispatch_events(1.0)
    worker.wait_for_and_dispatch_events(1.0)
    assert waited == [1.0, 0.0, 1.0]
