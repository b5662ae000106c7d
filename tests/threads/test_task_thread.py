"""Tasks of one thread wait for sockets, share groups, and end with it; threads do the same work where there are no tasks."""

from __future__ import annotations

import select
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack

import pytest

from xmpp_rest.threads import task_thread
from xmpp_rest.threads.crew import Crew, ThreadCrew, crew
from xmpp_rest.threads.group import GroupExecutor
from xmpp_rest.threads.task_thread import TaskThread
from xmpp_rest.threads.tasks import Task, current_task, offload

MakeCrew = Callable[[], Crew]
LONG = 30.0


@pytest.fixture(params=["tasks", "threads"])
def make_crew(request: pytest.FixtureRequest) -> Iterator[MakeCrew]:
    with ExitStack() as stack:

        def make() -> Crew:
            made: Crew = TaskThread("tested") if request.param == "tasks" else ThreadCrew("tested")
            stack.callback(made.stop, 5)
            return made

        yield make


@pytest.fixture
def thread() -> Iterator[TaskThread]:
    thread = TaskThread("tested")
    thread.start()
    yield thread
    thread.stop(5)
    assert not thread.living, "all tasks have ended"


@pytest.fixture
def pairs() -> Iterator[list[tuple[socket.socket, socket.socket]]]:
    with ExitStack() as stack:
        made = [socket.socketpair() for _ in range(5)]
        for one, other in made:
            stack.enter_context(one)
            stack.enter_context(other)
            one.setblocking(False)
        yield made


def late(until: threading.Event, seconds: float = LONG) -> None:
    """Hold the thread."""
    until.wait(seconds)


def test_this_system_runs_tasks() -> None:
    assert isinstance(crew("tested"), TaskThread)


def test_many_wait_for_their_sockets(make_crew: MakeCrew, pairs: list[tuple[socket.socket, socket.socket]]) -> None:
    heard: list[bytes] = []
    done = threading.Semaphore(0)
    workers = make_crew()

    def hear(sock: socket.socket) -> None:
        assert workers.wait(sock, select.POLLIN, LONG)
        heard.append(sock.recv(10))
        done.release()

    for one, _ in pairs:
        workers.begin(lambda one=one: hear(one))  # type: ignore[misc]
    workers.start()
    for n, (_, other) in reversed(list(enumerate(pairs))):
        other.send(b"%d" % n)
        assert done.acquire(timeout=LONG)
    assert heard == [b"4", b"3", b"2", b"1", b"0"]


def test_a_wait_for_a_socket_has_its_time(make_crew: MakeCrew, pairs: list[tuple[socket.socket, socket.socket]]) -> None:
    found: list[bool] = []
    ended = threading.Event()
    workers = make_crew()

    def wait() -> None:
        one, other = pairs[0]
        found.append(workers.wait(one, select.POLLOUT, LONG))
        found.append(workers.wait(one, select.POLLIN, 0.05))
        other.close()
        found.append(workers.wait(one, select.POLLIN, LONG))
        ended.set()

    workers.begin(wait)
    workers.start()
    assert ended.wait(LONG)
    assert found == [True, False, True]


def test_a_condition_wakes_workers(make_crew: MakeCrew) -> None:
    workers = make_crew()
    changed = workers.condition()
    woken: list[int] = []
    ready, done = threading.Semaphore(0), threading.Semaphore(0)

    def wait(n: int) -> None:
        with changed:
            ready.release()
            changed.wait()
            woken.append(n)
        done.release()

    for n in range(3):
        workers.begin(lambda n=n: wait(n))  # type: ignore[misc]
    workers.start()
    for _ in range(3):
        assert ready.acquire(timeout=LONG)
    with changed:
        changed.notify()
    assert done.acquire(timeout=LONG)
    assert len(woken) == 1
    with changed:
        changed.notify_all()
    for _ in range(2):
        assert done.acquire(timeout=LONG)
    assert sorted(woken) == [0, 1, 2]


def test_a_condition_is_waited_for_so_long(make_crew: MakeCrew) -> None:
    workers = make_crew()
    changed = workers.condition()
    waited: list[float] = []
    ended = threading.Event()

    def wait() -> None:
        with changed:
            started = time.monotonic()
            changed.wait(0.1)
            waited.append(time.monotonic() - started)
            changed.notify()  # nobody waits any more
        ended.set()

    workers.begin(wait)
    workers.start()
    assert ended.wait(LONG)
    assert 0.09 < waited[0] < LONG


