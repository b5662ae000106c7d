"""Hostile requests to /data: every answer is a known one, and the account is not damaged."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.api.data.conftest import ADMIN, JSON, JULIET, LUA, Ask, asker
from tests.conftest import DOMAIN, MakeApp

DEEP = 100_000
BODIES: dict[str, tuple[str, bytes]] = {
    "deep arrays": (JSON, b"[" * DEEP),
    "deep arrays, closed": (JSON, b"[" * DEEP + b"]" * DEEP),
    "deep objects": (JSON, b'{"a":' * DEEP + b"1" + b"}" * DEEP),
    "deeper than storage goes": (JSON, b"[" * 200 + b"1" + b"]" * 200),
    "deep Lua": (LUA, b"{" * DEEP),
    "deep Lua, closed": (LUA, b"{" * DEEP + b"}" * DEEP),
    "deep Lua parentheses": (LUA, b"{ a = " + b"(" * DEEP + b"1" + b")" * DEEP + b"}"),
    "deep Lua minus": (LUA, b"{ a = " + b"- " * DEEP + b"1}"),
    "deeper Lua than storage goes": (LUA, b"{" * 150 + b"1" + b"}" * 150),
    "half a surrogate pair": (JSON, rb'{"a":"\ud800"}'),
    "half a surrogate pair as a key": (JSON, rb'{"\ud800":1}'),
    "a surrogate that stands for a byte": (JSON, rb'{"a":"\udcff"}'),
    "invalid UTF-8": (JSON, b'{"a":"\xff"}'),
    "overlong UTF-8": (JSON, b'{"a":"\xc0\xaf"}'),
    "UTF-16": (JSON, '{"a":1}'.encode("utf-16")),
    "invalid UTF-8 in Lua": (LUA, b"{ a = '\xff\xfe' }"),
    "a surrogate in Lua": (LUA, rb"{ a = '\u{D800}' }"),
    "a NUL in text": (JSON, rb'{"a":"\u0000"}'),
    "a NUL in a key": (JSON, rb'{"\u0000":1}'),
    "a NUL in the body": (JSON, b'{"a":1}\x00'),
    "digits": (JSON, b'{"a":' + b"9" * 100_000 + b"}"),
    "a huge exponent": (JSON, b'{"a":1e99999999999999999999}'),
    "a tiny exponent": (JSON, b'{"a":1e-99999999999999999999}'),
    "digits in Lua": (LUA, b"{ a = " + b"9" * 100_000 + b" }"),
    "hex digits in Lua": (LUA, b"{ a = 0x" + b"f" * 100_000 + b" }"),
    "a huge hex exponent": (LUA, b"{ a = 0x1p99999999999999 }"),
    "a huge code point": (LUA, rb"{ a = '\u{7FFFFFFF}' }"),
    "no code point": (LUA, rb"{ a = '\u{FFFFFFFFFFFFFFFF}' }"),
    "__array of the wrong type": (JSON, b'{"__array":{"a":1}}'),
    "__array of text": (JSON, b'{"__array":"text"}'),
    "__hash of the wrong type": (JSON, b'{"__hash":true}'),
    "__hash without a value": (JSON, b'{"__hash":[1]}'),
    "__hash with a table as key": (JSON, b'{"__hash":[{},1]}'),
    "__hash with null as key": (JSON, b'{"__hash":[null,1]}'),
    "__hash with an infinite key": (JSON, b'{"__hash":[1e999,1]}'),
    "__hash with keys that are the same": (JSON, b'{"__hash":[2,1,2.0,2,true,3],"__array":[1]}'),
    "nested __hash": (JSON, b'{"a":{"__hash":[1,{"__hash":[false,{"__array":[1]}]}]}}'),
    "members by the thousand": (JSON, b"{" + b",".join(b'"k%d":[]' % n for n in range(20_000)) + b"}"),
    "the same member by the thousand": (JSON, b"{" + b",".join([b'"k":1'] * 20_000) + b"}"),
    "a long key": (JSON, b'{"' + b"k" * 1_000_000 + b'":1}'),
    "a loop": (LUA, b"(function() while true do end end)()"),
    "a call": (LUA, b"os.execute('touch /tmp/x')"),
    "string.rep": (LUA, b"('x'):rep(1e9)"),
    "a bomb of concatenation": (LUA, b"{ a = 'x' .. 'x' }"),
    "an unfinished long bracket": (LUA, b"{ a = [" + b"=" * 100_000 + b"[ }"),
    "long brackets": (LUA, b"[=[" * 50_000),
    "comments": (LUA, b"--[[" * 50_000),
    "backslashes": (LUA, b'{ "' + b"\\" * 100_001 + b'" }'),
    "commas": (LUA, b"{" + b"," * 1000 + b"}"),
    "a key that is nil": (LUA, b"{ [nil] = 1 }"),
    "a key that is not a number": (LUA, b"{ [0/0] = 1 }"),
    "a table as key": (LUA, b"{ [{}] = 1 }"),
    "an infinite key": (LUA, b"{ [1/0] = 1 }"),
    "values after a comma": (LUA, b"1," * 50_000 + b"1"),
    "bytecode": (LUA, b"\x1bLua\x54\x00\x19\x93\r\n\x1a\n"),
}


TAKEN = {
    "a NUL in text", "a NUL in a key", "digits", "a huge exponent", "a tiny exponent", "digits in Lua", "hex digits in Lua", "a huge hex exponent",
    "__hash with an infinite key", "__hash with keys that are the same", "nested __hash", "members by the thousand", "the same member by the thousand",
    "a long key", "an infinite key",
}  # fmt: skip
BYTES = {"a surrogate that stands for a byte", "invalid UTF-8 in Lua", "a surrogate in Lua", "a huge code point"}
"""Text that Lua may hold, and that the files of Prosody hold; SQLite holds UTF-8 alone."""


def is_taken(name: str, method: str, storage: str) -> bool:
    if name == "values after a comma":
        return method == "POST"  # each is an item
    return name in TAKEN or (name in BYTES and storage == "flatfile")


@pytest.fixture
def _none_the_worse(ask: Ask) -> Iterator[None]:
    """The account's other store is read and written as before."""
    ask("PUT", "/data/other", body='{"a":1}')
    yield
    assert ask("GET", "/data/other").data == b'{"a":1}'
    assert ask("PUT", "/data/other", body='{"a":2}').status_code == 201


