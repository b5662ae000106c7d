"""Rooms of accounts of real servers over what happens to their sessions: breaks, servers that forget them, and the end of the gateway."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from tests.authority import Authority

from .conftest import require, running
from .foreign_guest import ForeignGuest, ServerRoom, VisitedGateway
from .gateway import Sections
from .muc import Guest
from .proxy import Proxy
from .tls_servers import TLS_SERVERS, ForeignUser, TLSServer
from .users import EventLoop

SETTINGS: Sections = {
    "gateway": {"rooms_domain": "", "conference_domain": ""},
    "rooms_anywhere": {"retry_max": 1, "reflection_timeout": 5, "hold": 60},
    "sessions": {"keepalive": 2},
}


@pytest.fixture
def relay(tls_server: TLSServer) -> Iterator[Proxy]:
    yield from running(Proxy(tls_server.direct_port))


@pytest.fixture
def visited(tls_server: TLSServer, relay: Proxy, tmp_path: Path) -> Iterator[VisitedGateway]:
    gateway = VisitedGateway(tmp_path, tls_server, SETTINGS, relay.port)
    try:
        gateway.start()
        gateway.wait_state("online")
        yield gateway
    finally:
        gateway.stop()


@pytest.fixture
def romeo(visited: VisitedGateway) -> ForeignGuest:
    return ForeignGuest(visited, "romeo")


@pytest.fixture
def owner(tls_server: TLSServer, event_loop_thread: EventLoop) -> Iterator[ForeignUser]:
    user = ForeignUser(event_loop_thread, tls_server, "juliet")
    user.connect()
    yield user
    user.close()


@pytest.fixture
def garden(owner: ForeignUser) -> ServerRoom:
    return ServerRoom(owner, f"garden-{uuid4().hex[:8]}", persistentroom="1")


def until_reflected(guest: Guest, identifier: str) -> None:
    deadline = time.monotonic() + 90
    while (found := guest.outcome(identifier)).get("state") != "reflected":
        assert time.monotonic() < deadline, found
        time.sleep(0.05)


def test_what_is_said_over_breaks_comes_once_and_in_order(romeo: ForeignGuest, garden: ServerRoom, relay: Proxy) -> None:
    assert romeo.put(garden.room, {"stay": True}).status == 201
    garden.sees("romeo")
    for number in range(6):
        if number % 2:
            relay.cut()
        assert romeo.say(garden.room, f"word {number}", None, id=f"m{number}").status == 202
    for number in range(6):
        until_reflected(romeo, f"m{number}")
        garden.hears(f"word {number}")
    assert romeo.view(garden.room)["state"] == "in"
    deadline = time.monotonic() + 30
    while (heard := [message["body"] for message in romeo.messages(garden.room)]) != [f"word {number}" for number in range(6)]:
        assert time.monotonic() < deadline, heard
        time.sleep(0.05)


def test_what_others_say_during_a_break_is_heard(romeo: ForeignGuest, garden: ServerRoom, relay: Proxy) -> None:
    assert romeo.put(garden.room).status == 201
    garden.sees("romeo")
    relay.cut()
    garden.juliet.send_message(garden.room, "Where are you", "groupchat")
    deadline = time.monotonic() + 60
    while "Where are you" not in [message.get("body") for message in romeo.messages(garden.room)]:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_the_end_of_the_gateway_leaves(romeo: ForeignGuest, garden: ServerRoom) -> None:
    assert romeo.put(garden.room, {"stay": True}).status == 201
    garden.sees("romeo")
    romeo.gateway.stop()
    garden.sees("romeo", "unavailable")
    romeo.gateway.start()
    romeo.gateway.wait_state("online")
    assert romeo.ask("GET", "").json() == {"rooms": []}


def test_a_server_that_has_started_again_knows_who_speaks(romeo: ForeignGuest, garden: ServerRoom, tls_server: TLSServer, owner: ForeignUser) -> None:
    assert romeo.put(garden.room, {"stay": True}).status == 201
    garden.sees("romeo")
    assert romeo.say(garden.room, "Hark").status == 200
    tls_server.stop()
    tls_server.start()
    deadline = time.monotonic() + 90
    while (answer := romeo.say(garden.room, "Soft")).status != 200:
        assert answer.status in (503, 504), answer.data
        assert time.monotonic() < deadline, answer.data
        time.sleep(0.2)
    assert romeo.view(garden.room)["state"] == "in"


@pytest.fixture(params=TLS_SERVERS, ids=lambda cls: cls.name)
def forgetful(request: pytest.FixtureRequest, tmp_path: Path, authority: Authority) -> Iterator[TLSServer]:
    """A server that forgets broken sessions after a second."""
    require(request.param.program)
    (tmp_path / "forgetful").mkdir()
    yield from running(request.param(tmp_path / "forgetful" / "server", authority, hibernation=1))


def test_a_server_that_has_forgotten_the_session_has_it_in_the_room_again(
    forgetful: TLSServer, event_loop_thread: EventLoop, tmp_path: Path
) -> None:
    """The occupant is out with the session before; the gateway logs in and comes in again, and says what was not said (accounts-anywhere §5.7)."""
    relay, owner = Proxy(forgetful.direct_port), ForeignUser(event_loop_thread, forgetful, "juliet")
    gateway = VisitedGateway(tmp_path, forgetful, SETTINGS, relay.port)
    relay.start()
    try:
        gateway.start()
        owner.connect()
        garden, romeo = ServerRoom(owner, "garden", persistentroom="1"), ForeignGuest(gateway, "romeo")
        assert romeo.put(garden.room, {"stay": True}).status == 201
        garden.sees("romeo")
        relay.up = False
        relay.cut()
        assert romeo.say(garden.room, "Hark", None, id="m1").status == 202
        garden.sees("romeo", "unavailable")
        relay.up = True
        until_reflected(romeo, "m1")
        garden.hears("Hark")
        assert romeo.view(garden.room)["state"] == "in"
    finally:
        gateway.stop()
        owner.close()
        relay.stop()
