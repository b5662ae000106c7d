"""A fast reader of the form that servers write, line by line; other text is left to the parser.

Files that servers write have one entry per line, and are read at every request; this takes a quarter of the parser's time.
"""

from __future__ import annotations

import math
import re
from typing import Any

from drivers import Value
from drivers.lua.lexer import LuaError, unescaped
from drivers.values import from_entries, number

_LINE = re.compile(
    rb"""\n\t*+(?:\[(?:"(?P<key>(?>[^"\\\r\n]++|\\[^\r\nz])*+)"|(?P<other>-?[0-9][0-9.e+-]*+|true|false))\]\ =\ )?+
    (?:"(?P<string>(?>[^"\\\r\n]++|\\[^\r\nz])*+)"|(?P<number>-?[0-9][0-9.e+-]*+)|(?P<word>true|false|\{\}|\(-?[01]/0\))
    |(?P<open>\{)(?=\n)|(?P<close>\}));?+""",
    re.VERBOSE,
)
_WORDS = {b"true": True, b"false": False, b"(1/0)": math.inf, b"(-1/0)": -math.inf, b"(0/0)": math.nan}
DEPTH = 127
DIGITS = 18
"""Integers of so many digits surely have 64 bits."""


class _Unusual(Exception):
    """The text has something that servers do not write, or write rarely."""


class _Table:
    """A table that is being read."""

    __slots__ = ("keyed", "name", "plain", "strings")

    def __init__(self, name: Any) -> None:
        self.name = name  # its key in the table around it; None for the next position
        self.strings: dict[str, Value] = {}
        self.keyed: list[tuple[Any, Value]] = []
        self.plain: list[Value] = []

    def add(self, key: Any, value: Value) -> None:
        if key is None:
            self.plain.append(value)
        elif isinstance(key, str):
            self.strings[key] = value
        else:
            self.keyed.append((key, value))

    def value(self) -> Any:
        if not self.plain and not self.keyed:
            return self.strings
        if not self.strings and not self.keyed:
            return self.plain
        # positions come last, as Lua sets them last
        return from_entries([*self.keyed, *self.strings.items(), *enumerate(self.plain, 1)])


def read_table(source: bytes, position: int) -> tuple[Any, int] | None:
    """The table whose brace is at `position`, and its end; None if it is not in the server's form throughout."""
    if source[position : position + 2] != b"{\n":
        return None
    try:
        return _read_entries(source, position + 1)
    except (_Unusual, LuaError):
        return None


def _read_entries(source: bytes, position: int) -> tuple[Any, int]:
    table = _Table(None)
    around: list[_Table] = []
    while match := _LINE.match(source, position):
        position = match.end()
        kind = match.lastgroup
        if kind == "close":
            if not around:
                return table.value(), match.end("close")
            inner, table = table, around.pop()
            table.add(inner.name, inner.value())
        elif kind == "open":
            if len(around) > DEPTH:
                break
            around.append(table)
            table = _Table(_key(match))
            continue
        else:
            table.add(_key(match), _value(match, kind))
        if source[position - 1] != 0x3B:
            break
    raise _Unusual


def _key(match: re.Match[bytes]) -> Any:
    if match["key"] is not None:
        return _decode(match["key"])
    other = match["other"]
    return None if other is None else _WORDS[other] if other in _WORDS else _number(other)


def _value(match: re.Match[bytes], kind: str | None) -> Value:
    if kind == "string":
        return _decode(match["string"])
    if kind == "number":
        return _number(match["number"])
    word = match["word"]
    return {} if word == b"{}" else _WORDS[word]


def _decode(value: bytes) -> str:
    if b"\\" in value:
        value = unescaped(value, value, 0)
    return value.decode("utf-8", "surrogateescape")


def _number(digits: bytes) -> int | float:
    if digits.removeprefix(b"-").isdigit():
        if len(digits) > DIGITS:
            raise _Unusual
        return int(digits)
    try:
        return number(float(digits))
    except ValueError:
        raise _Unusual from None
