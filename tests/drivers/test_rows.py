"""Rows of `prosody` by another program are read as Prosody reads them: unreadable ones are absent."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from drivers import Driver, open_driver
from drivers.values import lua_number
from tests.drivers.contract_base import JULIET
from tests.drivers.luadump import dump, run
from tests.drivers.postgrescluster import Cluster

ABSENT: list[tuple[str, Any]] = [
    ("number", "inf"), ("number", "nan"), ("number", "-inf"), ("number", "1_000"), ("number", ""), ("number", "12a"), ("number", "null"),
    ("number", "١٢"), ("boolean", "x"), ("boolean", "TRUE"), ("json", "{"), ("json", ""), ("json", '{"a":NaN}'), ("json", "[Infinity]"),
    ("json", "{}{}"), ("json", "[" * 100_000), ("json", "[" * 200 + "]" * 200), ("xml", "<a>"), ("xml", ""), ("blob", "x"), ("", "x"),
    ("String", "x"),
]  # fmt: skip
READ: list[tuple[str, Any, Any]] = [
    ("number", "12.0", 12), ("number", "1e3", 1000), ("number", " 7 ", 7), ("number", "0x10", 16), ("number", ".5", 0.5), ("number", "1e999", float("inf")),
    ("number", "9" * 5000, float("inf")), ("number", "-0", 0), ("json", "12.0", 12), ("json", '{"a":1e3,"b":[2.0]}', {"a": 1000, "b": [2]}),
    ("json", "99999999999999999999", 1e20), ("json", '"\\ud83d\\ude00"', "😀"), ("json", '{"a":"\\ud800x"}', {"a": "?x"}), ("string", "inf", "inf"),
]  # fmt: skip
ROW = "INSERT INTO prosody VALUES ('capulet.example', 'juliet', 'odd', {0}, {0}, {0})"


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.live)])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Driver, Callable[..., None]]]:
    """A storage, and how another program puts a row into it."""
    if request.param == "sqlite":
        driver = open_driver("sqlite:x.sqlite", tmp_path)

        def put(*row: Any) -> None:
            connection = sqlite3.connect(tmp_path / "x.sqlite")
            with connection:
                connection.execute(ROW.format("?"), row)
            connection.close()
    else:
        import psycopg

        cluster: Cluster = request.getfixturevalue("cluster")
        url = cluster.new_database()
        driver = open_driver(url, tmp_path)

        def put(*row: Any) -> None:
            with psycopg.connect(url) as connection:
                connection.execute(ROW.format("%s").encode(), row)

    driver.store(*JULIET, "odd", {"good": 1, "also": {"b": [1]}})
    yield driver, put
    driver.close()


@pytest.mark.parametrize("key", ["k", ""])
def test_what_prosody_cannot_read_is_absent_alone(storage: tuple[Driver, Callable[..., None]], key: str) -> None:
    driver, put = storage
    for i, (kind, value) in enumerate(ABSENT):
        put(key and f"{key}{i}", kind, value)
    assert driver.load(*JULIET, "odd") == {"good": 1, "also": {"b": [1]}}
    assert driver.update(*JULIET, "odd", lambda table: {**(table or {}), "new": 2}) == {"good": 1, "also": {"b": [1]}, "new": 2}  # type: ignore[dict-item]
    assert driver.load(*JULIET, "odd") == {"good": 1, "also": {"b": [1]}, "new": 2}


def test_what_prosody_can_read_is_read_as_it_does(storage: tuple[Driver, Callable[..., None]]) -> None:
    driver, put = storage
    for i, (kind, value, _) in enumerate(READ):
        put(f"k{i}", kind, value)
    table: Any = driver.load(*JULIET, "odd")
    assert [(type(table[f"k{i}"]), table[f"k{i}"]) for i in range(len(READ))] == [(type(value), value) for *_, value in READ]


def test_nothing_but_rows_that_cannot_be_read_is_no_table(storage: tuple[Driver, Callable[..., None]]) -> None:
    driver, put = storage
    driver.store(*JULIET, "odd", None)
    put("k", "number", "nan")
    assert driver.load(*JULIET, "odd") is None


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    driver = open_driver("sqlite:x.sqlite", tmp_path)
    driver.store(*JULIET, "odd", {"good": 1})
    connection = sqlite3.connect(tmp_path / "x.sqlite")
    with connection:
        connection.execute(ROW.format("?"), ("blob", "string", b"caf\xe9"))
        connection.execute("INSERT INTO prosody VALUES ('capulet.example', 'juliet', 'odd', 'cast', 'string', CAST(x'ff41' AS TEXT))")
    connection.close()
    assert driver.load(*JULIET, "odd") == {"good": 1, "blob": "caf\ufffd", "cast": "\ufffdA"}
    driver.close()


@pytest.mark.parametrize(
    ("change", "value", "left"),
    [
        ('"when" = ?', "noon", None),
        ("value = ?", b"<message/>", None),
        ("value = CAST(? AS TEXT)", b"<message x='\xff'/>", "<message x='\ufffd'/>"),
    ],
)
def test_an_archive_item_that_is_none_spoils_no_other(tmp_path: Path, change: str, value: object, left: str | None) -> None:
    driver = open_driver("sqlite:x.sqlite", tmp_path)
    for key in "ab":
        driver.archive_append(*JULIET, "archive", "<message/>", when=5, key=key)
    connection = sqlite3.connect(tmp_path / "x.sqlite")
    with connection:
        connection.execute(f"UPDATE prosodyarchive SET {change} WHERE key='a'", (value,))
    connection.close()
    found = {item.id: item.stanza for item in driver.archive_find(*JULIET, "archive")}
    assert found == ({"b": "<message/>"} if left is None else {"a": left, "b": "<message/>"})
    driver.close()


def test_numbers_are_lua_s(lua: str, tmp_path: Path) -> None:
    texts = [text for kind, text, *_ in [*ABSENT, *READ] if kind == "number"]
    texts += ["0x", "0x1p4", "0xffffffffffffffff", "1.", "1e", "+5", "--5", "9223372036854775807", "9223372036854775808", "-9223372036854775808", "1 2"]
    source = tmp_path / "texts"
    source.write_text("\n".join(texts))
    lines = run(lua, "for line in io.lines(arg[1]) do print(dump(tonumber(line))) end", source)
    assert lines == [dump(lua_number(text)) for text in texts]
