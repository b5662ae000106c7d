"""The benchmark of the gateway beside its peers: every scenario in one run on one machine: `make bench`, or `python -m bench --help`.

Peers that are not installed are left out; PROSODY_PLUGINS=/path/to/prosody-modules brings in mod_rest and mod_data_access.
"""

from __future__ import annotations

import argparse
import itertools
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

from bench import flows, interpreters, many_streams, peers
from bench.crowd import KINDS, SIZE, Crowd
from bench.foreign.rows import report
from bench.load import Measured, Target, hammer
from bench.process import usage
from bench.report import Row, machine, table
from bench.scenarios import BEARER, EJABBERD, MOD_REST, OURS, SCENARIOS, SEND_MESSAGE, SOLO, Ask, Scenario
from bench.stage import MANY_THREADS, STOCK, Stage
from tests.live.xmppserver import GATEWAY

FLOWS, CONNECTIONS, STREAMS, FOREIGN = "flows", "connections", "streams", "foreign"
CLOSE: Mapping[str, str] = {"Connection": "close"}
NO_FIELDS: Mapping[str, str] = {}
Measure = Callable[[], Measured | None]


def best(measures: Sequence[Measure], rounds: int) -> list[Measured | None]:
    """Measure them in turn, `rounds` times: what shares the machine disturbs all of them alike. The best rate of each counts."""
    found: list[list[Measured]] = [[] for _ in measures]
    for _ in range(rounds):
        for measure, results in zip(measures, found, strict=True):
            if (result := measure()) is not None:
                results.append(result)
    return [max(results, key=lambda m: m.rate, default=None) for results in found]


def nothing() -> None:
    """There is nothing of the kind to measure."""


class Run:
    """One run over a stage."""

    def __init__(self, stage: Stage, seconds: float, rounds: int) -> None:
        self.stage, self.seconds, self.rounds = stage, seconds, rounds
        self.remarks: list[str] = []

    def _ask(self, ask: Ask | None) -> Measured | None:
        target = self.stage.target(ask) if ask else None
        return hammer(target, self.stage.pids[ask.server], self.seconds) if ask and target else None

    def scenario(self, scenario: Scenario) -> Row:
        asks = (scenario.ours, scenario.theirs, scenario.floor, scenario.alone, scenario.floor_alone)
        ours, theirs, floor, alone, floor_alone = best([partial(self._ask, ask) for ask in asks], self.rounds)
        assert ours is not None
        peer = scenario.theirs.server if scenario.theirs else ""
        return Row(scenario.name, ours, "" if peer == OURS else peer, theirs, scenario.target, floor, alone, floor_alone)

    def _health(self, server: str, headers: Mapping[str, str] = NO_FIELDS) -> Measured | None:
        """GET /health of this server; None where it is not there."""
        port = self.stage.ports.get(server)
        return hammer(Target(port, "GET", "/health", "", headers), self.stage.pids[server][:1], self.seconds) if port else None

    def connections(self) -> Iterator[Row]:
        """New connections, and clients beside crowds; each beside gunicorn's own worker with the same application."""
        self.stage.stock()
        for way, prefix in (("direct", ""), ("through nginx", "nginx, ")):
            ours, theirs = (partial(self._health, prefix + server, CLOSE) for server in (OURS, STOCK))
            if prefix + OURS in self.stage.ports:
                yield self.compare(f"new connections, {way}", STOCK, ours, theirs, 1.2)
        for kind in KINDS:
            for server, target in ((OURS, 0.8), (STOCK, None)):
                beside = partial(self._beside, server, kind)
                yield self.compare(f"{server}, beside {SIZE} {kind}", "without", beside, partial(self._health, server), target)

    def _beside(self, server: str, kind: str) -> Measured | None:
        with Crowd(self.stage.ports[server], kind):
            return self._health(server)

    def streams(self) -> Iterator[Row]:
        streaming = self.stage.gateway("streaming", MANY_THREADS)
        yield Row(f"SSE events, {flows.READERS} readers", flows.fan_out(streaming.port, (streaming.pid,)))
        many = self.stage.gateway("many streams", many_streams.SECTIONS)
        measured, remark = many_streams.many_streams(many.port, (many.pid,))
        self.remarks.append(f"- SSE, {many_streams.STREAMS:,} streams: {remark}")
        yield Row(f"SSE, {many_streams.STREAMS:,} streams, one message to each of {many_streams.ACCOUNTS} accounts", measured)

    def compare(
        self, name: str, peer: str, ours: Measure, theirs: Measure, target: float | None, floor: Measure = nothing, alone: Measure = nothing
    ) -> Row:
        mine, other, least, one = best((ours, theirs, floor, alone), self.rounds)
        assert mine is not None
        return Row(name, mine, peer, other, target, least, one)

    def flows(self, rows: Sequence[Row]) -> Iterator[Row]:
        """`rows`: those before, for what a peer can do only one by one."""
        stage, seconds = self.stage, self.seconds
        port, pids = stage.ports[OURS], stage.pids[OURS]
        solo, solo_pids = stage.ports[SOLO], stage.pids[SOLO]
        link = stage.prosody.component_port
        bearer, admin = stage.credentials["fixed"], stage.credentials["admin"]
        one_by_one = next((row.theirs for row in rows if row.name == BEARER), None)
        for name, process in (("", 0), (", to another process than the link's", stage.follower())):
            yield self.compare(
                f"batch of 10,000, stanzas{name}", f"{MOD_REST}, one by one", partial(flows.batch, port, bearer, pids, process),
                lambda: one_by_one, 8, lambda: flows.one_way(link, stage.pids["sink"]), lambda: flows.batch(solo, bearer, solo_pids),
            )  # fmt: skip
        command = next((row.theirs for row in rows if row.name == SEND_MESSAGE), None)
        for name, user in (("", ""), (", archived", "romeo@")):
            yield self.compare(
                f"batch of 10,000, send_message{name}", f"{EJABBERD}, one by one",
                partial(flows.commands, port, user + GATEWAY, admin, pids),
                lambda: command, 1.5, lambda: flows.one_way(link, stage.pids["sink"]),
                partial(flows.commands, solo, user + peers.SOLO, stage.credentials["admin, solo"], solo_pids),
            )  # fmt: skip
        yield self.compare(
            "link, stanzas in and out", "a bare socket component",
            lambda: flows.pings(link, GATEWAY, pids, seconds), lambda: flows.pings(link, peers.ECHO, stage.pids["echo"], seconds), 0.8,
            alone=lambda: flows.pings(link, peers.SOLO, solo_pids, seconds),
        )  # fmt: skip
        rest = (lambda: flows.callbacks(link, f"x@{peers.BOT}", stage.pids[MOD_REST], seconds)) if stage.prosody.plugins else lambda: None
        yield self.compare(
            "stanza in → callback → reply", MOD_REST, lambda: flows.callbacks(link, f"bot@{GATEWAY}", pids, seconds), rest, 1.0,
            alone=lambda: flows.callbacks(link, f"bot@{peers.SOLO}", solo_pids, seconds),
        )  # fmt: skip

    def memory(self, name: str) -> str:
        """MiB of each server, as proportional set size."""
        shown = {server: usage(pids[0]).resident / (1 << 20) for server, pids in self.stage.pids.items() if "nginx" not in server}
        text = ", ".join(f"{server} {size:.0f}" for server, size in shown.items() if server not in ("sink", "echo"))
        ratio = f"; gateway / ejabberd: {shown[OURS] / shown[EJABBERD]:.2f} (target: 0.7 at most)" if EJABBERD in shown else ""
        one = f"; one worker / ejabberd: {shown['one worker'] / shown[EJABBERD]:.2f}" if EJABBERD in shown else ""
        return f"- {name}: {text}{ratio}{one}"


