"""Questions whose answer may be long in coming: one at a time, remembered for a while, and never waited for too long."""

from __future__ import annotations

import threading

import pytest

from tests.many import in_threads, when
from xmpp_rest.threads.probe import Probe


def test_those_who_ask_at_once_share_an_answer() -> None:
    asked, going = [0], threading.Event()

    def question() -> int:
        asked[0] += 1
        going.wait(30)
        return asked[0]

    probe = Probe(question, patience=30, kept=0)
    when(lambda: len(probe._waiting or ()) == 5, going.set)
    assert in_threads(lambda _: probe.ask(), range(5)) == [1] * 5
    assert probe.ask() == 2


def test_an_answer_is_good_for_a_while() -> None:
    asked = [0]

    def question() -> int:
        asked[0] += 1
        return asked[0]

    probe = Probe(question, patience=30, kept=1000)
    assert [probe.ask() for _ in range(3)] == [1, 1, 1]


def test_a_question_without_an_answer_is_asked_once_and_not_waited_for() -> None:
    asked, going = [0], threading.Event()

    def question() -> int:
        asked[0] += 1
        going.wait(30)
        return asked[0]

    probe = Probe(question, patience=0.01, kept=1000)
    for _ in range(3):
        with pytest.raises(TimeoutError):
            probe.ask()
    assert asked == [1]
    going.set()
    patient = Probe(probe.ask, patience=30, kept=0)
    while True:  # bounded by the time limit of the test
        try:
            assert patient.ask() == 1
            return
        except TimeoutError:
            continue


def test_the_error_of_a_question_is_remembered_as_well() -> None:
    asked = [0]

    def question() -> int:
        asked[0] += 1
        raise ValueError("no")

    probe = Probe(question, patience=30, kept=1000)
    for _ in range(2):
        with pytest.raises(ValueError, match="no"):
            probe.ask()
    assert asked == [1]


def test_a_system_without_threads_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    probe = Probe(int, patience=30, kept=0)
    monkeypatch.setattr(threading.Thread, "start", refuse)
    with pytest.raises(RuntimeError):
        probe.ask()
    monkeypatch.undo()
    assert probe.ask() == 0
