"""Remote calls run in the leader, and broadcasts in every process, whatever connects the processes."""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from drivers import StorageError
from tests.link.attached import until
from tests.processes.memory import MemoryGroup, alone, cut
from xmpp_rest.errors import ERRORS, GatewayError, Row, Unanswered
from xmpp_rest.processes.election import LocalGroup
from xmpp_rest.processes.group import End, Reply
from xmpp_rest.processes.on_leader import on_leader
from xmpp_rest.processes.remote import Remote
from xmpp_rest.protocol.jid import JID
from xmpp_rest.threads.waits import Wait, Waits

ROW = Row(409, "modify", "conflict", "", 7)
JULIET = JID("juliet", "capulet.example", "")


class Visit(NamedTuple):
    who: JID
    number: int


class Guests:
    """A service whose state is in the leader."""

    def __init__(self, remote: Remote) -> None:
        self._remote = remote
        self.visits: list[JID] = []
        self.heard: list[Any] = []
        self.colour = ""
        self.ended = threading.Event()
        remote.offer(self)
        remote.on_broadcast("paint", self._paint)
        remote.on_published("news", self._hear)

    @on_leader
    def visit(self, who: JID, *, times: int = 1) -> Visit:
        self.visits += [who] * times
        return Visit(who, len(self.visits))

    @on_leader(repeatable=True)
    def count(self) -> int:
        return len(self.visits)

    @on_leader
    def fail(self, how: str) -> None:
        raise {"room": GatewayError("room-full", "full it is", ROW, "capulet.example", retry_after=7), "disk": StorageError("the disk is full"), "": ZeroDivisionError("odd")}[how]

    def _wait_deferred(self, reply: Reply, seconds: float, wait: Wait) -> End:
        if seconds < 0:
            raise StorageError("the disk is full")
        if seconds:
            self._remote.timers.after(seconds, lambda: reply([JULIET]))
            self._remote.tell_others("paint", colour="!")
        else:
            reply(["not a JID at all"] if wait.seconds > 7 else StorageError("the disk is full"))
        return self.ended.set

    @on_leader(deferred=_wait_deferred)
    def wait(self, seconds: float, wait: Wait) -> list[Visit | Exception | None]:
        return [None]

    def paint(self, colour: str) -> int:
        done: int = self._remote.broadcast("paint", colour=colour)
        return done

    def _paint(self, colour: str) -> int:
        self.colour += colour
        return len(self.colour)

    def _hear(self, **news: Any) -> None:
        self.heard.append(news)


@pytest.fixture(params=["memory", "local"])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[], Guests]]:
    shared: list[MemoryGroup] = []
    made: list[Guests] = []

    def make() -> Guests:
        group = MemoryGroup(shared) if request.param == "memory" else LocalGroup(tmp_path)
        guests = Guests(Remote(group, Waits(8), StorageError))
        guests._remote.start()
        made.append(guests)
        return guests

    yield make
    for guests in reversed(made):
        if guests._remote.group.is_leader or guests._remote.group.has_others:
            guests._remote.stop()


def test_a_method_runs_in_the_leader(make: Callable[[], Guests]) -> None:
    leader, *followers = make(), make(), make()
    assert leader.visit(JULIET) == Visit(JULIET, 1)
    assert followers[0].visit(JULIET) == Visit(JULIET, 2)
    assert followers[1].visit(who=JULIET, times=2) == Visit(JULIET, 4)
    assert (leader.visits, followers[0].visits, followers[1].visits) == ([JULIET] * 4, [], [])
    assert followers[0].count() == 4


def test_alone_everything_is_done_here() -> None:
    guests = Guests(alone())
    assert guests.visit(JULIET) == Visit(JULIET, 1)
    assert guests.paint("red") == 3
    assert guests.wait(1.0, Wait(1)) == [None]
    assert guests._remote.listen() == 0


