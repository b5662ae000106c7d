"""A parser of Lua literals: tables, strings, numbers, booleans, nil; nothing is ever executed."""

from __future__ import annotations

import math
import re
from typing import Any

from drivers import Value
from drivers.lua.canonical import read_table
from drivers.lua.lexer import LuaError, LuaToken, token
from drivers.values import from_entries, lua_number, number

MAX_DEPTH = 200
"""Nesting; Lua itself refuses more (LUAI_MAXCCALLS)."""
MAX_BODY = 16 * 2**20
"""Bytes of an expression, unless the caller says otherwise."""
KEYWORDS = frozenset(
    b"and break do else elseif end false for function goto if in local nil not or repeat return then true until while".split()
)
CONSTANTS = {b"true": True, b"false": False, b"nil": None}
RETURN, ITEM = b"return ", b"item("
_WORD = re.compile(rb"[0-9A-Za-z_.]")
_EQUALS = re.compile(rb"[ \t\r\n\f\v]*+=")
_INTEGERS = re.compile(rb"(?:[ \t\r\n]*+-?[0-9]{1,15}[ \t\r\n]*+[,;])++")  # of a list: as many values per byte as possible
_SEPARATOR = re.compile(rb"[,;]")
SPECIAL = {1: math.inf, -1: -math.inf, 0: math.nan}
"""Results of a division by zero, the only arithmetic in data."""


def parse(text: str | bytes, *, max_size: int = MAX_BODY) -> Value:
    """The value of an expression (the part after `return`); None for nil.

    Raises LuaError for anything but literals, and for more than `max_size` bytes.
    """
    source = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    if len(source) > max_size:
        raise LuaError(f"the text has {len(source)} bytes; at most {max_size} are read", b"", 0)
    return _whole(_Parser(source, 0))


def parse_file(source: bytes) -> Value:
    """The value that a file returns: `return VALUE;`. Raises LuaError."""
    start = len(source.partition(b"\n")[0]) if source.startswith((b"#", b"\xef\xbb\xbf#")) else 3 * source.startswith(b"\xef\xbb\xbf")
    if source.startswith(RETURN) and (table := read_table(source, len(RETURN))) and not source[table[1] :].strip(b";\n"):
        return table[0]
    parser = _Parser(source, start)
    parser.expect("name", b"return")
    return _whole(parser)


def parse_item(source: bytes, position: int) -> tuple[Value, int] | None:
    """The value of the `item(…);` at or after `position`, and its end; None if only spaces and comments are left."""
    table = read_table(source, position + len(ITEM)) if source.startswith(ITEM, position) else None
    if table and source.startswith(b");\n", table[1]):
        return table[0], table[1] + 2
    parser = _Parser(source, position)
    if parser.now.kind == "end":
        return None
    parser.expect("name", b"item")
    bare = parser.now.kind in ("string", "{")  # in Lua a call with one of these needs no parentheses
    if not bare:
        parser.expect("(")
    value = parser.value(0)
    end = parser.last if bare else parser.expect(")")
    if parser.now.kind == ";":
        end = parser.now.end
    return value, end


def _whole(parser: _Parser) -> Value:
    value = parser.value(0)
    while parser.accept(","):  # of several values the first one is used
        parser.value(0)
    parser.accept(";")
    if parser.now.kind != "end":
        raise parser.error("the value is followed by something else")
    return value


