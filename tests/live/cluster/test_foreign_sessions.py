"""Sessions of accounts of real servers over changes of the owner: in use, they go on, and nobody there sees more than a short break."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from uuid import uuid4

import pytest
import urllib3

from tests.live.foreign_guest import ForeignGuest, ServerRoom
from tests.live.foreign_reader import ForeignReader
from tests.live.gateway import Sections
from tests.live.tls_servers import FOREIGN, ForeignUser, TLSServer
from tests.live.users import EventLoop
from tests.live.xmppserver import GATEWAY

from .machines import Machines, until
from .node import Node

ROMEO = f"romeo@{FOREIGN}"
PAUSE = 0.5  # seconds between two messages: some 60 of a room are kept, which is longer than a change takes on a busy machine


@pytest.fixture(scope="module")
def sections(tls_server: TLSServer) -> Sections:
    return {"login.montague": tls_server.login_settings(), "rooms_anywhere": {"retry_max": 1}, "sessions": {"poll": 1}}


@pytest.fixture
def juliet(tls_server: TLSServer, event_loop_thread: EventLoop) -> Iterator[ForeignUser]:
    user = ForeignUser(event_loop_thread, tls_server, "juliet")
    user.connect()
    yield user
    user.close()


@pytest.fixture
def garden(juliet: ForeignUser) -> ServerRoom:
    return ServerRoom(juliet, f"garden-{uuid4().hex[:8]}", persistentroom="1")


class LastingReader(threading.Thread):
    """Reads the events of romeo at a node, and resumes whenever the stream ends, as an EventSource does."""

    def __init__(self, node: Node) -> None:
        super().__init__(name="lasting reader", daemon=True)
        self._node = node
        self._ends = threading.Event()
        self._readers: list[ForeignReader] = []
        self.start()
        until(lambda: bool(self._readers))

    def run(self) -> None:
        while not self._ends.is_set():
            try:
                self._readers.append(ForeignReader(self._node.port, ROMEO, last=self._readers[-1].last if self._readers else ""))
            except (AssertionError, OSError):  # it is refused while there is no owner
                self._ends.wait(0.2)
                continue
            while not self._readers[-1].ended and not self._ends.is_set():
                self._ends.wait(0.05)

    @property
    def bodies(self) -> list[str]:
        return [body for reader in self._readers for body in reader.bodies]

    @property
    def told(self) -> str:
        """The number of the stream, the begin of the id, and that of each event."""
        every = [(n, event.id[:4], event.data) for n, reader in enumerate(self._readers) for event in reader.events]
        return " ".join(f"{n}:{i}:{json.loads(data)['body'].split()[-1]}" for n, i, data in every if "to you" in data)

    def wait(self, body: str) -> None:
        until(lambda: body in self.bodies, 60)

    def close(self) -> None:
        self._ends.set()
        self.join(60)
        for reader in self._readers:
            reader.close()


class Talking(threading.Thread):
    """Says numbers to romeo, and in a room, until it ends."""

    def __init__(self, juliet: ForeignUser, room: str) -> None:
        super().__init__(name="talking", daemon=True)
        self._juliet = juliet
        self._room = room
        self._ends = threading.Event()
        self.said = 0
        self.start()

    def run(self) -> None:
        while not self._ends.is_set():
            self._juliet.send_message(ROMEO, f"to you {self.said}", "chat")
            self._juliet.send_message(self._room, f"to all {self.said}", "groupchat")
            self.said += 1
            self._ends.wait(PAUSE)

    def end(self) -> int:
        self._ends.set()
        self.join(30)
        return self.said


def known(machines: Machines, owner: Node) -> None:
    """Until all nodes know each other, and the others can go on with what this owner has."""
    machines.settle()
    until(lambda: all(len(node.cluster()["nodes"]) == len(machines.nodes) for node in machines.nodes))
    time.sleep(1.0)  # the key of proofs is learnt in the background


def move(machines: Machines, owner: Node, other: Node) -> None:
    done = other.command_line("cluster", "move", GATEWAY, other.name)
    assert done.returncode == 0, (done.stdout, done.stderr, machines.tail())
    assert machines.owner(besides=owner) is other


def is_in(guest: ForeignGuest, room: str) -> bool:
    """Whether it is in; no where the node has just closed an idle connection, which this asked on."""
    try:
        return bool(guest.view(room)["state"] == "in")
    except urllib3.exceptions.ProtocolError:
        return False


def check_heard(guest: ForeignGuest, room: str, since: int) -> None:
    """What is kept of the room, which is some 60 messages, has no gap, and begins before this number."""
    answer = guest.ask("GET", f"/{room}/messages?max=500")
    assert answer.status == 200, answer.data
    heard = [int(message["body"].removeprefix("to all ")) for message in answer.json()["messages"]]
    assert heard == list(range(heard[0], heard[-1] + 1))
    assert heard[0] < since <= heard[-1]


def test_rooms_and_events_over_changes_of_the_owner(machines: Machines, garden: ServerRoom, juliet: ForeignUser) -> None:
    first = machines.owner()
    second = machines.other(first)
    romeo, elsewhere = ForeignGuest(second, "romeo"), ForeignGuest(first, "romeo")
    known(machines, first)
    assert romeo.put(garden.room, {"stay": True}).status == 201
    garden.sees("romeo")
    occupant = romeo.occupant
    reader = LastingReader(second)
    talking = Talking(juliet, garden.room)
    try:
        reader.wait("to you 3")
        for owner, other in ((first, second), (second, first), (first, second)):
            known(machines, owner)
            said = talking.said
            move(machines, owner, other)
            until(lambda: is_in(romeo, garden.room))
            check_heard(romeo, garden.room, said)
            reader.wait(f"to you {talking.said + 5}")
            assert (romeo.occupant, elsewhere.occupant) == (occupant, occupant), machines.tail()
        count = talking.end()
        reader.wait(f"to you {count - 1}")
    finally:
        talking.end()
        reader.close()
    assert [body for body in reader.bodies if body.startswith("to you")] == [f"to you {number}" for number in range(count)], reader.told
    until(lambda: romeo.view(garden.room)["state"] == "in")
    assert romeo.say(garden.room, "I am here still").status == 200
    garden.hears("I am here still")
    with pytest.raises(TimeoutError):
        garden.sees("romeo", "unavailable", 0.5)
    assert "session-left" in first.log()
    assert "session-resumed" in second.log()


def test_the_owner_stops(machines: Machines, garden: ServerRoom) -> None:
    first = machines.owner()
    second = machines.other(first)
    romeo = ForeignGuest(second, "romeo")
    known(machines, first)
    presence = json.dumps({"kind": "presence", "show": "dnd", "priority": 3})
    assert second.request("POST", "/rest", presence, "application/json", ROMEO).status == 202
    assert romeo.put(garden.room, {"stay": True}).status == 201
    occupant = romeo.occupant
    first.stop()
    machines.owner(besides=first)
    assert romeo.say(garden.room, "Soft").status == 200
    garden.hears("Soft")
    assert romeo.occupant == occupant
    assert second.request("GET", "/rest/session", user=ROMEO).json()["presence"] == "own"
    with pytest.raises(TimeoutError):
        garden.sees("romeo", "unavailable", 0.5)


def test_the_owner_is_drained_and_then_another_login_takes_the_place_of_the_session(
    machines: Machines, garden: ServerRoom, tls_server: TLSServer, event_loop_thread: EventLoop
) -> None:
    first = machines.owner()
    second = machines.other(first)
    romeo = ForeignGuest(second, "romeo")
    known(machines, first)
    assert romeo.put(garden.room, {"stay": True}).status == 201
    garden.sees("romeo")
    occupant = romeo.occupant
    own = ForeignUser(event_loop_thread, tls_server, "romeo", occupant.partition("/")[2])
    done = first.command_line("cluster", "drain")
    assert done.returncode == 0, (done.stdout, done.stderr, machines.tail())
    machines.owner(besides=first)
    assert romeo.occupant == occupant
    assert romeo.say(garden.room, "Hark").status == 200
    garden.hears("Hark")
    own.connect()  # with the same resource, which ends the session
    until(lambda: "reason=conflict" in second.log())
    own.close()
    assert first.command_line("cluster", "undrain").returncode == 0


def test_the_owner_is_killed(machines: Machines) -> None:
    first = machines.owner()
    second = machines.other(first)
    presence = json.dumps({"kind": "presence"})
    assert second.request("POST", "/rest", presence, "application/json", ROMEO).status == 202
    before = ForeignGuest(second, "romeo").occupant
    first.kill()
    machines.owner(besides=first)
    answer = second.request("GET", "/rest/session", user=ROMEO)
    assert (answer.status, answer.json()["jid"], answer.json()["presence"]) == (200, before, "none")
