"""There is always exactly one leader, and its followers can reach it (decision 0007)."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from xmpp_rest.errors import GatewayError, Unanswered
from xmpp_rest.processes import election
from xmpp_rest.processes.election import LocalGroup
from xmpp_rest.processes.group import Message, Reply
from xmpp_rest.threads.waits import Wait


class Process:
    """A process of the gateway, as its group calls it."""

    def __init__(self, folder: Path) -> None:
        self.roles: list[bool] = []
        self.heard: list[Message] = []
        self.gone: list[str] = []
        self.large = ""
        self.answers: list[Callable[[], None]] = []  # of deferred calls: given once the test calls them
        self.group = LocalGroup(folder)
        self.take_role = self.roles.append
        self.hear = self.heard.append
        self.forget = self.gone.append

    def call(self, name: str, seconds: float = 30, /, **arguments: Any) -> Any:
        return self.group.call(name, arguments, Wait(seconds))

    def await_role(self) -> None:
        """Only the group of several nodes says so."""

    def is_of_node(self, name: str) -> bool:
        return False

    def forget_on_node(self, process: str) -> None:
        """It is told to `forget` as well."""

    def is_deferred(self, name: str) -> bool:
        return name in ("promise", "large")

    def perform(self, name: str, arguments: Message) -> Any:
        match name:
            case "add":
                return arguments["a"] + arguments["b"]
            case "refuse":
                raise GatewayError("outbox-full", "full it is")
        return 1 / 0

    def begin(self, name: str, arguments: Message, reply: Reply) -> None:
        match name:
            case "promise":
                if arguments["value"] < 0:
                    raise GatewayError("iq-conflict")
                self.answers.append(lambda: reply(arguments["value"] or GatewayError("iq-timeout")))
            case "large":
                reply(self.large)


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Callable[[], Process]]:
    made: list[Process] = []

    def make() -> Process:
        process = Process(tmp_path)
        process.group.start(process)
        made.append(process)
        return process

    yield make
    for process in made:
        process.group.stop()


def until(condition: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_one_leader_and_its_followers(make: Callable[[], Process]) -> None:
    leader, *followers = [make() for _ in range(3)]
    assert leader.group.is_leader
    assert leader.roles == [True]
    assert [f.roles for f in followers] == [[False], [False]]
    for follower in followers:
        assert follower.call("add", a=1, b=2) == 3
    until(lambda: all(process.group.has_others for process in (leader, *followers)))


def test_a_follower_hears_what_is_broadcast_from_its_start_on(make: Callable[[], Process]) -> None:
    leader = make()
    for n in range(20):
        follower = make()
        leader.group.broadcast({"n": n})
        until(lambda heard=follower.heard, n=n: heard == [{"n": n}])  # type: ignore[misc]


def test_messages_reach_every_follower_in_order(make: Callable[[], Process]) -> None:
    leader, *followers = [make() for _ in range(3)]
    for n in range(500):
        leader.group.broadcast({"n": n})
    for follower in followers:
        until(lambda heard=follower.heard: len(heard) == 500)  # type: ignore[misc]
        assert follower.heard == [{"n": n} for n in range(500)]


def test_errors_travel(make: Callable[[], Process]) -> None:
    make()
    follower = make()
    with pytest.raises(GatewayError, match="full it is") as caught:
        follower.call("refuse")
    assert caught.value.row.status == 503
    with pytest.raises(GatewayError) as unforeseen:
        follower.call("fail")
    assert unforeseen.value.row.status == 500
    assert "division" not in str(unforeseen.value)
    with pytest.raises(Unanswered, match="link-down"):
        follower.call("promise", 0.1, value=1)


def test_what_is_deferred_comes_later_and_holds_up_nobody(make: Callable[[], Process]) -> None:
    leader, follower = make(), make()
    with ThreadPoolExecutor(51) as pool:
        waiting = [pool.submit(follower.call, "promise", value=n) for n in range(51)]
        until(lambda: len(leader.answers) == 51)
        assert follower.call("add", a=1, b=1) == 2
        assert not any(call.done() for call in waiting)
        for answer in leader.answers:
            answer()
        with pytest.raises(GatewayError) as late:
            waiting[0].result()
        assert late.value.name == "iq-timeout"
        assert [call.result() for call in waiting[1:]] == list(range(1, 51))
    with pytest.raises(GatewayError) as at_once:
        follower.call("promise", value=-1)
    assert at_once.value.name == "iq-conflict"
    with pytest.raises(Unanswered, match="link-down"):
        follower.call("promise", 0.1, value=1)


def test_a_large_answer_comes_whole_however_late(make: Callable[[], Process]) -> None:
    leader, follower = make(), make()
    leader.large = "x" * 5_000_000
    assert follower.call("large", 10) == leader.large


def test_what_is_published_reaches_those_that_listen(make: Callable[[], Process]) -> None:
    leader, deaf, hearing = make(), make(), make()
    assert not leader.group.has_listeners
    hearing.group.listen()
    assert leader.group.has_listeners
    leader.group.publish({"n": 1})
    leader.group.broadcast({"n": 2})
    until(lambda: hearing.heard == [{"n": 1}, {"n": 2}])
    until(lambda: deaf.heard == [{"n": 2}])


def test_the_leader_is_told_of_a_follower_that_has_gone(make: Callable[[], Process]) -> None:
    leader, follower, other = make(), make(), make()
    assert len({process.group.id for process in (leader, follower, other)}) == 3
    identifier = follower.group.id
    until(lambda: leader.group.has_follower(identifier))
    follower.group.stop()
    until(lambda: leader.gone == [identifier])
    assert not leader.group.has_follower(identifier)
    until(lambda: leader.group.has_follower(other.group.id))
    assert other.group.has_others


def test_the_next_takes_over_when_the_leader_leaves(make: Callable[[], Process]) -> None:
    leader, *followers = [make() for _ in range(3)]
    before = followers[0].group.id
    leader.group.stop()
    until(lambda: sum(f.group.is_leader for f in followers) == 1)
    (follower,) = [f for f in followers if not f.group.is_leader]
    assert follower.group.wait_for_leader()
    assert follower.call("add", a=2, b=2) == 4
    assert follower.roles == [False, False]
    assert follower is not followers[0] or follower.group.id != before


def test_calls_under_way_fail_when_the_leader_leaves(make: Callable[[], Process]) -> None:
    leader, follower = make(), make()
    with ThreadPoolExecutor(1) as pool:
        calling = pool.submit(follower.call, "promise", 50, value=1)
        until(lambda: bool(leader.answers))
        started = time.monotonic()
        leader.group.stop()
        with pytest.raises(Unanswered, match="link-down"):
            calling.result()
    assert time.monotonic() - started < 25, "not when its time is over"


def lead(folder: str, ready: Any) -> None:
    process = Process(Path(folder))
    process.group.start(process)
    ready.put(process.group.is_leader)
    time.sleep(30)


def test_a_killed_leader_is_followed_at_once(tmp_path: Path, make: Callable[[], Process], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(election, "AFTER_FAILURE", 600)  # a failure would not be over before `until` is
    context = multiprocessing.get_context("spawn")
    ready = context.Queue()
    first = context.Process(target=lead, args=(str(tmp_path), ready), daemon=True)
    first.start()
    assert ready.get(timeout=30)
    follower = make()
    assert not follower.group.is_leader
    assert first.pid is not None
    os.kill(first.pid, signal.SIGKILL)
    until(lambda: follower.group.is_leader)
    first.join()
    ready.close()


def test_the_socket_is_ours_alone_and_may_have_a_long_path(tmp_path: Path) -> None:
    folder = tmp_path / ("x" * 120)
    folder.mkdir()
    leader, follower = Process(folder), Process(folder)
    for process in (leader, follower):
        process.group.start(process)
    assert (folder / "hub.sock").stat().st_mode & 0o777 == 0o600
    assert follower.call("add", a=1, b=1) == 2
    for process in (follower, leader):
        process.group.stop()
