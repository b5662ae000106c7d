"""The measurements at one server, as a table in Markdown, and what they say of the targets (accounts-anywhere §11)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from bench.foreign import many
from bench.foreign.logins import LOGINS, BareStream, first_messages, logins
from bench.foreign.requests import IQ, MESSAGE, REPEATED, at_mod_rest, of_foreign, of_hosted
from bench.foreign.servers import ACCOUNTS, OTHERS, SERVERS, GuestProsody
from bench.foreign.stage import ONE, TWO, ForeignStage
from bench.load import Measured
from bench.peers import SINK, have, plugins
from bench.stage import HERE
from tests.live.child import LOOPBACK
from tests.live.tls_servers import FOREIGN
from tests.live.xmppserver import PASSWORD

HOSTED, SLIXMPP, MOD_REST, SOCKET = "hosted account, one worker", "slixmpp", "mod_rest", "a socket"
COLUMNS = (ONE, TWO, HOSTED, SLIXMPP, MOD_REST, SOCKET)
LOGIN, FIRST = "login", "first message"
Measure = Callable[[], Mapping[str, Measured]]


class Found(NamedTuple):
    """What was measured at one server: request → column → a result of each round."""

    server: str
    rows: dict[str, dict[str, list[Measured]]]

    def best(self, name: str, column: str) -> Measured | None:
        """The round with the best rate."""
        return max(self.rows[name].get(column, ()), key=lambda measured: measured.rate, default=None)

    def cpu(self, name: str, column: str) -> float:
        """The least of all rounds: what shares the machine makes it more."""
        return min(measured.cpu for measured in self.rows[name][column])

    def ratio(self, name: str) -> float | None:
        """Processor time of a foreign account's request and of a hosted one's."""
        return self.cpu(name, ONE) / self.cpu(name, HOSTED) if HOSTED in self.rows[name] else None


def measured(stage: ForeignStage, seconds: float, rounds: int) -> Found:
    """Everyone in turn, `rounds` times."""
    found = Found(stage.server.name, {})
    for number in range(rounds):
        for column, act in _measures(stage, seconds):
            for name, result in act().items():
                found.rows.setdefault(name, {}).setdefault(column, []).append(result)
                print(stage.server.name, number + 1, name, column, result, file=sys.stderr)
    return found


def _measures(stage: ForeignStage, seconds: float) -> Iterator[tuple[str, Measure]]:
    for name, act in ((LOGIN, logins), (FIRST, first_messages)):
        for gateway in (ONE, TWO):
            yield gateway, lambda name=name, act=act, gateway=gateway: {name: act(stage, gateway)}  # type: ignore[misc]
    for name, connections in REPEATED:
        key = f"{name} {connections}"
        for column, repeat in _repeated(stage):
            yield column, lambda key=key, repeat=repeat, name=name, c=connections: {key: repeat(name, c, seconds)}  # type: ignore[misc]
    yield SLIXMPP, lambda: _by_slixmpp(stage, seconds)
    yield SOCKET, lambda: _by_socket(stage, seconds)


def _repeated(stage: ForeignStage) -> Iterator[tuple[str, Callable[[str, int, float], Measured]]]:
    yield ONE, partial(of_foreign, stage, ONE)
    yield HOSTED, partial(of_hosted, stage, ONE)
    yield TWO, partial(of_foreign, stage, TWO)
    if isinstance(stage.server, GuestProsody) and plugins():
        yield MOD_REST, partial(at_mod_rest, stage)


def _by_slixmpp(stage: ForeignStage, seconds: float) -> dict[str, Measured]:
    server = stage.server
    place = (LOOPBACK, server.direct_port, server.authority.ca_file, FOREIGN, PASSWORD, SINK, server.pid, seconds)
    command = [sys.executable, str(HERE / "foreign/by_slixmpp.py"), *map(str, place), *OTHERS[:LOGINS]]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=True)
    return {name: Measured(*values) for name, values in json.loads(done.stdout).items()}


def _by_socket(stage: ForeignStage, seconds: float) -> dict[str, Measured]:
    with BareStream(stage.server) as stream:
        return {f"{MESSAGE} 1": stream.messages(seconds), f"{IQ} 1": stream.pings(seconds)}


def _table(found: Found) -> str:
    columns = [column for column in COLUMNS if any(column in cells for cells in found.rows.values())]
    lines = [[found.server, *columns, "CPU, foreign / hosted"], ["---", *["--:"] * (len(columns) + 1)]]
    for name in found.rows:
        ratio = found.ratio(name)
        lines.append([name, *(_cell(found.best(name, column)) for column in columns), f"{ratio:.2f}" if ratio else ""])
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _cell(measured: Measured | None) -> str:
    if measured is None:
        return ""
    bad = f" ({measured.bad} bad answers)" if measured.bad else ""
    costs = " + ".join(f"{cost:,.0f}" for cost in (measured.cpu, measured.behind) if cost >= 1)
    return f"{measured.rate:,.0f}/s, {measured.p50:.1f} / {measured.p99:.1f} ms, {costs} µs{bad}"


def _verdict(name: str, value: float, at_most: float, unit: str) -> str:
    return f"- {name}: {value:.2f}{unit}; wanted {at_most:g} at most: {'met' if value <= at_most else '**missed**'}"


def _verdicts(found: Found) -> Iterator[str]:
    yield _verdict("a login, processor time", found.cpu(LOGIN, ONE) / 1000, 10, " ms")
    theirs, ours = (min(each.p50 or 0 for each in found.rows[f"{IQ} 1"][column]) for column in (SOCKET, ONE))
    yield _verdict(f"an iq, above the {theirs:.2f} ms of the server itself, p50", ours - theirs, 1, " ms")
    for name in found.rows:
        if ratio := found.ratio(name):
            yield _verdict(f"processor time, foreign / hosted, {name}", ratio, 1.3, "")


def _kept(kept: many.Kept) -> Iterator[str]:
    grown, half = kept.every - kept.one, ACCOUNTS // 2
    sizes = ", ".join(f"{count:,}: {size / many.MIB:.0f}" for count, size in ((1, kept.one), (half, kept.half), (ACCOUNTS, kept.every)))
    yield f"- MiB of the gateway, one worker, by its sessions: {sizes}; a login, four at once: {kept.login * 1e3:.1f} ms of a processor"
    yield _verdict(f"{ACCOUNTS:,} sessions, {grown / ACCOUNTS / 1024:.0f} KiB each, in all", grown / many.MIB, 60, " MiB")
    yield _verdict(f"{half} idle sessions, share of a processor (of one session {kept.idle_one:.2%})", kept.idle_half * 100, 1, " %")


def _beside(beside: many.Beside) -> Iterator[str]:
    told = ", ".join(f"{status}: {count}" for status, count in sorted(beside.answers.items()))
    yield f"- hosted, two workers, {beside.name} 16: {_cell(beside.alone)}"
    yield f"- the same beside {many.CALLERS} callers of a silent server, who were told {told}: {_cell(beside.beside)}"
    yield _verdict("p99 of that", beside.beside.p99 or 0, 100, " ms")


def report(seconds: float, rounds: int) -> Iterator[str]:
    """All of it, part by part."""
    for kind in SERVERS:
        if not have(kind.program):
            continue
        with tempfile.TemporaryDirectory() as folder, ForeignStage(Path(folder), kind) as stage:
            loads = [_load()]
            found = measured(stage, seconds, rounds)
            loads.append(_load())
            yield _table(found)
            lines = [*_verdicts(found), *chain.from_iterable(map(_beside, many.beside_callers(stage, seconds)))]
            loads.append(_load())
            lines += _kept(many.many_sessions(stage))
            yield f"{found.server}; load average before, after the table, after the callers: {', '.join(loads)}\n\n" + "\n".join(lines)


def _load() -> str:
    return f"{os.getloadavg()[0]:.1f}"
