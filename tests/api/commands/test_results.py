"""Results have the peer's form (commands-api §8)."""

from __future__ import annotations

from typing import Any

import pytest

from xmpp_rest.api.commands.results import render
from xmpp_rest.api.commands.types import read_field


def tuple_of(*fields: tuple[str, Any]) -> dict[str, Any]:
    return {"tuple": [{"name": n, "type": t} for n, t in fields]}


def list_of(element: Any) -> dict[str, Any]:
    return {"list": {"name": "one", "type": element}}


ROWS = list_of(tuple_of(("jid", "string"), ("priority", "integer"), ("groups", list_of("string"))))


@pytest.mark.parametrize(
    ("of", "value", "v0", "later"),
    [
        ("integer", 6, {"r": 6}, 6),
        ("string", "Ann", {"r": "Ann"}, "Ann"),
        ("binary", "Ann", {"r": "Ann"}, "Ann"),
        ("atom", "info", {"r": "info"}, "info"),
        ("rescode", True, 0, 0),
        ("rescode", False, 1, 1),
        ("restuple", "Done", "Done", "Done"),
        (list_of("string"), ["b", "a", "ä", "Z"], ["Z", "a", "b", "ä"], ["Z", "a", "b", "ä"]),
        (list_of("integer"), [10, 9], [9, 10], [9, 10]),
        (list_of("string"), [], [], []),
        (tuple_of(("b", "string"), ("a", "integer")), ("x", 1), {"b": "x", "a": 1}, {"b": "x", "a": 1}),
        (list_of(tuple_of(("name", "string"), ("value", "string"))), [("t", "x")], {"t": "x"}, {"t": "x"}),
        (list_of(tuple_of(("key", "string"), ("value", "string"))), [("t", "x")], [{"key": "t", "value": "x"}], None),
        (list_of(tuple_of(("key", "atom"), ("value", "integer"))), [("t", 1)], {"t": 1}, {"t": 1}),
        (list_of(tuple_of(("name", "string"), ("value", "string"))), [], {}, {}),
        (
            ROWS,
            [("b", 1, []), ("a", 10, ["y", "x"]), ("a", 9, [])],
            [
                {"jid": "a", "priority": 9, "groups": []},
                {"jid": "a", "priority": 10, "groups": ["x", "y"]},
                {"jid": "b", "priority": 1, "groups": []},
            ],
            None,
        ),
    ],
)
def test_results(of: Any, value: Any, v0: Any, later: Any) -> None:
    result = read_field({"name": "r", "type": of})
    assert render(value, result, 0) == v0
    for version in (1, 2, 3):
        assert render(value, result, version) == (v0 if later is None else later)
