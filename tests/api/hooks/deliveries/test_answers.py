"""What each API answers in each case (hooks §12): every row of the table."""

from __future__ import annotations

import json
from io import BytesIO
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from drivers import StorageError
from tests.api.hooks.deliveries.conftest import TOKEN, Recipients, counted
from tests.conftest import DOMAIN, SHARED
from xmpp_rest.errors import GatewayError
from xmpp_rest.gateway.gateway import Gateway
from xmpp_rest.protocol.conditions import StanzaError, stanza_error
from xmpp_rest.service.hooks.said import Kind, Said

WORDS = {
    "native": {"path": f"/hooks/{TOKEN}/json", "json": {"message": "words"}},
    "alertmanager": {"path": f"/hooks/{TOKEN}/alertmanager", "json": {"message": "words"}},
    "grafana": {"path": f"/hooks/{TOKEN}/grafana", "json": {"message": "words"}},
    "gitlab": {"path": f"/hooks/{TOKEN}/gitlab", "json": {"message": "words"}},
    "slack": {"path": f"/hooks/{TOKEN}/slack", "json": {"text": "words"}},
    "slack from Alertmanager": {
        "path": f"/hooks/{TOKEN}/slack", "json": {"text": "words"}, "headers": {"User-Agent": "Alertmanager/0.25.0"},
    },
    "gotify": {"path": f"/message?token={TOKEN}", "json": {"message": "words"}},
    "gotify hook": {"path": f"/hooks/{TOKEN}/gotify", "json": {"message": "words"}},
    "apprise": {"path": f"/notify/{TOKEN}", "json": {"body": "words"}},
}  # fmt: skip
NO_RECIPIENT = ("item-not-found", "service-unavailable", "remote-server-not-found")
NOT_ALLOWED = ("forbidden", "not-acceptable", "not-allowed", "policy-violation", "jid-malformed", "conflict")
REFUSALS = [
    *((condition, {"native": 502, "alertmanager": 424, "grafana": 424, "gitlab": 502, "slack": (404, "channel_not_found"), "gotify": 502, "apprise": 424})
      for condition in NO_RECIPIENT),
    ("gone", {"native": 502, "alertmanager": 424, "grafana": 424, "slack": (410, "channel_is_archived"), "gotify": 502, "gotify hook": 502, "apprise": 424}),
    *((condition, {"native": 502, "alertmanager": 424, "slack": (403, "action_prohibited"), "gotify": 502, "apprise": 424}) for condition in NOT_ALLOWED),
    *((condition, dict.fromkeys(WORDS, 503) | {"slack": (503, "service_unavailable"), "slack from Alertmanager": (503, "service_unavailable")})
      for condition in ("recipient-unavailable", "resource-constraint", "remote-server-timeout")),
]  # fmt: skip


def send(client: FlaskClient, api: str, **more: Any) -> TestResponse:
    return client.post(**{**WORDS[api], **more})


def check(answer: TestResponse, expected: int | tuple[int, str]) -> None:
    status, word = expected if isinstance(expected, tuple) else (expected, None)
    assert answer.status_code == status, answer.text
    if word is not None:
        assert (answer.text, answer.mimetype) == (word, "text/plain")
    assert ("Retry-After" in answer.headers) == (status in (429, 503))
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert not [name for name, _ in answer.headers if name.startswith("Access-Control")]


def test_what_is_delivered(client: FlaskClient, recipients: Recipients) -> None:
    recipients.errors = (None, stanza_error("gone", "It is closed"))
    results = [
        {"to": f"nurse0@{DOMAIN}", "id": "id0", "outcome": "accepted", "how": "sent"},
        {"to": f"nurse1@{DOMAIN}", "id": "id1", "outcome": "refused", "error": {"type": "cancel", "condition": "gone", "text": "It is closed"}},
    ]
    native = send(client, "native")
    check(native, 200)
    assert native.get_json() == {"hook": "ops", "format": "json", "results": results}
    check(send(client, "slack"), (200, "ok"))
    check(send(client, "gotify"), 200)
    partly = send(client, "apprise")
    check(partly, 424)
    assert partly.get_json() == {"error": "1 of 2 recipients did not take the message", "details": results}
    recipients.errors = (None,)
    whole = send(client, "apprise")
    check(whole, 200)
    assert whole.get_json() == {"error": None, "details": results[:1]}


