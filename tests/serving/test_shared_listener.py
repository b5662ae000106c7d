"""Several processes listen at one socket, and each gets connections."""

from __future__ import annotations

from collections import Counter
from contextlib import ExitStack, closing
from http.client import HTTPConnection
from pathlib import Path

from tests.serving.load import until
from tests.serving.test_workers_replaced import serving

CONNECTIONS = 64
LEAST = CONNECTIONS // 8  # of each: where a process waits for a processor, the other one takes connections in its place


def test_idle_workers_take_connections_in_turn(tmp_path: Path) -> None:
    """Else one worker has all kept-alive connections of a proxy, and the others have nothing to do."""
    with serving(tmp_path, "--keep-alive", "60", processes=2) as server, ExitStack() as clients:
        seen: set[str] = set()
        until(lambda: seen.add(server.get("/pid")) or len(seen) == 2, "both workers")
        served = Counter[bytes]()
        for _ in range(CONNECTIONS):
            client = clients.enter_context(closing(HTTPConnection("127.0.0.1", server.port, timeout=30)))
            client.request("GET", "/pid")
            served[client.getresponse().read()] += 1
    assert len(served) == 2
    assert min(served.values()) >= LEAST, served
