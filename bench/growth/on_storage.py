"""Operations of storage drivers, on an account whose archive and list have as many items as there are other accounts."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import NamedTuple

from bench.growth import filling
from bench.growth.filling import FIRST, OWNER, PARTNER
from bench.growth.measured import Figure, Figures, milliseconds, once
from bench.growth.places import DOMAIN, Storage
from bench.growth.waits import longest_wait
from drivers import ArchiveQuery, Driver

PAGE = 20
COUNTED = 10_000


class Operation(NamedTuple):
    """`call` makes, of a driver and the size, what is measured."""

    name: str
    call: Callable[[Driver, int], Callable[[], object]]


def _find(query: Callable[[int], ArchiveQuery]) -> Callable[[Driver, int], Callable[[], object]]:
    return lambda driver, size: lambda: list(driver.archive_find(OWNER, DOMAIN, "archive", query(size)))


def _append(driver: Driver, size: int) -> Callable[[], object]:
    numbers = count(size + 1000)
    return lambda: driver.archive_extend(OWNER, DOMAIN, "archive", [filling.item(next(numbers))])


def _append_new(driver: Driver, size: int) -> Callable[[], object]:
    items = (filling.item(n) for n in count(size))

    def append() -> None:
        item = next(items)
        driver.archive_append(OWNER, DOMAIN, "archive", item.stanza, when=item.when, with_=item.with_)

    return append


def _count_within(driver: Driver, _size: int) -> Callable[[], object]:
    query = ArchiveQuery(with_=PARTNER)
    return lambda: driver.archive_count_within(OWNER, DOMAIN, "archive", query, most=COUNTED)


OPERATIONS = (
    Operation("append to an archive, new id", _append_new),
    Operation("append to an archive, given id", _append),
    Operation("last page", _find(lambda _: ArchiveQuery(limit=PAGE, newest_first=True))),
    Operation("page from a time in the middle", _find(lambda size: ArchiveQuery(limit=PAGE, start=FIRST + size / 2))),
    Operation("page before an id in the middle", _find(lambda size: ArchiveQuery(limit=PAGE, newest_first=True, before=f"id{size // 2}"))),
    Operation("last page with one partner", _find(lambda _: ArchiveQuery(limit=PAGE, newest_first=True, with_=PARTNER))),
    Operation("one item by its id", _find(lambda size: ArchiveQuery(ids=(f"id{size // 3}",)))),
    Operation("count of a partner's items, up to 10,000", _count_within),
    Operation("count of an archive", lambda driver, _: lambda: driver.archive_count(OWNER, DOMAIN, "archive")),
    Operation("append to a list", lambda driver, _: lambda: driver.list_append(OWNER, DOMAIN, "notes", {"n": 1})),
    Operation("the first items of a list", lambda driver, _: lambda: driver.list_load(OWNER, DOMAIN, "notes", 0, PAGE)),
    Operation("the last items of a list", lambda driver, size: lambda: driver.list_load(OWNER, DOMAIN, "notes", size - PAGE, size)),
    Operation("load of a table", lambda driver, size: lambda: driver.load(f"user{size // 2}", DOMAIN, "accounts")),
    Operation("store of a table", lambda driver, size: lambda: driver.store(f"user{size // 2}", DOMAIN, "accounts", filling.ACCOUNT)),
    Operation("purge of an account with one table", lambda driver, _: _purge(driver)),
)


def _purge(driver: Driver) -> Callable[[], object]:
    numbers = count(1)
    return lambda: driver.purge(f"user{next(numbers)}", DOMAIN)


def of_storage(storage: Storage, size: int) -> Figures:
    """All of them; the last ones remove what is there."""
    yield Figure("opening the storage, one load", "ms", milliseconds(lambda: _open(storage)))
    with storage.driver() as driver:
        for operation in OPERATIONS:
            yield Figure(operation.name, "ms", milliseconds(operation.call(driver, size)))
        names = once(lambda: sum(1 for _ in driver.users(DOMAIN, "accounts")))
        yield Figure("all names of accounts, each", "µs", names * 1000 / size)
        oldest = ArchiveQuery(end=FIRST + size / 10)
        removal = once(lambda: driver.archive_delete(OWNER, DOMAIN, "archive", oldest))
        yield Figure("removal of the oldest tenth, each item", "µs", removal * 10_000 / size)
        slowest = longest_wait(driver, lambda: driver.purge(OWNER, DOMAIN))
        yield Figure("purge of an account with an archive: longest wait of others", "ms", slowest, flat=False)


def _open(storage: Storage) -> None:
    with storage.driver() as driver:
        driver.check()
        driver.load("user7", DOMAIN, "accounts")
