"""The owner moves back and forth under requests at both machines: nothing is refused, lost or heard twice (many-machines §10, §13)."""

from __future__ import annotations

import threading

import pytest

from tests.cluster.conftest import AddMachine, Machine
from tests.conftest import DOMAIN, register_users
from tests.link.attached import until
from xmpp_rest.errors import GatewayError
from xmpp_rest.protocol.jid import JID, parse_jid
from xmpp_rest.service.streams.registry import Stream, StreamEnded

JULIET = parse_jid(f"juliet@{DOMAIN}")
MOVES = 4


class EventReader(threading.Thread):
    """Reads the events of an account at one machine, and resumes whenever a stream ends."""

    def __init__(self, machine: Machine, account: JID) -> None:
        super().__init__(daemon=True)
        self._machine = machine
        self._account = account
        self.bodies: list[str] = []
        self.retries: list[float] = []
        self.errors: list[str] = []
        self._last = ""
        self._ending = threading.Event()

    def run(self) -> None:
        while not self._ending.is_set():
            try:
                self._read()
            except StreamEnded as e:
                self.retries.append(e.retry)
            except GatewayError as e:
                self.errors.append(str(e))
                return

    def _read(self) -> None:
        stream = self._open()
        try:
            while not self._ending.is_set():
                if (event := stream.next(0.1)) is not None and event.id:
                    self._last = event.id
                    self.bodies.append(event.stanza.findtext("body") or "")
        finally:
            stream.close()

    def _open(self) -> Stream:
        """As a request does, which waits while parts are replaced."""
        in_progress = self._machine.gateway.in_progress
        assert in_progress is not None
        begun = in_progress.enter()
        try:
            return self._machine.gateway.parts.streams.open(self._account, after=self._last)
        finally:
            in_progress.leave(begun)

    def end(self) -> None:
        self._ending.set()
        self.join(30)


class Sender(threading.Thread):
    """Sends numbered messages by one machine, one after the other."""

    def __init__(self, machine: Machine, name: str) -> None:
        super().__init__(daemon=True)
        self._machine = machine
        self._name = name
        self.sent: list[str] = []
        self.refused: list[str] = []
        self._ending = threading.Event()

    def run(self) -> None:
        while not self._ending.is_set():
            body = f"{self._name}-{len(self.sent)}"
            answer = self._machine.send(body, who="nurse", to=str(JULIET))
            if answer.status_code == 202:
                self.sent.append(body)
            else:
                self.refused.append(f"{answer.status_code} {answer.text[:200]}")
                return

    def end(self) -> None:
        self._ending.set()
        self.join(60)


def test_a_node_that_has_just_begun_asks_for_the_domain(add_machine: AddMachine) -> None:
    """It knows itself, and the owner has not looked since."""
    add_machine("web1")
    second = add_machine("web2")
    assert second.gateway.parts.cluster.move(DOMAIN, "web2") == ""
    until(lambda: second.owns)


@pytest.mark.timeout(120)
def test_nothing_is_refused_lost_or_heard_twice(add_machine: AddMachine) -> None:
    first = add_machine("web1")
    register_users(first.app)
    second = add_machine("web2")
    machines = (first, second)
    first.send("start", who="nurse", to=str(JULIET))
    readers = [EventReader(machine, JULIET) for machine in machines]
    senders = [Sender(machine, name) for machine, name in zip(machines, ("a", "b"), strict=True)]
    for thread in (*readers, *senders):
        thread.start()
    for number in range(MOVES):
        owner, other = machines[number % 2], machines[1 - number % 2]
        had = [len(sender.sent) for sender in senders]
        until(lambda had=had: all(len(sender.sent) > before + 5 or sender.refused for sender, before in zip(senders, had, strict=True)))  # type: ignore[misc]
        control = owner.gateway.parts.cluster
        assert control is not None
        assert control.move(DOMAIN, other.gateway.settings.cluster.node) == ""
        until(lambda other=other: other.owns)  # type: ignore[misc]
    for sender in senders:
        sender.end()
    assert [sender.refused for sender in senders] == [[], []]
    expected = {"start", *senders[0].sent, *senders[1].sent}
    for reader in readers:
        until(lambda reader=reader: set(reader.bodies) >= expected or reader.errors)  # type: ignore[misc]
        assert reader.errors == []
        reader.end()
        assert len(reader.bodies) == len(expected)
        for sender in senders:
            assert [body for body in reader.bodies if body in set(sender.sent)] == sender.sent
        assert all(retry == 0 or 1 <= retry <= 5 for retry in reader.retries)
