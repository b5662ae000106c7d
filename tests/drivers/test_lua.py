"""Lua text is read as Lua reads it, never executed, and written as Prosody writes it."""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers import BadValue
from drivers.lua import LuaError, parse, parse_file, parse_item, serialise
from drivers.lua.canonical import read_table
from tests.drivers.conftest import FIXTURES
from tests.drivers.luadump import dump
from tests.drivers.luavalues import values

LITERALS: dict[str, Any] = {
    "{ a = 1 }": {"a": 1},
    "{}": {},
    "{ 1, 'two', [[three]] }": [1, "two", "three"],
    "{ 1; 2; }": [1, 2],
    "{ [1] = 'a', [2] = 'b' }": ["a", "b"],
    "{ [2] = 'b', [1] = 'a' }": ["a", "b"],
    "{ [1] = 'a', 'b' }": ["b"],
    "{ [10] = 'ten', [-1] = 'neg', [1.5] = 'f', [true] = 't', [false] = 'n', x = 'y' }": {
        "x": "y",
        "__hash": [10, "ten", -1, "neg", 1.5, "f", True, "t", False, "n"],
    },
    "{ 1, x = 2 }": {"x": 2, "__array": [1]},
    "{ nil, 2 }": {"__hash": [2, 2]},
    "{ 1, nil }": [1],
    "{ a = nil }": {},
    "{ a = 1, a = 2 }": {"a": 2},
    "{ ['1'] = 1 }": {"1": 1},
    "{ ['end'] = 1, then_ = 2, _x9 = 3 }": {"end": 1, "then_": 2, "_x9": 3},
    "{ [1.0] = 'a' }": ["a"],
    r"'\a\b\f\n\r\t\v\\\"\''": "\a\b\f\n\r\t\v\\\"'",
    r"'\65\066\0067\x41\u{41}\u{20AC}\u{10FFFF}'": "AB\x067AA€\U0010ffff",
    "'a\\\nb\\\r\nc\\\rd'": "a\nb\nc\nd",
    "'a\\z  \n\t b\\z'": "ab",
    "'ü♥'": "ü♥",
    r"'\195\188'": "ü",
    r"'\255\0'": "\udcff\0",
    "'--[[ no comment'": "--[[ no comment",
    "[[\nfirst line break is dropped\n]]": "first line break is dropped\n",
    "[==[ a ]] b ]=] c ]==]": " a ]] b ]=] c ",
    "[[a\r\nb\rc\n\rd]]": "a\nb\nc\nd",
    "--[[ comment\n]] --[==[ ]] ]==] 5 -- end": 5,
    "0x10": 16,
    "0XfF": 255,
    "0xffffffffffffffff": -1,
    "0x1ffffffffffffffff": -1,
    "0x.8p1": 1,
    "0xA.8": 10.5,
    "3": 3,
    "-3": -3,
    "- 3": -3,
    "-(3)": -3,
    "3.": 3,
    ".5": 0.5,
    "1e3": 1000,
    "5E-1": 0.5,
    "1e400": math.inf,
    "9223372036854775807": 2**63 - 1,
    "9223372036854775808": 2.0**63,
    "1/0": math.inf,
    "(1/0)": math.inf,
    "-1/0": -math.inf,
    "(-1/0)": -math.inf,
    "-(1/0)": -math.inf,
    "((true))": True,
    "false": False,
    "nil": None,
    "{1}, {2}": [1],
    "{1};": [1],
    "{ a = { b = { c = {} } } }": {"a": {"b": {"c": {}}}},
}
REFUSED = [
    *("", "return {}", "{ a = f() }", "{ a = os.exit() }", "os", "{ a = 1 + 1 }", "{ a = 1/2 }", "{ a = 2^3 }"),
    *("{ a = 'x' .. 'y' }", "{ a = #'x' }", "{ a = not true }", "{ a = function() end }", "{ a = ... }", "{ a = b }"),
    *("('x'):rep(1e9)", "{ ('x'):rep(3) }", "{ a = 1", "{ a = 1 }}", "{ a 1 }", "{ a = }", "{ 1 2 }", "{ , }", "{;}"),
    *("{ [nil] = 1 }", "{ [0/0] = 1 }", "{ [{}] = 1 }", "{ [1 = 1 }", "{ end = 1 }", "'open", '"line\nbreak"', r"'\q'"),
    *(r"'\300'", r"'\x4'", r"'\u{80000000}'", "[[ open", "[=[ open ]]", "--[[ open", "3x", "0x", "1e", "-'3'", "-true"),
    *("1/true", "while true do end", "{1} {2}", "\0"),
]
@pytest.mark.parametrize(("text", "value"), LITERALS.items())
def test_literals(text: str, value: Any) -> None:
    assert dump(parse(text)) == dump(value)
    assert parse_file(f"return {text}".encode()) == parse(text)


@pytest.mark.parametrize("text", REFUSED)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(LuaError):
        parse(text)


def test_no_number() -> None:
    for text in ("0/0", "(0/0)", "-(0/0)", "-0/0"):
        assert math.isnan(parse(text))
    assert serialise(math.nan) == "(0/0)"


