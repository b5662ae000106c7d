"""Many event streams on real connections: none takes a thread, each has its events, and the rest is served (decision 0035)."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.api.client.calls import JULIET, NURSE
from tests.api.client.served import Listener, Served, serve

STREAMS = 300
THREADS = 4


@pytest.fixture(scope="module", params=[1, 2])
def server(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Served]:
    """One process, and two."""
    bounds = {"streams_total": "1000", "streams_per_account": str(STREAMS)}
    settings = {"server_threads": str(THREADS), "server_workers": str(request.param), "streams_heartbeat": "1", **bounds}
    with serve(tmp_path_factory.mktemp("data"), **settings) as server:
        yield server


def threads(server: Served) -> int:
    """Of all processes of the gateway."""
    main = server.process.pid
    children = Path(f"/proc/{main}/task/{main}/children").read_text().split()
    return sum(len(list(Path(f"/proc/{pid}/task").iterdir())) for pid in (str(main), *children))


def until_there_is_room(server: Served) -> Listener:
    end = time.monotonic() + 30
    while (listener := Listener(server, JULIET)).status != 200:
        listener.close()
        assert time.monotonic() < end
    return listener


def test_many_streams(server: Served) -> None:
    listeners = [Listener(server, JULIET) for _ in range(STREAMS)]
    assert {listener.status for listener in listeners} == {200}
    assert threads(server) < STREAMS / 2
    full = Listener(server, JULIET)
    assert full.status == 503
    full.close()
    sent = [server.send(JULIET, body, NURSE) for body in ("one", "two")]
    for listener in listeners:
        assert [(event.id, event.data["id"]) for event in itertools.islice(listener.events(), 2)] == [("1", sent[0]), ("2", sent[1])]
    assert next(listeners[-1].blocks()) == b": ok\n\n"
    for listener in listeners:
        listener.close()
    again = until_there_is_room(server)
    server.send(JULIET, "three", NURSE)
    assert next(again.events()).data["body"] == "three"
    again.close()
