"""One message to several recipients, with a result for each."""

from __future__ import annotations

from typing import Any
from xml.etree.ElementTree import Element

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.conftest import DOMAIN, TOKEN, MakeApp, basic, register_users
from tests.link.fake import attach
from xmpp_rest.errors import GatewayError
from xmpp_rest.gateway.gateway import Gateway
from xmpp_rest.protocol.jid import parse_jid

NURSE, ADMIN, NOBODY = (f"{name}@{DOMAIN}" for name in ("nurse", "admin", "nobody"))
ROMEO, TYBALT = "romeo@montague.example", "tybalt@montague.example"


def post(client: FlaskClient, to: Any, headers: dict[str, str] | None = None, **more: Any) -> TestResponse:
    return client.post("/rest", json={"to": to, "type": "chat", "body": "Hi"} | more, headers=basic("juliet") | (headers or {}))


def results(answer: TestResponse) -> list[dict[str, Any]]:
    assert answer.mimetype == "application/json"
    assert answer.json is not None
    found: list[dict[str, Any]] = answer.json["results"]
    return found


def outcomes(answer: TestResponse) -> list[tuple[str, str]]:
    return [(result["to"], result["outcome"]) for result in results(answer)]


def test_each_gets_it_in_order_and_once(client: FlaskClient, sent: list[Element]) -> None:
    answer = post(client, [ROMEO, NURSE, "ROMEO@montague.example", TYBALT], {"Accept": "application/xmpp+xml"})
    assert answer.status_code == 202
    assert outcomes(answer) == [(ROMEO, "accepted"), (NURSE, "accepted"), (TYBALT, "accepted")]
    assert [(s.get("to"), s.findtext("body")) for s in sent] == [(ROMEO, "Hi"), (TYBALT, "Hi")]
    ids = [result["id"] for result in results(answer)]
    assert len(set(ids)) == 3
    assert [s.get("id") for s in sent] == [ids[0], ids[2]]
    for identifier in ids:
        assert client.get(f"/rest/outcome/{identifier}", headers=basic("juliet")).status_code == 200


@pytest.mark.parametrize("body", [f"to={ROMEO}&to=tybalt%40montague.example&body=Hi", f"%74o={ROMEO}&t%6F={TYBALT}&body=Hi", f'{{"to": ["{ROMEO}", "{TYBALT}"], "body": "Hi"}}'])
def test_forms(body: str, client: FlaskClient, sent: list[Element]) -> None:
    answer = client.post("/rest", data=body, headers=basic("juliet") | {"Content-Type": "application/x-www-form-urlencoded"})
    assert outcomes(answer) == [(ROMEO, "accepted"), (TYBALT, "accepted")]
    assert [s.findtext("body") for s in sent] == ["Hi", "Hi"]


def test_without_a_type_of_content(client: FlaskClient, sent: list[Element]) -> None:
    answer = client.post("/rest", data=f'{{"to": ["{ROMEO}"], "body": "Hi"}}', headers=basic("juliet"))
    assert outcomes(answer) == [(ROMEO, "accepted")]
    assert len(sent) == 1


def test_one_in_a_form_is_as_ever(client: FlaskClient, sent: list[Element]) -> None:
    fields = basic("juliet") | {"Content-Type": "application/x-www-form-urlencoded"}
    answer = client.post("/rest", data=f"to={ROMEO}&body=to=me", headers=fields)
    assert (answer.status_code, answer.data, len(sent)) == (202, b"", 1)


def test_a_given_id_is_numbered(client: FlaskClient, sent: list[Element]) -> None:
    assert [r["id"] for r in results(post(client, [ROMEO, TYBALT], id="m1"))] == ["m1-1", "m1-2"]
    assert post(client, [ROMEO], id="x" * 1023).status_code == 422


def test_one_refused_holds_up_nobody(client: FlaskClient, gateway: Gateway) -> None:
    answer = post(client, [NOBODY, NURSE])
    assert answer.status_code == 202
    assert outcomes(answer) == [(NOBODY, "refused"), (NURSE, "accepted")]
    assert results(answer)[0]["error"]["condition"] == "service-unavailable"


def test_all_refused_is_no_success(client: FlaskClient) -> None:
    answer = post(client, [NOBODY, f"other@{DOMAIN}"])
    assert answer.status_code == 502
    assert outcomes(answer) == [(NOBODY, "refused"), (f"other@{DOMAIN}", "refused")]
    assert answer.json is not None
    assert answer.json["error"]["condition"] == "service-unavailable"


