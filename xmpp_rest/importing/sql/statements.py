"""INSERT statements in a dump of a database: table, columns and values, one statement after the other.

Dumps write text in two ways: standard SQL doubles `'` and takes `\\` for itself (pg_dump --column-inserts, and ejabberdctl export2sql of a
server with SQLite); others write `\\n`, `\\"`, `\\\\` (mysqldump, and export2sql of any other ejabberd). Which it is shows a double quote:
only the others write a backslash before each.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from xmpp_rest.importing.sources import BadSource

Literal = str | int | float | bytes | None
MAX_STATEMENT = 64 * 1024 * 1024  # characters

_INSERT = re.compile(r"\s*(?:INSERT|REPLACE)\s+(?:IGNORE\s+)?INTO\s+", re.IGNORECASE)
_COPY = re.compile(r"COPY\s+\S+.*\sFROM\s+stdin;", re.IGNORECASE)
_NAME = re.compile(r"""\s*(?:`([^`]+)`|"([^"]+)"|([\w$]+))\s*(\.)?""")
_VALUES = re.compile(r"\s*\)?\s*VALUES\s*", re.IGNORECASE)
_VALUE = re.compile(
    r"""\s*(?:
      (?P<escaped>E'(?:[^'\\]++|''|\\.)*+')
    | (?P<hex>0x[0-9a-fA-F]+|[xX]'[0-9a-fA-F]*')
    | (?P<number>-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)
    | (?P<word>NULL|true|false)
    | CAST\((?P<flag>[01])\ as\ boolean\)
    )\s*(?:::[\w ]+)?""",
    re.VERBOSE | re.DOTALL | re.IGNORECASE,
)
_STANDARD = re.compile(r"\s*N?'((?:[^']++|'')*+)'\s*(?:::[\w ]+)?")
_BACKSLASHED = re.compile(r"\s*(?:_binary\s+)?N?'((?:[^'\\]++|''|\\.)*+)'\s*", re.DOTALL | re.IGNORECASE)
_ESCAPE = re.compile(r"\\(.)|''", re.DOTALL)
_NAMED = {"0": "\0", "n": "\n", "t": "\t", "b": "\b", "r": "\r", "Z": "\x1a"}
_WORDS: dict[str, Literal] = {"null": None, "true": 1, "false": 0}
_QUOTE = re.compile(r'(?<!\\)(?:\\\\)*(\\?)"')
_UNKNOWN_ESCAPE = re.compile(r"(?<!\\)(?:\\\\)*\\[^0ntbrZ'\"\\%_]")


class Insert(NamedTuple):
    """One statement: the table and columns, in small letters, and the rows."""

    table: str
    columns: tuple[str, ...]
    rows: list[tuple[Literal, ...]]


def writes_backslashes(lines: Iterable[str]) -> bool:
    """Whether text in this dump has escapes with backslashes. Reads until that is certain."""
    doubtful = False
    for line in lines:
        if "INSERT INTO `" in line:
            return True
        marks = {match[1] for match in _QUOTE.finditer(line)} if '"' in line else set()
        if marks and not line.startswith("--"):
            return marks == {"\\"}
        doubtful = doubtful or bool("\\" in line and _UNKNOWN_ESCAPE.search(line))
    return not doubtful


def statements(lines: Iterable[str], *, backslashes: bool) -> Iterator[Insert]:
    """The INSERT statements; others are passed over. Raises BadSource for one that cannot be read, or without names of columns."""
    parts: list[str] = []
    quotes = size = 0
    for line in lines:
        if not parts and not _INSERT.match(line):
            if _COPY.match(line):
                raise BadSource("this dump has COPY statements; make it with pg_dump --column-inserts, or import from the database itself")
            continue
        parts.append(line)
        size += len(line)
        if size > MAX_STATEMENT:
            raise BadSource(f"a statement of the dump has more than {MAX_STATEMENT} characters")
        quotes += (re.sub(r"\\.", "", line, flags=re.DOTALL) if backslashes and "\\" in line else line).count("'")
        if quotes % 2 == 0 and line.rstrip().endswith(";"):
            yield _insert("".join(parts), backslashes)
            parts, quotes, size = [], 0, 0
    if parts:
        raise BadSource("the dump ends within a statement: it is not complete")


def _insert(text: str, backslashes: bool) -> Insert:
    match = _INSERT.match(text)
    table, at = _name(text, match.end() if match else 0)
    columns: list[str] = []
    if text[at : at + 1] != "(":
        raise BadSource(f"an INSERT for {table} does not name its columns; make the dump with mysqldump --complete-insert --hex-blob")
    while text[at : at + 1] in ("(", ","):
        column, at = _name(text, at + 1)
        columns.append(column)
    match = _VALUES.match(text, at)
    if match is None:
        raise BadSource(f"an INSERT for {table} has no VALUES")
    rows, at = [], match.end()
    while text[at : at + 1] == "(":
        row, at = _row(text, at, backslashes)
        if len(row) != len(columns):
            raise BadSource(f"{len(row)} values for {len(columns)} columns are inserted into {table}")
        rows.append(row)
        at = _after(text, at)
    return Insert(table, tuple(columns), rows)


def _name(text: str, at: int) -> tuple[str, int]:
    """A name, without that of the schema in front of it, and where it ends."""
    while match := _NAME.match(text, at):
        at = match.end()
        if not match[4]:
            return (match[1] or match[2] or match[3]).lower(), at
    raise BadSource(f"a name was expected in the dump, not {text[at : at + 20]!r}")


def _row(text: str, at: int, backslashes: bool) -> tuple[tuple[Literal, ...], int]:
    values: list[Literal] = []
    while text[at : at + 1] in ("(", ","):
        value, at = _value(text, at + 1, backslashes)
        values.append(value)
    if text[at : at + 1] != ")":
        raise BadSource(f"a value was expected in the dump, not {text[at : at + 20]!r}")
    return tuple(values), at + 1


def _value(text: str, at: int, backslashes: bool) -> tuple[Literal, int]:
    if match := (_BACKSLASHED if backslashes else _STANDARD).match(text, at):
        return (_unescaped(match[1]) if backslashes else match[1].replace("''", "'")), match.end()
    match = _VALUE.match(text, at)
    if match is None:
        raise BadSource(f"a value was expected in the dump, not {text[at : at + 20]!r}")
    kind, found = match.lastgroup, match[match.lastgroup or 0]
    if kind == "escaped":
        return _unescaped(found[2:-1]), match.end()
    if kind == "hex":
        digits = found[2:].rstrip("'")
        return bytes.fromhex(digits if len(digits) % 2 == 0 else f"0{digits}"), match.end()
    if kind == "flag":  # COMPAT ejabberd with sql_type pgsql
        return int(found), match.end()
    if kind == "word":
        return _WORDS[found.lower()], match.end()
    return (int(found) if found.lstrip("-").isdigit() and len(found) < 19 else float(found)), match.end()


def _unescaped(inner: str) -> str:
    return _ESCAPE.sub(lambda match: _NAMED.get(match[1], match[1]) if match[1] else "'", inner)


def _after(text: str, at: int) -> int:
    """Where the next row begins, after a comma, if there is one."""
    while text[at : at + 1] in (",", " ", "\n", "\r", "\t"):
        at += 1
    return at
