"""Arguments are converted and refused as by the peer (commands-api §7)."""

from __future__ import annotations

from typing import Any

import pytest

from xmpp_rest.api.commands.arguments import convert, take
from xmpp_rest.api.commands.catalogue import Definition, read_definition
from xmpp_rest.api.commands.erlang import term
from xmpp_rest.api.commands.errors import CommandFailure
from xmpp_rest.api.commands.types import read_type

PAIRS = {"list": {"name": "user", "type": {"tuple": [{"name": "jid", "type": "binary"}, {"name": "nick", "type": "binary"}]}}}
NAMED = {"list": {"name": "o", "type": {"tuple": [{"name": "name", "type": "binary"}, {"name": "value", "type": "integer"}]}}}
TRIPLES = {"list": {"name": "u", "type": {"tuple": [{"name": n, "type": "binary"} for n in ("user", "host", "nick")]}}}
GROUPS = {"list": {"name": "group", "type": "binary"}}
NUMBERS = {"list": {"name": "n", "type": "integer"}}
SHOWN_PAIR = "{tuple,[{jid,binary},{nick,binary}]}"
LARGE = 10**30


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (5, "5"),
        (-3, "-3"),
        (LARGE, str(LARGE)),
        (1.5, "1.5"),
        (-1.5, "-1.5"),
        (1000.0, "1.0e3"),
        (100.0, "100.0"),
        (0.0, "0.0"),
        (0.1, "0.1"),
        (0.001, "0.001"),
        (0.00001, "1.0e-5"),
        (1234567.0, "1234567.0"),
        (123456000000.0, "1.23456e11"),
        (1e22, "1.0e22"),
        (True, "true"),
        (False, "false"),
        (None, "null"),
        ("ab", "<<97,98>>"),
        ("", "<<>>"),
        ("ü", "<<195,188>>"),
        ([1, "a"], "[1,<<97>>]"),
        ([], "[]"),
        ({"a": 1}, "#{<<97>> => 1}"),
        ({"b": [None], "a": {}}, "#{<<97>> => #{},<<98>> => [null]}"),
        ({}, "#{}"),
    ],
)
def test_erlang_notation(value: Any, text: str) -> None:
    assert term(value) == text


def nested(depth: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("ü" * 1_000_000, f"<<{','.join(['195,188'] * 2048)}>>"),
        ([1] * 1_000_000, "[" + "1," * 100 + "...]"),
        (nested(900), "[" * 16 + "..." + "]" * 16),
        (["a" * 1000] * 10_000, ("[" + f"<<{','.join(['97'] * 1000)}>>," * 7)[:20_000] + "..."),
        ({f"{n:04}": 1 for n in range(10_000)}, "#{" + "".join(f"<<48,48,{48 + n // 10},{48 + n % 10}>> => 1," for n in range(100)) + "...}"),
        (10**4000, "1" + "0" * 4000),
    ],
    ids=["text", "list", "depth", "long list", "map", "number"],
)
def test_what_is_long_or_deep_is_cut(value: Any, text: str) -> None:
    assert term(value) == text


@pytest.mark.parametrize(
    ("value", "to", "converted"),
    [
        ("x", "binary", "x"),
        ("", "string", ""),
        (15, "integer", 15),
        (-LARGE, "integer", -LARGE),
        ("15", "integer", 15),
        ("-5", "integer", -5),
        ("007", "integer", 7),
        (["a", "b"], GROUPS, ["a", "b"]),
        ("a", GROUPS, ["a"]),
        ([], GROUPS, []),
        ("7", NUMBERS, [7]),
        ([{"jid": "a", "nick": "b", "more": 5}], PAIRS, [("a", "b")]),
        ({"a": "b", "c": "d"}, PAIRS, [("a", "b"), ("c", "d")]),
        ({"title": 1}, NAMED, [("title", 1)]),
        ({"user": "a", "host": "b", "nick": "c"}, TRIPLES, [("a", "b", "c")]),
    ],
)
def test_conversion(value: Any, to: Any, converted: Any) -> None:
    assert convert(value, read_type(to)) == converted


