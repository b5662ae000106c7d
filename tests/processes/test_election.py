"""Is there always exactly one owner, and can its peers reach it? (decision 0007)"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from xmpp_rest.errors import GatewayError
from xmpp_rest.processes.election import Hub


class Process:
    """What a process of the gateway does with its hub."""

    def __init__(self, folder: Path) -> None:
        self.roles: list[bool] = []
        self.events: list[dict[str, Any]] = []
        self.hub = Hub(
            folder,
            quick={"add": lambda a, b: a + b, "refuse": self._refuse, "fail": lambda: 1 / 0},
            later={"promise": self._promise, "wait": lambda tell, seconds: threading.Timer(seconds, tell, (None,)).start()},
            on_role=self.roles.append,
            on_event=self.events.append,
        )

    def _promise(self, tell: Callable[[Any], None], value: int, seconds: float) -> None:
        if value < 0:
            raise GatewayError("iq-conflict")
        threading.Timer(seconds, tell, (value or GatewayError("iq-timeout"),)).start()

    def _refuse(self) -> None:
        raise GatewayError("outbox-full", "full it is")


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Callable[[], Process]]:
    made: list[Process] = []

    def make() -> Process:
        process = Process(tmp_path)
        process.hub.start()
        made.append(process)
        return process

    yield make
    for process in made:
        process.hub.stop()


def until(condition: Callable[[], bool], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_one_owner_and_its_peers(make: Callable[[], Process]) -> None:
    owner, *peers = [make() for _ in range(3)]
    assert owner.hub.is_owner
    assert owner.roles == [True]
    assert [p.roles for p in peers] == [[False], [False]]
    for process in (owner, *peers):
        assert process.hub.call("add", 5, a=1, b=2) == 3


def test_a_peer_hears_what_is_told_from_its_start_on(make: Callable[[], Process]) -> None:
    owner = make()
    for n in range(20):
        peer = make()
        owner.hub.broadcast({"n": n})
        until(lambda events=peer.events, n=n: events == [{"n": n}])  # type: ignore[misc]


def test_events_reach_every_peer_in_order(make: Callable[[], Process]) -> None:
    owner, *peers = [make() for _ in range(3)]
    for n in range(500):
        owner.hub.broadcast({"n": n})
    for peer in peers:
        until(lambda events=peer.events: len(events) == 500)  # type: ignore[misc]
        assert peer.events == [{"n": n} for n in range(500)]


def test_errors_travel(make: Callable[[], Process]) -> None:
    owner = make()
    peer = make()
    with pytest.raises(GatewayError, match="full it is") as caught:
        peer.hub.call("refuse", 5)
    assert caught.value.row.status == 503
    for process in (owner, peer):
        with pytest.raises((GatewayError, ZeroDivisionError)) as unforeseen:
            process.hub.call("fail", 5)
    assert isinstance(unforeseen.value, GatewayError)
    assert unforeseen.value.row.status == 500
    assert "division" not in str(unforeseen.value)
    with pytest.raises(GatewayError, match="link-down"):
        peer.hub.call("wait", 0.1, seconds=2)


def test_what_is_promised_comes_later_and_holds_up_nobody(make: Callable[[], Process]) -> None:
    processes = [make(), make()]
    for process in processes:
        with ThreadPoolExecutor(50) as pool:
            waiting = [pool.submit(process.hub.call, "promise", 5, value=n, seconds=2) for n in range(1, 51)]
            started = time.monotonic()
            assert process.hub.call("add", 5, a=1, b=1) == 2
            assert time.monotonic() - started < 1.5
            assert [promise.result() for promise in waiting] == list(range(1, 51))
        for value, error in ((0, "iq-timeout"), (-1, "iq-conflict")):
            with pytest.raises(GatewayError) as caught:
                process.hub.call("promise", 5, value=value, seconds=0)
            assert caught.value.name == error
        with pytest.raises(GatewayError, match="link-down"):
            process.hub.call("promise", 0.1, value=1, seconds=1)


def test_a_call_of_another_version_is_answered(make: Callable[[], Process]) -> None:
    make()
    with pytest.raises(GatewayError, match="of another version"):
        make().hub.call("yesterdays", 5)


def test_a_large_answer_comes_whole_however_late(make: Callable[[], Process]) -> None:
    owner, peer = make(), make()
    text = "x" * 5_000_000
    owner.hub._peers._later = {"large": lambda tell, times: [tell(text) for _ in range(times)]}
    assert peer.hub.call("large", 10, times=1) == text


def test_who_does_not_listen_is_not_told(make: Callable[[], Process]) -> None:
    owner, deaf, hearing = make(), make(), make()
    assert not owner.hub.has_listeners
    hearing.hub.listen()
    assert owner.hub.has_listeners
    owner.hub.tell({"n": 1})
    owner.hub.broadcast({"n": 2})
    until(lambda: hearing.events == [{"n": 1}, {"n": 2}])
    until(lambda: deaf.events == [{"n": 2}])
    owner.hub.listen()
    assert owner.events == []


def test_a_slow_call_holds_up_no_other(make: Callable[[], Process]) -> None:
    make()
    peer = make()
    slow = [threading.Thread(target=peer.hub.call, args=("wait", 5), kwargs={"seconds": 2}) for _ in range(50)]
    for thread in slow:
        thread.start()
    started = time.monotonic()
    assert peer.hub.call("add", 5, a=1, b=1) == 2
    assert time.monotonic() - started < 1.5
    for thread in slow:
        thread.join()


def test_the_next_takes_over_when_the_owner_leaves(make: Callable[[], Process]) -> None:
    owner, *peers = [make() for _ in range(3)]
    owner.hub.stop()
    until(lambda: sum(p.hub.is_owner for p in peers) == 1)
    for peer in peers:
        assert peer.hub.call("add", 5, a=2, b=2) == 4


def test_calls_under_way_fail_when_the_owner_leaves(make: Callable[[], Process]) -> None:
    owner, peer = make(), make()
    threading.Timer(0.1, owner.hub.stop).start()
    started = time.monotonic()
    with pytest.raises(GatewayError, match="link-down"):
        peer.hub.call("wait", 5, seconds=3)
    assert time.monotonic() - started < 2


def own(folder: str, ready: Any) -> None:
    process = Process(Path(folder))
    process.hub.start()
    ready.put(process.hub.is_owner)
    time.sleep(30)


def test_a_killed_owner_is_followed_at_once(tmp_path: Path, make: Callable[[], Process]) -> None:
    context = multiprocessing.get_context("spawn")
    ready = context.Queue()
    first = context.Process(target=own, args=(str(tmp_path), ready), daemon=True)
    first.start()
    assert ready.get(timeout=20)
    peer = make()
    assert not peer.hub.is_owner
    assert first.pid is not None
    killed = time.monotonic()
    os.kill(first.pid, signal.SIGKILL)
    until(lambda: peer.hub.is_owner)
    assert time.monotonic() - killed < 4, "a second on a quiet machine; AFTER_FAILURE would be 5 s"
    first.join()
    ready.close()


def test_the_socket_is_ours_alone_and_may_have_a_long_path(tmp_path: Path) -> None:
    folder = tmp_path / ("x" * 120)
    folder.mkdir()
    owner, peer = Process(folder), Process(folder)
    owner.hub.start()
    peer.hub.start()
    assert (folder / "hub.sock").stat().st_mode & 0o777 == 0o600
    assert peer.hub.call("add", 5, a=1, b=1) == 2
    peer.hub.stop()
    owner.hub.stop()
