"""`POST /msg/JID` (hooks §16)."""

from __future__ import annotations

from typing import Any
from xml.etree.ElementTree import Element

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.conftest import DOMAIN, TOKEN, MakeApp, basic, register_users
from tests.link.fake import attach
from xmpp_rest.errors import GatewayError
from xmpp_rest.gateway.gateway import Gateway
from xmpp_rest.protocol.jid import parse_jid
from xmpp_rest.service.messages.archive import EVERYTHING

JULIET = basic("juliet")
NURSE = f"nurse@{DOMAIN}"
TEXT, FORM = "text/plain", "application/x-www-form-urlencoded"


def received(gateway: Gateway) -> list[Element]:
    return [kept.stanza for kept in gateway.parts.archive.page(parse_jid(NURSE), EVERYTHING, 10).items]


def post(client: FlaskClient, path: str = f"/{NURSE}", body: Any = "Peter!", kind: str | None = TEXT, **how: Any) -> TestResponse:
    return client.post(f"/msg{path}", data=body, content_type=kind, headers=how.pop("headers", JULIET), **how)


@pytest.mark.parametrize(
    ("path", "body", "kind"),
    [
        (f"/{NURSE}", "Peter!", TEXT),
        ("/nurse%40capulet.example", "Peter!", "text/plain; charset=utf-8"),
        ("/nurse", "Peter!", None),
        ("/nurse", "Peter!", FORM),
        ("/nurse", "body=Peter%21", FORM),
        ("", "to=nurse%40capulet.example&body=Peter%21", FORM),
        ("", '{"to": "nurse", "body": "Peter!"}', "application/json"),
        ("/juliet", '{"to": "nurse@capulet.example", "body": "Peter!", "unknown": 1}', "application/json"),
    ],
)
def test_a_message_is_sent(client: FlaskClient, gateway: Gateway, path: str, body: str, kind: str | None) -> None:
    answer = post(client, path, body, kind)
    assert (answer.status_code, answer.data) == (201, b"")
    (stanza,) = received(gateway)
    assert (stanza.get("from"), stanza.get("to"), stanza.get("type")) == (f"juliet@{DOMAIN}", NURSE, "chat")
    assert (stanza.findtext("body"), stanza.get("id")) == ("Peter!", answer.headers["Stanza-Id"])


@pytest.mark.parametrize("fields", [{"Accept": "application/json"}, {"Accept": "image/png"}, {"If-None-Match": "*"}, {"If-Match": '"a"'}])
def test_what_clients_say_of_the_answer_keeps_no_message_back(client: FlaskClient, gateway: Gateway, fields: dict[str, str]) -> None:
    assert post(client, headers=JULIET | fields).status_code == 201
    assert len(received(gateway)) == 1


def in_rooms(make_app: MakeApp, **settings: str) -> tuple[FlaskClient, list[Element]]:
    """A client of a gateway with a link, and what goes out by that."""
    app = register_users(make_app(**{f"rooms_anywhere_{key}": value for key, value in settings.items()}))
    out: list[Element] = []
    attach(app.extensions["gateway"].parts.router, lambda _, stanza: out.append(stanza))
    return app.test_client(), out


def test_all_that_a_message_may_have(make_app: MakeApp) -> None:
    client, sent = in_rooms(make_app, no_join="rooms.example")
    message = {"to": "hall@rooms.example", "type": "groupchat", "body": "b", "subject": "s", "html": "<body><p>b</p></body>"}
    assert client.post("/msg", json=message, headers=JULIET).status_code == 201
    (stanza,) = sent
    assert (stanza.get("type"), stanza.findtext("subject")) == ("groupchat", "s")
    assert stanza.find("{http://jabber.org/protocol/xhtml-im}html/{http://www.w3.org/1999/xhtml}body") is not None


def test_a_room_that_does_not_let_the_sender_in(make_app: MakeApp) -> None:
    client, sent = in_rooms(make_app, join_timeout="0.1")
    answer = post(client, "", '{"to": "hall@rooms.example", "type": "groupchat", "body": "b"}', "application/json")
    assert (answer.status_code, answer.get_json()["detail"]) == (504, "The room does not answer")
    assert "message" not in {stanza.tag for stanza in sent}


