"""Signals: who hears of what happened, and what a handler that fails does to the others."""

from __future__ import annotations

import pytest

from xmpp_rest.gateway.events import Signal
from xmpp_rest.incidents import Incidents


def fail(_: int) -> None:
    raise ValueError("no")


def test_a_handler_that_fails_keeps_nobody_from_hearing() -> None:
    heard: list[int] = []
    incidents = Incidents()
    signal = Signal[int]("happened", incidents)
    for handler in (heard.append, fail, heard.append):
        signal.subscribe(handler)
    signal.emit(7)
    assert (heard, incidents.counts()) == ([7, 7], {"signal-happened": 1})


def test_a_strict_signal_ends_where_a_handler_fails() -> None:
    heard: list[int] = []
    signal = Signal[int]("happening", Incidents(), strict=True)
    for handler in (heard.append, fail, heard.append):
        signal.subscribe(handler)
    with pytest.raises(ValueError, match="no"):
        signal.emit(7)
    assert heard == [7]


def test_nobody_need_hear() -> None:
    Signal[int]("unheard", Incidents(), strict=True).emit(1)
