"""Pieces of work run at the same time, and their results come in order."""

from __future__ import annotations

import threading
from functools import partial

import pytest

from xmpp_rest.threads.side_by_side import side_by_side


def test_all_run_at_once_and_results_are_in_order() -> None:
    meet = threading.Barrier(3)

    def work(n: int) -> tuple[int, bool]:
        meet.wait(20)
        return n, threading.current_thread() is caller

    caller = threading.current_thread()
    assert side_by_side([partial(work, n) for n in range(3)], "test") == [(0, True), (1, False), (2, False)]


def test_one_and_none_begin_no_thread() -> None:
    assert side_by_side([threading.current_thread], "test") == [threading.current_thread()]
    assert side_by_side([], "test") == []


def test_what_gets_no_thread_is_done_here(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_more(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", no_more)
    assert side_by_side([threading.current_thread] * 3, "test") == [threading.current_thread()] * 3
