"""`make bench-growth`, `python -m bench.growth`: the table of how costs grow, as Markdown on the standard output."""

from __future__ import annotations

import argparse
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path

from bench.growth import filling
from bench.growth.measured import Figure, Figures, Row, once, table
from bench.growth.on_gateway import of_gateway
from bench.growth.on_rooms import STAGES
from bench.growth.on_storage import of_storage
from bench.growth.places import FILES, Storage, cluster_for, empty_storage
from bench.report import machine
from drivers import Driver, open_driver
from drivers.migrate import migrate
from tests.drivers.postgrescluster import Cluster

SIZES = (1_000, 100_000, 1_000_000)
KINDS = ("sqlite", "postgresql", "flatfile", "jsonfile")
MIGRATED = 20_000  # accounts
FILLED: dict[str, Callable[[Driver, int], None]] = {
    "account": filling.accounts,
    "archived message": filling.archive,
    "item of a list": filling.long_list,
}


class Rows:
    """The figures so far, by driver and operation."""

    def __init__(self) -> None:
        self._rows: dict[tuple[str, str], tuple[str, bool]] = {}
        self._took: dict[tuple[str, str], dict[int, float]] = defaultdict(dict)

    def add(self, kind: str, size: int, figures: Figures) -> None:
        """Take the figures as they come, and say each."""
        for figure in figures:
            self._rows[kind, figure.name] = (figure.unit, figure.flat)
            self._took[kind, figure.name][size] = figure.took
            print(f"{time.strftime('%T')} {kind:<11}{size:>9,} {figure.name:<62}{figure.took:>12,.2f} {figure.unit}", file=sys.stderr)

    def all(self) -> list[Row]:
        """A row for each driver and operation."""
        return [Row(kind, name, unit, flat, self._took[kind, name]) for (kind, name), (unit, flat) in self._rows.items()]


def _stored(storage: Storage, size: int) -> Figures:
    """Fill the storage, measure the operations of the gateway and its own."""
    for name, fill in FILLED.items():
        before = storage.bytes_on_disk()
        with storage.filling() as driver:
            took = once(partial(fill, driver, size))
        if storage.kind != "postgresql":
            yield Figure(f"on disk: {name}", "bytes", (storage.bytes_on_disk() - before) / size, flat=False)
        yield Figure(f"in bulk: {name}", "µs", took * 1000 / size, flat=False)
    if storage.kind not in FILES:
        with storage.filling() as driver:
            filling.tokens(driver, size)
    yield from of_gateway(storage, size)
    yield from of_storage(storage, size)


def _migrated(storage: Storage) -> Figures:
    """What a migration from SQLite takes for each store."""
    with closing(open_driver("sqlite:from.sqlite", storage.folder)) as source, storage.driver() as target:
        filling.accounts(source, MIGRATED)
        took = once(lambda: migrate(source, target))
        yield Figure("migration from sqlite, each store", "µs", took * 1000 / MIGRATED)


def _measure(kind: str, sizes: list[int], where: Path, cluster: Cluster | None, stages: list[str], rows: Rows) -> None:
    """All stages of one driver, each on storages of its own."""
    for size in sizes if "storage" in stages else ():
        with empty_storage(kind, where, cluster) as storage:
            rows.add(kind, size, _stored(storage, size))
    for name, own, figures in STAGES:
        for size in own if name in stages else ():
            with empty_storage(kind, where, cluster) as storage:
                rows.add(kind, size, figures(storage, size))
    if "migration" in stages:
        with empty_storage(kind, where, cluster) as storage:
            rows.add(kind, MIGRATED, _migrated(storage))


def main() -> None:
    names = ["storage", *(name for name, *_ in STAGES), "migration"]
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--drivers", nargs="+", choices=KINDS, default=list(KINDS))
    parser.add_argument("--sizes", nargs="+", type=int, default=list(SIZES), help="accounts of others, items of an archive and of a list")
    parser.add_argument("--only", nargs="+", choices=names, default=names)
    parser.add_argument("--where", type=Path, default=Path("/var/tmp"), help="a folder with some 20 GB for the storages")
    arguments = parser.parse_args()
    rows = Rows()
    with cluster_for(arguments.drivers) as cluster:
        for kind in arguments.drivers:
            used = cluster if kind == "postgresql" else None
            _measure(kind, arguments.sizes, arguments.where, used, arguments.only, rows)
    print(table(rows.all()))
    print(f"\n## The machine\n\n{machine()}")


if __name__ == "__main__":
    main()
