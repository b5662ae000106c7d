"""The group goes on, whatever goes wrong with one connection, one call, one message, or one attempt to take its place."""

from __future__ import annotations

import errno
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.link.attached import until
from xmpp_rest.errors import GatewayError
from xmpp_rest.processes import election
from xmpp_rest.processes.channel import Channel, listen
from xmpp_rest.processes.election import LocalGroup
from xmpp_rest.processes.group import End, Message, Reply
from xmpp_rest.processes.server import Followers
from xmpp_rest.threads.waits import Wait


class Process:
    """One process, which fails to take what is odd."""

    def __init__(self, folder: Path) -> None:
        self.group = LocalGroup(folder)
        self.heard: list[Any] = []
        self.ended = threading.Event()
        self.roles: list[bool] = []
        self.fail_role = False

    def start(self) -> None:
        self.group.start(self)

    def add(self, a: int, b: int) -> Any:
        return self.group.call("add", {"a": a, "b": b}, Wait(5))

    def take_role(self, is_leader: bool) -> None:
        self.roles.append(is_leader)
        if is_leader and self.fail_role:
            self.fail_role = False
            raise OSError(errno.EMFILE, "Too many open files")

    def await_role(self) -> None:
        """Only the group of several nodes says so."""

    def is_of_node(self, name: str) -> bool:
        return False

    def forget_on_node(self, process: str) -> None:
        """It is told to `forget` as well."""

    def is_deferred(self, name: str) -> bool:
        return name == "hang"

    def perform(self, name: str, arguments: Message) -> Any:
        return arguments["a"] + arguments["b"]

    def begin(self, name: str, arguments: Message, reply: Reply) -> End:
        return self.ended.set

    def hear(self, message: Message) -> None:
        if message["n"] % 2:
            raise RuntimeError("nobody foresaw this")
        self.heard.append(message["n"])

    def forget(self, process: str) -> None:
        """There is nothing to forget."""


class Pair(NamedTuple):
    leader: Process
    follower: Process


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    pair = Pair(Process(tmp_path), Process(tmp_path))
    yield pair
    pair.follower.group.stop()
    pair.leader.group.stop()


def test_a_message_that_cannot_be_taken_costs_no_other(pair: Pair) -> None:
    pair.leader.start()
    pair.follower.start()
    assert pair.follower.add(1, 1) == 2
    for n in range(6):
        pair.leader.group.broadcast({"n": n})
    until(lambda: pair.follower.heard == [0, 2, 4])
    assert pair.follower.add(1, 2) == 3
    assert (pair.leader.roles, pair.follower.roles) == ([True], [False])


def test_a_follower_that_there_is_no_descriptor_for_comes_later(pair: Pair, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    real, left = listen, [OSError(errno.EMFILE, "Too many open files")] * 3

    class Starved(socket.socket):
        def accept(self) -> tuple[socket.socket, Any]:
            if left:
                raise left.pop()
            return super().accept()

    monkeypatch.setattr(election, "listen", lambda path: Starved(fileno=real(path).detach()))
    pair.leader.start()
    pair.follower.start()
    assert pair.follower.add(1, 1) == 2
    assert (pair.leader.roles, pair.follower.roles) == ([True], [False])  # the leader has not given up
    assert caplog.text.count("cannot be let in") == 1


def test_what_is_no_message_ends_that_connection_alone(pair: Pair, tmp_path: Path) -> None:
    pair.leader.start()
    pair.follower.start()
    for sent in (b"\0\0\0\4junk", b"\0\0\0\2{}", b'\0\0\0\x0b{"call":[]}', b"\xff\xff\xff\xff"):
        with socket.socket(socket.AF_UNIX) as stranger:
            stranger.connect(str(tmp_path / "hub.sock"))
            stranger.sendall(sent)
            stranger.settimeout(30)
            assert stranger.recv(100)  # the welcome, at least
    assert pair.follower.add(1, 1) == 2


def test_a_leader_that_cannot_begin_tries_again(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(election, "AFTER_FAILURE", 0.05)
    pair.leader.fail_role = True
    pair.leader.start()
    assert pair.leader.group.wait_for_leader()
    assert pair.leader.roles == [True, True]


def call_in_vain(process: Process) -> None:
    with pytest.raises(GatewayError, match="link-down"):
        process.group.call("hang", {}, Wait(30))


@pytest.mark.parametrize("gone", [True, False])
def test_the_leader_hears_that_nobody_waits(pair: Pair, gone: bool) -> None:
    """Because the client has gone, or the process that called."""
    pair.leader.start()
    pair.follower.start()
    if gone:
        with pytest.raises(GatewayError, match="client-gone"):
            pair.follower.group.call("hang", {}, Wait(30, lambda: True))
    else:
        waiting = threading.Thread(target=call_in_vain, args=(pair.follower,), daemon=True)
        waiting.start()
        until(lambda: bool(pair.leader.group._followers._calls._under_way))
        pair.follower.group.stop()
        waiting.join(30)
    assert pair.leader.ended.wait(30)
    assert not pair.leader.group._followers._calls._under_way


def test_a_process_that_has_not_begun_waits_for_no_leader(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(election, "ROLE_TIMEOUT", 50.0)
    started = time.monotonic()
    with pytest.raises(GatewayError, match="link-down"):
        pair.leader.add(1, 1)
    assert time.monotonic() - started < 30, "otherwise it waits for 50"


def test_who_connects_as_the_leader_ends_is_turned_away(caplog: pytest.LogCaptureFixture) -> None:
    followers, member = Followers(), Process(Path("unused"))
    ours, theirs = socket.socketpair()
    followers.stop()
    followers.admit(theirs, member)
    ours.settimeout(30)
    assert Channel(ours).receive() is None
    ours.close()
    assert not caplog.records


def test_a_call_that_comes_as_the_leader_ends_is_refused_as_not_done() -> None:
    followers, member = Followers(), Process(Path("unused"))
    ours, theirs = socket.socketpair()
    followers.admit(theirs, member)
    channel = Channel(ours)
    assert channel.receive() is not None
    followers._calls.stop()  # what has come before the connection ends
    channel.send({"call": "add", "arguments": {"a": 1, "b": 2}, "number": 7})
    answer = channel.receive()
    assert answer is not None
    assert answer["error"][0] == "link-down"
    channel.close()
    followers.stop()
