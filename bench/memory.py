"""Memory after the start, and what others' packages take of it.

    python bench/memory.py

MiB of proportional set size of all processes (`bench/process.py`), with one and two workers, once each has answered. The floors: an empty
Flask application, loaded in each worker; the same with the packages that the gateway imports (`bench/packages.py`); and with these
loaded before the fork, as the gateway is.
"""

from __future__ import annotations

import http.client
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench.peers import Small, floor
from bench.process import children, usage
from bench.stage import HERE
from tests.live.child import LOOPBACK, Child, free_port
from tests.live.gateway import Gateway

ASKED = 8  # connections for each process, which the kernel hands out as it likes
STEADY = 0.2  # MiB that a server may still grow in a second
MIB = 1 << 20


def measured(child: Child, port: int, workers: int) -> float:
    """MiB of the processes of a server, once all have begun, each has probably answered, and it stays at that."""
    child.start()
    try:
        sizes = [-1.0, 0.0]
        while len(children(child.pid)) < workers or sizes[-1] - sizes[-2] > STEADY:
            time.sleep(1)
            for _ in range(ASKED * workers):
                _ask(port)
            sizes.append(usage(child.pid).resident / MIB)
        return sizes[-1]
    finally:
        child.stop()


def _ask(port: int) -> None:
    with closing(http.client.HTTPConnection(LOOPBACK, port, timeout=30)) as connection:
        connection.request("GET", "/health")
        connection.getresponse().read()


def rows(folder: Path, workers: int) -> Iterator[tuple[str, float]]:
    """What is measured with so many workers."""
    for name, app in (("Flask", "bench.empty:app"), ("the packages", "bench.packages:create_app()")):
        loaded = floor(folder / name, workers, app)
        yield f"{name}, loaded in each worker", measured(loaded, loaded.port, workers)
    port = free_port()
    settings = {"XMPP_REST_SERVER_BIND": f"{LOOPBACK}:{port}", "XMPP_REST_SERVER_WORKERS": str(workers)}
    before = Small(folder / "before", str(HERE / "packages.py"), port=port, **settings)
    yield "the packages, loaded before the fork", measured(before, port, workers)
    gateway = Gateway(folder / "gateway", free_port(), {"link": {"kind": "none"}, "server": {"workers": workers}})
    yield "the gateway, whose first start makes the database", measured(gateway, gateway.port, workers)
    yield "the gateway, started again", measured(gateway, gateway.port, workers)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        for workers in (1, 2):
            for name, size in rows(Path(folder) / str(workers), workers):
                print(f"{workers} {name:50} {size:5.1f}", flush=True)


if __name__ == "__main__":
    main()