@pytest.mark.parametrize(
    ("status", "path", "body", "kind", "headers"),
    [
        (400, "/nurse", b"\xff", TEXT, JULIET),
        (400, "/nurse", "a=%ff", FORM, JULIET),
        (400, "/nurse", "{", "application/json", JULIET),
        (400, "/nurse", "[]", "application/json", JULIET),
        (400, "/nurse", '{"body": "b", "html": "<p"}', "application/json", JULIET),
        (401, "/nurse", "b", TEXT, {}),
        (401, "/nurse", "b", TEXT, basic("juliet", "wrong")),
        (413, "/nurse", "b" * 300_000, TEXT, JULIET),
        (415, "/nurse", "b", "image/png", JULIET),
        (422, "/nurse", "", TEXT, JULIET),
        (422, "/nurse", "  ", TEXT, JULIET),
        (422, "/nurse", '{"body": 1}', "application/json", JULIET),
        (422, "", "b", TEXT, JULIET),
        (422, "/nurse", '{"body": "b", "type": "error"}', "application/json", JULIET),
        (422, "/nurse", '{"body": "b", "type": ["chat"]}', "application/json", JULIET),
        (422, "/@", "b", TEXT, JULIET),
        (502, "/nobody", "b", TEXT, JULIET),
    ],
)
def test_what_is_refused(client: FlaskClient, gateway: Gateway, status: int, path: str, body: bytes | str, kind: str, headers: dict[str, str]) -> None:
    answer = post(client, path, body, kind, headers=headers)
    assert (answer.status_code, answer.content_type) == (status, "application/problem+json")
    assert answer.get_json()["status"] == status
    assert ("WWW-Authenticate" in answer.headers) == (status == 401)
    assert ("Accept-Post" in answer.headers) == (status == 415)
    assert not received(gateway)


def test_a_token_for_somebody_else_is_not_enough(client: FlaskClient, gateway: Gateway) -> None:
    tokens, juliet = gateway.parts.tokens, parse_jid(f"juliet@{DOMAIN}")
    token = tokens.issue(juliet, ["send:romeo@montague.example"], 60)
    bearer = {"Authorization": f"Bearer {token.text if hasattr(token, 'text') else token}"}
    assert post(client, headers=bearer).status_code == 403


def test_a_full_outbox(client: FlaskClient, gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise GatewayError("outbox-full")

    monkeypatch.setattr(gateway.parts.sending, "send", full)
    answer = post(client)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")


def test_the_component_sends_as_the_domain(client: FlaskClient, gateway: Gateway) -> None:
    assert post(client, headers={"Authorization": TOKEN}).status_code == 201
    assert received(gateway)[0].get("from") == DOMAIN


@pytest.mark.parametrize(("prefix", "path", "status"), [("", "/msg/nurse", 404), ("/", "/nurse", 201), ("/deep/msg", "/deep/msg/nurse", 201)])
def test_the_prefix(make_app: MakeApp, prefix: str, path: str, status: int) -> None:
    client = register_users(make_app(post_msg_prefix=prefix)).test_client()
    assert client.post(path, data="b", headers=JULIET).status_code == status
    assert client.post("/rest", json={"to": NURSE, "body": "b"}, headers=JULIET).status_code == 202


@pytest.mark.parametrize(("fields", "query"), [({"Send-At": "2h"}, ""), ({"X-Delay": "2h"}, ""), ({"In": "2h"}, ""), ({}, "?delay=2h")])
def test_a_message_that_waits_for_its_time(client: FlaskClient, gateway: Gateway, fields: dict[str, str], query: str) -> None:
    answer = post(client, f"/nurse{query}", headers=JULIET | fields)
    (waiting,) = gateway.parts.scheduled.all(parse_jid(f"juliet@{DOMAIN}"))
    assert answer.status_code == 202
    assert answer.get_json()["id"] == waiting.id
    assert (answer.headers["Location"], answer.headers["Stanza-Id"]) == (f"/rest/scheduled/{waiting.id}", waiting.stanza_id)
    assert not received(gateway)


def test_a_time_that_is_none(client: FlaskClient) -> None:
    assert post(client, headers=JULIET | {"Send-At": "soon"}).status_code == 400


def test_an_account_that_has_sent_enough(make_app: MakeApp) -> None:
    client = register_users(make_app(limits_account="1")).test_client()
    assert post(client).headers["RateLimit"] == '"account";r=0;t=60'
    answer = post(client)
    assert answer.status_code == 429
    assert int(answer.headers["Retry-After"]) >= 1