@pytest.mark.parametrize(
    ("value", "to", "message"),
    [
        (5, "binary", "Arg 5 is not in format binary"),
        (None, "binary", "Arg null is not in format binary"),
        (["a"], "binary", "Arg [<<97>>] is not in format binary"),
        ({}, "string", "Arg #{} is not in format string"),
        (1.5, "integer", "Arg 1.5 is not in format integer"),
        (15.0, "integer", "Arg 15.0 is not in format integer"),
        (True, "integer", "Arg true is not in format integer"),
        ("ab", "integer", "Arg <<97,98>> is not in format integer"),
        ("", "integer", "Arg <<>> is not in format integer"),
        (" 5", "integer", "Arg <<32,53>> is not in format integer"),
        ("1.5", "integer", "Arg <<49,46,53>> is not in format integer"),
        ("٣", "integer", "Arg <<217,163>> is not in format integer"),
        (5, GROUPS, "Arg 5 is not in format binary"),
        (["a", 5], GROUPS, "Arg 5 is not in format binary"),
        (["a"], PAIRS, f"Arg <<97>> is not in format {SHOWN_PAIR}"),
        ([{"jid": "a", "nick": 5}], PAIRS, "Arg 5 is not in format binary"),
        ({"a": 5}, PAIRS, "Arg 5 is not in format binary"),
        ([{"jid": "a"}], PAIRS, f"Missing field nick in tuple {SHOWN_PAIR}"),
        ([{"jid": "a", "nick": None}], PAIRS, f"Missing field nick in tuple {SHOWN_PAIR}"),
    ],
)
def test_what_does_not_fit(value: Any, to: Any, message: str) -> None:
    with pytest.raises(CommandFailure) as e:
        convert(value, read_type(to))
    assert (e.value.status, e.value.body) == (400, message)


def test_a_number_of_too_many_digits_does_not_fit() -> None:
    with pytest.raises(CommandFailure) as e:
        convert("1" * 5000, read_type("integer"))
    assert e.value.status == 400


def definition(renames: dict[str, str], *args: tuple[str, Any]) -> Definition:
    return read_definition(
        {
            "name": "x", "version": 0, "tags": [], "module": "m", "policy": "restricted", "summary": "",
            "args": [{"name": n, "type": t} for n, t in args], "result": {"name": "res", "type": "rescode"},
            "args_rename": [{"old": old, "new": new} for old, new in renames.items()],
        }
    )  # fmt: skip


ROSTER = definition({"server": "host"}, ("user", "binary"), ("host", "binary"), ("groups", GROUPS))
NICK = definition({"host": "service"}, ("host", "binary"), ("service", "binary"))


@pytest.mark.parametrize(
    ("of", "given", "taken"),
    [
        (ROSTER, [("host", "h"), ("user", "u")], {"user": "u", "host": "h", "groups": []}),
        (ROSTER, [("server", "h"), ("user", "u")], {"user": "u", "host": "h", "groups": []}),
        (NICK, [("host", "h"), ("service", "s")], {"host": "h", "service": "s"}),
    ],
)
def test_taking(of: Definition, given: Any, taken: Any) -> None:
    assert take(of, given) == taken
    assert list(take(of, given)) == list(of.arg_names)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([], "Request have missing argument: user"),
        ([("host", 5)], "Request have missing argument: user"),
        ([("user", "u"), ("host", "a"), ("host", "b")], "Request have duplicate argument: host"),
        ([("user", "u"), ("host", "a"), ("server", "b")], "Request have duplicate argument: host"),
        ([("user", "u"), ("host", "a"), ("zzz", 1), ("name", 2)], "Request have unknown arguments: [zzz,name]"),
    ],
)
def test_refusing(given: Any, message: str) -> None:
    with pytest.raises(CommandFailure) as e:
        take(ROSTER, given)
    assert (e.value.status, e.value.body) == (400, message)
