"""Work that is put off until a thread has finished what it is in the middle of."""

from __future__ import annotations

import threading

import pytest

from tests.threads.scheduler import OneThread
from xmpp_rest.threads.afterwards import Afterwards
from xmpp_rest.threads.tasks import pause


def test_work_waits_for_the_outermost_context() -> None:
    afterwards, done = Afterwards(), list[str]()
    afterwards.do(lambda: done.append("outside: at once"))
    with afterwards.holding():
        afterwards.do(lambda: done.append("first"))
        with afterwards.holding():
            afterwards.do(lambda: done.append("second"))
        assert done == ["outside: at once"]
    assert done == ["outside: at once", "first", "second"]


def test_work_is_done_after_an_exception_too() -> None:
    afterwards, done = Afterwards(), list[str]()

    def fail() -> None:
        with afterwards.holding():
            afterwards.do(lambda: done.append("accepted before"))
            raise ValueError("refused")

    with pytest.raises(ValueError, match="refused"):
        fail()
    assert done == ["accepted before"]
    afterwards.do(lambda: done.append("at once again"))
    assert done[1:] == ["at once again"]


def test_other_threads_do_not_wait() -> None:
    afterwards, done = Afterwards(), list[str]()
    with afterwards.holding():
        thread = threading.Thread(target=lambda: afterwards.do(lambda: done.append("other")))
        thread.start()
        thread.join(30)
        assert done == ["other"]


def test_other_tasks_do_not_wait() -> None:
    afterwards, done = Afterwards(), list[str]()

    def hold() -> None:
        with afterwards.holding():
            afterwards.do(lambda: done.append("held"))
            pause(0.01)

    def other() -> None:
        with afterwards.holding():
            afterwards.do(lambda: done.append("other"))
        assert done == ["other"]

    OneThread().run(hold, other)
    assert done == ["other", "held"]
