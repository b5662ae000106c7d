"""The cost of each verb of each storage driver: `python bench/drivers.py [URL …]`

Every number is the median of repeated calls, in microseconds. Writes include the wait for the disk.
"""

from __future__ import annotations

import argparse
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from drivers import ArchiveItem, ArchiveQuery, Driver, open_driver

URLS = ["sqlite:bench.sqlite", "flatfile:flat", "jsonfile:json"]
JULIET = ("juliet", "capulet.example")
ACCOUNT = {"salt": "s" * 36, "iteration_count": 10000, "stored_key": "0" * 40, "server_key": "1" * 40}
ROSTER = {f"contact{i}@capulet.example": {"subscription": "both", "name": f"Contact {i}", "groups": {"Friends": True}} for i in range(200)}
STANZA = "<message id='x' to='r@x' type='chat' from='j@x/y'><body>Good pilgrim, you do wrong your hand too much</body></message>"
LENGTHS = (10, 1_000, 100_000)
LONG = 10_000
USERS = 1_000_000


def microseconds(call: Callable[[], Any], repeats: int = 60) -> float:
    """Median time of a call, or of the calls in 5 s."""
    taken: list[float] = []
    end = time.perf_counter() + 5
    while len(taken) < repeats and (not taken or time.perf_counter() < end):
        began = time.perf_counter()
        call()
        taken.append(time.perf_counter() - began)
    return statistics.median(taken) * 1e6


def _find_all(driver: Driver, query: ArchiveQuery) -> list[ArchiveItem]:
    return list(driver.archive_find(*JULIET, "archive", query))


def row(name: str, *numbers: float) -> None:
    print(f"  {name:<44}" + "".join(f"{number:>12,.0f}" for number in numbers))


def tables(driver: Driver) -> None:
    driver.store(*JULIET, "accounts", ACCOUNT)
    driver.store(*JULIET, "roster", ROSTER)
    row("load: an account", microseconds(lambda: driver.load(*JULIET, "accounts")))
    row("load: a roster of 200", microseconds(lambda: driver.load(*JULIET, "roster")))
    row("load: nothing", microseconds(lambda: driver.load("nurse", "capulet.example", "accounts")))
    row("store: an account", microseconds(lambda: driver.store(*JULIET, "accounts", ACCOUNT | {"salt": str(time.time())})))
    row("update: one contact of a roster of 200", microseconds(lambda: driver.update(*JULIET, "roster", change)))


def change(roster: Any) -> Any:
    roster["contact7@capulet.example"]["name"] = str(time.time())
    return roster


def lists(driver: Driver) -> None:
    for length in LENGTHS:
        driver.list_store(*JULIET, f"list_{length}", [{"n": n, "item": "rope"} for n in range(length)])
    print(f"  {'of a list of':<44}" + "".join(f"{length:>12,}" for length in LENGTHS))
    calls: dict[str, Callable[[int], Any]] = {
        "list_append": lambda n: driver.list_append(*JULIET, f"list_{n}", {"n": 1, "item": "rope"}),
        "list_load: the first 10": lambda n: driver.list_load(*JULIET, f"list_{n}", 0, 10),
        "list_load: 10 behind the middle": lambda n: driver.list_load(*JULIET, f"list_{n}", n // 2, n // 2 + 10),
        "list_load: all": lambda n: driver.list_load(*JULIET, f"list_{n}"),
    }
    for name, call in calls.items():
        row(name, *(microseconds(partial(call, length)) for length in LENGTHS))


def archives(driver: Driver) -> None:
    for start in range(0, LONG, 1000):
        items = [ArchiveItem(f"id{n}", 1e9 + n + 0.5, f"user{n % 50}@x", STANZA) for n in range(start, start + 1000)]
        driver.archive_extend(*JULIET, "archive", items)
    row("archive_append: a new id", microseconds(lambda: driver.archive_append(*JULIET, "archive", STANZA, when=time.time(), with_="r@x")))
    row("archive_append: a given id", microseconds(lambda: driver.archive_append(*JULIET, "archive", STANZA, when=5, key="same")))
    queries = {
        "the last 20": ArchiveQuery(limit=20, newest_first=True),
        "20 before an id in the middle": ArchiveQuery(limit=20, newest_first=True, before=f"id{LONG // 2}"),
        "the last 20 with one partner": ArchiveQuery(limit=20, newest_first=True, with_="user7@x"),
        "20 from a time on": ArchiveQuery(limit=20, start=1e9 + LONG / 2),
        "one by its id": ArchiveQuery(ids=("id77",)),
        "all": ArchiveQuery(),
    }
    for name, query in queries.items():
        row(f"archive_find: {name}", microseconds(partial(_find_all, driver, query)))
    row("archive_count: one partner", microseconds(lambda: driver.archive_count(*JULIET, "archive", ArchiveQuery(with_="user7@x"))))


def contents(driver: Driver) -> None:
    for n in range(1000):
        driver.store(f"user{n}", "many.example", "settings", {"n": n})
    row("users: all of 1,000", microseconds(lambda: list(driver.users("many.example"))))
    row("stores: of one user", microseconds(lambda: list(driver.stores(*JULIET))))
    row("hosts", microseconds(lambda: list(driver.hosts())))
    names = iter(range(1000))
    row("purge: a small user", microseconds(lambda: driver.purge(f"user{next(names)}", "many.example")))


def many_users(folder: Path) -> None:
    """A database of a million accounts: what opening it and working in it costs."""
    open_driver("sqlite:many.sqlite", folder).check()
    with sqlite3.connect(folder / "many.sqlite") as connection:
        members = ACCOUNT.items()
        rows = (("many.example", f"user{n}", "accounts", key, "string", str(value)) for n in range(USERS) for key, value in members)
        connection.executemany("INSERT INTO prosody VALUES (?, ?, ?, ?, ?, ?)", rows)
    connection.close()

    def first_use() -> None:
        driver = open_driver("sqlite:many.sqlite", folder)
        driver.load("user500000", "many.example", "accounts")
        driver.close()

    driver = open_driver("sqlite:many.sqlite", folder)
    print(f"\nsqlite with {USERS:,} users")
    row("open, load one account, close", microseconds(first_use))
    row("load: an account", microseconds(lambda: driver.load("user765432", "many.example", "accounts")))
    row("store: an account", microseconds(lambda: driver.store("user3", "many.example", "accounts", ACCOUNT | {"salt": str(time.time())})))
    row("hosts", microseconds(lambda: list(driver.hosts())))
    row("users: the first 1,000", microseconds(lambda: next(iter(driver.users("many.example", "accounts")))))
    row("users: all", microseconds(lambda: sum(1 for _ in driver.users("many.example", "accounts")), repeats=1))
    driver.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("urls", nargs="*", default=URLS, help="storage URLs; each must be empty")
    parser.add_argument("--users", action="store_true", help=f"also an SQLite database of {USERS:,} users")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=".", prefix="bench-") as folder:
        for url in arguments.urls:
            print(f"\n{url.partition(':')[0]} (µs; archives of {LONG:,} items)")
            driver = open_driver(url, Path(folder))
            for part in (tables, lists, archives, contents):
                part(driver)
            driver.close()
        if arguments.users:
            many_users(Path(folder))


if __name__ == "__main__":
    main()