class _Parser:
    """A position in a source, and the token there."""

    def __init__(self, source: bytes, position: int) -> None:
        self.source = source
        self.last = position
        self.now = token(source, position)

    def error(self, sentence: str) -> LuaError:
        return LuaError(sentence, self.source, self.now.start)

    def step(self) -> LuaToken:
        was = self.now
        self.last = was.end
        self.now = token(self.source, was.end)
        return was

    def accept(self, kind: str) -> bool:
        if self.now.kind != kind:
            return False
        self.step()
        return True

    def expect(self, kind: str, value: bytes | None = None) -> int:
        """Step over a token that must be there; its end."""
        if self.now.kind != kind or (value is not None and self.now.value != value):
            raise self.error(f"expected {value.decode() if value else kind!r}, found {self.now.value.decode(errors='replace')!r}")
        return self.step().end

    def value(self, depth: int) -> Value:
        kind = self.now.kind
        if kind == "string":
            return _decode(self.step().value)
        if kind == "{":
            return self.table(depth + 1)
        if kind == "name":
            return self.constant()
        if kind in ("number", "-", "("):
            return self.quotient(depth)
        raise self.error("expected a value: a table, string, number, true, false or nil")

    def constant(self) -> Value:
        if self.now.value not in CONSTANTS:
            raise self.error(f"{self.now.value.decode()!r} is code; only literals are read")
        return CONSTANTS[self.step().value]

    def quotient(self, depth: int) -> Value:
        value = self.operand(depth)
        if self.now.kind != "/":
            return value
        self.step()
        divisor = self.operand(depth)
        if isinstance(value, bool) or value not in SPECIAL or isinstance(divisor, bool) or divisor != 0:
            raise self.error("the only arithmetic in literals is 1/0, -1/0 and 0/0")
        return SPECIAL[value]

    def operand(self, depth: int) -> Value:
        """A number, negated or not, or anything in parentheses."""
        if self.now.kind == "number":
            return _number(self)
        if depth > MAX_DEPTH:
            raise self.error(f"nested more than {MAX_DEPTH} deep")
        if self.accept("-"):
            value = self.operand(depth + 1)
            if isinstance(value, bool) or not isinstance(value, (int, float)):
                raise self.error("only numbers can be negative")
            return number(-value)
        if self.accept("("):
            value = self.value(depth + 1)
            self.expect(")")
            return value
        raise self.error("expected a number")

    def table(self, depth: int) -> Any:
        if depth > MAX_DEPTH:
            raise self.error(f"tables nested more than {MAX_DEPTH} deep")
        keyed: list[tuple[Any, Value]] = []
        plain: list[Value] = []
        self.step()
        while not self.accept("}"):
            if self.now.kind in ("number", "-") and (run := _INTEGERS.match(self.source, self.now.start)):
                plain += map(int, _SEPARATOR.split(run[0])[:-1])
                self.last, self.now = run.end(), token(self.source, run.end())
                continue
            self.field(keyed, plain, depth)
            if not (self.accept(",") or self.accept(";") or self.now.kind == "}"):
                raise self.error("expected ; or } after an entry of a table")
        return _assembled(keyed, plain)

    def field(self, keyed: list[tuple[Any, Value]], plain: list[Value], depth: int) -> None:
        if self.accept("["):
            key = self.value(depth)
            self.expect("]")
        elif self.now.kind == "name" and (_EQUALS.match(self.source, self.now.end) or token(self.source, self.now.end).kind == "="):
            key = self.name()
        else:
            plain.append(self.value(depth))
            return
        self.expect("=")
        value = self.value(depth)
        if key is None or key != key or isinstance(key, (dict, list)):
            raise self.error("a key is a string, number, true or false")
        keyed.append((key, value))

    def name(self) -> str:
        if self.now.value in KEYWORDS:
            raise self.error(f"{self.now.value.decode()!r} is a word of the language; as a key it is written in brackets and quotes")
        return self.step().value.decode()


def _number(parser: _Parser) -> int | float:
    if _WORD.match(parser.source, parser.now.end):
        raise parser.error("a number is followed by letters")
    found = lua_number(parser.step().value.decode())
    assert found is not None  # it is a token of this kind
    return found


def _decode(value: bytes) -> str:
    # bytes that are not UTF-8 survive a round trip as lone surrogates (PEP 383)
    return value.decode("utf-8", "surrogateescape")


def _assembled(keyed: list[tuple[Any, Value]], plain: list[Value]) -> Any:
    if not keyed and None not in plain:
        return plain or {}
    # nil is not an entry; positions override equal keys, as Lua sets them last
    pairs = [*keyed, *enumerate(plain, 1)]
    if not plain and all(type(key) is str for key, _ in keyed):
        return {key: value for key, value in dict(keyed).items() if value is not None}
    latest = {(type(key), key): (key, value) for key, value in pairs}
    return from_entries((key, value) for key, value in latest.values() if value is not None)
