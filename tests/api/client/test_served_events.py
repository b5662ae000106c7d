"""Event streams on real connections: immediate, in order, without loss, and independent of each other (client-api §8)."""

from __future__ import annotations

import itertools
import random
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, cast

import pytest

from tests.api.client.calls import JULIET, NURSE
from tests.api.client.served import Listener, Served, serve
from xmpp_rest.service.streams.registry import LEADER_CHANGED

QUEUE = 20


@pytest.fixture(scope="module", params=[1, 2])
def workers(request: pytest.FixtureRequest) -> int:
    """How many processes there are."""
    return int(request.param)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, workers: int) -> Iterator[Served]:
    settings = {"streams_total": "24", "streams_per_account": "20", "streams_queue_size": str(QUEUE), "streams_heartbeat": "1"}
    with serve(tmp_path_factory.mktemp("data"), server_threads="32", server_workers=str(workers), client_body_limit="10000000", **settings) as server:
        yield server


def test_an_event_comes_at_once(server: Served) -> None:
    listener = Listener(server, JULIET)
    assert (listener.status, listener.response.getheader("Content-Type")) == (200, "text/event-stream")
    events = listener.events()
    took = []
    for _ in range(6):
        began = time.monotonic()
        identifier = server.send(JULIET, "hi", NURSE)
        assert next(events).data["id"] == identifier
        took.append(time.monotonic() - began)
    assert min(took[1:]) < 0.5, "from the second one on, each would wait a second for the next heartbeat"
    listener.close()


def test_who_leaves_makes_room_at_once(server: Served) -> None:
    for _ in range(3):
        listeners = [Listener(server, JULIET) for _ in range(20)]
        assert [listener.status for listener in listeners] == [200] * 20
        refused = Listener(server, JULIET)
        assert (refused.status, refused.response.getheader("Retry-After") is None) == (503, False)
        for listener in (refused, *listeners):
            listener.close()


@pytest.mark.parametrize("workers", [1], indirect=True)  # `total` counts for each process
def test_streams_are_in_nobodys_way(server: Served) -> None:
    listeners = [Listener(server, user) for user in (JULIET, NURSE) for _ in range(12)]
    assert [listener.status for listener in listeners] == [200] * 24
    refused = Listener(server, NURSE)
    assert refused.status == 503
    with ThreadPoolExecutor(4) as pool:
        began = time.monotonic()
        answers = list(pool.map(lambda _: server.request("GET", "/api/messages?limit=1", JULIET)[0], range(40)))
    assert (answers, time.monotonic() - began < 30) == ([200] * 40, True)
    identifier = server.send(JULIET, "to all", NURSE)
    for listener in listeners[:12]:
        assert next(listener.events()).data["id"] == identifier
    for listener in (refused, *listeners):
        listener.close()


def test_a_slow_reader_loses_its_stream_and_no_message(server: Served) -> None:
    first = Listener(server, JULIET, "/api/sse?resume", buffer=4096)
    sent = [server.send(JULIET, "x" * 400_000, NURSE) for _ in range(3 * QUEUE)]
    blocks = list(first.blocks())
    assert b"too slow" in blocks[-1]
    seen = [block for block in blocks if not block.startswith(b":")]
    assert len(seen) < len(sent)
    last = seen[-1].split(b"\n")[0].decode().removeprefix("id: ")
    second = Listener(server, JULIET, "/api/sse?resume", **cast("Any", {"Last-Event-ID": last}))
    rest = [event.data["id"] for event in itertools.islice(second.events(), len(sent) - len(seen))]
    assert rest == sent[len(seen) :]
    for listener in (first, second):
        listener.close()


def test_nothing_is_lost_or_doubled_however_often_the_reader_comes_back(server: Served) -> None:
    """Four senders at once; the reader cuts its connection at random and resumes after the last event it saw."""
    probe = Listener(server, JULIET, "/api/sse?resume")
    server.send(JULIET, "begin", NURSE)
    last = next(probe.events()).id
    probe.close()

    def say(sender: int) -> list[str]:
        return [server.send(JULIET, f"{sender}:{n}", NURSE) for n in range(60)]

    pool = ThreadPoolExecutor(4)
    said = [pool.submit(say, sender) for sender in range(4)]
    seen: list[str] = []
    dice = random.Random(7)
    connections = 0
    while len(seen) < 240:
        listener = Listener(server, JULIET, "/api/sse?resume", **cast("Any", {"Last-Event-ID": last}))
        assert listener.status == 200
        connections += 1
        for event in itertools.islice(listener.events(), min(dice.randrange(1, 9), 240 - len(seen))):
            seen.append(event.data["id"])
            last = event.id
        listener.close()
    assert sorted(seen) == sorted(itertools.chain(*(ids.result() for ids in said)))
    pool.shutdown()
    assert connections > 20
    status, items = server.request("GET", "/api/messages?limit=240", JULIET)
    assert (status, [item["id"] for item in items]) == (200, seen)


def test_streams_end_in_words_when_the_gateway_does(tmp_path: Path) -> None:
    with serve(tmp_path) as server:
        listener = Listener(server, JULIET)
        began = time.monotonic()
        server.process.terminate()
        ok, *words = listener.blocks()
        assert ok == b": ok\n\n"
        assert words in ([b": the gateway stops\n\n"], [f": {LEADER_CHANGED}\n\n".encode()])  # whatever a process hears of first
        server.process.wait(60)
        assert time.monotonic() - began < 18, "after 20 s it would be killed"
        listener.close()
