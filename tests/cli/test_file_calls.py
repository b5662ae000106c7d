"""Files that the command line hands to the leader of its machine in pieces."""

from __future__ import annotations

import base64
import errno
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import pytest

from tests.conftest import DOMAIN, PASSWORD
from xmpp_rest.cli import file_calls
from xmpp_rest.cli.file_calls import MOST, FileCalls, FileToSend
from xmpp_rest.errors import GatewayError
from xmpp_rest.gateway.gateway import Gateway
from xmpp_rest.processes.calls import LeaderClient
from xmpp_rest.protocol.jid import parse_jid
from xmpp_rest.threads.waits import Wait

ADMIN, JULIET = parse_jid(f"admin@{DOMAIN}"), parse_jid(f"juliet@{DOMAIN}")
PIECE = base64.b64encode(b"rose").decode()


@pytest.fixture
def config(config: Path) -> Path:
    config.write_text(config.read_text() + "[files]\nmax_size = 10\nquota = 8\n")
    return config


@pytest.fixture
def leader(config: Path, gateway: Gateway) -> Iterator[LeaderClient]:
    gateway.parts.accounts.register(JULIET, PASSWORD)
    client = LeaderClient(config.parent / "data")
    yield client
    client.close()


def begin(leader: LeaderClient, size: int = 4) -> str:
    reply = leader.call(FileCalls.begin_file, file=FileToSend(ADMIN, [JULIET], "", "a.txt", size))
    return str(reply["name"])


def test_a_file_that_comes_in_pieces(leader: LeaderClient, gateway: Gateway) -> None:
    name = begin(leader)
    assert leader.call(FileCalls.add_to_file, name=name, piece=PIECE) == {}
    reply = leader.call(FileCalls.send_file, name=name, caption="", seconds=0.0, wait=Wait(10))
    (message,) = reply["messages"]
    assert (message["to"], message["outcome"]) == (str(JULIET), "accepted")
    (kept,) = gateway.parts.files.of(ADMIN)
    assert (kept.size, kept.name) == (4, "a.txt")
    with pytest.raises(GatewayError) as raised:  # it was sent, and is not sent again
        leader.call(FileCalls.send_file, name=name, caption="", seconds=0.0, wait=Wait(10))
    assert raised.value.name == "client-gone"


def test_more_comes_than_may(leader: LeaderClient, gateway: Gateway) -> None:
    name = begin(leader)
    reply = [leader.call(FileCalls.add_to_file, name=name, piece=PIECE) for _ in range(3)][-1]
    assert reply["refused"]["code"] == 413
    with pytest.raises(GatewayError):
        leader.call(FileCalls.add_to_file, name=name, piece=PIECE)
    assert gateway.parts.files.used(ADMIN) == 0


def test_what_there_is_no_room_for_is_refused_at_once(leader: LeaderClient) -> None:
    reply = leader.call(FileCalls.begin_file, file=FileToSend(ADMIN, [JULIET], "", "a.txt", 11))
    assert reply["refused"]["code"] == 413


def test_a_disk_that_is_full_at_the_end(leader: LeaderClient, gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> NoReturn:
        raise OSError(errno.ENOSPC, "no space left")

    name = begin(leader)
    leader.call(FileCalls.add_to_file, name=name, piece=PIECE)
    monkeypatch.setattr(gateway.parts.files.store, "commit", full)
    reply = leader.call(FileCalls.send_file, name=name, caption="Look", seconds=0.0, wait=Wait(10))
    assert (reply["refused"]["code"], "messages" in reply) == (507, False)
    assert gateway.parts.files.used(ADMIN) == 0


def test_as_many_as_may_and_what_nobody_goes_on_with(leader: LeaderClient, monkeypatch: pytest.MonkeyPatch) -> None:
    names = [begin(leader, 0) for _ in range(MOST)]
    with pytest.raises(GatewayError) as raised:
        begin(leader, 0)
    assert raised.value.name == "waits-full"
    monkeypatch.setattr(file_calls, "IDLE", -1.0)
    last = begin(leader, 0)
    for name in names:
        with pytest.raises(GatewayError) as raised:
            leader.call(FileCalls.add_to_file, name=name, piece=PIECE)
        assert raised.value.name == "client-gone"
    leader.call(FileCalls.drop_file, name=last)
