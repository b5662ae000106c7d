"""Occupants in rooms of real servers: who stays, who is put out for good, and who comes back after what was lost."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
import urllib3

from .conftest import ONE_STREAM
from .gateway import Gateway, Sections
from .muc import Guest, OwnRoom
from .proxy import Proxy
from .test_counted import owner_of
from .users import EventLoop, User
from .xmppserver import GATEWAY, XMPPServer

SETTINGS: Sections = {**ONE_STREAM, "server": {"workers": 2}, "rooms_anywhere": {"retry_max": 1, "self_ping": 2}}


@pytest.fixture(scope="module")
def anywhere(proxy: Proxy, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    gateway = Gateway(tmp_path_factory.mktemp("gateway"), proxy.port, SETTINGS)
    gateway.start()
    for name in "romeo", "mercutio":
        gateway.register(name)
    gateway.wait_state("online")
    yield gateway
    gateway.stop()


@pytest.fixture
def romeo(anywhere: Gateway) -> Guest:
    return Guest(anywhere, "romeo")


@pytest.fixture
def garden(romeo: Guest, juliet: User) -> Iterator[OwnRoom]:
    """A room in which romeo is as well."""
    garden = OwnRoom(juliet, f"garden-{uuid4().hex[:8]}", persistentroom="1")
    assert romeo.put(garden.room).status == 201
    garden.sees("romeo")
    yield garden
    romeo.ask("DELETE", f"/{garden.room}")


def cut(romeo: Guest, proxy: Proxy) -> None:
    """Break the link, and let it not come back."""
    proxy.up = False
    proxy.cut()
    romeo.gateway.wait_streams(lambda streams: streams[GATEWAY]["state"] != "online")


def mend(romeo: Guest, proxy: Proxy) -> None:
    proxy.up = True
    romeo.gateway.wait_state("online")


@pytest.mark.parametrize(
    ("item", "status", "condition", "again"),
    [
        (("nick='romeo'", "role='none'"), 307, "not-allowed", (201, None)),
        ((f"jid='romeo@{GATEWAY}'", "affiliation='outcast'"), 301, "forbidden", (403, "forbidden")),
    ],
)
def test_put_out_for_good(
    romeo: Guest, garden: OwnRoom, item: tuple[str, str], status: int, condition: str, again: tuple[int, Any], server: XMPPServer
) -> None:
    garden.change(*item)
    view = romeo.until(garden.room, "out")
    reason = view["reason"]
    assert (reason["condition"], reason["text"], reason["rejoin"], reason["next"]) == (condition, "Too loud", False, None)
    assert status in reason["status"]
    if server.name == "prosody":
        assert reason["actor"] == "Juliet"
    answer = romeo.put(garden.room)
    assert (answer.status, answer.json().get("condition")) == again
    if again[0] == 201:
        assert answer.json()["reason"] is None


def test_members_only_and_destroyed(romeo: Guest, garden: OwnRoom) -> None:
    garden.configure(persistentroom="1", membersonly="1")
    reason = romeo.until(garden.room, "out")["reason"]
    assert (reason["condition"], reason["rejoin"]) == ("registration-required", False)
    garden.configure(persistentroom="1", membersonly="0")
    assert romeo.put(garden.room).status == 201
    garden.destroy(f"yard@{garden.room.partition('@')[2]}")
    reason = romeo.until(garden.room, "out")["reason"]
    assert (reason["condition"], reason["rejoin"]) == ("gone", False)
    assert "Over" in reason["text"]


def test_a_break_of_the_link(romeo: Guest, garden: OwnRoom, proxy: Proxy) -> None:
    cut(romeo, proxy)
    mend(romeo, proxy)
    romeo.until(garden.room, "in")
    assert garden.nicks() == {"romeo"}
    # somebody speaks meanwhile, until the room has lost it (ejabberd may not find out)
    cut(romeo, proxy)
    for n in range(3):
        garden.juliet.send_message(garden.room, f"Anybody? {n}", "groupchat")
        garden.hears(f"Anybody? {n}")
    with contextlib.suppress(TimeoutError):
        garden.sees("romeo", "unavailable", 2)
    mend(romeo, proxy)
    romeo.until_listed(garden.room, "Juliet")
    view = romeo.until(garden.room, "in")
    assert view["nick"] == "romeo"
    assert garden.nicks() == {"romeo"}


def test_a_loss_in_silence(romeo: Guest, garden: OwnRoom) -> None:
    """Nobody says anything; the room is asked."""
    gone = f"<presence from='{romeo.occupant}' to='{garden.room}/romeo' type='unavailable'/>"
    assert romeo.gateway.request("POST", "/rest", gone, "application/xmpp+xml").status == 202
    garden.sees("romeo", "unavailable")
    garden.sees("romeo")
    romeo.until(garden.room, "in")
    assert garden.nicks() == {"romeo"}


def test_a_restart_of_the_gateway_is_not_seen(romeo: Guest, garden: OwnRoom) -> None:
    guest = Guest(romeo.gateway, "mercutio")
    assert guest.put(garden.room, {"stay": False}).status == 201
    garden.sees("mercutio")
    romeo.gateway.stop()
    garden.sees("mercutio", "unavailable")
    romeo.gateway.start()
    romeo.gateway.wait_state("online")
    view = romeo.until(garden.room, "in")
    assert (view["nick"], view["by"], view["stay"]) == ("romeo", "request", True)
    romeo.gateway.kill()
    romeo.gateway.start()
    romeo.gateway.wait_state("online")
    romeo.until(garden.room, "in")
    assert guest.ask("GET", f"/{garden.room}").status == 404
    assert not [s for s in garden.juliet.drain() if garden.about("romeo", "unavailable")(s)]


def test_a_restart_of_the_server(romeo: Guest, garden: OwnRoom, server: XMPPServer, event_loop_thread: EventLoop) -> None:
    server.stop()
    romeo.gateway.wait_streams(lambda streams: streams[GATEWAY]["state"] != "online")
    server.start()
    juliet = User(event_loop_thread, server, "juliet", "garden")
    juliet.connect()
    try:
        garden.enter(juliet)
        romeo.gateway.wait_state("online")
        romeo.until_listed(garden.room, "Juliet")
        romeo.until(garden.room, "in")
        assert garden.nicks() == {"romeo"}
    finally:
        juliet.close()


def test_an_account_that_is_removed_leaves(romeo: Guest, garden: OwnRoom) -> None:
    romeo.gateway.register("paris")
    paris = Guest(romeo.gateway, "paris")
    assert paris.put(garden.room).status == 201
    garden.sees("paris")
    answer = romeo.gateway.post_json({"user": "paris", "host": GATEWAY}, "admin", "/api/unregister")
    assert answer.status == 200
    garden.sees("paris", "unavailable")
    romeo.gateway.register("paris")
    assert paris.ask("GET", "").json() == {"rooms": []}


def test_a_process_that_takes_over_the_link_goes_on(romeo: Guest, garden: OwnRoom) -> None:
    guest, leader = Guest(romeo.gateway, "mercutio"), owner_of(romeo.gateway)
    assert guest.put(garden.room, {"stay": False}).status == 201
    garden.sees("mercutio")
    os.kill(leader, signal.SIGKILL)
    deadline = time.monotonic() + 60
    while owner_of(romeo.gateway) == leader or not is_in(guest, garden) or not is_in(romeo, garden):
        assert time.monotonic() < deadline, romeo.gateway.log()[-2000:]
        time.sleep(0.1)
    assert guest.say(garden.room, "Still here").status == 200
    garden.hears("Still here")
    assert not [s for s in garden.juliet.drain() if s.get("type") == "unavailable"]
    assert guest.ask("DELETE", f"/{garden.room}").status == 204
    garden.sees("mercutio", "unavailable")


def is_in(guest: Guest, garden: OwnRoom) -> bool:
    """Whether some process says so: one of them may just have ended."""
    try:
        answer = guest.ask("GET", f"/{garden.room}")
    except urllib3.exceptions.HTTPError:
        return False
    return answer.status == 200 and answer.json()["state"] == "in"
