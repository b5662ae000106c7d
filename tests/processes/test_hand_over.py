"""A leader that stops in order loses no call of another process: what was asked is answered, and what comes then is for the next leader."""

from __future__ import annotations

import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from drivers import StorageError
from tests.link.attached import until
from xmpp_rest.processes.election import LocalGroup
from xmpp_rest.processes.on_leader import on_leader
from xmpp_rest.processes.remote import Remote
from xmpp_rest.threads.waits import Waits


class Desk:
    """A service of the leader. What it does waits for `release`, where that was asked for."""

    def __init__(self, folder: Path) -> None:
        self.group = LocalGroup(folder)
        self._remote = self.remote = Remote(self.group, Waits(8), StorageError)
        self.begun, self.release = threading.Event(), threading.Event()
        self.served: list[int] = []
        self.remote.offer(self)
        self.remote.start()

    @on_leader
    def serve(self, number: int, slowly: bool) -> int:
        self.begun.set()
        if slowly:
            assert self.release.wait(30)
        self.served.append(number)
        return number

    def stop(self) -> None:
        self.remote.hand_over()
        self.remote.stop()


def test_what_is_under_way_is_answered_and_what_comes_then_waits(tmp_path: Path) -> None:
    leader, follower = Desk(tmp_path), Desk(tmp_path)
    with ThreadPoolExecutor(4) as pool:
        first = pool.submit(follower.serve, 1, slowly=True)
        assert leader.begun.wait(30)
        stopped = pool.submit(leader.stop)
        until(lambda: not follower.group._settled.is_set())
        second = pool.submit(follower.serve, 2, slowly=False)
        leader.release.set()
        assert first.result(30) == 1
        stopped.result(30)
        assert second.result(30) == 2
    assert (leader.served, follower.served) == ([1], [2])
    assert follower.group.is_leader
    follower.stop()


def test_a_call_that_lasts_ends_the_patience(tmp_path: Path) -> None:
    leader, follower = Desk(tmp_path), Desk(tmp_path)
    with ThreadPoolExecutor(2) as pool:
        lost = pool.submit(follower.serve, 1, slowly=True)
        assert leader.begun.wait(30)
        leader.stop()
        assert lost.exception(30) is not None
        leader.release.set()
    assert follower.serve(2, slowly=False) == 2
    follower.stop()


def test_nobody_else(tmp_path: Path) -> None:
    Desk(tmp_path).stop()


def test_calls_without_end_while_leaders_come_and_go(tmp_path: Path) -> None:
    desks = [Desk(tmp_path), Desk(tmp_path)]
    over, failures = threading.Event(), list[Exception]()
    counts = [0]

    def call() -> None:
        while not over.is_set():
            try:
                desks[-1].serve(counts[0], slowly=False)
                counts[0] += 1
            except Exception as e:
                failures.append(e)

    with ThreadPoolExecutor(3) as pool:
        for _ in range(3):
            pool.submit(call)
        for _ in range(5):
            before = counts[0]
            until(lambda before=before: counts[0] > before + 20)  # type: ignore[misc]
            new = Desk(tmp_path)
            until(lambda new=new: any(desk.group.has_follower(new.group.id) for desk in desks))  # type: ignore[misc]
            desks.append(new)
            desks.pop(0).stop()
        over.set()
    for desk in desks:
        desk.stop()
    assert failures == []


AT_THE_END = """
import atexit
from pathlib import Path
from tests.processes.test_hand_over import Desk

leader, follower = Desk(Path("{folder}")), Desk(Path("{folder}"))
atexit.register(follower.stop)
atexit.register(leader.stop)
atexit.register(lambda: print("served", follower.serve(7, slowly=False), "by", "leader" if leader.served else "follower"))
"""


def test_a_leader_whose_main_thread_has_ended_answers_until_it_stops(tmp_path: Path) -> None:
    """Below other WSGI servers the gateway is stopped at the exit, when Python takes nothing more for the pools of its library."""
    program = AT_THE_END.format(folder=tmp_path)
    ended = subprocess.run([sys.executable, "-c", program], check=False, capture_output=True, text=True, timeout=60)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "served 7 by leader\n", "")