def test_tasks_share_a_group(thread: TaskThread, pairs: list[tuple[socket.socket, socket.socket]]) -> None:
    """All whose sockets are ready at once are one group, however short each is."""
    groups: list[int] = []
    done = threading.Semaphore(0)

    def work(items: Sequence[int]) -> Sequence[int]:
        groups.append(len(items))
        return items

    group: GroupExecutor[int, int] = GroupExecutor(work)
    held = threading.Event()

    def join(n: int) -> None:
        thread.wait(pairs[n][0], select.POLLIN, LONG)
        assert group.run((n,)) == [n]
        done.release()

    for n in range(5):
        thread.begin(lambda n=n: join(n))  # type: ignore[misc]
    thread.begin(lambda: late(held))
    for _, other in pairs:
        other.send(b"x")
    held.set()
    for _ in range(5):
        assert done.acquire(timeout=LONG)
    assert sum(groups) == 5
    assert len(groups) <= 2, "at most one that was alone, and the others"


def test_the_end_of_a_round_comes_although_others_are_always_busy(thread: TaskThread) -> None:
    rounds = 0
    done = threading.Event()
    both: list[Task] = []

    def ping() -> None:
        nonlocal rounds
        me = current_task()
        assert me is not None
        both.append(me)
        while not done.is_set():
            rounds += 1
            if rounds == 100:
                thread.at_end(done.set)
            for task in both:
                if task is not me:
                    task.wake()
            me.park(LONG)
        both[0].wake()
        both[1].wake()

    thread.begin(ping)
    thread.begin(ping)
    assert done.wait(LONG)
    assert rounds >= 100


@pytest.mark.parametrize("others", [True, False])
def test_the_end_of_a_round_waits_for_others_alone(
    thread: TaskThread, pairs: list[tuple[socket.socket, socket.socket]], monkeypatch: pytest.MonkeyPatch, others: bool
) -> None:
    """As long as LINGER; not at all, if nobody waits for a socket."""
    monkeypatch.setattr(task_thread, "LINGER", 0.3 if others else LONG)
    waited: list[float] = []
    begun, done, heard = threading.Event(), threading.Event(), threading.Event()

    def hear() -> None:
        begun.set()
        thread.wait(pairs[0][0], select.POLLIN, LONG)
        heard.set()

    def end() -> None:
        started = time.monotonic()

        def work() -> None:
            waited.append(time.monotonic() - started)
            done.set()

        thread.at_end(work)

    if others:
        thread.begin(hear)
        assert begun.wait(LONG)
    thread.begin(end)
    assert done.wait(LONG)
    pairs[0][1].send(b"x")
    assert not others or heard.wait(LONG)
    assert (waited[0] >= 0.29) is others


def test_an_event_counts_although_the_thread_is_late(thread: TaskThread, pairs: list[tuple[socket.socket, socket.socket]]) -> None:
    found: list[bool] = []
    waits, done = threading.Event(), threading.Event()

    def hear() -> None:
        waits.set()
        found.append(thread.wait(pairs[0][0], select.POLLIN, 0.2))
        done.set()

    thread.begin(hear)
    assert waits.wait(LONG)
    pairs[0][1].send(b"x")
    thread.begin(lambda: time.sleep(0.5))
    assert done.wait(LONG)
    assert found == [True]


def test_offloaded_work_does_not_hold_the_others(thread: TaskThread) -> None:
    gate, done = threading.Event(), threading.Event()
    found: list[bool] = []

    def wait() -> None:
        found.append(offload(lambda: gate.wait(LONG)))
        done.set()

    thread.begin(wait)
    thread.begin(gate.set)
    assert done.wait(LONG)
    assert found == [True]


def test_a_task_that_fails_is_no_harm_to_others(thread: TaskThread, caplog: pytest.LogCaptureFixture) -> None:
    done = threading.Event()

    def fail() -> None:
        raise ZeroDivisionError

    thread.begin(fail)
    thread.begin(done.set)
    assert done.wait(LONG)
    assert "ZeroDivisionError" in caplog.text


def test_a_thread_ends_after_its_tasks() -> None:
    thread = TaskThread("tested")
    changed = thread.condition()
    begun, ended = threading.Event(), threading.Event()

    def wait() -> None:
        with changed:
            begun.set()
            changed.wait()
        ended.set()

    thread.begin(wait)
    thread.start()
    assert begun.wait(LONG)
    thread.stop(0.05)
    assert not ended.is_set()
    with changed:
        changed.notify_all()
    thread.stop(LONG)
    assert ended.is_set()


def test_a_thread_whose_every_round_fails_does_not_fill_the_log(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    thread, paused, ended = TaskThread("tested"), threading.Event(), threading.Event()

    def fail() -> None:
        raise OSError("always")

    def rest(seconds: float) -> None:
        assert seconds == task_thread.PAUSE
        paused.set()
        ended.wait(30)

    monkeypatch.setattr(thread, "_round", fail)
    monkeypatch.setattr("xmpp_rest.threads.task_thread.time.sleep", rest)
    thread.start()
    try:
        assert paused.wait(30)
        assert caplog.text.count("tasks go on after an error") == task_thread.MOST_FAILURES + 1
    finally:
        ended.set()
        thread.stop(30)
