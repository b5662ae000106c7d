"""Counted messages: senders that retry, and a receiver that records arrivals, repetitions and order."""

from __future__ import annotations

import json
import re
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import urllib3

from .gateway import TOKEN, Gateway
from .users import Component, EventLoop
from .xmppserver import GATEWAY, XMPPServer

RECEIVER = f"muclight.{GATEWAY}"
"""A component name that both servers know, and that a gateway without rooms leaves free."""
_BODY = re.compile(r"[0-9]+")


class Receiver(Component):
    """Keeps the number in each message's body, by recipient, in the order of arrival. Comes back after a restart of the server."""

    def __init__(self, loop: EventLoop, server: XMPPServer) -> None:
        super().__init__(loop, server, RECEIVER)
        self.numbers: dict[str, list[int]] = defaultdict(list)

    def _keep(self, stanza: Any) -> Any:
        """Thousands of stanzas are neither copied nor handled any further."""
        body = stanza.xml.findtext("{*}body")
        if body and _BODY.fullmatch(body) and stanza.xml.get("type") != "error":
            self.numbers[stanza.xml.get("to")].append(int(body))
            return None
        return stanza

    def different(self, to: str = "") -> int:
        """How many different messages have arrived (for this recipient)."""
        return sum(len(set(numbers)) for recipient, numbers in list(self.numbers.items()) if to in ("", recipient))

    def wait_for(self, count: int, timeout: float = 40.0, to: str = "") -> None:
        """Until so many different ones have arrived (for this recipient). Raises TimeoutError."""
        deadline = time.monotonic() + timeout
        while self.different(to) < count:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{self.different(to)} of {count} arrived{to and f' for {to}'}")
            time.sleep(0.02)


def runs(numbers: list[int]) -> list[range]:
    """The numbers as stretches in which each is the one before and one: a new stretch is where something was sent again."""
    found: list[range] = []
    for n in numbers:
        if found and found[-1].stop == n:
            found[-1] = range(found[-1].start, n + 1)
        else:
            found.append(range(n, n + 1))
    return found


def check(numbers: list[int], count: int, repeats: int) -> int:
    """Nothing is lost or overtaken, and what came twice came in at most `repeats` stretches that end where the link broke.

    How many came again.
    """
    stretches = runs(numbers)
    for before, after in pairwise(stretches):
        assert after.start <= before.stop, f"a gap, or out of order: {stretches}"
        assert after.stop >= before.stop, f"something confirmed was sent again: {stretches}"
    assert sorted(set(numbers)) == list(range(count))
    assert len(stretches) <= repeats + 1, stretches
    return len(numbers) - count


def batches(gateway: Gateway, to: str, count: int, size: int) -> threading.Thread:
    """Send so many numbered messages in batches, in a thread; each line must be accepted."""

    def send() -> None:
        for start in range(0, count, size):
            lines = [json.dumps({"kind": "message", "to": to, "type": "normal", "body": str(n)}) for n in range(start, start + size)]
            answer = gateway.request("POST", "/rest", "\n".join(lines), "application/x-ndjson")
            refused = [line for line in answer.data.splitlines() if json.loads(line).get("outcome") != "accepted"]
            assert (answer.status, refused[:3]) == (200, [])

    return _started(send)


def insisting(gateway: Gateway, to: str, count: int) -> threading.Thread:
    """Send numbered messages one by one, each over a connection of its own and until it is accepted."""

    def send() -> None:
        for n in range(count):
            insist(gateway, f"<message to='{to}' type='normal' id='i{n}'><body>{n}</body></message>")

    return _started(send)


def insist(gateway: Gateway, xml: str) -> None:
    """As a client would that takes no 503 for an answer. Raises TimeoutError."""
    fields = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/xmpp+xml", "Connection": "close"}
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            answer = urllib3.request("POST", f"http://127.0.0.1:{gateway.port}/rest", body=xml, headers=fields, retries=False, timeout=30)
        except urllib3.exceptions.HTTPError:  # the process that had the request is no more
            continue
        if answer.status == 202:
            return
        assert answer.status == 503, (answer.status, answer.data)
        time.sleep(0.02)
    raise TimeoutError(xml)


def _started(send: Callable[[], None]) -> threading.Thread:
    thread = threading.Thread(target=send, daemon=True)
    thread.start()
    return thread