def test_the_error_says_where() -> None:
    with pytest.raises(LuaError, match="line 3: 'oops' is code"):
        parse("{\n a = 1,\n b = oops,\n}")


@pytest.mark.parametrize("text", ["{" * 300, "{a=" * 300, "(" * 5000, "- " * 5000 + "1", "{{" * 5000, "{[" * 5000, "1/" * 5000, '{["a"] = ' * 5000])
def test_depth_is_limited(text: str) -> None:
    with pytest.raises(LuaError):
        parse(text)


def test_size_is_limited() -> None:
    assert parse("{1}", max_size=3) == [1]
    with pytest.raises(LuaError, match="at most 3 are read"):
        parse("{11}", max_size=3)
    with pytest.raises(LuaError, match="at most"):
        parse("'" + "x" * 2**24 + "'")


@pytest.mark.parametrize(
    "piece",
    [b"\\z ", b"\\z\n", b"\\065", b"\\", b"'", b'"', b"--[", b"[=", b"[[", b"\\\n", b" ", b"0", b"0x", b".", b"a", b"{},", b"\n--", b'["a"] = 1; '],
    ids=repr,
)
@pytest.mark.parametrize("start", [b"", b'"', b"{", b"[[", b"--[==["], ids=repr)
def test_no_text_takes_long(start: bytes, piece: bytes) -> None:
    began = time.process_time()
    for text in (start + piece * 20_000, start + piece * 20_000 + b"!"):
        try:
            parse(text)
        except LuaError:
            continue
    assert time.process_time() - began < 3


def test_a_file_is_not_run(tmp_path: Path) -> None:
    with pytest.raises(LuaError):
        parse_file(b"os.remove('x') return {}")
    with pytest.raises(LuaError):
        parse_file(b"local a = {} return a")


@pytest.mark.parametrize("head", [b"", b"\xef\xbb\xbf", b"#!/usr/bin/lua\n", b"\xef\xbb\xbf# x\n", b"-- written by hand\n", b"\n\n"], ids=repr)
def test_what_may_stand_before_the_value(head: bytes) -> None:
    assert parse_file(head + b"return { 1 }\n-- end\n") == [1]


def test_items() -> None:
    source = b"item(1) item 'two'; item{ 3 };\n-- four\nitem( 4 )\n;item[[five]]\n"
    found, position = [], 0
    while item := parse_item(source, position):
        found.append(item[0])
        position = item[1]
    assert found == [1, "two", [3], 4, "five"]


def test_the_form_is_the_servers() -> None:
    value = {
        "k": {"ü": 'café "x"\n'},
        "none": {},
        "__array": [1, "two", {"y": [True, False]}],
        "__hash": [False, {"version": 6}, 10, 2.5, -1, 1e100, 1.5, math.inf],
    }
    assert serialise(value) == (
        '{\n\t1;\n\t"two";\n\t{\n\t\t["y"] = {\n\t\t\ttrue;\n\t\t\tfalse;\n\t\t};\n\t};\n'
        '\t[false] = {\n\t\t["version"] = 6;\n\t};\n\t[10] = 2.5;\n\t[-1] = 1.00000000000000002e+100;\n\t[1.5] = (1/0);\n'
        '\t["k"] = {\n\t\t["\\195\\188"] = "caf\\195\\169 \\"x\\"\\n";\n\t};\n\t["none"] = {};\n}'
    )
    assert serialise("\a\b\f\n\r\t\v\\\"'\0\x01\x1f\x7f ") == r'"\a\b\f\n\r\t\v\\\"\'' + r'\000\001\031\127 "'
    assert [serialise(x) for x in (0.1, 1000.0, -0.0, 9.99999999999999955e-08)] == [
        *("0.100000000000000006", "1000", "-0", "9.99999999999999955e-08"),
    ]


def test_too_deep_or_no_text_is_refused() -> None:
    deep: Any = {}
    for _ in range(127):
        deep = [deep]
    assert parse(serialise(deep)) == deep
    for value in ([deep, 1], ["\ud83d"]):
        with pytest.raises(BadValue):
            serialise([value])


@given(values)
def test_what_is_written_is_read_again(value: Any) -> None:
    assert dump(parse(serialise(value))) == dump(value)


@given(st.text(alphabet="{}[]()=;,'\"\\-/.0x1aenil \n\u00fc", max_size=40))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        value = parse(text)
    except LuaError:
        return
    expected = {} if value is None else value  # nil is written as an empty table
    assert dump(parse(serialise(value))) == dump(expected), "what is read can be written"


@pytest.mark.parametrize("path", sorted(FIXTURES.glob("prosody-data/*/*/*.dat")), ids=lambda p: "/".join(p.parts[-3:]))
def test_a_servers_file_is_written_as_the_server_wrote_it(path: Path) -> None:
    text = path.read_text("ascii")
    assert read_table(text.encode(), 7) is not None
    written = f"return {serialise(parse_file(text.encode()))};\n"
    # the order of string keys is arbitrary
    assert sorted(written.splitlines()) == sorted(text.splitlines())
