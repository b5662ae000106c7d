"""Wrong passwords count in every process of the gateway."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, cast

import pytest

from tests.conftest import DOMAIN, PASSWORD
from tests.link.attached import until
from tests.processes.memory import MemoryGroup, alone, cut, processes
from xmpp_rest.auth.caller import Caller, Denial, DenialReason
from xmpp_rest.auth.throttle import UNTOLD, Throttle
from xmpp_rest.gateway.gateway import Gateway
from xmpp_rest.protocol.jid import parse_jid

Attempt = Callable[[Gateway, str], object]
JULIET = parse_jid(f"juliet@{DOMAIN}")
KEY = ("juliet", "192.0.2.1")


@pytest.fixture
def pair_settings() -> dict[str, str]:
    return {"auth_failures": "4"}


@pytest.fixture
def attempt(pair: tuple[Gateway, Gateway]) -> Attempt:
    """Tries a password in one of the two; returns when the other one has heard of it."""

    def attempt(gateway: Gateway, password: str) -> object:
        came = gateway.parts.authenticator.password(JULIET, password, "192.0.2.1")
        pair[1].parts.online.all()  # the leader's answer: after all that it has said before on the same connection
        for thread in threading.enumerate():
            if thread.name == "broadcast":
                thread.join(30)
        return came.reason if isinstance(came, Denial) else Caller

    return attempt


@pytest.mark.parametrize("first", [0, 1])
def test_they_count_together(pair: tuple[Gateway, Gateway], attempt: Attempt, first: int) -> None:
    one, two = pair[first], pair[1 - first]
    assert [attempt(gateway, "wrong") for gateway in (one, two, one, two)] == [DenialReason.WRONG] * 4
    assert [attempt(gateway, "wrong") for gateway in (one, two)] == [DenialReason.THROTTLED] * 2
    assert [attempt(gateway, PASSWORD) for gateway in (one, two)] == [Caller] * 2


@pytest.mark.parametrize("first", [0, 1])
def test_each_counts_once(pair: tuple[Gateway, Gateway], attempt: Attempt, first: int) -> None:
    assert [attempt(pair[first], "wrong") for _ in range(3)] == [DenialReason.WRONG] * 3
    assert [attempt(gateway, PASSWORD) for gateway in pair] == [Caller] * 2


@pytest.mark.parametrize("first", [0, 1])
def test_the_right_one_begins_the_count_anew_everywhere(pair: tuple[Gateway, Gateway], attempt: Attempt, first: int) -> None:
    one, two = pair[first], pair[1 - first]
    assert [attempt(one, "wrong") for _ in range(3)] == [DenialReason.WRONG] * 3
    assert attempt(two, PASSWORD) is Caller
    assert [attempt(one, "wrong") for _ in range(5)] == [DenialReason.WRONG] * 4 + [DenialReason.THROTTLED]


def test_it_does_so_once_in_a_window(pair: tuple[Gateway, Gateway], attempt: Attempt) -> None:
    """Otherwise a client that shares its address with one that logs in often could guess as often."""
    for _ in range(2):
        attempt(pair[0], "wrong")
        assert attempt(pair[0], PASSWORD) is Caller
    assert [attempt(pair[0], "wrong") for _ in range(4)] == [DenialReason.WRONG] * 3 + [DenialReason.THROTTLED]


def test_a_process_alone_tells_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    remote = alone()
    monkeypatch.setattr(remote, "tell_others", None)
    throttle = Throttle(1, remote)
    throttle.failed(("juliet", "192.0.2.1"))
    assert throttle.failed(("juliet", "192.0.2.1")) > 0


def test_an_attempt_counts_here_though_the_leader_has_ended(caplog: pytest.LogCaptureFixture) -> None:
    leader, follower = processes(2)
    throttles = [Throttle(1, remote) for remote in (leader, follower)]
    leader.start()
    follower.start()
    key = ("juliet", "192.0.2.1")
    throttles[1].failed(key)
    assert throttles[0].failed(key) > 0
    cut(follower)
    with caplog.at_level("INFO"):
        assert throttles[1].failed(key) > 0
    assert "do not hear" in caplog.text


def test_a_machine_that_finds_no_owner_answers_at_once_and_tells_later(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    remotes = processes(2)
    for remote in remotes:
        cast(MemoryGroup, remote.group).spans_nodes = True
    throttles = [Throttle(1, remote) for remote in remotes]
    for remote in remotes:
        remote.start()
    owned, told = threading.Event(), threading.Event()
    tell = remotes[1].tell_others

    def tell_once_owned(name: str, **arguments: Any) -> None:
        assert owned.wait(30)
        tell(name, **arguments)
        told.set()

    monkeypatch.setattr(remotes[1], "tell_others", tell_once_owned)
    throttles[1].failed(KEY)
    assert throttles[1].failed(KEY) > 0
    assert not throttles[0].charges(KEY)
    with caplog.at_level("INFO"):
        for number in range(UNTOLD + 2):
            throttles[1].failed((f"user{number}", "192.0.2.2"))
    assert "of so many" in caplog.text
    owned.set()
    until(lambda: throttles[0].charges(KEY))
    for remote in remotes:
        remote.pool.stop()
