"""Contract: tables."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest

from drivers import BadValue, Driver, StorageError
from tests.drivers.contract_base import JULIET, ROMEO, StorageFixtures

DEEP: dict[str, Any] = {}
for _ in range(126):
    DEEP = {"in": DEEP}
DEEP["in"]["leaf"] = 1

SAME = {
    "text": {"a": "", "b": "x", "c": "ключ ♥ 𝄞", "d": "line\nbreak\ttab\r\n", "e": "\x01\x1b\x7f\x80\u2028"},
    "U+0000": {"a": "x\0y", "b\0": "c", "d": ["\0"]},
    "quotes": {"a": "\"'\\", "b": "]] --[[ item(1);\n", "c": "\\n\\065", "d": "%s {} $1 ?"},
    "numbers": {"zero": 0, "negative": -7, "big": 9007199254740993, "max": 2**63 - 1, "min": -(2**63) + 1},
    "floats": {"half": 0.5, "tenth": 0.1, "small": 1e-7, "large": 1.7e308, "tiny": 5e-324, "third": 1 / 3},
    "infinities": {"up": math.inf, "down": -math.inf, "within": {"x": [math.inf]}},
    "booleans": {"t": True, "f": False},
    "nested": {"list": [1, "2", [3.5, [True]], {"k": []}][:3], "table": {"k": {"deep": True}}},
    "array": [1, "two", {"three": 3}, [4], False],
    "keys": {"": "empty", "a b": 1, "a.b": 2, "1": "text, not an index", "true": 3, "ä": 4, 'q"\\': 5, "\n": 6},
    "mixed": {"name": "body", "__array": ["text", {"name": "x"}], "__hash": [False, {"version": 6}, 10, "ten", 1.5, "f", True, 1]},
    "inner mixed": {"element": {"name": "a", "attr": {}, "__array": ["b"]}, "other": {"__hash": [True, "t"]}},
    "only keys": {"__hash": [False, {"version": 1, "pending": {}}]},
    "deep": DEEP,
    "reserved words": {"end": 1, "return": 2, "nil": 3, "select": 4, "when": 5, "key": 6},
}
CHANGED = {
    "whole float": ({"a": 1.0, "b": [2.0]}, {"a": 1, "b": [2]}),
    "empty list inside": ({"a": []}, {"a": {}}),
    "null inside": ({"a": {"b": None}}, {"a": {"b": {}}}),
    "array alone": ({"__array": [1, 2]}, [1, 2]),
    "positions": ({"__hash": [2, "b", 1, "a", "name", "n"]}, {"name": "n", "__array": ["a", "b"]}),
    "whole float key": ({"__hash": [1.0, "a"]}, ["a"]),
    "past 64 bits": ({"a": 2**64}, {"a": float(2**64)}),
    "tuple": ({"a": (1, 2)}, {"a": [1, 2]}),
}
NOT_NUMBERS = {"top": math.nan, "within": [1, math.nan, {"x": math.nan}]}
REFUSED = {
    "text": "text",
    "number": 5,
    "true": True,
    "set": {"a": {1}},
    "bytes": {"a": b"x"},
    "number as key": {1: "a"},
    "half a surrogate": {"a": "\ud83d"},
    "half a surrogate as key": {"\ud83d": 1},
    "too deep": {"deeper": {"one": DEEP}},
    "odd hash": {"__hash": [1]},
    "array is none": {"__array": "x"},
    "table as key": {"__hash": [{}, 1]},
    "number past floats": {"a": 10**400},
}
NAMES = ["count.paris", "count_paris", "COUNT.PARIS", "d\\27artagnan", "jürgen", "..", ".", "/etc", "a/b", "a%2fb", "~", "x~"]
NAMES += ["con", "💌", "'; --", "_global", ".locks", "juliet.dat"]


class KeyvalContract(StorageFixtures):
    @pytest.mark.parametrize("table", SAME.values(), ids=SAME)
    def test_a_table_comes_back_as_it_was(self, driver: Driver, opened: Callable[[], Driver], table: Any) -> None:
        driver.store(*JULIET, "settings", table)
        loaded = opened().load(*JULIET, "settings")
        assert loaded == table
        assert _types(loaded) == _types(table)

    @pytest.mark.parametrize(("table", "expected"), CHANGED.values(), ids=CHANGED)
    def test_a_table_comes_back_in_its_one_form(self, driver: Driver, table: Any, expected: Any) -> None:
        driver.store(*JULIET, "settings", table)
        loaded = driver.load(*JULIET, "settings")
        assert loaded == expected
        assert _types(loaded) == _types(expected)

    def test_null_is_empty(self, driver: Driver) -> None:
        driver.store(*JULIET, "settings", {"nothing": None, "k": 1})
        loaded = driver.load(*JULIET, "settings")
        assert isinstance(loaded, dict)
        assert loaded.pop("nothing") in (None, {})
        assert loaded == {"k": 1}

    @pytest.mark.parametrize("value", REFUSED.values(), ids=REFUSED)
    def test_what_cannot_be_kept_is_refused_and_changes_nothing(self, driver: Driver, value: Any) -> None:
        driver.store(*JULIET, "settings", {"k": 1})
        with pytest.raises(BadValue):
            driver.store(*JULIET, "settings", value)
        with pytest.raises(BadValue):
            driver.update(*JULIET, "settings", lambda _: value)
        assert driver.load(*JULIET, "settings") == {"k": 1}

    def test_nothing_is_none(self, driver: Driver) -> None:
        assert driver.load(*JULIET, "settings") is None
        assert driver.load(None, "capulet.example", "settings") is None
        assert list(driver.hosts()) == []

    @pytest.mark.parametrize("empty", [None, {}, []], ids=repr)
    def test_an_empty_table_is_none(self, driver: Driver, empty: Any) -> None:
        driver.store(*JULIET, "settings", empty)
        assert driver.load(*JULIET, "settings") is None
        driver.store(*JULIET, "settings", {"k": 1})
        driver.store(*JULIET, "settings", empty)
        assert driver.load(*JULIET, "settings") is None
        assert list(driver.users("capulet.example")) == []

    def test_storing_replaces_every_member(self, driver: Driver) -> None:
        driver.store(*JULIET, "settings", {"a": 1, "b": 2, "__array": [1], "__hash": [False, 1]})
        driver.store(*JULIET, "settings", {"b": "two", "c": 3})
        assert driver.load(*JULIET, "settings") == {"b": "two", "c": 3}
        driver.store(*JULIET, "settings", [5])
        assert driver.load(*JULIET, "settings") == [5]

    def test_a_big_table(self, driver: Driver) -> None:
        roster = {f"contact{i}@capulet.example": {"subscription": "both", "groups": {}, "name": "x" * 50} for i in range(2000)}
        driver.store(*JULIET, "roster", roster)
        assert driver.load(*JULIET, "roster") == roster
        driver.store(*JULIET, "avatar", {"data": "A" * 2_000_000})
        assert driver.load(*JULIET, "avatar") == {"data": "A" * 2_000_000}

    def test_of_many_members_some_stay_change_go_and_come(self, driver: Driver, opened: Callable[[], Driver]) -> None:
        driver.store(*JULIET, "settings", {f"k{i}": i for i in range(1200)})
        table = {f"k{i}": i if i < 100 else f"{i}" for i in range(600)} | {f"new{i}": [i] for i in range(70)}
        driver.store(*JULIET, "settings", table)
        assert driver.load(*JULIET, "settings") == opened().load(*JULIET, "settings") == table

    def test_what_is_loaded_belongs_to_the_caller(self, driver: Driver) -> None:
        table: dict[str, Any] = {"a": {"b": 1}}
        driver.store(*JULIET, "settings", table)
        table["a"]["b"] = 2
        loaded: Any = driver.load(*JULIET, "settings")
        loaded["a"]["b"] = 3
        assert driver.load(*JULIET, "settings") == {"a": {"b": 1}}

    def test_keys_are_apart(self, driver: Driver) -> None:
        keys = [(*JULIET, "a"), (*JULIET, "b"), (*ROMEO, "a"), ("juliet", "montague.example", "a"), (None, "capulet.example", "a")]
        keys += [("a", "capulet.example", "juliet"), (None, "capulet.example", "juliet"), (None, "", "a"), ("juliet", "", "a")]
        keys += [("global", "capulet.example", "a"), ("_global", "_global", "a")]
        for i, key in enumerate(keys):
            driver.store(*key, {"i": i})
        assert [driver.load(*key) for key in keys] == [{"i": i} for i in range(len(keys))]

    def test_names_are_apart_and_stay_in_their_place(self, driver: Driver) -> None:
        for name in NAMES:
            driver.store(name, "capulet.example", "a", {"user": name})
            driver.store("juliet", name, "a", {"host": name})
            driver.store("juliet", "capulet.example", name, {"store": name})
        for name in NAMES:
            assert driver.load(name, "capulet.example", "a") == {"user": name}
            assert driver.load("juliet", name, "a") == {"host": name}
            assert driver.load("juliet", "capulet.example", name) == {"store": name}
        assert set(driver.users("capulet.example", "a")) == set(NAMES)
        assert set(driver.hosts()) == {*NAMES, "capulet.example"}
        assert {name for name, _ in driver.stores(*JULIET)} == set(NAMES)

    @pytest.mark.parametrize("key", [("", "h", "s"), ("u", "h", ""), ("u\0", "h", "s"), ("u", "h", "s\0"), ("u", "\ud800", "s")], ids=repr)
    def test_names_that_no_format_could_hold_are_refused(self, driver: Driver, key: tuple[str, str, str]) -> None:
        with pytest.raises(BadValue):
            driver.store(*key, {"a": 1})
        with pytest.raises(BadValue):
            driver.load(*key)

    def test_a_long_name_is_kept_or_refused(self, driver: Driver) -> None:
        name = "." * 1023
        assert driver.load(name, "capulet.example", "a") is None
        try:
            driver.store(name, "capulet.example", "a", {"k": 1})
        except StorageError:
            assert driver.load(name, "capulet.example", "a") is None
        else:
            assert driver.load(name, "capulet.example", "a") == {"k": 1}

    def test_not_a_number_is_kept_or_null(self, driver: Driver, opened: Callable[[], Driver]) -> None:
        driver.store(*JULIET, "settings", NOT_NUMBERS)
        table: Any = opened().load(*JULIET, "settings")
        first, within = table["within"][:2]
        assert first == 1
        for value in (table["top"], within, table["within"][2]["x"]):
            assert value in (None, {}) or math.isnan(value)

    def test_update(self, driver: Driver, opened: Callable[[], Driver]) -> None:
        seen: list[Any] = []

        def change(table: Any) -> Any:
            seen.append(table)
            return {"n": (table or {"n": 0})["n"] + 1, "list": []}

        assert driver.update(*JULIET, "settings", change) in ({"n": 1, "list": {}}, {"n": 1, "list": []})
        driver.update(*JULIET, "settings", change)
        assert seen == [None, {"n": 1, "list": {}}]
        assert opened().load(*JULIET, "settings") == {"n": 2, "list": {}}
        assert driver.update(*JULIET, "settings", lambda _: None) is None
        assert driver.load(*JULIET, "settings") is None

    def test_update_may_change_what_it_is_given(self, driver: Driver) -> None:
        driver.store(*JULIET, "settings", {"a": 1})
        driver.update(*JULIET, "settings", lambda table: table.update(b=2) or table)  # type: ignore[union-attr]
        assert driver.load(*JULIET, "settings") == {"a": 1, "b": 2}

    def test_what_update_raises_goes_through_and_nothing_is_written(self, driver: Driver) -> None:
        driver.store(*JULIET, "settings", {"a": 1})

        def change(table: Any) -> Any:
            table["a"] = 2
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            driver.update(*JULIET, "settings", change)
        assert driver.load(*JULIET, "settings") == {"a": 1}
        driver.store(*JULIET, "settings", {"a": 3})
        assert driver.load(*JULIET, "settings") == {"a": 3}

    def test_update_may_read_but_not_write_the_same_storage(self, driver: Driver) -> None:
        driver.store(*ROMEO, "settings", {"a": 1})
        driver.update(*JULIET, "settings", lambda _: driver.load(*ROMEO, "settings"))
        assert driver.load(*JULIET, "settings") == {"a": 1}
        with pytest.raises(StorageError, match="update"):
            driver.update(*JULIET, "settings", lambda _: driver.store(*ROMEO, "settings", {"a": 2}))
        assert driver.load(*ROMEO, "settings") == {"a": 1}
        driver.store(*ROMEO, "settings", {"a": 3})


def _types(value: Any) -> Any:
    """Types all the way down: `1 == 1.0 == True` in Python, and they are not the same here."""
    if isinstance(value, dict):
        return {key: _types(item) for key, item in value.items()}
    return [_types(item) for item in value] if isinstance(value, list) else type(value)
