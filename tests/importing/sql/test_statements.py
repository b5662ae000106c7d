"""Dumps of INSERT statements, in the two ways in which they write text."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import pytest

from xmpp_rest.importing.sources import BadSource, NoSource
from xmpp_rest.importing.sql.database import SourceTable, select
from xmpp_rest.importing.sql.dump import Dump
from xmpp_rest.importing.sql.statements import Insert, statements, writes_backslashes

STANDARD = r"""-- a comment; with "quotes" and 'others'
begin;
delete from users where username='o''hara' and 0=0;
INSERT INTO users(username, password) VALUES ('o''hara', 'a \n "b"
c;
d');
INSERT INTO public."last" ("username", seconds, state) VALUES ('x', -5, NULL), ('y', 1.5, E'a\tb''c'), ('z', 12345678901234567890, true);
"""
BACKSLASHES = r"""INSERT INTO users(username, password) VALUES ('o''hara', 'a \\n \"b\"\nc;\nd');
insert into last(username,seconds,state) values ('C:\\', CAST(1 as boolean), 'it\'s; \Z');
"""
MYSQL = r"""/*!40000 ALTER TABLE `users` DISABLE KEYS */;
INSERT INTO `users` (`username`, `password`) VALUES ('a','x\0y'),('b',0x0fF),('c',_binary 'z');
"""


def lines(text: str) -> list[str]:
    return text.splitlines(keepends=True)


def test_text_in_standard_sql_keeps_its_backslashes() -> None:
    assert not writes_backslashes(lines(STANDARD))
    assert list(statements(lines(STANDARD), backslashes=False)) == [
        Insert("users", ("username", "password"), [("o'hara", 'a \\n "b"\nc;\nd')]),
        Insert("last", ("username", "seconds", "state"), [("x", -5, None), ("y", 1.5, "a\tb'c"), ("z", 1.2345678901234567e19, 1)]),
    ]


def test_text_with_backslashes_is_unescaped() -> None:
    assert writes_backslashes(lines(BACKSLASHES))
    assert list(statements(lines(BACKSLASHES), backslashes=True)) == [
        Insert("users", ("username", "password"), [("o'hara", 'a \\n "b"\nc;\nd')]),
        Insert("last", ("username", "seconds", "state"), [("C:\\", 1, "it's; \x1a")]),
    ]


def test_a_dump_of_mysql_is_read() -> None:
    assert writes_backslashes(lines(MYSQL))
    assert list(statements(lines(MYSQL), backslashes=True)) == [
        Insert("users", ("username", "password"), [("a", "x\0y"), ("b", b"\x00\xff"), ("c", "z")])
    ]


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        (r"INSERT INTO a(b) VALUES ('\"');", True),
        (r"""INSERT INTO a(b) VALUES ('\\"');""", False),
        (r"""INSERT INTO a(b) VALUES ('"\"');""", False),
        ("-- \"b\"\nINSERT INTO a(b) VALUES ('\\n');", True),
        (r"INSERT INTO a(b) VALUES ('C:\etc');", False),
        (r"INSERT INTO a(b) VALUES ('C:\\etc');", True),
        ("INSERT INTO a(b) VALUES ('x');", True),
        ("INSERT INTO `a` (`b`) VALUES ('x');", True),
    ],
)
def test_a_double_quote_shows_how_text_is_written(text: str, answer: bool) -> None:
    assert writes_backslashes(lines(text)) is answer


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("INSERT INTO a VALUES ('x');\n", "does not name its columns"),
        ("INSERT INTO a(b) VALUES ('x'", "not complete"),
        ("INSERT INTO a(b) VALUES ('x', 'y');\n", "2 values for 1 columns"),
        ("INSERT INTO a(b) VALUES (now());\n", "a value was expected"),
        ("INSERT INTO a(b) VALUES ('x' 'y');\n", "a value was expected"),
        ("INSERT INTO a(b) SELECT 1;\n", "no VALUES"),
        ("INSERT INTO a(b, +) VALUES (1, 2);\n", "a name was expected"),
        ("COPY public.users (username) FROM stdin;\n", "--column-inserts"),
    ],
)
def test_what_cannot_be_read_is_said(text: str, sentence: str) -> None:
    with pytest.raises(BadSource, match=sentence):
        list(statements(lines(text), backslashes=False))


def test_a_statement_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("xmpp_rest.importing.sql.statements.MAX_STATEMENT", 100)
    with pytest.raises(BadSource, match="more than 100"):
        list(statements(["INSERT INTO a(b) VALUES ('", *["x" * 30 + "\n"] * 10], backslashes=False))


@pytest.mark.parametrize("text", [STANDARD, BACKSLASHES])
def test_a_dump_becomes_tables(tmp_path: Path, text: str) -> None:
    (tmp_path / "dump.sql").write_text(text + "INSERT INTO sm(pid) VALUES ('x');\nINSERT INTO users(username, more) VALUES ('b', 'c');\n")
    dump = Dump(tmp_path / "dump.sql", {"users", "last"})
    assert dump.columns("users") == {"username", "password", "more"}
    assert not dump.columns("sm")
    rows = select(dump, [SourceTable("users", {"username": "", "password": "none", "other": 7})], ["users.username"])
    assert list(rows) == [
        {"username": "b", "password": "none", "other": 7},
        {"username": "o'hara", "password": 'a \\n "b"\nc;\nd', "other": 7},
    ]
    dump.close()


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [("missing.sql", None, "there is no file"), ("dump.sql", "INSERT INTO x(y) VALUES (1);\n", "no INSERT"), ("dump.sql", "INSERT INTO a(\"b\") VALUES (1", "not complete")],
)  # fmt: skip
def test_a_dump_that_is_none_is_refused(tmp_path: Path, name: str, text: str | None, sentence: str) -> None:
    if text is not None:
        (tmp_path / name).write_text(text)
    with pytest.raises(BadSource if text is not None else NoSource, match=sentence):
        Dump(tmp_path / name, {"a"})


def test_a_value_takes_little_more_memory_than_its_text() -> None:
    quoted = "y''" * 200_000
    text = f"INSERT INTO a(b, c) VALUES ('{'x' * 500_000}', '{quoted}');\n"
    for backslashes in (False, True):
        tracemalloc.start()
        (insert,) = statements([text], backslashes=backslashes)
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert [len(value) for value in insert.rows[0] if isinstance(value, str)] == [500_000, 400_000]
        assert most < 20 * len(text)


def test_values_of_other_types_are_text_where_text_is_expected(tmp_path: Path) -> None:
    (tmp_path / "dump.sql").write_text("INSERT INTO a(b, c, d, e) VALUES (12, 0x6162, 1e999, 7);\n")
    dump = Dump(tmp_path / "dump.sql", {"a"})
    assert list(select(dump, [SourceTable("a", {"b": "", "c": "", "d": 0, "e": 0})])) == [{"b": "12", "c": "ab", "d": 0, "e": 7}]
    dump.close()