@SHARED
@pytest.mark.parametrize(("condition", "expected"), REFUSALS)
def test_what_all_refuse(client: FlaskClient, recipients: Recipients, condition: str, expected: dict[str, Any]) -> None:
    recipients.errors = (stanza_error(condition),) * 2
    for api, answer in expected.items():
        check(send(client, api), answer)


def test_the_results_of_what_all_refuse(client: FlaskClient, recipients: Recipients) -> None:
    recipients.errors = (stanza_error("forbidden"),)
    answer = send(client, "native")
    assert answer.mimetype == "application/problem+json"
    assert [result["error"]["condition"] for result in answer.get_json()["results"]] == ["forbidden"]
    assert [result["outcome"] for result in send(client, "apprise").get_json()["details"]] == ["refused"]


def test_one_who_may_take_it_later_has_the_sender_try_again(client: FlaskClient, recipients: Recipients) -> None:
    recipients.errors = (stanza_error("gone"), StanzaError("wait", "recipient-unavailable"))
    for api in WORDS:
        assert send(client, api).status_code == 503


@pytest.mark.parametrize("error", [StorageError("no disk"), GatewayError("outbox-full"), GatewayError("unanswered"), GatewayError("waits-full"), GatewayError("link-lost")])
def test_trouble_of_the_gateway_has_the_sender_try_again(client: FlaskClient, recipients: Recipients, error: Exception) -> None:
    recipients.fail = error
    for api in WORDS:
        check(send(client, api), (503, "service_unavailable") if "slack" in api else 503)


def test_an_error_of_the_gateway_itself_is_no_success(client: FlaskClient, recipients: Recipients, gateway: Gateway) -> None:
    recipients.fail = RuntimeError("bug")
    for api in WORDS:
        assert send(client, api).status_code == 500
    assert counted(gateway) == {"failed": len(WORDS)}