def test_all_refused_for_now(client: FlaskClient, gateway: Gateway) -> None:
    def full(_: str, __: Element) -> None:
        raise GatewayError("outbox-full")

    attach(gateway.parts.router, full)
    answer = post(client, [NOBODY, ROMEO], {"Idempotency-Key": "k"})
    assert (answer.status_code, [o for _, o in outcomes(answer)]) == (503, ["refused", "refused"])
    assert int(answer.headers["Retry-After"]) > 0
    attach(gateway.parts.router, lambda _, stanza: None)
    assert post(client, [NOBODY, ROMEO], {"Idempotency-Key": "k"}).status_code == 202  # nothing was sent before


@pytest.mark.parametrize("to", [[], ["@"], [ROMEO, "@"], [ROMEO, 7], [ROMEO, None], [ROMEO, "nurse"], [ROMEO, [TYBALT]], {"a": 1}])
def test_what_is_no_address_sends_nothing(to: Any, client: FlaskClient, sent: list[Element]) -> None:
    answer = post(client, to)
    assert answer.status_code == 422
    assert answer.json is not None
    assert answer.json["error"]["condition"] == "improper-addressing"
    assert sent == []


def test_only_messages(client: FlaskClient, sent: list[Element]) -> None:
    for more in ({"kind": "presence", "show": "away", "type": "available"}, {"kind": "iq", "type": "get", "ping": True}):
        body = {"to": [ROMEO]} | more
        assert client.post("/rest", json=body, headers=basic("juliet")).status_code == 422
    assert sent == []


def test_as_many_as_may_be(make_app: MakeApp) -> None:
    client = register_users(make_app(rest_recipients="3")).test_client()
    assert post(client, [f"u{n}@{DOMAIN}" for n in range(4)]).status_code == 413
    assert post(client, [NURSE, *(f"u{n}@{DOMAIN}" for n in range(2))]).status_code == 202


def test_the_scope_of_a_token_refuses_those_it_is_not_for(client: FlaskClient, app: Flask, sent: list[Element]) -> None:
    gateway: Gateway = app.extensions["gateway"]
    token = gateway.parts.tokens.issue(parse_jid(f"juliet@{DOMAIN}"), [f"send:{ROMEO}"], 60)
    fields = {"Authorization": f"Bearer {token}"}
    answer = client.post("/rest", json={"to": [TYBALT, ROMEO], "body": "Hi"}, headers=fields)
    assert outcomes(answer) == [(TYBALT, "refused"), (ROMEO, "accepted")]
    assert results(answer)[0]["error"]["condition"] == "forbidden"
    assert client.post("/rest", json={"to": [TYBALT], "body": "Hi"}, headers=fields).status_code == 403
    assert [s.get("to") for s in sent] == [ROMEO]


def test_once_for_a_key(client: FlaskClient, sent: list[Element]) -> None:
    answers = [post(client, [ROMEO, TYBALT], {"Idempotency-Key": "k"}) for _ in range(2)]
    assert answers[0].json == answers[1].json
    assert answers[1].headers["Idempotent-Replayed"] == "true"
    assert len(sent) == 2


def test_waiting_for_refusals(client: FlaskClient, sent: list[Element]) -> None:
    answer = post(client, [NURSE, NOBODY, ROMEO], {"Prefer": "wait=0"})
    assert answer.status_code == 202
    assert answer.headers["Preference-Applied"] == "wait=0"
    assert [r.get("state") for r in results(answer)] == ["confirmed", None, "accepted"]


def test_later(client: FlaskClient) -> None:
    answer = post(client, [NURSE, ROMEO], {"Delay": "1h"})
    assert answer.status_code == 202
    waiting = client.get("/rest/scheduled", headers=basic("juliet")).json
    assert waiting is not None
    assert [r["scheduled"]["id"] for r in results(answer)] == [m["id"] for m in waiting["scheduled"]]
    assert [m["to"] for m in waiting["scheduled"]] == [[NURSE], [ROMEO]]


def test_the_component(client: FlaskClient, sent: list[Element]) -> None:
    answer = client.post("/rest", json={"to": [ROMEO, TYBALT], "from": f"alerts@{DOMAIN}", "body": "Hi"}, headers={"Authorization": TOKEN})
    assert answer.status_code == 202
    assert {s.get("from") for s in sent} == {f"alerts@{DOMAIN}"}


@pytest.mark.parametrize("identifier", [None, "m"])
def test_after_a_crash_only_ids_of_the_client_may_be_of_another_message(identifier: str | None, client: FlaskClient, gateway: Gateway) -> None:
    more = {} if identifier is None else {"id": identifier}
    assert post(client, [ROMEO, NURSE], {"Send-At": "1h"}, **more).status_code == 202
    waiting = gateway.parts.scheduled.all(parse_jid(f"juliet@{DOMAIN}"))
    assert [message.is_id_given for message in waiting] == [identifier is not None] * 2
