"""Values on their way in and out (the tables of Lua and JSON values)."""

from __future__ import annotations

import json

import pytest

from tests.api.data.conftest import JSON, LUA, Ask

ROUND = [  # a member in JSON, as it comes back in JSON, and in Lua
    ('"text"', '"text"', '"text"'),
    ('"caf\\u00e9 \\"x\\"\\n"', '"café \\"x\\"\\n"', '"caf\\195\\169 \\"x\\"\\n"'),
    ('"\\u0000\\u001f\\u007f"', '"\\u0000\\u001f\x7f"', '"\\000\\031\\127"'),
    ('"\\ud83c\\udf39"', '"🌹"', '"\\240\\159\\140\\185"'),
    ("1", "1", "1"),
    ("-1", "-1", "-1"),
    ("0", "0", "0"),
    ("-0", "0", "0"),
    ("1.0", "1", "1"),
    ("1e3", "1000", "1000"),
    ("1.5", "1.5", "1.5"),
    ("0.1", "0.1", "0.100000000000000006"),
    ("3.14159265358979312", "3.1415926535898", "3.14159265358979312"),
    ("1e-7", "1e-07", "9.99999999999999955e-08"),
    ("1e300", "1e+300", "1.00000000000000005e+300"),
    ("9223372036854775807", "9223372036854775807", "9223372036854775807"),
    ("-9223372036854775807", "-9223372036854775807", "-9223372036854775807"),
    ("9223372036854775808", "9.2233720368548e+18", "9.22337203685477581e+18"),
    ("9" * 40, "1e+40", "1.00000000000000003e+40"),
    ("9" * 5000, "null", "(1/0)"),
    ("1e999", "null", "(1/0)"),
    ("-1e999", "null", "(-1/0)"),
    ("true", "true", "true"),
    ("false", "false", "false"),
    ("[]", "{}", "{}"),
    ("{}", "{}", "{}"),
    ("[1,2,3]", "[1,2,3]", "{\n\t\t1;\n\t\t2;\n\t\t3;\n\t}"),
    ("[[],null]", "[{},{}]", "{\n\t\t{};\n\t\t{};\n\t}"),
    ('{"1":"a"}', '{"1":"a"}', '{\n\t\t["1"] = "a";\n\t}'),
    ('{"":"a"}', '{"":"a"}', '{\n\t\t[""] = "a";\n\t}'),
    ('{"a":null,"b":null}', '{"a":{},"b":{}}', '{\n\t\t["a"] = {};\n\t\t["b"] = {};\n\t}'),
    ('{"__array":[1,2],"k":3}', '{"__array":[1,2],"k":3}', '{\n\t\t1;\n\t\t2;\n\t\t["k"] = 3;\n\t}'),
    ('{"__array":[1,2]}', "[1,2]", "{\n\t\t1;\n\t\t2;\n\t}"),
    ('{"__hash":[false,{"version":6}]}', '{"__hash":[false,{"version":6}]}', '{\n\t\t[false] = {\n\t\t\t["version"] = 6;\n\t\t};\n\t}'),
    ('{"__hash":[10,2.5,-1,"x"]}', '{"__hash":[10,2.5,-1,"x"]}', '{\n\t\t[10] = 2.5;\n\t\t[-1] = "x";\n\t}'),
    ('{"k":1,"__hash":[1,"one"]}', '{"__array":["one"],"k":1}', '{\n\t\t"one";\n\t\t["k"] = 1;\n\t}'),
    ('{"a":1,"a":2}', '{"a":2}', '{\n\t\t["a"] = 2;\n\t}'),
]


@pytest.mark.parametrize(("sent", "as_json", "as_lua"), ROUND, ids=[sent[:40] for sent, _, _ in ROUND])
def test_a_member(ask: Ask, sent: str, as_json: str, as_lua: str) -> None:
    assert ask("PUT", "/data/settings", body=f'{{"m":{sent}}}').status_code == 201
    assert ask("GET", "/data/settings").data.decode() == f'{{"m":{as_json}}}'
    assert ask("GET", "/data/settings/lua").data.decode() == f'{{\n\t["m"] = {as_lua};\n}}'


@pytest.mark.parametrize(("sent", "as_json", "as_lua"), ROUND, ids=[sent[:40] for sent, _, _ in ROUND])
def test_an_item_of_a_list(ask: Ask, sent: str, as_json: str, as_lua: str) -> None:
    if sent == "false":
        return
    assert ask("POST", "/data/wishes", body=sent).status_code == 201
    assert ask("GET", "/data/wishes").data.decode() == f"[{as_json}]"