def test_errors_keep_their_names(make: Callable[[], Guests], caplog: pytest.LogCaptureFixture) -> None:
    leader, follower = make(), make()
    for how, error in (("room", "room-full"), ("disk", "storage-failed"), ("", "internal")):
        with pytest.raises(GatewayError) as caught:
            follower.fail(how)
        assert (caught.value.name, caught.value.given_retry_after) == (error, 7 if how == "room" else None)
        assert (caught.value.row, caught.value.by) == ((ROW, "capulet.example") if how == "room" else (ERRORS[error], ""))
        assert "odd" not in caught.value.text
    with pytest.raises(StorageError):
        leader.fail("disk")


def test_a_deferred_call(make: Callable[[], Guests]) -> None:
    leader, follower = make(), make()
    assert leader.wait(0.0, Wait(1)) == [None]
    for seconds, allowed, error in ((0.0, 1.0, "storage-failed"), (-1.0, 1.0, "storage-failed"), (0.0, 8.0, "internal")):
        with pytest.raises(GatewayError) as caught:
            follower.wait(seconds, Wait(allowed))
        assert caught.value.name == error


def test_who_has_gone_ends_a_deferred_call(make: Callable[[], Guests]) -> None:
    leader, follower = make(), make()
    with pytest.raises(GatewayError, match="client-gone"):
        follower.wait(30.0, Wait(30, lambda: True))
    assert leader.ended.wait(30)


def test_a_broadcast_is_carried_out_once_in_every_process(make: Callable[[], Guests]) -> None:
    everybody = [make() for _ in range(3)]
    for n, (guests, colour) in enumerate(zip(everybody, "abc", strict=True), 1):
        assert guests.paint(colour) == n
        until(lambda n=n: all(len(g.colour) == n for g in everybody))  # type: ignore[misc]
    assert all(sorted(g.colour) == ["a", "b", "c"] for g in everybody)


def test_a_broadcast_may_call_the_leader(make: Callable[[], Guests]) -> None:
    leader, follower = make(), make()
    for guests in (leader, follower):
        guests._remote.on_broadcast("visit", guests.visit)
    leader._remote.broadcast("visit", who=JULIET)
    until(lambda: len(leader.visits) == 2)
    assert follower.visits == []


def test_what_is_published_is_heard_by_those_that_listen(make: Callable[[], Guests]) -> None:
    leader, deaf, hearing = make(), make(), make()
    assert not leader._remote.group.has_listeners
    assert hearing._remote.listen() == hearing._remote.listen()
    assert leader._remote.group.has_listeners
    for n in range(100):
        leader._remote.publish("news", n=n)
    until(lambda: len(hearing.heard) == 100)
    assert hearing.heard == [{"n": n} for n in range(100)]
    assert deaf.heard == []


def test_the_next_leader_has_another_epoch(make: Callable[[], Guests]) -> None:
    leader, follower = make(), make()
    roles: list[bool] = []
    follower._remote.on_role(roles.append)
    epoch = follower._remote.listen()
    leader._remote.stop()
    until(lambda: roles == [True])
    assert follower.visit(JULIET) == Visit(JULIET, 1)
    assert follower.visits == [JULIET]
    assert follower._remote.listen() == epoch + 1
    assert not leader._remote.group.has_others


