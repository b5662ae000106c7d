"""What several machines reach, and what breaks first, calculated from what was measured on one.

    python bench/cluster/capacity.py

prints the tables of docs/how-to/many-machines-numbers.md, as Markdown.
"""

# many-machines §14

from __future__ import annotations

import math
import sys
from collections.abc import Iterator
from typing import NamedTuple


class Constant(NamedTuple):
    """A number that the calculation begins from."""

    value: float
    unit: str
    what: str
    source: str


MEASURED = "bench/cluster/processor.py"
CONSTANTS = {
    "daily": Constant(20, "messages", "sent by an account in a day", "assumed"),
    "peak": Constant(5, "times", "the mean, at the busiest time of a day", "assumed"),
    "listening": Constant(0.02, "of the accounts", "with an open event stream at a time", "assumed"),
    "requests": Constant(5, "requests", "beside each message: history, contacts, data, polls", "assumed"),
    "hosted": Constant(0.5, "of the messages", "to an account of the gateway; the rest goes over the link", "assumed"),
    "owner there": Constant(362, "µs", "of the owner's processor for a message to elsewhere, 16 at once by another node", MEASURED),
    "owner here": Constant(2624, "µs", "the same, to an account of the gateway", MEASURED),
    "base there": Constant(437, "µs", "of the database's processors for a message to elsewhere", MEASURED),
    "base here": Constant(2526, "µs", "the same, to an account of the gateway", MEASURED),
    "base": Constant(16, "processors", "of the database's machine", "assumed"),
    "link": Constant(26618, "stanzas/s", "on the streams to one XMPP server, in and out", "RESULTS.md"),
    "served": Constant(1700, "requests/s", "with a password, history and data, by two processors", "RESULTS.md, least"),
    "streams": Constant(5000, "streams", "open in one process, idle: 1.8 % of a processor", "RESULTS.md"),
    "events": Constant(9100, "events/s", "archived and told to two nodes by NOTIFY", "decision 0063"),
    "rows": Constant(46000, "rows/s", "written and removed in a journal, in groups of 64", "decision 0063"),
    "writes": Constant(4, "rows", "for a message: outbox and its removal, the archives of both sides", "counted"),
    "wal": Constant(2.8, "kB", "of the database's log for a message between accounts; 1.9 to elsewhere", "bench/cluster/written.py"),
    "replicated": Constant(100, "MB/s", "to a standby, over 1 Gbit/s", "estimated"),
    "kept": Constant(1, "kB", "of a message in the archive, with its indexes", "estimated"),
    "processes": Constant(4, "processes", "of a node", "[server] workers, at most by auto"),
    "pool": Constant(10, "connections", "of a process to the database, at most", "drivers/sql/postgresengine.py"),
    "beside": Constant(3, "connections", "of a node beside them", "many-machines §13"),
    "connections": Constant(500, "connections", "that one PostgreSQL serves well without a pooler", "estimated"),
}


def of(name: str) -> float:
    """The value of a constant."""
    return CONSTANTS[name].value


class Load(NamedTuple):
    """What a number of accounts asks for at the busiest time of a day."""

    accounts: float

    @property
    def messages(self) -> float:
        """Messages in a second."""
        return self.accounts * of("daily") * of("peak") / 86_400

    @property
    def streams(self) -> float:
        """Event streams that are open."""
        return self.accounts * of("listening")

    @property
    def requests(self) -> float:
        """Requests in a second, those that send among them."""
        return self.messages * (1 + of("requests"))

    @property
    def nodes(self) -> int:
        """Nodes of four processes that serve all of it, and one more, of which one may fail."""
        by_streams = self.streams / (of("streams") * of("processes"))
        by_requests = self.requests / (of("served") * of("processes") / 2)
        return math.ceil(max(by_streams, by_requests)) + 1


def each(who: str) -> float:
    """Microseconds of a processor for the mean message."""
    return of("hosted") * of(f"{who} here") + (1 - of("hosted")) * of(f"{who} there")


def shares(load: Load) -> dict[str, float]:
    """How much of one cluster's capacity each part uses: above 1 it is too little."""
    nodes = load.nodes
    return {
        "the owner (one process)": load.messages * each("owner") / 1e6,
        "processors of the database": load.messages * each("base") / 1e6 / of("base"),
        "rows of the database": load.messages * of("writes") / of("rows"),
        "events to other nodes": load.messages * of("hosted") / of("events"),
        "the link (one XMPP server)": load.messages * (1 - of("hosted")) / of("link"),
        "the database's log to a standby": load.messages * of("wal") / 1000 / of("replicated"),
        "connections to the database": nodes * (of("processes") * of("pool") + of("beside")) / of("connections"),
    }


def cells(load: Load) -> int:
    """Clusters, each with a database of its own, over which the accounts have to be divided."""
    number = max(1, math.ceil(max(shares(load).values())))
    while max(shares(Load(load.accounts / number)).values()) > 1:
        number += 1
    return number


def power(accounts: float) -> str:
    """A power of ten, as it is written."""
    return f"10^{round(math.log10(accounts))}"


def shown(number: float) -> str:
    """A number in two significant digits, with commas."""
    rounded = round(number, 1 - math.floor(math.log10(number))) if number else 0
    return f"{rounded:,.0f}" if rounded >= 10 or isinstance(number, int) else f"{rounded:g}"


SIZES = (10**5, 10**6, 10**7, 10**8)


def constants() -> Iterator[str]:
    """The table of what is taken as given."""
    yield from ("| constant | | what | from |", "| ---: | --- | --- | --- |")
    for constant in CONSTANTS.values():
        yield f"| {constant.value:,g} | {constant.unit} | {constant.what} | {constant.source} |"


def clusters() -> Iterator[str]:
    """The table of what each number of accounts takes."""
    yield "| accounts | messages/s | requests/s | streams open | clusters (owners, databases, links) | nodes in all | archive in a year |"
    yield "| ---: | ---: | ---: | ---: | ---: | ---: | ---: |"
    for accounts in SIZES:
        load = Load(accounts)
        number = cells(load)
        nodes = number * Load(accounts / number).nodes
        year = accounts * of("daily") * 365 * of("kept") * (1 + of("hosted")) / 1e9
        figures = (load.messages, load.requests, load.streams, number, nodes)
        yield f"| {power(accounts)} | {' | '.join(shown(figure) for figure in figures)} | {shown(year)} TB |"


def first_bounds() -> Iterator[str]:
    """The table of what breaks first in one cluster."""
    parts = list(shares(Load(SIZES[0])))
    yield f"| accounts, all in one cluster | {' | '.join(parts)} | breaks first |"
    yield f"| ---: |{' ---: |' * len(parts)} --- |"
    for accounts in SIZES:
        used = shares(Load(accounts))
        worst = max(used, key=lambda part: used[part])
        verdict = worst if used[worst] > 1 else "nothing"
        yield f"| {power(accounts)} | {' | '.join(f'{shown(100 * share)} %' for share in used.values())} | {verdict} |"


def page() -> str:
    """All tables."""
    tables = (("What is taken as given", constants), ("What it takes", clusters), ("What breaks first", first_bounds))
    return "\n".join(line for title, table in tables for line in (f"## {title}", "", *table(), ""))


if __name__ == "__main__":
    sys.stdout.write(page())
