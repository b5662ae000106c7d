"""No answer of success to what tells nobody anything: forms of other programs, JSON under another name, names that are not addresses."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import cbor2
import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.conftest import DOMAIN, SHARED, basic
from xmpp_rest.gateway.gateway import Gateway

NURSE = f"nurse@{DOMAIN}"
AT = f"/rest/message/chat/{NURSE}"
FORM, JSON = "application/x-www-form-urlencoded", "application/json"


def post(client: FlaskClient, path: str, body: str | bytes | dict[str, Any] | list[Any], content_type: str | None = JSON) -> TestResponse:
    data = body if isinstance(body, str | bytes) else json.dumps(body)
    how = {"content_type": content_type} if content_type else {}
    return client.post(path, data=data, headers=basic("juliet") | {"Accept": JSON}, **how)


def bodies(gateway: Gateway, user: str = "nurse") -> list[str]:
    found = gateway.driver.archive_find(user, DOMAIN, "archive")
    return [item.stanza.partition("<body>")[2].partition("</body>")[0] for item in found]


OTHERS: dict[str, tuple[dict[str, Any], str]] = {  # the payload, and a word of the refusal
    "slack": ({"text": "Disk full", "attachments": [], "blocks": None}, "'text' (write 'body')"),
    "alertmanager": (
        {"version": "4", "groupKey": "{}", "truncatedAlerts": 0, "status": "firing", "receiver": "x", "groupLabels": {}, "alerts": [{"status": "firing"}]},
        "'alerts'",
    ),
    "apprise": ({"version": "1.0", "title": "t", "message": "m", "attachments": [], "type": "info"}, "'message' (write 'body')"),
    "grafana": ({"receiver": "", "status": "firing", "orgId": 1, "state": "alerting", "version": "1", "title": "t", "message": "m"}, "'title'"),
    "github": ({"ref": "refs/heads/main", "before": "0", "repository": {"id": 1}, "pusher": {}, "commits": []}, "'ref'"),
    "github status": ({"id": 5, "sha": "0", "state": "success", "description": "d", "branches": []}, "'sha'"),
    "uptime kuma": ({"heartbeat": {"status": 0}, "monitor": None, "msg": "down"}, "'msg' (write 'body')"),
    "ntfy": ({"topic": "t", "message": "m", "priority": 4}, "'message' (write 'body')"),
    "gotify": ({"title": "t", "message": "m", "priority": 5, "extras": {}}, "'extras'"),
    "slash command": ({"command": "/deploy", "text": "now", "token": "x"}, "'text'"),
    "backup": ({"status": "down", "check": "backup"}, "'check'"),
    "release": ({"version": "4", "archive": {"url": "x"}, "items": [], "url": "x"}, "'url'"),
    "about only": ({"nick": "bot", "lang": "en", "thread": "x", "text": "hi"}, "'text'"),
    "misspelt": ({"boby": "hi"}, "'boby' (write 'body')"),
    "empty beside": ({"body": "", "text": "hi"}, "'text'"),
    "pagerduty": ({"routing_key": "x", "event_action": "trigger", "payload": {"summary": "x", "severity": "critical"}}, "'routing_key'"),
    "about another": ({"replace": "m1", "reply": {"id": "m1"}, "text": "hi"}, "'text' (write 'body')"),
    "a mark": ({"replace": True, "oob": {}, "text": "hi"}, "'text'"),
    "null beside": ({"body": None, "text": "hi"}, "'text'"),
}


@SHARED
@pytest.mark.parametrize("path", ["/rest", AT])
@pytest.mark.parametrize("name", OTHERS)
def test_payloads_of_other_programs(client: FlaskClient, gateway: Gateway, name: str, path: str) -> None:
    payload, named = OTHERS[name]
    response = post(client, path, payload)
    assert response.status_code == 422
    assert named in response.get_json()["error"]["context"]["error"]
    assert bodies(gateway) == bodies(gateway, "juliet") == []


@SHARED
@pytest.mark.parametrize(
    "obj",
    [
        {"type": "error", "message": "Disk full"}, {"type": "error", "text": "Disk full", "error": "x"}, {"status": 200}, {"status": 200, "error": "x"},
        {"type": "unsubscribe", "data": {"email": "x"}}, {"payload": {"summary": "x"}}, {"kind": "presence", "text": "x"},
    ],
)  # fmt: skip
@pytest.mark.parametrize("encode", [json.dumps, cbor2.dumps])
def test_words_that_a_stanza_has_for_something_else(client: FlaskClient, obj: dict[str, Any], encode: Callable[[Any], str | bytes]) -> None:
    body = encode({"to": NURSE, **obj})
    response = post(client, "/rest", body, JSON if isinstance(body, str) else "application/cbor")
    assert response.status_code == 422
    assert "nothing in this object is said" in response.get_json()["error"]["context"]["error"]


@pytest.mark.parametrize("kind", ["unavailable", "subscribe", "subscribed", "unsubscribe", "unsubscribed"])
def test_a_presence_that_its_type_says(client: FlaskClient, kind: str) -> None:
    assert post(client, "/rest", {"to": NURSE, "kind": "presence", "type": kind, "note": 1}).status_code == 202
    assert post(client, f"/rest/presence/{kind}/{NURSE}", {"note": 1}).status_code == 202


@pytest.mark.parametrize(
    "obj",
    [
        {"type": "error", "error": {"condition": "gone"}, "note": 1}, {"type": "error", "body": "x", "error_code": "404", "note": 1},
        {"type": "error", "body": "x", "note": 1}, {"kind": "presence", "status": None, "show": None}, {"replace": "m1", "body": "x", "note": 1},
        {"payload": {"datatype": "d"}, "note": 1}, {"payload": {"data": None}, "note": 1}, {"replace": "m1"}, {"oob": {}},
    ],
)  # fmt: skip
def test_what_the_mapping_has_for_it_is_sent(client: FlaskClient, obj: dict[str, Any]) -> None:
    assert post(client, "/rest", {"to": NURSE, **obj}).status_code == 202


@SHARED
@pytest.mark.parametrize("value", [5, None, ["a"], {"text": "x"}, 1.5])
def test_a_body_that_is_no_text(client: FlaskClient, gateway: Gateway, value: Any) -> None:
    response = post(client, AT, {"body": value})
    assert response.status_code == 422
    assert "'body'" in response.get_json()["error"]["context"]["error"]
    assert bodies(gateway) == []


@SHARED
@pytest.mark.parametrize(
    ("body", "content_type"), [("text=Disk+full&level=3", FORM), (cbor2.dumps({"text": "hi", "to": NURSE}), "application/cbor")]
)
def test_other_formats(client: FlaskClient, body: str | bytes, content_type: str) -> None:
    for path in ("/rest", AT):
        response = post(client, path, body, content_type)
        assert response.status_code == 422
        assert "'text' (write 'body')" in response.get_json()["error"]["context"]["error"]


def test_lines_of_a_batch(client: FlaskClient, gateway: Gateway) -> None:
    lines = [{"to": NURSE, "text": "x"}, {"to": "admin", "body": "x"}, {"to": NURSE, "body": "x", "id": "i" * 1024}, {"to": NURSE, "body": "fine", "note": 1}]
    response = post(client, "/rest", "\n".join(map(json.dumps, lines)), "application/x-ndjson")
    answers = [json.loads(line) for line in response.text.splitlines()]
    assert [answer.get("code") for answer in answers] == [422, 422, 422, None]
    assert bodies(gateway) == ["fine"]


def test_a_query_string_is_no_body(client: FlaskClient, gateway: Gateway) -> None:
    response = post(client, f"{AT}?body=Disk%20full", "", None)
    assert response.status_code == 422
    assert "query string" in response.get_json()["error"]["text"]
    assert post(client, AT, "", None).status_code == 202, "the path says it all"


# what works goes on working


@pytest.mark.parametrize(
    "obj",
    [
        {"body": "hi", "note": 1}, {"body": ""}, {"subject": "s", "x": 1}, {"state": "composing"}, {"state": "active", "x": 1}, {"displayed": "m1"},
        {"reactions": {"id": "m", "reactions": ["x"]}}, {"invite": {"jid": "room@x.example"}}, {"payload": {"datatype": "d", "data": {"a": 1}}, "x": 1},
        {"oob_url": "https://x.example/", "x": 1}, {"version": "4", "body": "hi"}, {"status": "down", "body": "hi"}, {},
    ],
)  # fmt: skip
def test_what_says_something_is_sent(client: FlaskClient, obj: dict[str, Any]) -> None:
    assert post(client, AT, obj).status_code == 202
    if obj and obj != {"body": ""} and "displayed" not in obj and "invite" not in obj:
        assert post(client, "/rest", {"to": NURSE, **obj}).status_code in (200, 202)


@SHARED
@pytest.mark.parametrize(
    ("obj", "kind"),
    [
        ({"status": "away"}, "presence"), ({"status": "x", "show": "away"}, "presence"), ({"priority": 1, "status": "x"}, "presence"),
        ({"version": True}, "iq"), ({"version": {}, "to": DOMAIN}, "iq"), ({"items": True}, "iq"), ({"archive": {"max": 1}}, "iq"),
        ({"ping": True, "note": 1}, "iq"), ({"join": True, "note": 1}, "presence"), ({"kind": "presence", "status": "x", "note": 1}, "presence"),
        ({"kind": "iq", "version": True, "note": 1}, "iq"), ({"foo": 1}, "message"), ({"status": "down", "check": 1}, "message"),
    ],
)  # fmt: skip
def test_an_echo_takes_anything(client: FlaskClient, obj: dict[str, Any], kind: str) -> None:
    response = post(client, "/rest/echo", obj)
    assert (response.status_code, response.get_json()["kind"]) == (200, kind)


# JSON under another name


@pytest.mark.parametrize("content_type", [FORM, None])
@pytest.mark.parametrize("body", ["hi", "a=b&c", "50% off + more"])
def test_json_without_its_name_is_json(client: FlaskClient, gateway: Gateway, body: str, content_type: str | None) -> None:
    assert post(client, "/rest", {"to": NURSE, "body": body}, content_type).status_code == 202
    assert post(client, AT, "\r\n " + json.dumps({"body": body}), content_type).status_code == 202
    assert bodies(gateway) == [body.replace("&", "&amp;")] * 2
    assert bodies(gateway, "juliet") == bodies(gateway)


@SHARED
@pytest.mark.parametrize("content_type", [FORM, None])
@pytest.mark.parametrize("body", ['{"to": "x", body: 1}', '[{"body": "hi"}]', '{"a": 1', "{}"])
def test_broken_json_without_its_name_is_no_chat(client: FlaskClient, gateway: Gateway, body: str, content_type: str | None) -> None:
    for path in ("/rest", AT):
        if (path, body) == (AT, "{}"):
            continue
        assert post(client, path, body, content_type).status_code == 400
    assert bodies(gateway) == bodies(gateway, "juliet") == []


def test_percent_encoded_json_is_no_chat_either(client: FlaskClient, gateway: Gateway) -> None:
    assert post(client, "/rest", "%7B%22to%22%3A%22" + NURSE + "%22%2C%22body%22%3A%22hi%22%7D", FORM).status_code == 202
    assert bodies(gateway) == ["hi"]


@pytest.mark.parametrize(
    ("body", "content_type"), [("hi there", FORM), ("{hello}", FORM), ("[INFO] disk", FORM), ('{"a": 1}', "text/plain")]
)
def test_a_text_stays_a_text(client: FlaskClient, gateway: Gateway, body: str, content_type: str) -> None:
    assert post(client, "/rest", body, content_type).status_code == 202
    assert bodies(gateway, "juliet") == [body]


def test_anything_else_without_a_name_is_refused(client: FlaskClient, gateway: Gateway) -> None:
    for path in ("/rest", AT):
        response = post(client, path, "Disk full", None)
        assert response.status_code == 415
        assert JSON in response.headers["Accept"]
    assert bodies(gateway) == []


# names that are not addresses


@pytest.mark.parametrize("name", ["nurse", "Nurse", "nurse/phone"])
def test_a_bare_name_is_no_address(client: FlaskClient, gateway: Gateway, name: str) -> None:
    admin = basic(f"admin@{DOMAIN}")
    answers = [
        post(client, "/rest", {"to": name, "body": "x"}),
        post(client, f"/rest/message/chat/{name}", {"body": "x"}),
        post(client, "/rest", {"to": name, "kind": "presence", "type": "subscribe"}),
        client.post("/api/messages", json={"to": name, "body": "x"}, headers=basic(f"juliet@{DOMAIN}")),
        client.post("/api/send_message", json={"type": "chat", "from": f"admin@{DOMAIN}", "to": name, "subject": "", "body": "x"}, headers=admin),
        client.post("/api/send_stanza", json={"from": f"admin@{DOMAIN}", "to": name, "stanza": "<message><body>x</body></message>"}, headers=admin),
    ]
    assert [a.status_code for a in answers] == [422, 422, 422, 400, 400, 400]
    assert all(NURSE in a.text for a in answers)
    assert bodies(gateway, "juliet") == bodies(gateway, "admin") == []


def test_domains_are_addresses(make_app: Any) -> None:
    app = make_app(gateway_domain="gw.localhost", gateway_rooms_domain="rooms.gw.localhost", link_kind="component", link_secret="x", link_port="1")
    client = app.test_client()
    for to in ("localhost", "montague.example", "gw.localhost", "[::1]", "x@y"):
        assert post_as_admin(client, to) in (200, 202), to
    assert post_as_admin(client, "otherhost") == 422


def post_as_admin(client: FlaskClient, to: str) -> int:
    return client.post("/rest", json={"to": to, "body": "x", "type": "chat"}, headers=basic("admin")).status_code


# ids


@pytest.mark.parametrize(("identifier", "good"), [("i" * 1023, True), ("i" * 1024, False), ("é" * 511, True), ("é" * 512, False), ("i" * 9000, False)])
def test_long_ids(client: FlaskClient, gateway: Gateway, identifier: str, good: bool) -> None:
    xml = f"<message to='{NURSE}' id='{identifier}'><body>x</body></message>"
    answers = [
        post(client, "/rest", {"to": NURSE, "body": "x", "id": identifier}),
        post(client, AT, {"body": "x", "id": identifier}),
        post(client, "/rest", f"to={NURSE}&body=x&id={identifier}", FORM),
        post(client, "/rest", cbor2.dumps({"to": NURSE, "body": "x", "id": identifier}), "application/cbor"),
        post(client, "/rest", xml.encode(), "application/xmpp+xml"),
        post(client, "/rest", {"to": DOMAIN, "ping": True, "id": identifier}),
        post(client, "/rest/echo", {"body": "x", "id": identifier}),
    ]
    assert [a.status_code for a in answers] == ([202] * 5 + [200] * 2 if good else [422] * 7)
    assert all(len(value) <= 1023 for a in answers for value in a.headers.values())
    stanza = {"from": f"admin@{DOMAIN}", "to": NURSE, "stanza": xml}
    assert (client.post("/api/send_stanza", json=stanza, headers=basic(f"admin@{DOMAIN}")).status_code == 200) is good
    assert len(bodies(gateway)) == 6 * good
