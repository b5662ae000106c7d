"""JSON, forms, text and CBOR, and what the path says (rest-api §3, §4, §5, §11)."""

from __future__ import annotations

import json
from typing import Any

import cbor2
import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.conftest import DOMAIN, SHARED, basic
from xmpp_rest.gateway.gateway import Gateway
from xmpp_rest.protocol.parse import parse_element

XML, JSON, FORM, TEXT, CBOR = (
    *("application/xmpp+xml", "application/json", "application/x-www-form-urlencoded", "text/plain"),
    "application/cbor",
)


def shared(depth: int) -> Any:
    """A value of a few bytes of CBOR that stands for 2**depth of them."""
    value: Any = ["x"]
    for _ in range(depth):
        value = [value, value]
    return {"payload": {"data": value}}


@pytest.fixture
def juliet(client: FlaskClient) -> FlaskClient:
    client.environ_base["HTTP_AUTHORIZATION"] = basic("juliet")["Authorization"]
    return client


def post(client: FlaskClient, path: str, body: str | bytes, kind: str | None = JSON, **fields: str) -> TestResponse:
    headers = ({"Content-Type": kind} if kind else {}) | fields
    return client.post(path, data=body, headers=headers)


def kept(gateway: Gateway, user: str) -> list[str]:
    return [item.stanza for item in gateway.driver.archive_find(user, DOMAIN, "archive")]


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (JSON, '{"to":"nurse@capulet.example","body":"Hi & bye"}'),
        (FORM, "to=nurse%40capulet.example&body=Hi+%26+bye"),
        (CBOR, cbor2.dumps({"to": "nurse@capulet.example", "body": "Hi & bye"})),
        (XML, "<message to='nurse@capulet.example'><body>Hi &amp; bye</body></message>"),
    ],
)
def test_one_message_in_every_encoding(juliet: FlaskClient, gateway: Gateway, kind: str, body: str | bytes) -> None:
    assert post(juliet, "/rest", body, kind).status_code == 202
    assert "<body>Hi &amp; bye</body>" in kept(gateway, "nurse")[0]


def test_plain_text_goes_to_oneself(juliet: FlaskClient, gateway: Gateway) -> None:
    assert post(juliet, "/rest", "note", TEXT).status_code == 202
    stanza = parse_element(kept(gateway, "juliet")[0].encode())
    assert (stanza.get("type"), stanza.findtext("body")) == ("chat", "note")


@pytest.mark.parametrize(
    ("body", "kind", "text"),
    [("a+b%20c", FORM, "a+b c"), ("Ünï", TEXT, "Ünï"), ("", TEXT, ""), ("%C3%A9", FORM, "é")],
)
def test_texts(juliet: FlaskClient, body: str, kind: str, text: str) -> None:
    stanza = parse_element(post(juliet, "/rest/echo", body.encode(), kind, Accept=XML).data)
    assert (stanza.tag, stanza.get("type"), stanza.findtext("body")) == ("message", "chat", text)


@pytest.mark.parametrize("kind", [JSON, CBOR, FORM, XML])
def test_a_reply_in_the_encoding_of_the_request(juliet: FlaskClient, kind: str) -> None:
    bodies: dict[str, str | bytes] = {JSON: '{"body":"x"}', CBOR: cbor2.dumps({"body": "x"}), FORM: "body=x", XML: "<message/>"}
    response = post(juliet, "/rest/echo", bodies[kind], kind)
    assert (response.status_code, response.headers["Content-Type"]) == (200, kind)


