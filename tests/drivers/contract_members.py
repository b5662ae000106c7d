"""Contract: some members of a table, and the tables of many users."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from drivers import Driver
from tests.drivers.contract_base import JULIET, StorageFixtures

TABLE: dict[str, Any] = {"a": {"n": 1}, "b": 2, "c": "three", "": "no name", "__array": ["x"], "__hash": [False, {"version": 6}]}
APART = {"": "no name", "__array": ["x"], "__hash": [False, {"version": 6}]}


class MembersContract(StorageFixtures):
    @pytest.mark.parametrize("keys", [(), ("a",), ("c", "a"), ("none",), ("a", "b", "c", "", "d'\"%")], ids=str)
    def test_members_are_read_alone(self, driver: Driver, keys: tuple[str, ...]) -> None:
        assert driver.load_members(*JULIET, "settings", keys) is None
        driver.store(*JULIET, "settings", TABLE)
        assert driver.load_members(*JULIET, "settings", keys) == {k: v for k, v in TABLE.items() if k in keys} | APART

    def test_members_are_changed_alone(self, driver: Driver, opened: Callable[[], Driver]) -> None:
        driver.store(*JULIET, "settings", TABLE)
        seen: list[Any] = []

        def change(table: Any, count: Callable[[], int]) -> Any:
            seen.append((dict(table), count()))
            return {"b": 3, "new": {"x": []}, "__hash": [False, {"version": 7}]}

        driver.update_members(*JULIET, "settings", ("a", "b", "new"), change)
        assert seen == [({"a": {"n": 1}, "b": 2} | APART, 3)]
        assert opened().load(*JULIET, "settings") == {"b": 3, "new": {"x": {}}, "c": "three", "__hash": [False, {"version": 7}]}
        driver.update_members(*JULIET, "settings", ["b", "c"], lambda table, _: {**table, "c": "other"})  # type: ignore[dict-item]
        assert opened().load(*JULIET, "settings") == {"b": 3, "new": {"x": {}}, "c": "other", "__hash": [False, {"version": 7}]}
        driver.update_members(*JULIET, "settings", ["b", "c", "new"], lambda _table, _count: None)
        assert opened().load(*JULIET, "settings") is None

    def test_a_member_of_no_table_makes_one(self, driver: Driver, opened: Callable[[], Driver]) -> None:
        counts: list[int] = []

        def change(table: Any, count: Callable[[], int]) -> Any:
            counts.append(count())
            return {**(table or {}), f"k{len(counts)}": len(counts)}

        for n in (1, 2):
            driver.update_members(*JULIET, "settings", [f"k{n}"], change)
        assert (counts, opened().load(*JULIET, "settings")) == ([0, 1], {"k1": 1, "k2": 2})

    def test_many_members(self, driver: Driver) -> None:
        table = {f"k{n}": {"n": n} for n in range(1200)}
        driver.update_members(*JULIET, "settings", table, lambda _table, _count: dict(table))
        assert driver.load_members(*JULIET, "settings", list(table)) == table == driver.load(*JULIET, "settings")

    def test_what_a_change_of_members_raises_goes_through(self, driver: Driver) -> None:
        driver.store(*JULIET, "settings", TABLE)

        def change(_table: Any, _count: Callable[[], int]) -> Any:
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            driver.update_members(*JULIET, "settings", ["a"], change)
        assert driver.load(*JULIET, "settings") == TABLE

    def test_a_change_of_members_is_known(self, driver: Driver, opened: Callable[[], Driver]) -> None:
        unchanged = driver.unchanged(*JULIET, "settings")
        if unchanged is None:
            pytest.skip("the driver knows of no writes")
        opened().update_members(*JULIET, "settings", ["a"], lambda _table, _count: {"a": 1})
        assert not unchanged()

    def test_pages_of_tables(self, driver: Driver) -> None:
        names = [f"u{n:02}" for n in range(9)]
        for name in names:
            driver.store(name, "capulet.example", "settings", {"name": name, "__hash": [False, {"n": 1}]})
        driver.list_append("u03x", "capulet.example", "settings", "a list")
        driver.store(None, "capulet.example", "settings", {"a": 1})
        driver.store("u00", "capulet.example", "other", {"a": 1})
        found: list[Any] = []
        while page := driver.tables_page("capulet.example", "settings", after=found[-1][0] if found else "", limit=2):
            assert len(page) <= 2
            found += page
        assert found == [(name, {"name": name, "__hash": [False, {"n": 1}]}) for name in names]
        assert driver.tables_page("capulet.example", "settings", after="u03x", limit=1)[0][0] == "u04"
        assert driver.tables_page("verona.example", "settings", limit=5) == []
