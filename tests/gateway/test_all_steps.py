"""An end takes all of its steps."""

from __future__ import annotations

import pytest

from tests.raising import raising
from xmpp_rest.gateway.all_steps import take_all
from xmpp_rest.gateway.gateway import Gateway


def test_all_in_order_whatever_fails() -> None:
    taken = list[str]()
    steps = [lambda: taken.append("a"), raising(ValueError("b")), lambda: taken.append("c"), raising(OSError("d")), lambda: taken.append("e")]
    with pytest.raises(ExceptionGroup, match="several parts") as caught:
        take_all(steps)
    assert taken == ["a", "c", "e"]
    assert [str(each) for each in caught.value.exceptions] == ["b", "d"]


def test_a_part_that_cannot_end_keeps_no_other_from_ending(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    """The journals of callbacks are closed last."""
    gateway.start()
    ended = list[bool]()
    stop = gateway.parts.callbacks.stop
    monkeypatch.setattr(gateway.parts.callbacks, "stop", lambda: (ended.append(True), stop()))
    monkeypatch.setattr(gateway.parts.leader._scheduled, "stop", raising(RuntimeError("it does not end")))
    with pytest.raises(RuntimeError, match="it does not end"):
        gateway.parts.leader.end()
    assert ended == [True]
