"""Idempotency: a request with an Idempotency-Key is done once, whichever answer is lost."""

from __future__ import annotations

import threading
import time
from typing import Any
from xml.etree.ElementTree import Element

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from drivers import StorageError
from tests.conftest import DOMAIN, PASSWORD, TOKEN, MakeApp, basic
from tests.link.fake import attach
from tests.many import in_threads
from tests.raising import raising
from xmpp_rest.api.rest.idempotent import read_key
from xmpp_rest.errors import GatewayError
from xmpp_rest.gateway.gateway import Gateway
from xmpp_rest.protocol.jid import parse_jid
from xmpp_rest.protocol.stanza import result
from xmpp_rest.service.messages import idempotency

HELLO = {"to": f"nurse@{DOMAIN}", "body": "Hello", "type": "chat"}
PING = {"kind": "iq", "type": "get", "to": "montague.example", "id": "p1", "ping": True}
KEY = "8e03978e-40d5-43e8-bc93-6894a57f9324"
Sent = list[Element]


def post(client: FlaskClient, body: Any = HELLO, key: str = KEY, path: str = "/rest", user: str = "juliet", **fields: str) -> TestResponse:
    headers = basic(user) | {"Idempotency-Key": key} | {k.replace("_", "-"): v for k, v in fields.items()}
    return client.post(path, json=body, headers=headers)


def said(gateway: Gateway, user: str = "nurse") -> int:
    return gateway.driver.archive_count(user, DOMAIN, "archive")


def essence(response: TestResponse) -> tuple[int, bytes, dict[str, str]]:
    fields = dict(response.headers)
    fields.pop("Idempotent-Replayed", None)
    return response.status_code, response.data, fields


@pytest.fixture
def sent(app: Flask, gateway: Gateway) -> Sent:
    """What leaves for other domains, which answer iqs at once."""
    sent: Sent = []
    gateway.start()

    def out(_: str, stanza: Element) -> None:
        sent.append(stanza)
        if stanza.tag == "iq":
            gateway.parts.router.resolve(result(stanza), *_ends(stanza))

    attach(gateway.parts.router, out)
    return sent


def _ends(stanza: Element) -> Any:
    return parse_jid(stanza.attrib["to"]), parse_jid(stanza.attrib["from"])


def test_the_first_answer_comes_again(client: FlaskClient, gateway: Gateway) -> None:
    first = post(client)
    assert (first.status_code, "Idempotent-Replayed" in first.headers) == (202, False)
    again = post(client)
    assert again.headers["Idempotent-Replayed"] == "true"
    assert essence(again) == essence(first)
    assert again.headers["Stanza-Id"] == first.headers["Stanza-Id"]
    assert said(gateway) == 1


def test_without_a_key_everything_is_sent(client: FlaskClient, gateway: Gateway) -> None:
    for _ in range(2):
        assert client.post("/rest", json=HELLO, headers=basic("juliet")).status_code == 202
    assert said(gateway) == 2


def test_the_answer_to_an_iq(client: FlaskClient, sent: Sent) -> None:
    first, again = post(client, PING), post(client, PING)
    assert first.get_json()["type"] == "result"
    assert essence(again) == essence(first)
    assert len(sent) == 1


def test_a_refusal_and_its_format(client: FlaskClient) -> None:
    nobody = HELLO | {"to": f"nobody@{DOMAIN}"}
    first = post(client, nobody, Accept="application/xmpp+xml")
    again = post(client, nobody, Accept="application/json")
    assert (first.status_code, first.mimetype) == (200, "application/xmpp+xml")
    assert essence(again) == essence(first)


def test_a_timeout_was_sent_all_the_same(client: FlaskClient, gateway: Gateway) -> None:
    asked: Sent = []
    gateway.start()
    attach(gateway.parts.router, lambda _, stanza: asked.append(stanza))
    first, again = (post(client, PING, Prosody_Rest_Timeout="0.05") for _ in range(2))
    assert (first.status_code, first.get_json()["error"]["condition"]) == (500, "remote-server-timeout")
    assert essence(again) == essence(first)
    assert len(asked) == 1