@SHARED
@pytest.mark.parametrize(
    ("accept", "kind", "reply"),
    [
        (None, JSON, JSON),
        ("*/*", JSON, JSON),
        (None, FORM, FORM),
        (None, TEXT, XML),
        (TEXT, JSON, JSON),
        (f"{XML}, {JSON}", JSON, XML),
        (f"text/html, {JSON}", XML, JSON),
        (CBOR, XML, CBOR),
        (f"{JSON}, */*;q=0.1", XML, JSON),
    ],
)
def test_the_format_of_a_reply(juliet: FlaskClient, accept: str | None, kind: str, reply: str) -> None:
    bodies = {JSON: '{"body":"x"}', FORM: "body=x", TEXT: "x", XML: "<message/>"}
    response = post(juliet, "/rest/echo", bodies[kind], kind, **({"Accept": accept} if accept else {}))
    assert (response.status_code, response.headers["Content-Type"]) == (200, reply)


@SHARED
@pytest.mark.parametrize(
    ("body", "kind"),
    [
        *((body, JSON) for body in ["", "{", "[]", "null", "{}", '{"body":"x",}', '{"body":NaN}', "[" * 100_000]),
        ('{"priority":' + "9" * 5000 + "}", JSON),
        *((body, JSON) for body in [b'{"body":"\xff"}', '{"body":"\\u0000"}', '{"body":"\\ud800"}', '{"kind":"nonsense"}']),
        ("body=%FF", FORM),
        ("body=%00", FORM),
        ("%FF", FORM),
        (b"\xff", TEXT),
        (b"\x00", TEXT),
        *((body, CBOR) for body in [b"", b"\xff", cbor2.dumps({1: 2}), cbor2.dumps({"body": b"x"}), cbor2.dumps([1])]),
        (cbor2.dumps({"body": "x"}) + b"\x00", CBOR),
        (b"\x9b\xff\xff\xff\xff\xff\xff\xff\xff", CBOR),
        (b"\xd8\x1c\x81\xd8\x1d\x00", CBOR),
        (cbor2.dumps(shared(30), value_sharing=True), CBOR),
        (b"\x81" * 100_000 + b"\x00", CBOR),
    ],
)
def test_bodies_that_are_no_stanza(juliet: FlaskClient, body: str | bytes, kind: str) -> None:
    for path in ("/rest", "/rest/echo"):
        response = post(juliet, path, body, kind)
        assert response.status_code == 400, response.data
        assert json.loads(response.data)["error"]["condition"] == "not-well-formed"


@SHARED
@pytest.mark.parametrize(("field", "condition"), [("to", "improper-addressing"), ("from", "invalid-from")])
@pytest.mark.parametrize("value", ['"@"', "5", '""', "null"])
def test_an_address_that_is_none_is_not_dropped(juliet: FlaskClient, field: str, condition: str, value: str) -> None:
    response = post(juliet, "/rest/echo", f'{{"{field}":{value},"body":"x"}}')
    assert response.status_code == 422
    assert json.loads(response.data)["error"]["condition"] == condition


# the path


@pytest.mark.parametrize(
    ("path", "body", "kind", "stanza"),
    [
        ("message/chat/nurse@capulet.example", '{"body":"x","to":"a@b","kind":"iq"}', JSON, ("message", "chat", "nurse@capulet.example")),
        ("message/chat/nurse%40capulet.example%2Fphone", '{"body":"x"}', JSON, ("message", "chat", "nurse@capulet.example/phone")),
        ("message/headline/nurse@capulet.example", "body=x", FORM, ("message", "headline", "nurse@capulet.example")),
        ("message/chat/nurse@capulet.example", "x", TEXT, ("message", "chat", "nurse@capulet.example")),
        ("presence/unavailable/nurse@capulet.example", "", None, ("presence", "unavailable", "nurse@capulet.example")),
        ("presence/available/nurse@capulet.example", "away", TEXT, ("presence", None, "nurse@capulet.example")),
        ("message/chat/", '{"body":"x"}', JSON, ("message", "chat", None)),
    ],
)
def test_kind_type_and_recipient_in_the_path(
    juliet: FlaskClient, gateway: Gateway, monkeypatch: pytest.MonkeyPatch, path: str, body: str, kind: str | None, stanza: tuple[Any, ...]
) -> None:
    sent = []
    monkeypatch.setattr(gateway.parts.sending, "send", lambda s, *_: sent.append(s))
    assert post(juliet, f"/rest/{path}", body, kind).status_code == 202
    assert (sent[0].tag, sent[0].get("type"), sent[0].get("to")) == stanza


