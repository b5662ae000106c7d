"""The timer of vacant rooms starts and stops with the leader."""

from __future__ import annotations

import threading

import pytest

from xmpp_rest.gateway.gateway import Gateway


def running() -> int:
    return sum(thread.name == "vacant rooms" for thread in threading.enumerate())


def test_it_may_be_stopped_while_it_is_being_started(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    assert gateway.parts.conference is not None
    vacancy = gateway.parts.conference.vacancy
    start, before = threading.Thread.start, running()

    def interrupted(thread: threading.Thread) -> None:
        vacancy.stop()
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", interrupted)
    vacancy.start()
    monkeypatch.undo()
    vacancy.stop()
    assert running() == before
