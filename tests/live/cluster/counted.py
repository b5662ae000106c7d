"""Counts over machines: clients of all nodes send, read and ask while something happens, and what they saw is checked."""

from __future__ import annotations

import os
import time

from tests.live.counting import RECEIVER, Receiver
from tests.live.xmppserver import GATEWAY

from .clients import EventReader, Numbering, check_answers, check_first_seen, longest_pause, pinging, reading
from .happenings import Happening
from .machines import Machines

WHOLE = os.environ.get("WHOLE_COUNTS") == "1"
"""Whether to count as many messages and to freeze for as long as docs/many-machines.md says; less otherwise."""
EACH = 1_250 if WHOLE else 120
"""Messages of each of the four senders, at least."""
TWICE = 600 if WHOLE else 300
LASTING = 10.0 if WHOLE else 4.0
"""Seconds for which something lasts that comes to an end by itself, such as a node that is frozen."""
SLACK = 1.0 if WHOLE else 5.0
"""How much longer a pause may be on a machine that has others to serve."""


def count(machines: Machines, receiver: Receiver, happening: Happening) -> None:
    """Nothing is lost or overtaken; and each client sees what `happening` says."""
    owner = machines.owner()
    first, second = machines.nodes[:], machines.nodes[::-1]  # not those that come meanwhile
    senders = [Numbering(nodes, f"{happening.name}{n}@{RECEIVER}") for n, nodes in enumerate((first, second, [machines.other(owner)]))]
    events = Numbering(first, f"romeo@{GATEWAY}")
    streams = [EventReader(nodes, "romeo") for nodes in (first, second)]
    others = [node for node in machines.nodes if node is not owner]
    readers, pings = [reading(node) for node in others], [pinging(node) for node in others]
    for stream in streams:
        stream.start()
        assert stream.opened.wait(30)
    clients = (*senders, events, *readers, *pings)
    for client in clients:
        client.start()
    for sender in (*senders, events):
        sender.wait_for(EACH // 3)
    for stream in streams:
        stream.wait_for(1)
    began = time.monotonic()
    happening.happen(machines, owner, LASTING)
    lasted = time.monotonic() - began
    for sender in (*senders, events):
        sender.wait_for(max(EACH, sender.accepted + EACH // 3))
    for client in clients:
        client.end()

    for sender in senders:
        receiver.wait_for(sender.accepted, to=sender.to)
    for stream in streams:
        stream.wait_for(events.accepted)
        stream.end()
    twice = [check_first_seen(receiver.numbers[sender.to], sender.accepted) for sender in senders]
    for stream in streams:
        check_first_seen(stream.numbers, events.accepted)
        assert len(set(stream.ids)) == len(stream.ids), "an event came twice"
    pause = longest_pause(*senders, events)
    refused = [answer for client in clients for answer in client.answers if answer.status == 503]
    sent = sum(sender.accepted for sender in senders)
    print(f"{happening.name}: {sent} sent, {sum(twice)} twice, {len(refused)} refused, {lasted:.1f} s long, a pause of {pause:.2f} s")
    for answer in refused:
        print(f"  {answer.node} after {answer.asked + answer.seconds - began:.2f} s, of which it took {answer.seconds:.2f}: {answer.text}")
    assert sum(twice) < TWICE
    for sender in (*senders, events):
        check_answers(sender.answers, happening.sends(owner.name))
    for watching in readers:
        check_answers(watching.answers, lambda answer: answer.status in happening.reading_of_others)
    lost = not machines.server.one_connection_per_component  # what it goes on giving to the connection of a frozen node
    for watching in pings:
        check_answers(watching.answers, lambda answer: answer.status in happening.iqs or (lost and "timed out" in answer.text))
    assert pause < happening.pause * SLACK
