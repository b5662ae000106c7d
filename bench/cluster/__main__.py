"""What a second node costs: `python -m bench.cluster [--seconds 5] [--rounds 3] [--workers 1]`

Two nodes, and a gateway without a cluster, each with a PostgreSQL and a Prosody of their own, on loopback: the same requests at the node
that owns, at the other, and at the gateway alone. All of them, and those who ask, share the processors of the machine; so ratios count.
The rounds of the three alternate, and the median of each is printed.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

from urllib3.util import make_headers

from bench.load import Measured, Target, hammer
from bench.peers import Small
from tests.live.cluster.clients import EventReader
from tests.live.cluster.conftest import LettingIn
from tests.live.cluster.databases import Databases
from tests.live.cluster.machines import Machines
from tests.live.cluster.node import Node
from tests.live.conftest import ONE_STREAM
from tests.live.counting import RECEIVER
from tests.live.gateway import PASSWORD, TOKEN, XML, Sections
from tests.live.xmppserver import DOMAIN, GATEWAY, SECRET

HERE = Path(__file__).parents[1]
EVENTS = 200
FIXED = {"Authorization": f"Bearer {TOKEN}", "Content-Type": XML}
ROMEO = make_headers(basic_auth=f"romeo@{GATEWAY}:{PASSWORD}")
MESSAGE = f"<message to='friar@{RECEIVER}' type='normal'><body>wisely and slow; they stumble that run fast</body></message>"
PING = f"<iq type='get' to='{DOMAIN}'><ping xmlns='urn:xmpp:ping'/></iq>"


class Asked(NamedTuple):
    """A row: what is asked over so many connections at once."""

    name: str
    connections: int
    method: str
    path: str
    body: str
    headers: dict[str, str]


ROWS = (
    Asked("message, alone", 1, "POST", "/rest", MESSAGE, FIXED),
    Asked("message, 16 at once", 16, "POST", "/rest", MESSAGE, FIXED),
    Asked("message, 64 at once", 64, "POST", "/rest", MESSAGE, FIXED),
    Asked("iq, alone", 1, "POST", "/rest", PING, FIXED),
    Asked("iq, 16 at once", 16, "POST", "/rest", PING, FIXED),
    Asked("/data, alone", 1, "GET", "/data/settings", "", ROMEO),
    Asked("/data, 16 at once", 16, "GET", "/data/settings", "", ROMEO),
)


def ask(node: Node, row: Asked, seconds: float) -> Measured:
    """One round of one row."""
    measured = hammer(Target(node.port, row.method, row.path, row.body, row.headers), [node.pid], seconds, row.connections)
    if measured.bad:
        raise SystemExit(f"{row.name}: {measured.bad} bad answers\n{node.tail()}")
    return measured


def measure(places: Sequence[Node], row: Asked, seconds: float, rounds: int) -> list[tuple[float, float, float]]:
    """For each place the medians of rate, p50 and p99 (ms)."""
    found: list[list[Measured]] = [[] for _ in places]
    for _ in range(rounds):
        for place, kept in zip(places, found, strict=True):
            kept.append(ask(place, row, seconds))
    return [(_median(kept, lambda m: m.rate), _median(kept, lambda m: m.p50 or 0), _median(kept, lambda m: m.p99 or 0)) for kept in found]


def _median(kept: Sequence[Measured], figure: Callable[[Measured], float]) -> float:
    return statistics.median(map(figure, kept))


def events(at: Node, sent_by: Node) -> tuple[float, float]:
    """The time from the request until the event has come to a stream, one at a time: p50 and p99 in ms."""
    stream = EventReader([at], "romeo")
    stream.start()
    if not stream.opened.wait(30):
        raise SystemExit(at.tail())
    delays = []
    for number in range(EVENTS):
        began = time.monotonic()
        body = f"<message to='romeo@{GATEWAY}' type='chat' id='event{number}'><body>{number}</body></message>"
        sent_by.send(body)
        stream.wait_for(number + 1)
        delays.append((stream.heard[number] - began) * 1e3)
    stream.end()
    ordered = sorted(delays)
    return statistics.median(ordered), ordered[len(ordered) * 99 // 100]


def report(owner: Node, other: Node, alone: Node, seconds: float, rounds: int) -> None:
    """Print the table."""
    print("| requests a second; p50, p99 in ms | at the owner | at another node | ratio | without a cluster |")
    print("| --- | --: | --: | --: | --: |")
    for row in ROWS:
        here, there, single = measure((owner, other, alone), row, seconds, rounds)
        cells = [f"{rate:,.0f}; {p50:.2f}, {p99:.2f}" for rate, p50, p99 in (here, there, single)]
        print(f"| {row.name} | {cells[0]} | {cells[1]} | {there[0] / here[0]:.2f} | {cells[2]} |", flush=True)
    cells = ["; {:.1f}, {:.1f}".format(*events(at, sent_by)) for at, sent_by in ((owner, owner), (other, owner), (alone, alone))]
    print(f"| event, one at a time | {cells[0]} | {cells[1]} | | {cells[2]} |")


class Bench:
    """What runs; a context, with which all of it ends."""

    def __init__(self, folder: Path, standby: bool, workers: int) -> None:
        self._folder, self._standby = folder, standby
        self._sections = {**ONE_STREAM, "server": {"workers": workers}}
        self._stack = ExitStack()

    def __enter__(self) -> Bench:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def machines(self, name: str, cluster: Sections, nodes: Sequence[str]) -> Machines:
        """Nodes, with a database and a Prosody of their own, and the account romeo."""
        databases, server = Databases(self._standby), LettingIn(self._folder / name / "prosody")
        self._stack.callback(databases.stop)
        databases.start()
        self._stack.callback(server.stop)
        server.start()
        sink = Small(self._folder / name / "sink", str(HERE / "bare.py"), "sink", str(server.component_port), RECEIVER, SECRET)
        self._stack.callback(sink.stop)
        sink.start()
        made = Machines(self._folder / name, databases, server, {**self._sections, **cluster})
        self._stack.callback(made.close)
        for node in nodes:
            made.add(node).wait_state("online")
        made.nodes[0].register("romeo")
        made.nodes[0].request("PUT", "/data/settings", '{"theme": "dark"}', "application/json", "romeo")
        return made


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--standby", action="store_true", help="with a synchronous standby")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, Bench(Path(folder), given.standby, given.workers) as bench:
        several = bench.machines("several", {}, ("web1", "web2"))
        single = bench.machines("single", {"cluster": {"kind": "none"}}, ("web0",))
        several.settle()
        owner = several.owner()
        report(owner, several.other(owner), single.nodes[0], given.seconds, given.rounds)


if __name__ == "__main__":
    main()
