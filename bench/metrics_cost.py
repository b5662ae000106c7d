"""What the metrics cost a request: the same one to a gateway with `[metrics] enabled = no`, of which 5 µs of processor time are allowed.

    python bench/metrics_cost.py [--rounds 400] [--batch 50]

Each gateway is in a process of its own, as two in one process change each other's caches; they take turns, each first as often as the other
one. Printed are the least of each, and the median of the differences. Two more gateways without metrics show what the noise is.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from unittest.mock import patch

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench.request_costs import batch, call, log_to, prepared, unsent
from xmpp_rest.service.messages.send import Sending

REQUESTS = ("GET /health", "POST /rest, Bearer, not sent", "POST /api/send_message, token, not sent")


def serve(orders: Connection, enabled: str) -> None:
    """Answers requests, as many as are ordered, until there are no orders; says how long one took."""
    with TemporaryDirectory() as folder, patch.object(Sending, "send", unsent), patch.object(Sending, "post", unsent):
        log_to(Path(folder))
        app, rows = prepared(Path(folder) / "data", metrics_enabled=enabled)
        environs = {row.name: row.environ for row in rows}
        while (order := orders.recv()) is not None:
            name, size = order
            if not size:
                status, body = call(app.wsgi_app, environs[name])
                assert status[0] == "2", (name, status, body)
            orders.send(batch(app.wsgi_app, environs[name], size) if size else 0.0)
        app.extensions["gateway"].stop()


class Gateway:
    """One gateway in a process of its own."""

    def __init__(self, enabled: str) -> None:
        context = get_context("spawn")
        self._orders, theirs = context.Pipe()
        self._process = context.Process(target=serve, args=(theirs, enabled))
        self._process.start()

    def __enter__(self) -> Gateway:
        return self

    def __exit__(self, *_: object) -> None:
        self._orders.send(None)
        self._process.join()

    def take(self, name: str, size: int) -> float:
        """Processor time of one request in microseconds, of so many."""
        self._orders.send((name, size))
        took: float = self._orders.recv()
        return took


def compared(pair: Sequence[Gateway], name: str, rounds: int, size: int) -> tuple[float, float, float]:
    """The least of each, and the median of the differences."""
    for gateway in pair:
        gateway.take(name, 0)
        gateway.take(name, size)
    took: list[tuple[float, float]] = []
    for n in range(rounds):
        first, second = (gateway.take(name, size) for gateway in (pair if n % 2 else pair[::-1]))
        took.append((first, second) if n % 2 else (second, first))
    return min(a for a, _ in took), min(b for _, b in took), median(a - b for a, b in took)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=400)
    parser.add_argument("--batch", type=int, default=50)
    arguments = parser.parse_args()
    with ExitStack() as stack:
        counting, silent, another = (stack.enter_context(Gateway(enabled)) for enabled in ("yes", "no", "no"))
        for label, pair in (("metrics", (counting, silent)), ("noise", (another, silent))):
            for name in REQUESTS:
                least, other, difference = compared(pair, name, arguments.rounds, arguments.batch)
                print(f"{label:<8} {name:<42} {least:6.1f} - {other:6.1f} µs; {difference:5.1f} µs a request")


if __name__ == "__main__":
    main()
