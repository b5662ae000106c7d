"""Work on threads of its own, for which a task parks."""

from __future__ import annotations

import threading

from tests.threads.scheduler import OneThread
from xmpp_rest.threads.apart import Apart


def test_what_is_no_task_does_it_itself() -> None:
    assert Apart(1, "x").run(threading.get_ident) == threading.get_ident()


def test_a_task_gets_what_it_returns_or_raises_and_holds_up_no_other() -> None:
    apart, begun, said = Apart(1, "x"), threading.Event(), list[object]()

    def waits() -> None:
        said.append(apart.run(lambda: begun.wait(30) and threading.get_ident()) != threading.get_ident())
        try:
            apart.run(lambda: 1 // 0)
        except ZeroDivisionError:
            said.append("raised")

    def goes_on() -> None:
        said.append("first")
        begun.set()

    OneThread().run(waits, goes_on)
    assert said == ["first", True, "raised"]
