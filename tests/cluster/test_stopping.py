"""A process that is about to end does not begin to own (many-machines §13)."""

from __future__ import annotations

import time

import pytest

from tests.cluster.conftest import AddMachine
from tests.link.attached import until
from xmpp_rest.gateway import gateway


def test_a_process_that_stops_takes_no_lease(add_machine: AddMachine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gateway, "GRACE", 0.0)
    owner, beside = add_machine("web1"), add_machine("web1")
    beside.gateway.end_waiting()
    owner.gateway.stop()
    until(lambda: beside.gateway.parts.remote.group.is_speaker)
    assert add_machine("web2").owns
    assert not beside.owns


def test_a_process_ends_soon_though_there_is_no_owner(add_machine: AddMachine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gateway, "GRACE", 0.0)
    machine = add_machine("web1", cluster_may_own="no")
    begun = time.monotonic()
    machine.gateway.stop()
    assert time.monotonic() - begun < 9, "as long as one call waits for an owner otherwise"