@pytest.mark.parametrize(("sent", "as_json", "as_lua"), ROUND, ids=[sent[:40] for sent, _, _ in ROUND])
def test_what_is_written_can_be_read_again(ask: Ask, sent: str, as_json: str, as_lua: str) -> None:
    ask("PUT", "/data/settings", body=f'{{"m":{sent}}}')
    lua = ask("GET", "/data/settings/lua").data
    assert ask("PUT", "/data/copy", body=lua, sent_as=LUA).status_code == 201
    assert ask("GET", "/data/copy/lua").data == lua
    assert ask("PUT", "/data/copy", body=ask("GET", "/data/settings").data).status_code == 201


LUA_BODIES = [
    ("{ a = 1, b = { 'x', \"y\" } }", {"a": 1, "b": ["x", "y"]}),
    ("{ 1, 2; 3 }", [1, 2, 3]),
    ("{ 1, nil, 3 }", {"__array": [1], "__hash": [3, 3]}),
    ("{ a = nil, b = 1 }", {"b": 1}),
    ("{ [1] = 'one', [2] = 'two' }", ["one", "two"]),
    ("{ [false] = 1 }", {"__hash": [False, 1]}),
    ("{ a = 0x10, b = 1e2, c = .5 }", {"a": 16, "b": 100, "c": 0.5}),
    ("{ a = 1/0, b = -1/0, c = 0/0 }", {"a": None, "b": None, "c": None}),
    ("{ a = [[long\nstring]], b = [==[x]]y]==] }", {"a": "long\nstring", "b": "x]]y"}),
    (r"{ a = '\x41\65\u{20AC}\z   x' }", {"a": "AA€x"}),
    ("{ -- comment\n a = 1 --[[ another ]] }", {"a": 1}),
    ("{ ['caf\u00e9'] = 'r\u00f4le' }", {"café": "rôle"}),
    ("{ a = 1 }, { b = 2 }", {"a": 1}),
]


@pytest.mark.parametrize(("body", "value"), LUA_BODIES, ids=[body for body, _ in LUA_BODIES])
def test_lua_literals(ask: Ask, body: str, value: object) -> None:
    assert ask("PUT", "/data/settings", body=body, sent_as=LUA).status_code == 201
    assert ask("GET", "/data/settings").json == value


def test_a_null_at_the_top_is_an_empty_table_or_stays(ask: Ask) -> None:
    assert ask("PUT", "/data/settings", body='{"a":null,"b":[null,null],"c":1}').status_code == 201
    value = ask("GET", "/data/settings").get_json()
    assert value["a"] in (None, {})
    assert value["b"] == [{}, {}]


def test_members_are_in_order(ask: Ask) -> None:
    ask("PUT", "/data/settings", body='{"b":{"z":1,"y":2},"a":1,"c":[{"q":1,"p":2}]}')
    assert ask("GET", "/data/settings").data == b'{"a":1,"b":{"y":2,"z":1},"c":[{"p":2,"q":1}]}'


def test_bytes_that_are_no_utf8_come_back_as_they_were_or_are_refused(ask: Ask) -> None:
    response = ask("PUT", "/data/settings", body=rb'{ a = "\255\254x" }', sent_as=LUA)
    if response.status_code == 400:  # SQL keeps text only
        assert "Unicode" in response.get_json()["detail"]
        return
    assert ask("GET", "/data/settings/lua").data == b'{\n\t["a"] = "\\255\\254x";\n}'
    body = ask("GET", "/data/settings").data
    assert body == b'{"a":"\\udcff\\udcfex"}'
    assert ask("PUT", "/data/settings", body=body).status_code == 201
    assert ask("GET", "/data/settings/lua").data == b'{\n\t["a"] = "\\255\\254x";\n}'


def test_json_is_read_by_any_reader(ask: Ask) -> None:
    ask("PUT", "/data/settings", body='{"a":[1,1.5,"x",true,null,{"b":[]}],"c":1e999}')
    response = ask("GET", "/data/settings")
    assert json.loads(response.data, parse_constant=pytest.fail) == {"a": [1, 1.5, "x", True, {}, {"b": {}}], "c": None}
    assert response.headers["Content-Type"].startswith(JSON)


def test_a_byte_order_mark_is_passed_over(ask: Ask) -> None:
    assert ask("PUT", "/data/settings", body=b'\xef\xbb\xbf{"a":1}').status_code == 201
    assert ask("GET", "/data/settings").data == b'{"a":1}'