def test_a_storage_that_fails_as_the_hook_is_looked_up(client: FlaskClient, gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(token: str) -> None:
        raise StorageError("no disk")

    monkeypatch.setattr(gateway.parts.hooks, "by_token", fail)
    for api in WORDS:
        answer = send(client, api)
        assert (answer.status_code, "Retry-After" in answer.headers) == (503, True)


@SHARED
@pytest.mark.parametrize(
    ("api", "body", "field", "expected"),
    [
        ("native", "{", "application/json", 400),
        ("slack", "{", "application/json", (400, "invalid_payload")),
        ("gotify", "{", "application/json", 400),
        ("apprise", "{", "application/json", 400),
        ("apprise", "words", "text/plain", 400),
        ("apprise", '{"body":"b","type":"fatal"}', "application/json", 400),
        ("native", "", "application/json", 422),
        ("native", "null", "application/json", 422),
        ("native", "true", "application/json", 422),
        ("native", "7", "application/json", 422),
        ("native", "{}", "application/json", 422),
        ("native", "[]", "application/json", 422),
        ("slack", '{"text":""}', "application/json", (400, "no_text")),
        ("slack", '{"a":1}', "application/json", (400, "no_text")),
        ("gotify", '{"title":"words"}', "application/json", 400),
        ("gotify hook", "{}", "application/json", 400),
        ("apprise", '{"title":"words"}', "application/json", 400),
        ("native", "<a/>", "application/xml", 415),
        ("slack", "<a/>", "text/html", (415, "invalid_payload")),
        ("gotify", "x", "image/png", 415),
        ("apprise", "x", "image/png", 415),
    ],
)  # fmt: skip
def test_what_cannot_be_read_or_says_nothing(client: FlaskClient, recipients: Recipients, api: str, body: str, field: str, expected: Any) -> None:
    answer = send(client, api, data=body, content_type=field, json=None)
    check(answer, expected)
    assert recipients.said == []
    if answer.status_code == 415:
        assert "application/json" in answer.headers["Accept-Post"]
    if api.startswith("gotify") and answer.status_code == 400 and field == "application/json" and body != "{":
        assert answer.get_json() == {"error": "Bad Request", "errorCode": 400, "errorDescription": "Field 'message' is required"}


@pytest.mark.parametrize(("api", "expected"), [("native", 415), ("slack", (415, "invalid_payload")), ("gotify", 415), ("apprise", 415)])
def test_bodies_are_not_compressed(client: FlaskClient, api: str, expected: Any) -> None:
    answer = send(client, api, headers={"Content-Encoding": "gzip"})
    check(answer, expected)
    assert answer.headers["Accept-Encoding"] == "identity"


@SHARED
@pytest.mark.parametrize("api", ["native", "slack", "gotify", "apprise"])
@pytest.mark.parametrize(
    ("field", "taken"), [("application/json; charset", True), ('application/json; x="', True), ("json", False), ("application/json, text/plain", False)]
)
def test_a_type_is_told_whatever_its_parameters_are(client: FlaskClient, recipients: Recipients, api: str, field: str, taken: bool) -> None:
    words = dict(WORDS[api])
    answer = client.post(words.pop("path"), data=json.dumps(words.pop("json")), headers={"Content-Type": field})
    check(answer, 200 if taken else (415, "invalid_payload") if api == "slack" else 415)
    assert taken or "application/json" in answer.headers["Accept-Post"]


def test_a_template_that_says_nothing(client: FlaskClient, gateway: Gateway, recipients: Recipients, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gateway.parts.sayings, "say", lambda hook, payload: Said(Kind.SILENT))
    native = send(client, "native")
    assert (native.status_code, native.data) == (204, b"")
    check(send(client, "slack"), (200, "ok"))
    check(send(client, "gotify"), 200)
    apprise = send(client, "apprise")
    assert (apprise.status_code, apprise.get_json()) == (200, {"error": None, "details": []})
    assert recipients.said == []
    assert counted(gateway) == {"silent": 4}


def test_the_ping_of_a_forge(client: FlaskClient, gateway: Gateway, recipients: Recipients, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gateway.parts.sayings, "say", lambda hook, payload: Said(Kind.PING))
    answer = client.post(f"/hooks/{TOKEN}", json={"zen": "Speak like a human."}, headers={"X-GitHub-Event": "ping"})
    check(answer, 200)
    assert answer.get_json() == {"hook": "ops", "format": "github", "results": [], "event": "ping"}
    assert recipients.said == []


def test_what_is_cut_off_or_falls_back_says_so(client: FlaskClient, gateway: Gateway, recipients: Recipients, monkeypatch: pytest.MonkeyPatch) -> None:
    said = Said(Kind.MESSAGE, "words", truncated=True, template_error="line 1")
    monkeypatch.setattr(gateway.parts.sayings, "say", lambda hook, payload: said)
    (result,) = send(client, "native").get_json()["results"]
    assert (result["truncated"], result["template_error"]) == (True, "line 1")


def test_what_ntfy_is_told(client: FlaskClient, recipients: Recipients) -> None:
    answer = client.post(f"/hooks/{TOKEN}", json={"topic": "backups", "message": "done", "priority": 4})
    check(answer, 200)
    body = answer.get_json()
    assert (body["event"], body["topic"], body["message"], body["priority"], len(body["id"])) == ("message", "backups", "done", 4, 12)
    recipients.errors = (stanza_error("gone"),)
    gone = client.post(f"/hooks/{TOKEN}/ntfy", json={"topic": "backups", "message": "done"})
    assert (gone.status_code, gone.get_json()["code"]) == (502, 50201)
    recipients.errors = (stanza_error("resource-constraint"),)
    later = client.post(f"/hooks/{TOKEN}/ntfy", json={"topic": "backups", "message": "done"})
    check(later, 503)
    assert later.get_json()["code"] == 50301
    assert client.post(f"/hooks/{TOKEN}/ntfy", data="{", content_type="application/json").get_json()["code"] == 40024


class TestScheduled:
    def test_native(self, client: FlaskClient, recipients: Recipients) -> None:
        answer = send(client, "native", headers={"Send-At": "2h"})
        check(answer, 202)
        body = answer.get_json()
        assert answer.headers["Location"] == f"/rest/scheduled/{body['scheduled']['id']}"
        assert (body["hook"], body["format"], body["results"]) == ("ops", "json", [])
        assert recipients.said == []

    @pytest.mark.parametrize(("api", "expected"), [("slack", (200, "ok")), ("gotify", 200), ("apprise", 200)])
    def test_others(self, client: FlaskClient, recipients: Recipients, api: str, expected: Any) -> None:
        check(send(client, api, headers={"X-Delay": "30m"}), expected)
        assert recipients.said == []

    @pytest.mark.parametrize("name", ["Send-At", "X-Delay", "Delay", "X-At", "At", "X-In", "In"])
    def test_every_field(self, client: FlaskClient, name: str) -> None:
        assert send(client, "native", headers={name: "1h"}).status_code == 202
        assert send(client, "native", headers={name: " "}).status_code == 200

    @pytest.mark.parametrize("name", ["delay", "at", "in"])
    def test_every_parameter(self, client: FlaskClient, name: str) -> None:
        assert client.post(f"/hooks/{TOKEN}?{name}=1h", data="words").status_code == 202

    @pytest.mark.parametrize("text", ["nonsense", "365d", "2001-01-01T00:00:00Z"])
    def test_what_is_no_time(self, client: FlaskClient, recipients: Recipients, text: str) -> None:
        expectations: dict[str, Any] = {"native": 400, "slack": (400, "invalid_payload"), "gotify": 400, "apprise": 400}
        for api, expected in expectations.items():
            check(send(client, api, headers={"Send-At": text}), expected)
        assert recipients.said == []


def test_what_gotify_is_told(client: FlaskClient, recipients: Recipients) -> None:
    sent = {"message": "done", "title": "Backup", "priority": 8, "extras": {"client::notification": {"click": {"url": "https://x.example"}}}}
    first = client.post("/message", json=sent, headers={"X-Gotify-Key": TOKEN}).get_json()
    assert {name: first[name] for name in sent} == sent
    assert set(first) == {"id", "appid", "date", *sent}
    assert first["date"].endswith("Z")
    second = client.post("/message", data={"message": "done"}, headers={"Authorization": f"Bearer {TOKEN}"}).get_json()
    assert (second["title"], second["priority"], second["appid"], second["id"] > first["id"]) == ("ops", 0, first["appid"], True)
    assert "extras" not in second


@pytest.mark.parametrize("how", [{}, {"headers": {"X-Gotify-Key": f"hk_{'x' * 27}"}}, {"headers": {"Authorization": "Bearer A1"}}])
def test_gotify_without_a_good_token(client: FlaskClient, how: dict[str, Any]) -> None:
    answer = client.post("/message", json={"message": "words"}, **how)
    assert answer.headers["WWW-Authenticate"] == 'Bearer realm="hooks"'
    assert (answer.status_code, answer.get_json()) == (
        401,
        {
            "error": "Unauthorized",
            "errorCode": 401,
            "errorDescription": "you need to provide a valid access token or user credentials to access this api",
        },
    )


def test_gotify_reads_nothing(client: FlaskClient) -> None:
    for path in ("/message", "/application", "/client"):
        assert client.get(path).status_code == 404
    version = client.get("/version")
    assert (version.status_code, set(version.get_json())) == (200, {"version", "commit", "buildDate"})


class TestApprise:
    def test_the_key_in_a_field(self, client: FlaskClient, recipients: Recipients) -> None:
        assert client.post("/notify", json={"body": "words"}, headers={"X-Apprise-Config-ID": TOKEN}).status_code == 200
        assert client.post("/notify", json={"body": "words"}, headers={"X-Apprise-Config-ID": "ops", "Authorization": f"Bearer {TOKEN}"}).status_code == 200
        assert client.post("/notify/ops", data={"body": "words", "title": "t"}, headers={"Authorization": f"Bearer {TOKEN}"}).status_code == 200
        assert client.post(f"/notify/{TOKEN}/", json={"body": "words"}).status_code == 200
        assert client.post("/notify/", json={"body": "words"}, headers={"X-Apprise-Config-ID": TOKEN}).status_code == 200
        assert len(recipients.said) == 5

    @pytest.mark.parametrize("kind", ["WARNING", "alarm", 1, False, ["info"], {}])
    def test_a_type_that_is_none(self, client: FlaskClient, recipients: Recipients, kind: Any) -> None:
        assert client.post(f"/notify/{TOKEN}", json={"body": "words", "type": kind}).status_code == 400
        assert client.post(f"/notify/{TOKEN}", json={"body": "words", "type": None}).status_code == 200
        assert len(recipients.said) == 1

    @pytest.mark.parametrize(
        ("path", "headers", "status"),
        [
            ("/notify", {}, 401),
            ("/notify/ops", {}, 401),
            ("/notify/nothing", {}, 401),
            ("/notify/ops", {"Authorization": f"Bearer hk_{'x' * 27}"}, 401),
            (f"/notify/hk_{'x' * 27}", {}, 404),
            (f"/notify/{TOKEN}", {"X-Apprise-Recursion-Count": "2"}, 406),
            (f"/notify/{TOKEN}", {"X-Apprise-Recursion-Count": "1"}, 200),
        ],
    )
    def test_statuses(self, client: FlaskClient, recipients: Recipients, path: str, headers: dict[str, str], status: int) -> None:
        answer = client.post(path, json={"body": "words"}, headers=headers)
        assert answer.status_code == status
        assert ("WWW-Authenticate" in answer.headers) == (status == 401)
        body = answer.get_json()
        assert set(body) == {"error", "details"}
        assert isinstance(body["error"], str) == (status != 200)

    @pytest.mark.parametrize(("accept", "text"), [("text/plain", True), ("text/html, text/plain;q=0.5", True), ("text/html, */*", False), ("", False)])
    def test_text(self, client: FlaskClient, recipients: Recipients, accept: str, text: bool) -> None:
        good = client.post(f"/notify/{TOKEN}", json={"body": "words"}, headers={"Accept": accept})
        assert (good.text == "ok") == text
        bad = client.post(f"/notify/{TOKEN}", json={"title": "words"}, headers={"Accept": accept})
        assert (bad.text == "body is required") == text
        assert bad.status_code == 400

    def test_files_are_told(self, client: FlaskClient, recipients: Recipients) -> None:
        data = {"body": "words", "file01": (BytesIO(b"\x89PNG"), "shot.png")}
        assert client.post(f"/notify/{TOKEN}", data=data, content_type="multipart/form-data").status_code == 200
        assert recipients.said[0].endswith("Not sent: shot.png")

    @pytest.mark.parametrize(
        ("attached", "names"),
        [
            ({"attach": "https://e.example/a/shot.png?x=1"}, "shot.png"),
            ({"attachment": ["https://e.example/a.png", {"filename": "b.png", "base64": "aGk="}, {"url": "https://e.example/c.png"}, 5, ""]}, "a.png, b.png, c.png"),
            ({"attachments": [{"name": "d.png", "base64": "aGk="}], "attach": {"base64": "aGk="}}, "d.png, a file"),
        ],
    )
    def test_files_inside_json_are_told(self, client: FlaskClient, recipients: Recipients, attached: dict[str, Any], names: str) -> None:
        assert client.post(f"/notify/{TOKEN}", json={"body": "words"} | attached).status_code == 200
        assert recipients.said == [f"words\nNot sent: {names}"]


def test_json_is_sent_as_utf8(client: FlaskClient, recipients: Recipients) -> None:
    body = client.post(f"/hooks/{TOKEN}/text", data="ä").data
    assert json.loads(body)["format"] == "text"


class TestManyScheduled:
    @pytest.fixture
    def hook_settings(self) -> dict[str, str]:
        return {"limits_scheduled": "0"}

    @pytest.mark.parametrize(
        ("api", "expected"),
        [("native", 403), ("slack", (403, "action_prohibited")), ("gotify", 403), ("apprise", 403), ("alertmanager", 503), ("grafana", 503),
         ("gitlab", 503), ("slack from Alertmanager", (503, "action_prohibited"))],
    )  # fmt: skip
    def test_who_would_try_again_does(self, client: FlaskClient, recipients: Recipients, api: str, expected: Any) -> None:
        words = dict(WORDS[api])
        answer = client.post(f"{words.pop('path')}{'&' if api == 'gotify' else '?'}delay=1h", **words)
        check(answer, expected)
        assert recipients.said == []
