"""Clients of a cluster: they send numbered messages, read and ask by whatever node, and keep what each answer was and when it came."""

from __future__ import annotations

import contextlib
import http.client
import itertools
import json
import socket
import threading
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

import urllib3
from urllib3.util import make_headers

from tests.live.gateway import PASSWORD, TOKEN, XML
from tests.live.xmppserver import DOMAIN, GATEWAY

from .node import Node

BROKEN = 0
"""The status where there was none: the connection ended."""
PING = f"<iq type='get' to='{DOMAIN}'><ping xmlns='urn:xmpp:ping'/></iq>"
AGAIN = 0.1
"""Seconds until a client asks again that was told to come back later, or told nothing: many at once are the worse case."""
PATIENCE = 40.0
"""Seconds after which a client gives up that got no good answer."""


class Answered(NamedTuple):
    """What one request came to."""

    node: str
    asked: float
    """When, on the monotonic clock."""
    seconds: float
    status: int
    """`BROKEN` where the connection ended without an answer."""
    retry_after: str
    text: str


class Asking(threading.Thread):
    """A client with one connection to each node, which takes them in turn. `end()` when done."""

    def __init__(self, nodes: Sequence[Node]) -> None:
        super().__init__(daemon=True)
        self.nodes = nodes
        self.answers: list[Answered] = []
        self.error: BaseException | None = None
        self.pools = {node.name: urllib3.HTTPConnectionPool("127.0.0.1", node.port, maxsize=1, retries=False, timeout=30) for node in nodes}
        self._ending = threading.Event()

    def run(self) -> None:
        try:
            for number in itertools.count():
                if self._ending.is_set():
                    return
                self.turn(number)
        except BaseException as e:
            self.error = e

    def turn(self, number: int) -> None:
        """Do what it does once more."""
        raise NotImplementedError

    def end(self) -> None:
        """Let it finish what it is at. Raises what it met."""
        self._ending.set()
        self.join(PATIENCE + 30)
        assert not self.is_alive()
        for pool in self.pools.values():
            pool.close()
        if self.error is not None:
            raise self.error

    def ask(self, node: Node, method: str, path: str, body: str | None, headers: dict[str, str]) -> Answered:
        """One request to one node."""
        asked = time.monotonic()
        status, retry_after, text = BROKEN, "", ""
        try:
            answer = self.pools[node.name].request(method, path, body=body, headers=headers)
            status, retry_after, text = answer.status, answer.headers.get("Retry-After", ""), answer.data.decode()
        except urllib3.exceptions.HTTPError as e:
            text = repr(e)
        answered = Answered(node.name, asked, time.monotonic() - asked, status, retry_after, text)
        self.answers.append(answered)
        return answered

    def again(self) -> bool:
        """Wait a moment; whether it is to go on."""
        return not self._ending.wait(AGAIN)


class Numbering(Asking):
    """Sends messages to one recipient, each by another node than the one before and, with its id, until it is accepted."""

    def __init__(self, nodes: Sequence[Node], to: str, sender: str = "", kind: str = "chat") -> None:
        """`sender`: the account that sends them; "": the gateway itself. `kind`: the type of the messages."""
        super().__init__(nodes)
        self.to = to
        self._attributes = f"type='{kind}'" + (f" from='{sender}'" if sender else "")
        self.accepted = 0
        self.times: list[float] = []
        """When each was accepted."""

    def turn(self, number: int) -> None:
        xml = f"<message to='{self.to}' {self._attributes} id='{self.to.partition('@')[0]}-{number}'><body>{number}</body></message>"
        fields = {"Authorization": f"Bearer {TOKEN}", "Content-Type": XML}
        deadline = time.monotonic() + PATIENCE
        for attempt in itertools.count(number):
            answer = self.ask(self.nodes[attempt % len(self.nodes)], "POST", "/rest", xml, fields)
            if answer.status == 202:
                break
            assert time.monotonic() < deadline, f"not accepted: {answer}"
            time.sleep(AGAIN)
        self.accepted += 1
        self.times.append(time.monotonic())

    def wait_for(self, count: int, timeout: float = 60.0) -> None:
        """Until so many are accepted. Raises TimeoutError."""
        deadline = time.monotonic() + timeout
        while self.accepted < count:
            if time.monotonic() > deadline or not self.is_alive():
                raise TimeoutError(f"{self.accepted} of {count} accepted: {self.answers[-3:]}, {self.error!r}")
            time.sleep(0.02)


