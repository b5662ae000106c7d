"""Whoever keeps the event loop busy does not keep it from looking for others."""

from __future__ import annotations

import os
import socket
import threading
import time

import pytest

from tests.link.attached import until
from xmpp_rest.serving.loop import MOST_FAILURES, PAUSE, PUT_OFF, Loop
from xmpp_rest.threads.tasks import pause

BUSY = 10


def test_an_event_comes_after_two_turns_of_the_others() -> None:
    loop, turns, told, heard = Loop(2), [0], [0], [0]
    came = threading.Event()
    ours, theirs = socket.socketpair()

    def busy() -> None:
        turns[0] += 1
        if turns[0] == 5 * BUSY:
            told[0] = turns[0]
            theirs.send(b"x")
        time.sleep(0.002)
        if not came.is_set():
            loop.call(busy)

    def hear(_: int) -> None:
        if told[0] and not came.is_set():
            heard[0] = turns[0]
            came.set()

    loop.call(lambda: loop.register(ours, hear))
    for _ in range(BUSY):
        loop.call(busy)
    loop.start()
    try:
        assert came.wait(30)
        assert heard[0] - told[0] <= 2 * BUSY
    finally:
        loop.stop()
        ours.close()
        theirs.close()


def test_an_event_comes_after_a_few_of_many_calls_that_were_put_off() -> None:
    loop, turns, told, heard = Loop(2), [0], [0], [0]
    came = threading.Event()
    ours, theirs = socket.socketpair()

    def flood() -> None:
        turns[0] += 1
        if turns[0] == 5 * BUSY:
            told[0] = turns[0]
            theirs.send(b"x")
        time.sleep(0.001)
        if not came.is_set():
            loop.put_off(flood)

    def hear(_: int) -> None:
        if told[0] and not came.is_set():
            heard[0] = turns[0]
            came.set()

    def begin() -> None:
        loop.register(ours, hear)
        for _ in range(50 * BUSY):
            loop.put_off(flood)

    loop.call(begin)
    loop.start()
    try:
        assert came.wait(30)
        assert heard[0] - told[0] <= 2 * PUT_OFF
    finally:
        loop.stop()
        ours.close()
        theirs.close()


def test_an_event_comes_before_tasks_that_have_not_begun() -> None:
    loop, begun, told, heard = Loop(2), [0], [0], [0]
    came = threading.Event()
    ours, theirs = socket.socketpair()

    def work() -> None:
        begun[0] += 1
        if begun[0] == BUSY:
            told[0] = begun[0]
            theirs.send(b"x")
        pause(0.002)

    def block() -> None:
        time.sleep(0.002)
        work()

    def hear(_: int) -> None:
        if told[0] and not came.is_set():
            heard[0] = begun[0]
            came.set()

    loop.call(lambda: loop.register(ours, hear))
    for _ in range(10 * BUSY):
        loop.begin(block)
    loop.start()
    try:
        assert came.wait(30)
        assert heard[0] - told[0] <= BUSY
    finally:
        loop.stop()
        ours.close()
        theirs.close()


def test_who_waits_is_woken_once_for_all_that_other_threads_put(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each call into the kernel would give the interpreter's lock away, to the loop itself."""
    loop, writes = Loop(2), [0]
    done, put, looked = threading.Semaphore(0), threading.Event(), threading.Event()
    write, look = os.eventfd_write, loop._look

    def write_late(descriptor: int, value: int) -> None:
        writes[0] += 1
        assert put.wait(30)
        write(descriptor, value)

    def tell(patience: float) -> None:
        if patience:
            looked.set()
        look(patience)

    monkeypatch.setattr("xmpp_rest.serving.loop.LONGEST", 60.0)
    monkeypatch.setattr(os, "eventfd_write", write_late)
    monkeypatch.setattr(loop, "_look", tell)
    loop.start()
    try:
        assert looked.wait(30)
        first = threading.Thread(target=loop.call, args=(done.release,))
        first.start()
        until(lambda: writes[0] > 0)
        for _ in range(BUSY):
            loop.call(done.release)
        assert writes[0] == 1
        put.set()
        first.join()
        for _ in range(BUSY + 1):
            assert done.acquire(timeout=30)
    finally:
        put.set()
        loop.stop()


def test_a_loop_that_always_fails_does_not_fill_the_log(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    loop = Loop(2)
    failures, paused = [0], threading.Event()

    def fail(_: object) -> None:
        failures[0] += 1
        raise OSError("always")

    def rest(seconds: float) -> None:
        assert seconds == PAUSE
        paused.set()
        ended.wait(30)

    ended = threading.Event()
    monkeypatch.setattr(loop, "_step", fail)
    monkeypatch.setattr("xmpp_rest.serving.loop.time.sleep", rest)
    loop.start()
    try:
        assert paused.wait(30)
        assert failures[0] == MOST_FAILURES + 1
        assert caplog.text.count("an event could not be handled") == failures[0]
    finally:
        loop.stopped = True
        ended.set()
        loop.stop()


def test_failures_with_success_between_them_do_not_pause_the_loop(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    loop, done = Loop(2), threading.Event()

    def fail() -> None:
        raise OSError("this one")

    monkeypatch.setattr("xmpp_rest.serving.loop.time.sleep", lambda _: pytest.fail("it pauses"))
    for _ in range(2 * MOST_FAILURES):
        loop.call(fail)
        loop.call(lambda: None)
    loop.call(done.set)
    loop.start()
    try:
        assert done.wait(30)
        assert caplog.text.count("an event could not be handled") == 2 * MOST_FAILURES
    finally:
        loop.stop()
