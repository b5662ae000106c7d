"""Clocks of machines that differ are told of, each hour."""

from __future__ import annotations

import pytest

from tests.cluster.rows import row
from xmpp_rest.cluster.clocks import ClockComparison


def test_a_line_each_hour(caplog: pytest.LogCaptureFixture) -> None:
    now = [0.0]
    clocks = ClockComparison(lambda: now[0])
    clocks.look(0.2, [row("web2", clock=1.0), row("web3"), row("web4", clock="late")])
    assert not caplog.messages
    for now[0] in (0.0, 3599.0, 3601.0):
        clocks.look(0.5, [row("web2", clock=-1.8), row("web3", clock=3.0)])
    assert len(caplog.messages) == 2
    said = "at node web2 2.3 s behind that of this one, at node web3 2.5 s ahead of that of this one"
    assert said in caplog.messages[0]
