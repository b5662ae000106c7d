"""Contract: lists."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import pytest

from drivers import BadValue, Driver, StorageError, Write
from tests.drivers.contract_base import JULIET, ROMEO, StorageFixtures
from tests.many import in_threads

ITEMS = [{"n": 1, "item": "rope"}, "just a string", 42, 2.5, True, False, [1, 2, 3], "", {}]
ITEMS += ["line\nbreak item(1);\n", {"deep": {"__array": [1], "x": 1}}]
SLICES = [(0, None), (0, 2), (1, 3), (9, None), (10, 20), (11, None), (500, None), (3, 3), (4, 2), (0, 0), (0, 500)]


class ListContract(StorageFixtures):
    def test_items_come_back_in_order(self, driver: Driver, opened: Callable[[], Driver]) -> None:
        for item in ITEMS:
            driver.list_append(*JULIET, "wishlist", item)
        assert opened().list_load(*JULIET, "wishlist") == ITEMS

    def test_no_list_is_none(self, driver: Driver) -> None:
        assert driver.list_load(*JULIET, "wishlist") is None
        assert driver.list_load(*JULIET, "wishlist", 5, 7) is None
        assert driver.list_load("." * 1023, "capulet.example", "wishlist") is None

    @pytest.mark.parametrize(("start", "stop"), SLICES)
    def test_slices(self, driver: Driver, start: int, stop: int | None) -> None:
        driver.list_store(*JULIET, "wishlist", ITEMS)
        assert driver.list_load(*JULIET, "wishlist", start, stop) == ITEMS[start:stop]

    def test_storing_replaces_the_whole_list(self, driver: Driver) -> None:
        driver.list_append(*JULIET, "wishlist", "old")
        driver.list_store(*JULIET, "wishlist", iter(ITEMS))
        assert driver.list_load(*JULIET, "wishlist") == ITEMS
        driver.list_append(*JULIET, "wishlist", "last")
        assert driver.list_load(*JULIET, "wishlist") == [*ITEMS, "last"]

    def test_an_empty_list_is_none(self, driver: Driver) -> None:
        driver.list_store(*JULIET, "wishlist", [])
        assert driver.list_load(*JULIET, "wishlist") is None
        driver.list_append(*JULIET, "wishlist", 1)
        driver.list_store(*JULIET, "wishlist", [])
        assert driver.list_load(*JULIET, "wishlist") is None
        assert list(driver.hosts()) == []

    def test_null_is_an_empty_table(self, driver: Driver) -> None:
        driver.list_append(*JULIET, "wishlist", None)
        driver.list_append(*JULIET, "wishlist", [])
        assert driver.list_load(*JULIET, "wishlist") == [{}, {}]

    @pytest.mark.parametrize("item", [{1}, b"x", "\ud83d", {1: 2}], ids=repr)
    def test_what_cannot_be_kept_is_refused_and_changes_nothing(self, driver: Driver, item: Any) -> None:
        driver.list_append(*JULIET, "wishlist", 1)
        with pytest.raises(BadValue):
            driver.list_append(*JULIET, "wishlist", item)
        with pytest.raises(BadValue):
            driver.list_store(*JULIET, "wishlist", [1, 2, item])
        assert driver.list_load(*JULIET, "wishlist") == [1]

    def test_lists_are_apart_from_tables_and_each_other(self, driver: Driver) -> None:
        driver.list_append(*JULIET, "a", "juliet")
        driver.list_append(*ROMEO, "a", "romeo")
        driver.list_append(None, "capulet.example", "a", "host")
        driver.store(*JULIET, "a", {"table": True})
        assert driver.list_load(*JULIET, "a") == ["juliet"]
        assert driver.list_load(*ROMEO, "a") == ["romeo"]
        assert driver.list_load(None, "capulet.example", "a") == ["host"]
        driver.store(*JULIET, "a", None)
        assert driver.list_load(*JULIET, "a") == ["juliet"]

    def test_update(self, driver: Driver, opened: Callable[[], Driver]) -> None:
        seen: list[Any] = []

        def change(items: list[Any] | None) -> list[Any]:
            seen.append(items and [*items])
            return [*(items or []), len(items or [])]

        assert driver.list_update(*JULIET, "wishlist", change) == [0]
        driver.list_append(*JULIET, "wishlist", {"n": 1.0})
        assert driver.list_update(*JULIET, "wishlist", change) == [0, {"n": 1}, 2]
        assert seen == [None, [0, {"n": 1}]]
        assert opened().list_load(*JULIET, "wishlist") == [0, {"n": 1}, 2]
        assert driver.list_update(*JULIET, "wishlist", lambda _: None) is None
        driver.list_store(*JULIET, "wishlist", [1])
        assert driver.list_update(*JULIET, "wishlist", lambda _: []) is None
        assert driver.list_load(*JULIET, "wishlist") is None

    def test_what_list_update_raises_goes_through_and_nothing_is_written(self, driver: Driver) -> None:
        driver.list_append(*JULIET, "wishlist", 1)
        with pytest.raises(ZeroDivisionError):
            driver.list_update(*JULIET, "wishlist", lambda items: [1 // 0])
        with pytest.raises(BadValue):
            driver.list_update(*JULIET, "wishlist", lambda items: [{1, 2}])
        with pytest.raises(StorageError, match="update"):
            driver.list_update(*JULIET, "wishlist", lambda items: driver.list_append(*JULIET, "wishlist", 2))
        assert driver.list_load(*JULIET, "wishlist") == [1]

    def test_list_update_may_read_the_table(self, driver: Driver) -> None:
        driver.store(*JULIET, "wishlist", {"a": 1})
        driver.list_update(*JULIET, "wishlist", lambda _: [driver.load(*JULIET, "wishlist")])
        assert driver.list_load(*JULIET, "wishlist") == [{"a": 1}]

    def test_threads_lose_neither_updates_nor_what_is_appended(self, driver: Driver) -> None:
        def work(n: int) -> None:
            for _ in range(10):
                driver.list_update(*JULIET, "wishlist", lambda items: [*(items or []), n])
                driver.list_append(*JULIET, "wishlist", n)

        in_threads(work, range(6))
        assert sorted(driver.list_load(*JULIET, "wishlist") or []) == sorted([*range(6)] * 20)

    def test_a_long_item(self, driver: Driver) -> None:
        long = ["x" * 300_000, {"data": "y" * 300_000}, "z" * 300_000]
        for item in long:
            driver.list_append(*JULIET, "wishlist", item)
        driver.list_append(*JULIET, "wishlist", 1)
        assert driver.list_load(*JULIET, "wishlist") == [*long, 1]

    def test_appending_to_a_long_list_costs_what_it_costs_on_a_short_one(self, driver: Driver) -> None:
        driver.list_store(*JULIET, "short", [{"n": n} for n in range(10)])
        driver.list_store(*JULIET, "long", [{"n": n} for n in range(100_000)])
        seconds: dict[str, list[float]] = {"short": [], "long": []}
        for n in range(40):
            for store, taken in seconds.items():
                began = time.perf_counter()
                driver.list_append(*JULIET, store, {"n": n})
                taken.append(time.perf_counter() - began)
        # reading the 100,000 items takes a hundred times as long as one append
        assert statistics.median(seconds["long"]) < 5 * statistics.median(seconds["short"]) + 0.002
        assert driver.list_load(*JULIET, "long", 100_039) == [{"n": 39}]

    def test_several_writes_are_made_in_their_order_and_fail_alone(self, driver: Driver, opened: Callable[[], Driver]) -> None:
        writes = [
            Write(*JULIET, "wishlist", "rope", appends=True),
            Write(*JULIET, "settings", {"a": 1}),
            Write(*JULIET, "settings", {"bad": object()}),
            Write(*ROMEO, "wishlist", object(), appends=True),
            Write(*JULIET, "settings", {"a": 2}),
            Write(*JULIET, "wishlist", "dagger", appends=True),
            Write(*ROMEO, "settings", None),
        ]
        errors = driver.write_all(writes[:3], lambda: writes[3:])
        assert [type(error) for error in errors] == [type(None), type(None), BadValue, BadValue, type(None), type(None), type(None)]
        other = opened()
        assert other.list_load(*JULIET, "wishlist") == ["rope", "dagger"]
        assert other.load(*JULIET, "settings") == {"a": 2}
        assert other.list_load(*ROMEO, "wishlist") is None
        assert driver.write_all([]) == []

    def test_parts_of_a_long_list(self, driver: Driver, opened: Callable[[], Driver]) -> None:
        place = (*JULIET, "wishlist")
        driver.list_store(*ROMEO, "wishlist", range(-2000, 0))
        driver.list_store(*place, range(2600))
        other = opened()

        def parts_are(expected: list[Any]) -> None:
            for one in (driver, driver, other):
                for start in (0, 499, 500, 501, 999, 1000, 1001, 2400, 2599, 2600, 9999):
                    assert one.list_load(*place, start, start + 3) == expected[start : start + 3]
                assert one.list_load(*place, 1200) == expected[1200:]

        parts_are(list(range(2600)))
        driver.list_append(*place, "the last")
        parts_are([*range(2600), "the last"])
        driver.list_store(*place, range(5000, 3000, -1))
        parts_are(list(range(5000, 3000, -1)))
        driver.list_update(*place, lambda items: (items or [])[:1800])
        parts_are(list(range(5000, 3200, -1)))
        driver.list_store(*place, ())
        assert driver.list_load(*place, 1500) is None
        driver.list_store(*place, ["new", *range(1999)])
        parts_are(["new", *range(1999)])
        driver.purge(*JULIET)
        assert driver.list_load(*place, 1500) is None
