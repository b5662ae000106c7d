"""The benchmark of the gateway beside its peers: every scenario in one run on one machine: `make bench`, or `python -m bench --help`.

Peers that are not installed are left out; PROSODY_PLUGINS=/path/to/prosody-modules brings in mod_rest and mod_data_access.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

from bench import flows, interpreters, peers
from bench.load import Measured, hammer
from bench.process import usage
from bench.report import Row, machine, table
from bench.scenarios import EJABBERD, MOD_REST, OURS, SCENARIOS, Ask, Scenario
from bench.stage import MANY_THREADS, Stage
from tests.live.xmppserver import GATEWAY

FLOWS = "flows"
Measure = Callable[[], Measured | None]


def best(measures: Sequence[Measure], rounds: int) -> list[Measured | None]:
    """Measure them in turn, `rounds` times: what shares the machine disturbs all of them alike. The best rate of each counts."""
    found: list[list[Measured]] = [[] for _ in measures]
    for _ in range(rounds):
        for measure, results in zip(measures, found, strict=True):
            if (result := measure()) is not None:
                results.append(result)
    return [max(results, key=lambda m: m.rate, default=None) for results in found]


class Run:
    """One run over a stage."""

    def __init__(self, stage: Stage, seconds: float, rounds: int) -> None:
        self.stage, self.seconds, self.rounds = stage, seconds, rounds

    def _ask(self, ask: Ask | None) -> Measured | None:
        target = self.stage.target(ask) if ask else None
        return hammer(target, self.stage.pids[ask.server], self.seconds) if ask and target else None

    def scenario(self, scenario: Scenario) -> Row:
        asks = (scenario.ours, scenario.theirs, scenario.floor)
        ours, theirs, floor = best([partial(self._ask, ask) for ask in asks], self.rounds)
        assert ours is not None
        return Row(scenario.name, ours, scenario.theirs.server if scenario.theirs else "", theirs, scenario.target, floor)

    def compare(self, name: str, peer: str, ours: Measure, theirs: Measure, target: float | None, floor: Measure = lambda: None) -> Row:
        mine, other, least = best((ours, theirs, floor), self.rounds)
        assert mine is not None
        return Row(name, mine, peer, other, target, least)

    def flows(self, one_by_one: Measured | None) -> Iterator[Row]:
        stage, seconds = self.stage, self.seconds
        port, pids = stage.ports[OURS], stage.pids[OURS]
        link = stage.prosody.component_port
        bearer = stage.credentials["fixed"]
        yield self.compare(
            "batch of 10,000, stanzas", f"{MOD_REST}, one by one", lambda: flows.batch(port, bearer, pids), lambda: one_by_one, 8,
            lambda: flows.one_way(link, stage.pids["sink"]),
        )  # fmt: skip
        yield self.compare(
            "link, stanzas in and out", "a bare socket component",
            lambda: flows.pings(link, GATEWAY, pids, seconds), lambda: flows.pings(link, peers.ECHO, stage.pids["echo"], seconds), 0.8,
        )  # fmt: skip
        rest = (lambda: flows.callbacks(link, f"x@{peers.BOT}", stage.pids[MOD_REST], seconds)) if stage.prosody.plugins else lambda: None
        ours = lambda: flows.callbacks(link, f"bot@{GATEWAY}", pids, seconds)  # noqa: E731
        yield self.compare("stanza in → callback → reply", MOD_REST, ours, rest, None)
        streaming = stage.gateway("streaming", MANY_THREADS)
        yield Row(f"SSE events, {flows.READERS} readers", flows.fan_out(streaming.port, (streaming.pid,)))

    def memory(self, name: str) -> str:
        """MiB of each server, as proportional set size."""
        shown = {server: usage(pids[0]).resident / (1 << 20) for server, pids in self.stage.pids.items()}
        text = ", ".join(f"{server} {size:.0f}" for server, size in shown.items() if server not in ("sink", "echo"))
        ratio = f"; gateway / ejabberd: {shown[OURS] / shown[EJABBERD]:.2f} (target: 0.6 at most)" if EJABBERD in shown else ""
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
        slow = next((row.theirs for row in rows if row.target == 1.0 and row.peer == MOD_REST), None)
        if options.only in ("", FLOWS):
            for row in measuring.flows(slow):
                rows.append(row)
                print(row, file=sys.stderr)
        memory.append(measuring.memory("at the end, under load before"))
    yield table(rows)
    yield "Memory in MiB (proportional set size of all processes of a server)\n\n" + "\n".join(memory)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=3, help="for each measurement")
    parser.add_argument("--rounds", type=int, default=2, help="of each scenario, peers in turn; the best counts")
    parser.add_argument("--workers", type=int, default=2, help="of the gateway and of the floor")
    parser.add_argument("--only", default="", help=f"scenarios with this in their name; {FLOWS}: batch, link, callbacks and event streams")
    parser.add_argument("--interpreters", default="", help="only compare these, such as python3.11,python3.13")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if options.interpreters:
            pythons = options.interpreters.split(",")
            print(interpreters.rows(Path(folder), pythons, options.seconds, options.rounds) + "\n\nMeasured on\n\n" + machine())
            return
        for part in (*run(Path(folder), options), "Measured on\n\n" + machine()):
            print(part + "\n", flush=True)


if __name__ == "__main__":
    main()
