"""Each of many messages is delivered, in order, although servers and processes end meanwhile."""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from .conftest import ONE_STREAM
from .counting import RECEIVER, Receiver, batches, check, insisting
from .gateway import Gateway
from .prosody import Prosody
from .proxy import Proxy
from .users import EventLoop
from .xmppserver import XMPPServer

Start = Callable[..., Gateway]
MANY, BATCH = 10_000, 500
EACH = 300


@pytest.fixture(scope="module")
def server(prosody_alone: Prosody) -> XMPPServer:
    return prosody_alone


@pytest.fixture
def receiver(server: XMPPServer, event_loop_thread: EventLoop) -> Iterator[Receiver]:
    receiver = Receiver(event_loop_thread, server)
    receiver.connect()
    yield receiver
    receiver.close()


def owner_of(gateway: Gateway) -> int:
    """The leader, as the log says."""
    return int(re.findall(r"process (\d+) leads and holds the link", gateway.log())[-1])


@pytest.mark.parametrize(("end", "count"), [(XMPPServer.stop, MANY), (XMPPServer.kill, MANY // 2)], ids=["stop", "kill"])
def test_the_server_ends_in_the_middle(
    start_gateway: Start, server: XMPPServer, relay: Proxy, receiver: Receiver, end: Callable[[XMPPServer], None], count: int
) -> None:
    gateway = start_gateway(relay.port)
    gateway.wait_state("online")
    sending = batches(gateway, f"r@{RECEIVER}", count, BATCH)
    receiver.wait_for(count // 10)
    relay.up = False  # the receiver is to be there again before the gateway
    end(server)
    server.start()
    receiver.connect()
    relay.up = True
    sending.join(60)
    assert not sending.is_alive()
    receiver.wait_for(count)
    assert check(receiver.numbers[f"r@{RECEIVER}"], count, repeats=1) < count // 2
    assert gateway.wait_streams(lambda streams: all(s["outbox"] == 0 for s in streams.values()))


def test_the_owner_is_killed_in_the_middle(start_gateway: Start, server: XMPPServer, receiver: Receiver) -> None:
    """Several senders, over connections that any of three processes serves; each insists until 202."""
    gateway = start_gateway(server.component_port, {**ONE_STREAM, "server": {"workers": 3}})
    gateway.wait_state("online")
    recipients = [f"r{n}@{RECEIVER}" for n in range(3)]
    sending = [insisting(gateway, to, EACH) for to in recipients]
    receiver.wait_for(EACH)
    owner, deadline = owner_of(gateway), time.monotonic() + 30
    os.kill(owner, signal.SIGKILL)
    while owner_of(gateway) == owner:
        time.sleep(0.01)
        assert time.monotonic() < deadline
    assert "could not take its place" not in gateway.log(), "it would have tried again after 5 s"
    for thread in sending:
        thread.join(60)
        assert not thread.is_alive()
    receiver.wait_for(3 * EACH)
    for to in recipients:
        check(receiver.numbers[to], EACH, repeats=2)  # by the link, and by the sender whose answer was lost


def test_a_full_queue_refuses_and_keeps_what_it_took(start_gateway: Start, server: XMPPServer, relay: Proxy, receiver: Receiver) -> None:
    gateway = start_gateway(relay.port, {**ONE_STREAM, "link": {"outbox_size": 50}})
    gateway.wait_state("online")
    relay.up = False
    relay.cut()
    gateway.wait_streams(lambda streams: all(s["state"] != "online" for s in streams.values()))
    answers = [gateway.post_xml(f"<message to='r@{RECEIVER}'><body>{n}</body></message>") for n in range(60)]
    assert [a.status for a in answers] == [202] * 50 + [503] * 10
    assert all(int(a.headers["Retry-After"]) > 0 for a in answers[50:])
    gateway.kill()
    relay.up = True
    gateway.start()
    receiver.wait_for(50)
    assert receiver.numbers[f"r@{RECEIVER}"] == list(range(50))


def test_what_is_on_disk_can_be_read_by_its_owner_alone(start_gateway: Start, server: XMPPServer) -> None:
    gateway = start_gateway(server.component_port)
    files = [p for p in Path(gateway.folder, "data").rglob("*") if p.is_file() or p.is_socket()]
    assert any(p.suffix == ".journal" for p in files)
    assert not [p for p in files if p.suffix == ".journal" and p.stat().st_mode & 0o077]
