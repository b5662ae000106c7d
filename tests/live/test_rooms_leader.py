"""The leader is killed while it holds messages to a room: the process that leads then has them, and the membership."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from uuid import uuid4

import pytest

from .conftest import ONE_STREAM
from .gateway import Gateway
from .muc import Guest, OwnRoom
from .proxy import Proxy
from .test_counted import owner_of
from .users import User
from .xmppserver import GATEWAY, XMPPServer


@pytest.fixture
def two(server: XMPPServer, relay: Proxy, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    sections = {**ONE_STREAM, "server": {"workers": 2}}
    gateway = Gateway(tmp_path_factory.mktemp("gateway"), relay.port, sections)
    gateway.start()
    gateway.register("romeo")
    gateway.wait_state("online")
    yield gateway
    gateway.stop()


def test_what_the_leader_held(two: Gateway, relay: Proxy, juliet: User) -> None:
    romeo, garden = Guest(two, "romeo"), OwnRoom(juliet, f"garden-{uuid4().hex[:8]}", persistentroom="1")
    for n in range(4):  # whichever process is asked
        answer = romeo.say(garden.room, f"before {n}", Connection="close")
        assert answer.status == 200, answer.data
    relay.up = False
    relay.cut()
    two.wait_streams(lambda streams: streams[GATEWAY]["state"] != "online")
    for n in range(4):
        assert romeo.say(garden.room, f"held {n}", None, id=f"held-{n}", Connection="close").status == 202
    os.kill(owner_of(two), signal.SIGKILL)
    relay.up = True
    heard = [garden.juliet.wait(lambda s: (s.findtext("{*}body") or "").startswith("held "), 60) for _ in range(4)]
    assert [(s.findtext("{*}body"), s.get("id")) for s in heard] == [(f"held {n}", f"held-{n}") for n in range(4)]
    assert romeo.say(garden.room, "after").status == 200
    assert garden.nicks() == {"romeo"}