@pytest.mark.usefixtures("_none_the_worse")
@pytest.mark.parametrize("method", ["PUT", "POST"])
@pytest.mark.parametrize("name", BODIES)
def test_a_body(ask: Ask, storage: str, method: str, name: str) -> None:
    sent_as, body = BODIES[name]
    response = ask(method, "/data/settings", body=body, sent_as=sent_as)
    taken = is_taken(name, method, storage)
    assert response.status_code == (201 if taken else 400)
    there = 200 if taken else 404
    for form in ("json", "lua"):
        assert ask("GET", f"/data/settings/{form}").status_code == there
    assert ask("DELETE", "/data/settings").status_code == 204


REFUSED = [name for name in BODIES if name.startswith(("deep", "half", "invalid UTF-8", "a call", "a loop", "string.rep", "__array of"))]


@pytest.mark.parametrize("name", [name for name in REFUSED if name != "invalid UTF-8 in Lua"])
def test_a_body_that_is_refused_says_why(ask: Ask, name: str) -> None:
    sent_as, body = BODIES[name]
    response = ask("PUT", "/data/settings", body=body, sent_as=sent_as)
    assert response.status_code == 400
    assert 10 < len(response.get_json()["detail"]) < 500


METHODS = ("GET", "HEAD", "PUT", "POST", "DELETE", "OPTIONS")
FORBIDDEN, MISSING, STORE = [403] * 5 + [200], [404] * 5 + [200], [404, 404, 201, 201, 204, 200]
PATHS: dict[str, tuple[list[int], list[int]]] = {  # what juliet is told, and what the administrator is
    "/data/../data/settings": (FORBIDDEN, FORBIDDEN),
    "/data/..%2f..%2fetc/passwd": (FORBIDDEN, FORBIDDEN),
    "/data/....//....//settings": (FORBIDDEN, FORBIDDEN),
    f"/data/{DOMAIN}/../juliet/settings": (FORBIDDEN, STORE),
    f"/data/{DOMAIN}/..%2fnurse/settings": (FORBIDDEN, STORE),
    f"/data/{DOMAIN}/juliet%00/settings": (MISSING, MISSING),
    f"/data/{DOMAIN}/%2e%2e/settings": (FORBIDDEN, STORE),
    "/data/_global/x/settings": (FORBIDDEN, FORBIDDEN),
    "/data/%00": (MISSING, MISSING),
    "/data/%0d%0aSet-Cookie:%20a=b": (MISSING, MISSING),
    "/data/settings%0d%0aX:%20y/json": (MISSING, MISSING),
    "/data/settings/json%0d%0aX:%20y": (STORE, STORE),
    "/data/" + "%FF" * 2000: (MISSING, MISSING),
    "/data/" + "/" * 5000 + "settings": (STORE, STORE),
    "/data/" + "a/" * 3000: (FORBIDDEN, FORBIDDEN),
    "/data/\\..\\..\\settings": (MISSING, MISSING),
    "/data/~/settings": (MISSING, MISSING),
    "/data/%F0%9F%8C%B9": (MISSING, MISSING),
    "/data/%ED%A0%80": (MISSING, MISSING),
    "/data/settings/" + "f" * 5000: (STORE, STORE),
    f"/data/{DOMAIN}/" + "u" * 5000 + "/settings": (MISSING, MISSING),
    f"/data/{DOMAIN}/%ED%A0%80/settings": (MISSING, MISSING),
    f"/data/{DOMAIN}/~/settings": (FORBIDDEN, STORE),
    f"/data/{DOMAIN}/settings~/settings": (FORBIDDEN, STORE),
    f"/data/{DOMAIN}/.locks/settings": (FORBIDDEN, STORE),
    "/data/.locks/juliet/settings": (FORBIDDEN, FORBIDDEN),
}