@SHARED
@pytest.mark.parametrize(
    ("path", "body", "kind"),
    [
        *((path, "{}", JSON) for path in ["x/chat/a@b", "mess/chat/a@b", "message/chat", "message", "message/c t/a@b"]),
        ("iq/get/a@b", "x", TEXT),
        ("message/chat/a@b", "x", FORM),
        ("message/chat/a@b", "[]", JSON),
        ("", "{}", JSON),
    ],
)
def test_paths_that_say_nothing(juliet: FlaskClient, path: str, body: str, kind: str) -> None:
    assert post(juliet, f"/rest/{path}", body, kind).status_code == 400


@pytest.mark.parametrize("kind", ["text/html", "application/xml"])
def test_a_path_with_a_body_of_another_type(juliet: FlaskClient, kind: str) -> None:
    assert post(juliet, "/rest/message/chat/a@b", "x", kind).status_code == 415


@pytest.mark.parametrize(
    ("path", "child"),
    [
        (f"ping/{DOMAIN}", None),
        (f"version/{DOMAIN}", "{jabber:iq:version}query"),
        (f"disco/{DOMAIN}", "{http://jabber.org/protocol/disco#info}query"),
        (f"items/{DOMAIN}", "{http://jabber.org/protocol/disco#items}query"),
        (f"lastactivity/{DOMAIN}", "{jabber:iq:last}query"),
    ],
)
def test_queries(juliet: FlaskClient, path: str, child: str | None) -> None:
    for response in (juliet.get(f"/rest/{path}"), post(juliet, f"/rest/iq/{path}", "{}", JSON, Accept=XML)):
        assert (response.status_code, response.headers["Content-Type"]) == (200, XML)
        answer = parse_element(response.data)
        assert answer.get("type") == "result"
        assert (answer[0].tag if len(answer) else None) == child


def test_a_query_as_json(juliet: FlaskClient) -> None:
    answer = juliet.get(f"/rest/disco/{DOMAIN}", headers={"Accept": JSON}).json
    assert answer is not None
    assert (answer["kind"], answer["type"], answer["from"]) == ("iq", "result", DOMAIN)
    assert "urn:xmpp:ping" in answer["disco"]["features"]


def test_arguments_of_a_query(juliet: FlaskClient) -> None:
    assert parse_element(juliet.get(f"/rest/disco/{DOMAIN}?node=x%20y").data).get("type") == "error"


def test_a_query_without_recipient_asks_ones_own_account(juliet: FlaskClient) -> None:
    answer = parse_element(juliet.get("/rest/disco/").data)
    assert answer.get("from") in (None, f"juliet@{DOMAIN}")
    assert answer.get("type") == "result"


@pytest.mark.parametrize(
    ("path", "status"),
    [("ping", 400), ("", 400), ("ping/a@b?x", 400), ("nonsense/a@b", 422), ("ping/@", 422), ("echo", 415), ("p!ng/a@b", 400)],
)
def test_queries_that_ask_nothing(juliet: FlaskClient, path: str, status: int) -> None:
    assert juliet.get(f"/rest/{path}").status_code == status


def test_the_time_of_an_iq(app: Any, gateway: Gateway, juliet: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """The header, within the setting's bound; a header that is not a number is ignored."""
    waits = []
    ask = gateway.parts.sending.ask
    monkeypatch.setattr(gateway.parts.sending, "ask", lambda iq, wait: waits.append(wait.seconds) or ask(iq, wait))
    for value in (None, "7", "0.5", "1e9", "x", "", "-3", "nan", "inf"):
        juliet.get(f"/rest/ping/{DOMAIN}", headers={"Prosody-Rest-Timeout": value} if value is not None else {})
    assert waits == [120, 7, 0.5, 300, 120, 120, 0, 120, 120]
