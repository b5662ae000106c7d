"""Every accepted stanza is delivered, in order, whatever fails in between."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from .conftest import ONE_STREAM
from .gateway import Gateway
from .proxy import Proxy
from .test_outcome import chat, outcome
from .users import User

Start = Callable[..., Gateway]
COUNT = 100


@pytest.fixture
def attached(start_gateway: Start, relay: Proxy) -> Gateway:
    """A gateway of the test's own behind `relay`, with the account romeo."""
    gateway = start_gateway(relay.port)
    gateway.register("romeo")
    gateway.wait_state("online")
    return gateway


def first_arrivals(user: User, count: int, timeout: float = 30.0) -> list[str]:
    """The bodies of the messages that arrive until there are `count` different ones; of repeated ones, the first."""
    bodies: dict[str, None] = {}
    deadline = time.monotonic() + timeout
    while len(bodies) < count:
        bodies.setdefault(user.wait_message(timeout=deadline - time.monotonic()).findtext("{*}body") or "")
    return list(bodies)


def test_what_the_network_swallowed_is_sent_again(attached: Gateway, relay: Proxy, juliet: User) -> None:
    """The kernel took it, the server never saw it: XEP-0114 itself would not notice."""
    relay.swallow = True
    for n in range(COUNT):
        attached.send(chat(juliet.jid, f"s{n}"), "romeo")
    outcome(attached, f"s{COUNT - 1}", "written")
    relay.cut()
    relay.swallow = False
    assert first_arrivals(juliet, COUNT) == [f"s{n}" for n in range(COUNT)]
    outcome(attached, f"s{COUNT - 1}", "confirmed")


def test_cuts_in_the_middle_lose_nothing(attached: Gateway, relay: Proxy, juliet: User) -> None:
    for n in range(COUNT):
        attached.send(chat(juliet.jid, f"c{n}"), "romeo")
        if n % 30 == 29:
            relay.cut()
    assert first_arrivals(juliet, COUNT) == [f"c{n}" for n in range(COUNT)]


@pytest.mark.parametrize("end", [Gateway.stop, Gateway.kill], ids=["stop", "kill"])
def test_what_was_accepted_outlives_the_gateway(attached: Gateway, relay: Proxy, juliet: User, end: Callable[[Gateway], None]) -> None:
    relay.up = False
    relay.cut()
    attached.wait_streams(lambda streams: all(s["state"] != "online" for s in streams.values()))
    for n in range(COUNT):
        attached.send(chat(juliet.jid, f"k{n}"), "romeo")
    end(attached)
    relay.up = True
    attached.start()
    assert first_arrivals(juliet, COUNT) == [f"k{n}" for n in range(COUNT)]


def test_a_server_that_went_silent_is_left(start_gateway: Start, relay: Proxy, juliet: User) -> None:
    """No end of the connection is seen; the iq that does not come back is what tells (`[link] keepalive`)."""
    gateway = start_gateway(relay.port, {**ONE_STREAM, "link": {"keepalive": 1}})
    gateway.register("romeo")
    gateway.wait_state("online")
    relay.swallow = True
    gateway.send(chat(juliet.jid, "silence"), "romeo")
    gateway.wait_streams(lambda streams: all(s["state"] != "online" for s in streams.values()), 10)
    relay.swallow = False
    juliet.wait_message("silence", 15)
