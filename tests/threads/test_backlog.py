"""What is left to a backlog is handled once, in order, and together where much has come (threads/backlog.py)."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence

import pytest

from xmpp_rest.threads.backlog import Backlog
from xmpp_rest.threads.pool import CompletingPool


@pytest.fixture
def pool() -> Iterator[CompletingPool]:
    pool = CompletingPool(4, "test")
    yield pool
    pool.stop()


def test_what_comes_meanwhile_is_handled_together(pool: CompletingPool) -> None:
    handled: list[list[int]] = []
    begun, go_on, done = threading.Event(), threading.Event(), threading.Event()

    def handle(items: Sequence[int]) -> None:
        handled.append(list(items))
        begun.set()
        assert go_on.wait(30)
        if items[-1] == 9:
            done.set()

    backlog = Backlog(pool, handle)
    backlog.put(0)
    assert begun.wait(30)
    for n in range(1, 10):
        backlog.put(n)
    assert handled == [[0]], "by one thread at a time"
    go_on.set()
    assert done.wait(30)
    assert handled == [[0], list(range(1, 10))]


def test_every_item_is_handled_once_and_in_order(pool: CompletingPool) -> None:
    handled: list[tuple[int, int]] = []
    done = threading.Event()

    def handle(items: Sequence[tuple[int, int]]) -> None:
        handled.extend(items)
        if len(handled) == 2000:
            done.set()

    backlog = Backlog(pool, handle)

    def put(name: int) -> None:
        for n in range(500):
            backlog.put((name, n))

    threads = [threading.Thread(target=put, args=(name,)) for name in range(4)]
    for thread in threads:
        thread.start()
    assert done.wait(30)
    for name in range(4):
        assert [n for who, n in handled if who == name] == list(range(500))


def test_what_fails_is_logged_and_the_next_is_handled(pool: CompletingPool, caplog: pytest.LogCaptureFixture) -> None:
    done = threading.Event()

    def handle(items: Sequence[str]) -> None:
        if items[0] == "bad":
            raise RuntimeError("boom")
        done.set()

    backlog = Backlog(pool, handle)
    backlog.put("bad")
    while not caplog.records:
        assert not done.is_set()
    backlog.put("good")
    assert done.wait(30)
    assert "boom" in caplog.text


def test_without_a_pool_it_is_handled_at_once(pool: CompletingPool) -> None:
    pool.stop()
    handled: list[int] = []
    Backlog(pool, handled.extend).put(1)
    assert handled == [1]