def run(folder: Path, options: argparse.Namespace) -> Iterator[str]:
    with Stage(folder, options.workers) as stage:
        measuring = Run(stage, options.seconds, options.rounds)
        memory = [measuring.memory("after the start")]
        rows: list[Row] = []
        for scenario in SCENARIOS:
            if options.only in scenario.name:
                rows.append(measuring.scenario(scenario))
                print(rows[-1], file=sys.stderr)
        for name, part in ((FLOWS, partial(measuring.flows, rows)), (CONNECTIONS, measuring.connections), (STREAMS, measuring.streams)):
            for row in part() if options.only in ("", name) else ():
                rows.append(row)
                print(row, file=sys.stderr)
        memory.append(measuring.memory("at the end, under load before"))
    yield table(rows)
    yield from measuring.remarks
    yield "Memory in MiB (proportional set size of all processes of a server)\n\n" + "\n".join(memory)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=3, help="for each measurement")
    parser.add_argument("--rounds", type=int, default=2, help="of each scenario, peers in turn; the best counts")
    parser.add_argument("--workers", type=int, default=2, help="of the gateway and of the floor")
    only = f"scenarios with this in their name; or {FLOWS}: batches, link, callbacks; {CONNECTIONS}: new ones, crowds; {STREAMS}"
    parser.add_argument("--only", default="", help=f"{only}; or {FOREIGN}: accounts of other servers, which are measured by this alone")
    parser.add_argument("--interpreters", default="", help="only compare these, such as python3.11,python3.13")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if options.interpreters:
            pythons = options.interpreters.split(",")
            print(interpreters.rows(Path(folder), pythons, options.seconds, options.rounds) + "\n\nMeasured on\n\n" + machine())
            return
        parts = report(options.seconds, options.rounds) if options.only == FOREIGN else run(Path(folder), options)
        for part in itertools.chain(parts, ["Measured on\n\n" + machine()]):
            print(part + "\n", flush=True)


if __name__ == "__main__":
    main()
