"""At every API a body may be compressed, within the same bounds; an unknown coding is 415 with what is known; a byte order mark is not an error."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.conftest import DOMAIN, PASSWORD, MakeApp, basic, build_app, register_users

JSON, XML, FORM, NDJSON, LUA = "application/json", "application/xmpp+xml", "application/x-www-form-urlencoded", "application/x-ndjson", "text/x-lua"
NURSE = f"nurse@{DOMAIN}"
BOM = b"\xef\xbb\xbf"


def raw_deflate(data: bytes) -> bytes:
    deflater = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return deflater.compress(data) + deflater.flush()


CODINGS: list[tuple[str, Callable[[bytes], bytes]]] = [
    ("gzip", gzip.compress),
    ("GZip", gzip.compress),
    ("x-gzip", gzip.compress),
    ("deflate", zlib.compress),
    ("deflate", raw_deflate),
    ("identity", bytes),
    ("", bytes),
    ("gzip", lambda data: gzip.compress(data[:5]) + gzip.compress(data[5:])),
    ("identity, gzip", gzip.compress),
]


class Call(NamedTuple):
    """A request with a body that works as it stands. `limit`: the setting that bounds the body."""

    method: str
    path: str
    type: str
    body: str
    user: str
    limit: str

    def send(self, client: FlaskClient, body: bytes | None = None, **fields: str) -> TestResponse:
        headers = basic(f"{self.user}@{DOMAIN}") | {"Content-Type": self.type} | {k.replace("_", "-"): v for k, v in fields.items()}
        return client.open(self.path, method=self.method, data=self.body.encode() if body is None else body, headers=headers)


MESSAGE = json.dumps({"to": NURSE, "body": "Hail", "type": "chat"})
REST = "rest_stanza_size_limit"
BODY = "server_body_limit"
CALLS = {
    "rest json": Call("POST", "/rest", JSON, MESSAGE, "juliet", REST),
    "rest xml": Call("POST", "/rest", XML, f"<message to='{NURSE}'><body>Hail</body></message>", "juliet", REST),
    "rest text": Call("POST", f"/rest/message/chat/{NURSE}", "text/plain", "Hail", "juliet", REST),
    "rest form": Call("POST", "/rest", FORM, f"to={NURSE}&body=Hail", "juliet", REST),
    "rest path": Call("POST", f"/rest/message/chat/{NURSE}", JSON, '{"body":"Hail"}', "juliet", REST),
    "rest echo": Call("POST", "/rest/echo", JSON, MESSAGE, "juliet", REST),
    "rest lines": Call("POST", "/rest", NDJSON, f"{MESSAGE}\n{MESSAGE}\n", "juliet", "rest_batch_size_limit"),
    "data json": Call("PUT", "/data/wishes", JSON, '{"a":1}', "juliet", "data_size_limit"),
    "data lua": Call("POST", "/data/wishes", LUA, "{ a = 1 }", "juliet", "data_size_limit"),
    "client": Call("POST", "/api/messages", JSON, json.dumps({"to": NURSE, "body": "Hail"}), "juliet", "client_body_limit"),
    "command": Call("POST", "/api/check_account", JSON, json.dumps({"user": "nurse", "host": DOMAIN}), "admin", BODY),
    "command lines": Call("POST", "/api", NDJSON, '{"command":"status"}\n{"command":"status"}\n', "admin", "rest_batch_size_limit"),
    "oauth": Call("POST", "/oauth/token", FORM, f"grant_type=password&username=juliet@{DOMAIN}&password={PASSWORD}", "", ""),
}
GOOD = (200, 201, 202, 204)


def code(line: dict[str, Any]) -> Any:
    """The status in an answer of a batch; /rest names none for what was accepted."""
    return line.get("code", line.get("status"))


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flask]:
    """Without settings, for all tests: what was done in it before makes no difference to what they look at."""
    app = register_users(build_app(tmp_path_factory.mktemp("plain"), oauth_client_check="allow"))
    yield app
    app.extensions["gateway"].stop()


@pytest.fixture
def make(plain: Flask, make_app: MakeApp) -> Callable[..., FlaskClient]:
    def build(**settings: str) -> FlaskClient:
        app = register_users(make_app(oauth_client_check="allow", **settings)) if settings else plain
        return app.test_client()

    return build


def sent(call: Call, client: FlaskClient, body: bytes | None = None, **fields: str) -> TestResponse:
    if call.user:
        return call.send(client, body, **fields)
    headers = {"Content-Type": call.type} | {k.replace("_", "-"): v for k, v in fields.items()}
    return client.open(call.path, method=call.method, data=call.body.encode() if body is None else body, headers=headers)


@pytest.mark.parametrize("name", CALLS)
def test_a_compressed_body(make: Callable[..., FlaskClient], name: str) -> None:
    call, client = CALLS[name], make()
    plain = sent(call, client)
    assert plain.status_code in GOOD, plain.text
    for coding, compress in CODINGS:
        for framing in ({}, {"Transfer_Encoding": "chunked"}):
            body = compress(call.body.encode())
            if framing:
                headers = (basic(f"{call.user}@{DOMAIN}") if call.user else {}) | {"Content-Type": call.type, "Content-Encoding": coding}
                response = client.open(
                    call.path, method=call.method, data=body, headers=headers | {"Transfer-Encoding": "chunked"},
                    environ_base={"wsgi.input_terminated": True}, environ_overrides={"CONTENT_LENGTH": ""},
                )  # fmt: skip
            else:
                response = sent(call, client, body, Content_Encoding=coding)
            assert response.status_code == plain.status_code, (coding, framing, response.text)


@pytest.mark.parametrize("coding", ["br", "zstd", "compress", "x-deflate", "gzip, gzip", "gzip, deflate", "x", "gzip;q=1", "\xff"])
@pytest.mark.parametrize("name", CALLS)
def test_an_unknown_coding(make: Callable[..., FlaskClient], name: str, coding: str) -> None:
    response = sent(CALLS[name], make(), Content_Encoding=coding)
    assert (response.status_code, response.headers.get("Accept-Encoding")) == (415, "gzip, deflate")


@pytest.mark.parametrize("name", CALLS)
def test_a_body_that_is_not_what_its_coding_says(make: Callable[..., FlaskClient], name: str) -> None:
    call, client = CALLS[name], make()
    whole = gzip.compress(call.body.encode() * 3 if "lines" in name else call.body.encode())
    broken = [("gzip", call.body.encode()), ("gzip", whole + b"x"), ("gzip", zlib.compress(b"x")), ("deflate", b"\x78\x9c\xff\xff"), ("deflate", whole)]
    for coding, body in broken + ([] if "lines" in name else [("gzip", whole[:-1]), ("gzip", whole[:-12])]):
        response = sent(call, client, body, Content_Encoding=coding)
        if "lines" in name and response.status_code == 200:  # what was read before it broke was sent, and the answer says so
            *good, last = [json.loads(line) for line in response.text.splitlines()]
            assert {code(line) for line in good} <= {None, 200}
            assert code(last) == 400
        else:
            assert response.status_code == 400, (coding, body, response.text)


@pytest.mark.parametrize("name", [name for name, call in CALLS.items() if call.limit])
def test_a_bomb(make: Callable[..., FlaskClient], name: str) -> None:
    """The bound holds for what comes out, and unpacking ends there."""
    call = CALLS[name]
    client = make(**{call.limit: "20000"})
    fits = call.body.encode() + b" " * (20_000 - len(call.body)) if call.type != FORM else call.body.encode()
    assert sent(call, client, gzip.compress(fits), Content_Encoding="gzip").status_code in GOOD
    for size in (20_001, 50_000_000):
        bomb = gzip.compress(call.body.encode() + b" " * (size - len(call.body)), 1)[:19_000]
        response = sent(call, client, bomb, Content_Encoding="gzip")
        lines = response.text.splitlines()
        told = code(json.loads(lines[-1])) if response.status_code == 200 else response.status_code
        assert told == 413, response.text[-200:]


@pytest.mark.parametrize("name", [name for name, call in CALLS.items() if call.type in (JSON, NDJSON)])
def test_a_byte_order_mark(make: Callable[..., FlaskClient], name: str) -> None:
    call, client = CALLS[name], make()
    assert sent(call, client, BOM + call.body.encode()).status_code in GOOD
    assert sent(call, client, gzip.compress(BOM + call.body.encode()), Content_Encoding="gzip").status_code in GOOD


# an XML declaration


DECLARED = [
    ("<?xml version='1.0'?>{}", True),
    ('<?xml version="1.0" encoding="UTF-8"?>\n{}\n', True),
    ("<?xml version='1.0' encoding='utf-8' standalone='yes'?>{}", True),
    ("\ufeff<?xml version='1.0'?>{}", True),
    ("\ufeff{}", True),
    ("\n {}", True),
    ("<?xml version='1.1'?>{}", False),
    ("<?xml version='1.0' encoding='iso-8859-1'?>{}", False),
    ("<?xml version='1.0' encoding='UTF-16'?>{}", False),
    ("<?xml encoding='utf-8'?>{}", False),
    (" <?xml version='1.0'?>{}", False),
    ("{}<?xml version='1.0'?>", False),
    ("<?xml version='1.0'?><?xml version='1.0'?>{}", False),
    ("<?xml version='1.0'?><!DOCTYPE message>{}", False),
    ("<?xml version='1.0'?><!DOCTYPE m [<!ENTITY a 'b'>]>{}", False),
    ("<?xml version='1.0'?><?pi x?>{}", False),
    ("<?xml version='1.0'?><!-- x -->{}", False),
    ("<?xml version='1.0'?>{0}{0}", False),
    ("<?xml version='1.0'?>", False),
]


@pytest.mark.parametrize(("form", "good"), DECLARED)
@pytest.mark.parametrize("path", ["/rest", "/rest/echo"])
def test_a_declaration(make: Callable[..., FlaskClient], path: str, form: str, good: bool) -> None:
    call = CALLS["rest xml"]._replace(path=path)
    response = sent(call, make(), form.format(call.body).encode())
    assert response.status_code == ((200 if path == "/rest/echo" else 202) if good else 400), response.text
    if good and path == "/rest/echo":
        assert b"<?xml" not in response.data


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32", "iso-8859-1"])
def test_another_encoding_than_utf_8(make: Callable[..., FlaskClient], encoding: str) -> None:
    body = f"<?xml version='1.0' encoding='{encoding}'?><message to='{NURSE}'><body>é</body></message>".encode(encoding)
    assert sent(CALLS["rest xml"], make(), body).status_code == 400


# no arguments, and an action


@pytest.mark.parametrize("body", [b"[]", b"{}", b"\n", b" [ ] ", BOM + b"[]"])
def test_no_arguments(make: Callable[..., FlaskClient], body: bytes) -> None:
    client = make()
    for path in ("/api/connected_users", "/api/status", "/api/connected_users/v2"):
        assert sent(CALLS["command"]._replace(path=path), client, body).status_code == 200
    assert sent(CALLS["command"], client, body).status_code == 400, "arguments that are missing are so still"


@pytest.mark.parametrize("body", [b"[1]", b"[{}]", b"[[]]", b"null", b"0", b'""', b"false", b"[]x"])
def test_what_is_no_object(make: Callable[..., FlaskClient], body: bytes) -> None:
    assert sent(CALLS["command"]._replace(path="/api/status"), make(), body).status_code == 400


@pytest.mark.parametrize("generation", ["3", "6"])
def test_a_contact_action_as_a_string(make: Callable[..., FlaskClient], generation: str) -> None:
    client = make(client_generation=generation)
    path = f"/api/contacts/{NURSE}"
    base = CALLS["client"]

    def put(body: Any, where: str = path) -> int:
        return sent(base._replace(method="PUT", path=where), client, json.dumps(body).encode()).status_code

    assert sent(base._replace(path="/api/contacts"), client, json.dumps({"jid": NURSE}).encode()).status_code == 204
    assert put("invite") == 204
    assert client.get("/api/contacts", headers=basic(f"juliet@{DOMAIN}")).json == [{"jid": NURSE, "subscription": "none", "ask": "out"}]
    assert put({"action": "invite"}) == 204
    assert put("dance") == (501 if generation == "3" else 400)
    assert [put(body) for body in (["invite"], 7, None, "")] == [400, 400, 400, 501 if generation == "3" else 400]
    assert put("invite", "/api/contacts") == 400, "whom?"