def test_calls_wait_until_the_next_leader_has_what_it_needs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The link, say: without it messages would be refused."""
    group = LocalGroup(tmp_path)
    leader, follower = Guests(Remote(LocalGroup(tmp_path), Waits(8), StorageError)), Guests(Remote(group, Waits(8), StorageError))
    order: list[str] = []
    waiting, wait_for_leader = threading.Event(), group.wait_for_leader
    calling = threading.Thread(target=lambda: order.append(f"called {follower.count()}"))

    def wait() -> bool:
        waiting.set()
        return wait_for_leader()

    def attach(leads: bool) -> None:
        if leads:
            monkeypatch.setattr(group, "wait_for_leader", wait)
            calling.start()
            assert waiting.wait(30)
            order.append("attached")

    follower._remote.on_role(attach)
    for guests in (leader, follower):
        guests._remote.start()
    leader._remote.stop()
    until(lambda: len(order) == 2)
    follower._remote.stop()
    assert order == ["attached", "called 0"]


def test_the_leader_hears_of_a_follower_that_has_gone(make: Callable[[], Guests]) -> None:
    leader, follower = make(), make()
    gone: list[str] = []
    leader._remote.on_left(gone.append)
    identifier = follower._remote.group.id
    assert identifier != leader._remote.group.id
    follower.count()
    follower._remote.stop()
    until(lambda: gone == [identifier])


def test_what_was_not_answered() -> None:
    """503 would have programs do it again; for what may be done again that is right."""
    shared: list[MemoryGroup] = []
    leader, follower = (Guests(Remote(MemoryGroup(shared), Waits(8), StorageError)) for _ in range(2))
    for guests in (leader, follower):
        guests._remote.start()
    cut(follower._remote)
    with pytest.raises(GatewayError) as caught:
        follower.visit(JULIET)
    assert caught.value.name == "unanswered"
    assert leader.visits == [JULIET]
    with pytest.raises(Unanswered, match="link-down"):
        follower.count()


def test_calls_are_counted(make: Callable[[], Guests], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("xmpp_rest.threads.waits.PATIENCE", 0.01)
    _, follower = make(), make()
    for _ in range(6):
        assert follower._remote._waits.try_acquire()
    with follower._remote._waits.calling(), pytest.raises(GatewayError, match="waits-full"):
        follower.visit(JULIET)
    assert follower.visit(JULIET).number == 1
    with pytest.raises(GatewayError, match="storage-failed"), follower._remote._waits.calling():
        follower.wait(0.0, Wait(1))  # a waiting call is counted where it waits


def test_an_unknown_call_names_the_cause(make: Callable[[], Guests]) -> None:
    leader, follower = make(), make()
    del leader._remote._procedures["Guests.visit"]
    with pytest.raises(GatewayError, match="of another version"):
        follower.visit(JULIET)


def test_a_broadcast_that_fails_costs_no_other(make: Callable[[], Guests], caplog: pytest.LogCaptureFixture) -> None:
    leader, follower = make(), make()
    follower._remote.on_broadcast("break", lambda: 1 / 0)
    leader._remote.on_broadcast("break", lambda: 7)
    with caplog.at_level(logging.ERROR):
        assert leader._remote.broadcast("break") == 7
        until(lambda: "could not be carried out" in caplog.text)
    assert follower.paint("x") == 1


def lead(folder: str, ready: Any) -> None:
    guests = Guests(Remote(LocalGroup(Path(folder)), Waits(8), StorageError))
    guests._remote.start()
    ready.put(guests._remote.group.is_leader)
    time.sleep(60)


def test_two_processes(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    ready = context.Queue()
    first = context.Process(target=lead, args=(str(tmp_path), ready), daemon=True)
    first.start()
    assert ready.get(timeout=30)
    guests = Guests(Remote(LocalGroup(tmp_path), Waits(8), StorageError))
    guests._remote.start()
    try:
        assert not guests._remote.group.is_leader
        assert [guests.visit(JULIET).number for _ in range(3)] == [1, 2, 3]
        assert guests.visits == []
        assert guests.paint("red") == 3
        failed: list[str] = []

        def wait() -> None:
            try:
                guests.wait(50.0, Wait(50))
            except GatewayError as e:
                failed.append(e.name)

        waiting = threading.Thread(target=wait)
        waiting.start()
        until(lambda: guests.colour == "red!")  # the leader has begun
        assert first.pid is not None
        os.kill(first.pid, signal.SIGKILL)
        waiting.join(30)
        assert failed == ["unanswered"]
        assert guests.visit(JULIET).number == 1
        assert guests._remote.group.is_leader
    finally:
        guests._remote.stop()
        first.join()
        ready.close()
