"""Requests that wait while the parts of a gateway are replaced, and those that still use the former ones."""

from __future__ import annotations

import threading

import pytest

from xmpp_rest.errors import GatewayError
from xmpp_rest.gateway import requests_in_progress
from xmpp_rest.gateway.requests_in_progress import RequestsInProgress


def test_a_request_waits_until_there_are_new_parts() -> None:
    requests = RequestsInProgress()
    first = requests.enter()
    begun = requests.hold()
    entered: list[int] = []
    waiting = threading.Thread(target=lambda: entered.append(requests.enter()))
    waiting.start()
    assert not requests.wait_for(begun, 0.05)
    assert not entered
    requests.leave(first)
    assert requests.wait_for(begun, 30)
    requests.go_on()
    waiting.join(30)
    assert entered == [begun + 1]
    assert requests.wait_for(begun, 0)  # it is none of those
    requests.leave(entered[0])
    assert requests.wait_for(begun + 1, 0)


def test_it_does_not_wait_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requests_in_progress, "HELD", 0.05)
    requests = RequestsInProgress()
    requests.hold()
    with pytest.raises(GatewayError) as raised:
        requests.enter()
    assert (raised.value.name, raised.value.retry_after) == ("link-down", 5)
