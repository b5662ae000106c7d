"""Logins around the end of a process: who is under way, and that nothing begins after it (service/sessions/login_queue.py)."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from tests.link.attached import until
from tests.service.sessions.scripted import ROMEO, TYBALT
from xmpp_rest.errors import GatewayError
from xmpp_rest.service.sessions.login_queue import LoginJob, LoginQueue


def test_one_is_under_way_until_it_has_ended() -> None:
    queue, may_go = LoginQueue(4, 60.0), threading.Event()

    def run() -> None:
        may_go.wait(60)

    queue.put(LoginJob(ROMEO, lambda: True, run, lambda _: None))
    until(lambda: queue.is_under_way(ROMEO))
    assert not queue.is_under_way(TYBALT)
    queue.stop()
    assert queue.is_under_way(ROMEO)
    may_go.set()
    until(lambda: not queue.is_under_way(ROMEO))


def test_one_whose_thread_comes_after_the_end_does_not_begin(monkeypatch: pytest.MonkeyPatch) -> None:
    queue = LoginQueue(4, 60.0)
    threads: list[Callable[[], None]] = []
    monkeypatch.setattr(queue._pool, "submit", threads.append)
    run: list[str] = []
    given_up: list[GatewayError] = []
    queue.put(LoginJob(ROMEO, lambda: True, lambda: run.append("run"), given_up.append))
    queue.stop()
    assert not queue.is_under_way(ROMEO)
    [thread] = threads
    thread()
    assert (run, len(given_up), queue.under_way) == ([], 1, 0)