@pytest.mark.parametrize("path", ["/rest/message/chat/nurse@capulet.example", "/rest/presence/unavailable/nurse@capulet.example"])
def test_paths(client: FlaskClient, path: str) -> None:
    first, again = (client.post(path, headers=basic("juliet") | {"Idempotency-Key": KEY}) for _ in range(2))
    assert first.status_code == 202
    assert essence(again) == essence(first)
    assert post(client, HELLO).status_code == 422


def test_xml_and_the_component_token(client: FlaskClient, gateway: Gateway) -> None:
    body = f"<message to='nurse@{DOMAIN}' id='x'><body>x</body></message>"
    headers = {"Authorization": TOKEN, "Idempotency-Key": KEY, "Content-Type": "application/xmpp+xml"}
    for _ in range(2):
        assert client.post("/rest", data=body, headers=headers).headers["Stanza-Id"] == "x"
    assert said(gateway) == 1


@pytest.mark.parametrize(
    ("body", "path", "fields"),
    [(HELLO | {"body": "Other"}, "/rest", {}), (HELLO, "/rest/message/chat/nurse@capulet.example", {})],
)
def test_the_same_key_with_another_request(client: FlaskClient, gateway: Gateway, body: Any, path: str, fields: dict[str, str]) -> None:
    post(client)
    refused = post(client, body, path=path, **fields)
    assert (refused.status_code, refused.get_json()["error"]["condition"]) == (422, "conflict")
    assert said(gateway) == 1


def test_keys_are_the_callers_own(client: FlaskClient, gateway: Gateway) -> None:
    assert post(client).status_code == 202
    assert post(client, HELLO | {"body": "mine"}, user="nurse").status_code == 202


def test_quoted_and_bare_are_the_same_key(client: FlaskClient, gateway: Gateway) -> None:
    post(client, key=f'"{KEY}"')
    assert post(client, key=KEY).headers["Idempotent-Replayed"] == "true"


@pytest.mark.parametrize(
    ("field", "key"),
    [
        ("a", "a"),
        ('"a b"', "a b"),
        (r'"a\"b\\c"', 'a"b\\c'),
        (" x ", "x"),
        ("x" * 255, "x" * 255),
        *((field, None) for field in ["x" * 256, '"' + "x" * 256 + '"', "", '""', "a b", "a,b", '"a', 'a"', r'"a\b"', "ü"]),
        ("a\x01", None),
        ('"a\x7f"', None),
    ],
)
def test_what_is_a_key(client: FlaskClient, gateway: Gateway, field: str, key: str | None) -> None:
    assert read_key(field) == key
    if key is None and field.isprintable():
        refused = post(client, key=field)
        assert (refused.status_code, refused.get_json()["error"]["text"]) == (400, "Malformed Idempotency-Key")
        assert said(gateway) == 0


def test_what_was_refused_before_it_was_sent_may_come_again(client: FlaskClient, gateway: Gateway, sent: Sent) -> None:
    iq = PING | {"type": "result"}
    assert [post(client, iq).status_code for _ in range(2)] == [422, 422]
    assert post(client, HELLO).status_code == 202, "the key is free"


def test_a_full_outbox_frees_the_key(client: FlaskClient, gateway: Gateway) -> None:
    sent: Sent = []
    full = raising(GatewayError("outbox-full"))
    far = HELLO | {"to": "romeo@montague.example"}
    gateway.start()
    attach(gateway.parts.router, full, full)
    assert post(client, far).status_code == 503
    attach(gateway.parts.router, lambda _, stanza: sent.append(stanza))
    assert post(client, far).status_code == 202
    assert len(sent) == 1