@pytest.mark.usefixtures("_none_the_worse")
@pytest.mark.parametrize("user", [JULIET, ADMIN])
@pytest.mark.parametrize("path", PATHS)
def test_a_path(ask: Ask, user: str, path: str) -> None:
    responses = [ask(method, path, user=user, body='{"a":1}') for method in METHODS]
    assert [response.status_code for response in responses] == PATHS[path][user == ADMIN]
    for response in responses:
        assert "Set-Cookie" not in response.headers
        assert "X" not in response.headers


FINE = [200, 200, 201, 201, 204]
FIELDS: list[tuple[dict[str, str], list[int]]] = [  # what GET, HEAD, PUT, POST and DELETE are told
    ({"Accept": "x" * 60_000}, FINE),
    ({"Accept": ",".join(["text/x-lua;q=0.5"] * 2000)}, FINE),
    ({"Content-Type": "application/json;" * 2000}, FINE),
    ({"Content-Type": "\xff/\xff"}, [200, 200, 400, 400, 204]),
    ({"If-Match": '"a",' * 20_000}, [412] * 5),
    ({"If-Match": '"\xff"'}, [412] * 5),
    ({"If-None-Match": "," * 60_000}, [400] * 5),
    ({"Range": "items=" + "0-0," * 20_000}, [206, 200, 201, 201, 204]),
    ({"Range": "items=" + ",".join(f"{n}-{n}" for n in range(5000))}, [206, 200, 201, 201, 204]),
    ({"If-Range": "\xff"}, FINE),
    ({"Content-Encoding": "gzip"}, [200, 200, 400, 400, 204]),
    ({"Transfer-Encoding": "identity"}, FINE),
    ({"Origin": "null"}, [200, 200, 403, 403, 403]),  # a page of another origin changes nothing
    ({"Authorization": "Basic " + "=" * 60_000}, [401] * 5),
    ({"X-HTTP-Method-Override": "DELETE"}, FINE),
]


@pytest.mark.usefixtures("_none_the_worse")
@pytest.mark.parametrize(("fields", "statuses"), FIELDS, ids=[f"{k}-{n}" for n, (f, _) in enumerate(FIELDS) for k in f])
def test_a_field(ask: Ask, fields: dict[str, str], statuses: list[int]) -> None:
    ask("POST", "/data/wishes", body="[1,2,3]")
    assert [ask(method, "/data/wishes", body="[1]", fields=fields).status_code for method in METHODS[:5]] == statuses


@pytest.mark.parametrize("setting", ["data_size_limit", "server_body_limit"])
def test_a_body_that_is_too_large(make_app: MakeApp, setting: str) -> None:
    ask = asker(make_app(**{setting: "2000"}))
    assert ask("PUT", "/data/settings", user=ADMIN, body=b'{"a":"' + b"x" * 1900 + b'"}').status_code == 201
    for method in ("PUT", "POST"):
        response = ask(method, "/data/settings", user=ADMIN, body=b'{"a":"' + b"x" * 2000 + b'"}')
        assert (response.status_code, response.mimetype) == (413, "application/problem+json")
        assert response.headers["Access-Control-Allow-Origin"] == "*"
    chunked = {"Transfer-Encoding": "chunked"}
    big = b'{"a":"' + b"x" * 2000 + b'"}'
    response = ask("PUT", "/data/settings", user=ADMIN, body=big, fields=chunked, environ_base={"wsgi.input_terminated": True})
    assert response.status_code == 413, response.data
    assert len(ask("GET", "/data/settings", user=ADMIN).data) == 1908


@pytest.mark.parametrize("host", ["a b", "\xff", "", "a@b", "a/../b", "h:99999"])
def test_a_host_that_is_none(ask: Ask, host: str) -> None:
    assert ask("PUT", "/data/settings", body='{"a":1}', fields={"Host": host}).status_code == 400  # RFC 9112 §3.2
    assert ask("GET", "/data/settings").status_code == 404
