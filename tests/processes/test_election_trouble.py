"""Does the hub go on, whatever goes wrong with one connection, one call, one event, or one attempt to take its place?"""

from __future__ import annotations

import errno
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.link.attached import until
from xmpp_rest.errors import GatewayError
from xmpp_rest.processes import election as hub_module
from xmpp_rest.processes.channel import listen
from xmpp_rest.processes.election import Hub


class Pair:
    """An owner and a peer of it, whose event handler fails for what is odd."""

    def __init__(self, folder: Path) -> None:
        self.heard: list[Any] = []
        self.ended = threading.Event()
        self.roles: list[bool] = []
        self.fail_role = False
        self.owner, self.peer = (self._hub(folder) for _ in range(2))

    def _hub(self, folder: Path) -> Hub:
        later = {"hang": lambda tell: self.ended.set}
        return Hub(folder, quick={"add": lambda a, b: a + b}, later=later, on_role=self._role, on_event=self._event)

    def _role(self, owner: bool) -> None:
        self.roles.append(owner)
        if owner and self.fail_role:
            self.fail_role = False
            raise OSError(errno.EMFILE, "Too many open files")

    def _event(self, event: dict[str, Any]) -> None:
        if event["n"] % 2:
            raise RuntimeError("nobody foresaw this")
        self.heard.append(event["n"])


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    pair = Pair(tmp_path)
    yield pair
    pair.peer.stop()
    pair.owner.stop()


def test_an_event_that_cannot_be_told_costs_no_other(pair: Pair) -> None:
    pair.owner.start()
    pair.peer.start()
    assert pair.peer.call("add", 5, a=1, b=1) == 2
    for n in range(6):
        pair.owner.broadcast({"n": n})
    until(lambda: pair.heard == [0, 2, 4])
    assert pair.peer.call("add", 5, a=1, b=2) == 3
    assert pair.roles == [True, False]


def test_a_peer_that_there_is_no_descriptor_for_comes_later(pair: Pair, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    real, left = listen, [OSError(errno.EMFILE, "Too many open files")] * 3

    class Starved(socket.socket):
        def accept(self) -> tuple[socket.socket, Any]:
            if left:
                raise left.pop()
            return super().accept()

    monkeypatch.setattr(hub_module, "listen", lambda path: Starved(fileno=real(path).detach()))
    pair.owner.start()
    pair.peer.start()
    assert pair.peer.call("add", 5, a=1, b=1) == 2
    assert pair.roles == [True, False]  # the owner has not given up what it owns
    assert caplog.text.count("cannot be let in") == 1


def test_what_is_no_message_ends_that_connection_alone(pair: Pair, tmp_path: Path) -> None:
    pair.owner.start()
    pair.peer.start()
    for sent in (b"\0\0\0\4junk", b"\0\0\0\2{}", b'\0\0\0\x0b{"call":[]}', b"\xff\xff\xff\xff"):
        with socket.socket(socket.AF_UNIX) as stranger:
            stranger.connect(str(tmp_path / "hub.sock"))
            stranger.sendall(sent)
            stranger.settimeout(5)
            assert stranger.recv(100)  # the welcome, at least
    assert pair.peer.call("add", 5, a=1, b=1) == 2


def test_an_owner_that_cannot_begin_tries_again(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub_module, "AFTER_FAILURE", 0.05)
    pair.fail_role = True
    pair.owner.start()
    assert pair.owner.call("add", 5, a=1, b=1) == 2
    assert pair.roles == [True, True]


def ask_in_vain(hub: Hub) -> None:
    with pytest.raises(GatewayError, match="link-down"):
        hub.call("hang", 30)


@pytest.mark.parametrize("gone", [True, False])
def test_the_owner_hears_that_nobody_waits(pair: Pair, gone: bool) -> None:
    """Because the client has gone, or the process that asked."""
    pair.owner.start()
    pair.peer.start()
    if gone:
        with pytest.raises(GatewayError, match="client-gone"):
            pair.peer.call("hang", 30, lambda: True)
    else:
        waiting = threading.Thread(target=ask_in_vain, args=(pair.peer,), daemon=True)
        waiting.start()
        until(lambda: bool(pair.owner._peers._promised))
        pair.peer.stop()
        waiting.join(5)
    assert pair.ended.wait(5)
    assert not pair.owner._peers._promised