def test_a_failure_inside_frees_the_key(client: FlaskClient, gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(gateway.parts.sending, "send", raising(ZeroDivisionError))
        assert post(client).status_code == 500
    assert post(client).status_code == 202


def test_of_many_at_once_one_sends(app: Flask, gateway: Gateway) -> None:
    gateway.start()
    responses = in_threads(lambda _: post(app.test_client()), range(12))
    assert {r.status_code for r in responses} <= {202, 409}
    assert len({r.headers["Stanza-Id"] for r in responses if r.status_code == 202}) == 1
    assert said(gateway) == 1


def test_while_the_first_is_running(app: Flask, gateway: Gateway) -> None:
    asked = threading.Event()
    gateway.start()
    attach(gateway.parts.router, lambda _, stanza: asked.set())
    first = threading.Thread(target=lambda: post(app.test_client(), PING, Prosody_Rest_Timeout="1"))
    first.start()
    assert asked.wait(30)
    second = post(app.test_client(), PING)
    assert (second.status_code, second.get_json()["error"]["condition"]) == (409, "conflict")
    assert int(second.headers["Retry-After"]) > 0
    assert post(app.test_client(), HELLO).status_code == 422
    first.join()


def test_after_a_restart_and_in_another_process(make_app: MakeApp, tmp_path: Any) -> None:
    apps = [make_app(server_data_dir=str(tmp_path / "shared")) for _ in range(2)]
    one = apps[0].extensions["gateway"]
    one.parts.accounts.register(one.parts.accounts.address("juliet", DOMAIN), PASSWORD)
    note = {"body": "note to self"}
    first = post(apps[0].test_client(), note)
    assert essence(post(apps[1].test_client(), note)) == essence(first)
    for app in apps:
        app.extensions["gateway"].stop()
    third = make_app(server_data_dir=str(tmp_path / "shared"))
    assert essence(post(third.test_client(), note)) == essence(first)
    assert said(third.extensions["gateway"], "juliet") == 1


def test_a_day_later_it_is_new(client: FlaskClient, gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    post(client)
    monkeypatch.setattr(idempotency, "KEPT", 0.05)
    time.sleep(0.06)
    assert "Idempotent-Replayed" not in post(client).headers
    assert said(gateway) == 2


def test_an_answer_too_long_to_be_kept(client: FlaskClient, sent: Sent, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(idempotency, "MAX_BODY", 10)
    assert post(client, PING).status_code == 200
    again = post(client, PING)
    assert (again.status_code, again.get_json()["error"]["text"]) == (409, "The first answer was too long to be kept; nothing was sent again")
    assert len(sent) == 1


@pytest.mark.parametrize(
    "rubbish",
    [[1, 2], {"x": 1}, {"x": {"at": "y"}}, {KEY: {"at": 9e9}}, "entry"],
)
def test_whatever_an_account_writes_there(client: FlaskClient, gateway: Gateway, rubbish: Any) -> None:
    claim = gateway.parts.idempotency.begin(gateway.parts.accounts.address("juliet", DOMAIN), KEY, "r")
    assert isinstance(claim, idempotency.Claim)
    if rubbish == "entry":
        rubbish = {claim.name: {"at": time.time(), "status": "x", "fields": 3, "body": 4}}
    gateway.driver.store("juliet", DOMAIN, claim.store, rubbish)
    assert post(client).status_code in (202, 422)


def test_a_storage_that_fails_before(client: FlaskClient, gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    gateway.start()
    monkeypatch.setattr(gateway.driver, "update", raising(StorageError("the disk is gone")))
    refused = post(client)
    assert (refused.status_code, "nothing was sent" in refused.get_json()["error"]["text"]) == (503, True)
    assert said(gateway) == 0


def test_a_storage_that_fails_after(client: FlaskClient, gateway: Gateway, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr(gateway.parts.idempotency, "finish", raising(StorageError("the disk is gone")))
    assert post(client).status_code == 202
    assert "cannot be kept: the disk is gone" in caplog.text


@pytest.mark.parametrize("path", ["/rest/echo", "/rest/ping/capulet.example"])
def test_where_nothing_can_happen_twice_the_key_is_not_looked_at(client: FlaskClient, path: str) -> None:
    call = client.post if path == "/rest/echo" else client.get
    given = {"json": HELLO} if path == "/rest/echo" else {}
    assert call(path, headers=basic("juliet") | {"Idempotency-Key": ""}, **given).status_code == 200