class Watching(Asking):
    """Asks one node for one thing, again and again."""

    def __init__(self, node: Node, method: str, path: str, body: str | None, headers: dict[str, str]) -> None:
        super().__init__([node])
        self._what = (method, path, body, headers)

    def turn(self, number: int) -> None:
        self.ask(self.nodes[0], *self._what)
        self.again()

    def statuses(self, since: float = 0.0) -> set[int]:
        """Of what was asked since then."""
        return {answer.status for answer in self.answers if answer.asked >= since}


def reading(node: Node) -> Watching:
    """Reads what an account has stored, with its password."""
    return Watching(node, "GET", "/data/settings", None, make_headers(basic_auth=f"romeo@{GATEWAY}:{PASSWORD}"))


def pinging(node: Node) -> Watching:
    """Sends an iq to the XMPP server, and waits for its answer."""
    return Watching(node, "POST", "/rest", PING, {"Authorization": f"Bearer {TOKEN}", "Content-Type": XML})


class EventReader(threading.Thread):
    """Reads the events of an account by one node after the other, and resumes where a stream ends. `end()` when done."""

    def __init__(self, nodes: Sequence[Node], user: str) -> None:
        super().__init__(daemon=True)
        self._nodes = nodes
        self._fields = make_headers(basic_auth=f"{user}@{GATEWAY}:{PASSWORD}")
        self.ids: list[str] = []
        self.numbers: list[int] = []
        self.heard: list[float] = []
        """When each came."""
        self.opened = threading.Event()
        self.openings: list[tuple[str, int]] = []
        """By which node each stream was, and how many events had come before."""
        self._ending = threading.Event()
        self._socket: socket.socket | None = None

    def run(self) -> None:
        for node in itertools.cycle(self._nodes):
            with contextlib.suppress(OSError, http.client.HTTPException):
                self._read(node)
            if self._ending.wait(AGAIN):
                return

    def _read(self, node: Node) -> None:
        resume = {"Last-Event-ID": self.ids[-1]} if self.ids else {}
        connection = http.client.HTTPConnection("127.0.0.1", node.port, timeout=30)
        connection.connect()
        self._socket = connection.sock
        with contextlib.closing(connection):
            connection.request("GET", "/api/sse?resume", headers=self._fields | resume)
            response = connection.getresponse()
            if response.status != 200:
                return
            self.openings.append((node.name, len(self.ids)))
            self.opened.set()
            fields: dict[str, str] = {}
            while line := response.readline():
                name, _, value = line.decode().rstrip("\n").partition(": ")
                fields[name] = value
                if not name and "data" in fields:
                    self._keep(fields)
                    fields = {}

    def _keep(self, fields: dict[str, str]) -> None:
        self.ids.append(fields["id"])
        self.numbers.append(int(json.loads(fields["data"])["body"]))
        self.heard.append(time.monotonic())

    def wait_for(self, count: int, timeout: float = 60.0) -> None:
        """Until so many different messages have come. Raises TimeoutError."""
        deadline = time.monotonic() + timeout
        while len(set(self.numbers)) < count:
            if time.monotonic() > deadline:
                missing = sorted(set(range(count)) - set(self.numbers))
                raise TimeoutError(f"{len(set(self.numbers))} of {count}; {missing[:9]} are missing; opened: {self.openings}")
            time.sleep(0.02)

    def end(self) -> None:
        """Leave the stream."""
        self._ending.set()
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)
        self.join(40)
        assert not self.is_alive()


def longest_pause(*senders: Numbering) -> float:
    """The longest time in which no message was accepted from any of them, in seconds."""
    times = sorted(time for sender in senders for time in sender.times)
    return max((later - earlier for earlier, later in itertools.pairwise(times)), default=0.0)


def check_first_seen(numbers: list[int], count: int) -> int:
    """Nothing is lost, and nothing came before what was sent earlier. How many came again."""
    first = list(dict.fromkeys(numbers))
    wrong = next((n for n, number in enumerate(first) if n != number), len(first))
    assert first == list(range(count)), f"of {count}: {len(first)} different, wrong from {first[max(0, wrong - 3) : wrong + 5]}"
    return len(numbers) - count


def check_answers(answers: Sequence[Answered], allowed: Callable[[Answered], bool]) -> None:
    """Each is what the case allows, and a 503 says when to come back and why, after at most the time that a request may wait."""
    for answer in answers:
        assert allowed(answer), answer
        if answer.status == 503:
            assert answer.retry_after == "5", answer
            assert len(answer.text) > 20, answer
            assert answer.seconds < 20, answer
