"""Which requests are deliveries, and by what a sender proves that it may use a hook (hooks §5)."""

from __future__ import annotations

import base64
import hmac
import logging
from hashlib import sha256
from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.api.hooks.deliveries.conftest import SECRET, SECRET_TOKEN, TOKEN, Recipients, counted
from tests.conftest import DOMAIN, SHARED, MakeApp, basic
from xmpp_rest.api.hooks import names
from xmpp_rest.gateway.gateway import Gateway
from xmpp_rest.protocol.conditions import stanza_error

UNKNOWN = f"hk_{'x' * 27}"
BEARER = {"Authorization": f"Bearer {TOKEN}"}


def pair(name: str, password: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()}


@SHARED
@pytest.mark.parametrize("method", ["POST", "PUT"])
@pytest.mark.parametrize(
    ("path", "headers", "format_"),
    [
        (f"/hooks/{TOKEN}", {}, "text"),
        (f"/hooks/{TOKEN}/", {}, "text"),
        (f"/hooks/{TOKEN}/json", {}, "json"),
        (f"/hooks/{TOKEN}/uptime-kuma/", {}, "uptime-kuma"),
        (f"/hooks/{TOKEN}/general/abc/def", {}, "text"),
        (f"/hooks/{TOKEN}/tokens", {}, "text"),
        ("/hooks/ops", BEARER, "text"),
        ("/hooks/OPS", BEARER, "text"),
        ("/hooks/ops", {"Authorization": f"whatever {TOKEN}"}, "text"),
        ("/hooks/ops", pair("x", TOKEN), "text"),
        ("/hooks/ops", pair(TOKEN, "None"), "text"),
        ("/hooks/ops", pair(TOKEN, ""), "text"),
        ("/hooks/ops", {"X-Gotify-Key": TOKEN}, "text"),
        (f"/hooks/ops?token={TOKEN}", {}, "text"),
        ("/hooks/ops/json", BEARER, "json"),
        ("/hooks/ops/test", BEARER, "text"),  # not management, as there is a token
        (f"/hooks/ops/token?token={TOKEN}", {}, "text"),
        (f"/hooks/{TOKEN}", {"Authorization": f"Bearer {UNKNOWN}"}, "text"),  # the path's counts first
        (f"/hooks/ops?token={UNKNOWN}", BEARER, "text"),
        (f"/hooks/ops?token={TOKEN}", {"Authorization": "Bearer of something else"}, "text"),
    ],
)
def test_where_the_token_is(client: FlaskClient, recipients: Recipients, method: str, path: str, headers: dict[str, str], format_: str) -> None:
    answer = client.open(path, method=method, data="words", headers=headers)
    assert (answer.status_code, answer.get_json()["format"]) == (200, format_)
    assert recipients.said == ["words"]


@pytest.mark.parametrize(
    ("path", "headers", "status", "challenge"),
    [
        (f"/hooks/{UNKNOWN}", {}, 404, None),
        ("/hooks/hk_", {}, 404, None),
        ("/hooks/ops", {"Authorization": f"Bearer {UNKNOWN}"}, 401, 'Bearer realm="hooks"'),
        ("/hooks/nothing", BEARER, 401, 'Bearer realm="hooks"'),
        ("/hooks/signed", BEARER, 401, 'Bearer realm="hooks"'),
        (f"/hooks/ops?token={TOKEN}", {"Authorization": f"Bearer {UNKNOWN}"}, 401, 'Bearer realm="hooks"'),
        ("/hooks/ops", {}, 401, 'Bearer realm="hooks", Basic realm="hooks"'),
        ("/hooks/nothing", {}, 401, 'Bearer realm="hooks", Basic realm="hooks"'),
        ("/hooks/ops", basic(f"nurse@{DOMAIN}", "wrong"), 401, 'Basic realm="hooks"'),
        ("/hooks/nothing", basic(f"nurse@{DOMAIN}", "wrong"), 401, 'Basic realm="hooks"'),
        ("/hooks/ops", basic(f"nurse@{DOMAIN}"), 404, None),
        ("/hooks/nothing", basic(f"admin@{DOMAIN}"), 404, None),
    ],
)
def test_what_proves_nothing(
    client: FlaskClient, recipients: Recipients, path: str, headers: dict[str, str], status: int, challenge: str | None
) -> None:
    answer = client.post(path, data="words", headers=headers)
    assert (answer.status_code, answer.headers.get("WWW-Authenticate")) == (status, challenge)
    assert answer.mimetype == "application/problem+json"
    assert recipients.said == []


def test_nobody_learns_whether_there_is_a_name(client: FlaskClient) -> None:
    for headers in ({}, {"Authorization": f"Bearer {UNKNOWN}"}, {"X-Gitlab-Token": "wrong"}, basic("nobody@capulet.example", "wrong")):
        one, other = (client.post(f"/hooks/{name}", data="words", headers=headers | {"X-Request-Id": "1"}) for name in ("ops", "nothing"))
        assert (one.status_code, one.data, one.headers) == (other.status_code, other.data, other.headers)


def test_its_owner_and_administrators_use_a_hook_by_their_credentials(client: FlaskClient, recipients: Recipients) -> None:
    assert client.post("/hooks", json={"name": "mine"}, headers=basic(f"nurse@{DOMAIN}")).status_code == 201
    assert client.post("/hooks/mine", data="words", headers=basic(f"nurse@{DOMAIN}")).status_code == 200
    assert client.post("/hooks/mine", data="words", headers=basic(f"admin@{DOMAIN}")).status_code == 200
    assert client.post("/hooks/ops", data="words", headers=basic(f"admin@{DOMAIN}")).status_code == 200
    assert client.post("/hooks/mine", data="words", headers=basic(f"juliet@{DOMAIN}")).status_code == 404
    assert len(recipients.said) == 3


def test_a_foreign_page_does_not_act_with_remembered_credentials(client: FlaskClient, recipients: Recipients) -> None:
    foreign = {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"}
    assert client.post("/hooks/ops", data="words", headers=basic(f"admin@{DOMAIN}") | foreign).status_code == 403
    assert client.post("/hooks/ops", data="words", headers=pair(TOKEN, "") | foreign).status_code == 403
    assert client.post("/message", json={"message": "words"}, headers=pair(TOKEN, "") | foreign).status_code == 403
    assert client.post(f"/hooks/{TOKEN}", data="words", headers=foreign).status_code == 200  # a page that knows the token may use it
    assert len(recipients.said) == 1


@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE", "PATCH", "BREW"])
def test_other_methods(client: FlaskClient, recipients: Recipients, method: str) -> None:
    for token, allow in ((TOKEN, "OPTIONS, POST, PUT"), (UNKNOWN, "OPTIONS, POST, PUT"), (SECRET_TOKEN, "GET, OPTIONS, POST, PUT")):
        answer = client.open(f"/hooks/{token}", method=method)
        assert (answer.status_code, answer.headers["Allow"]) == (405, allow)
    assert client.options(f"/hooks/{TOKEN}").status_code == 200
    assert recipients.said == []


def test_too_many_unknown_tokens(make_app: MakeApp) -> None:
    client = make_app(auth_failures="3", hook_ops_token=TOKEN, hook_ops_targets=f"admin@{DOMAIN}").test_client()
    statuses = [client.post(f"/hooks/{UNKNOWN}", data="words").status_code for _ in range(4)]
    assert statuses == [404, 404, 404, 429]
    over = client.post("/hooks/ops", data="words", headers={"Authorization": f"Bearer {UNKNOWN}"})
    assert (over.status_code, over.mimetype) == (429, "application/problem+json")
    assert 1 <= int(over.headers["Retry-After"]) <= 61
    assert client.post("/message", json={"message": "words"}, headers={"X-Gotify-Key": UNKNOWN}).status_code == 429
    assert client.post(f"/notify/{UNKNOWN}", json={"body": "words"}).status_code == 429
    assert client.post(f"/hooks/{TOKEN}", data="words").status_code == 200  # a good one is never refused for others


def test_the_order_of_the_checks(make_app: MakeApp, recipients: Recipients, client: FlaskClient) -> None:
    huge, markup = b"x" * (1 << 20) + b"x", {"Content-Type": "image/png"}
    assert client.get(f"/hooks/{UNKNOWN}").status_code == 405
    assert client.post(f"/hooks/{UNKNOWN}", data=huge, headers=markup).status_code == 404
    assert client.post(f"/hooks/{SECRET_TOKEN}", data=huge, headers=markup).status_code == 413
    assert client.post(f"/hooks/{SECRET_TOKEN}", data="{", headers=markup).status_code == 415
    assert client.post(f"/hooks/{SECRET_TOKEN}", data="{", headers={"Content-Type": "application/json", "Idempotency-Key": "a b"}).status_code == 403
    assert client.post(f"/hooks/{TOKEN}", data="{", headers={"Content-Type": "application/json", "Idempotency-Key": "a b"}).status_code == 400
    assert client.post(f"/hooks/{TOKEN}", data=huge[:-1]).status_code == 200


def alerts(status: str, **more: Any) -> dict[str, Any]:
    alert = {"status": status, "fingerprint": "f", "labels": {"alertname": "Disk"}}
    return {"version": "4", "groupKey": "g", "status": status, "alerts": [alert], **more}


def test_the_same_alerts_are_said_once(client: FlaskClient, recipients: Recipients) -> None:
    def post(status: str, **more: Any) -> bool:
        answer = client.post(f"/hooks/{TOKEN}", json=alerts(status, **more))
        assert (answer.status_code, answer.get_json()["format"]) == (200, "alertmanager")
        return "Idempotent-Replayed" in answer.headers

    assert [post("firing"), post("firing"), post("firing", receiver="other"), post("firing", groupKey="h")] == [False, True, True, False]
    assert [post("resolved"), post("resolved"), post("firing")] == [False, True, False]  # it fires again
    assert len(recipients.said) == 4


@pytest.mark.parametrize(
    ("first", "other"),
    [
        ({"alerts": [{"title": "Disk full"}]}, {"alerts": [{"title": "On fire"}]}),
        ({"alerts": [{"labels": {"host": "web1"}, "state": "alerting"}]}, {"alerts": [{"labels": {"host": "web1"}, "state": "ok"}]}),
        ({"alerts": ["Disk full"]}, {"alerts": ["On fire"]}),
        ({"state": "alerting", "alerts": [{}]}, {"state": "ok", "alerts": [{}]}),
        (alerts("firing", truncatedAlerts=0), alerts("firing", truncatedAlerts=1)),
    ],
)
def test_alerts_that_differ_are_all_said(client: FlaskClient, recipients: Recipients, first: dict[str, Any], other: dict[str, Any]) -> None:
    for sent, said in ((first, 1), (first, 1), (other, 2), (other, 2)):
        assert client.post(f"/hooks/{TOKEN}/grafana", json=sent).status_code == 200
        assert len(recipients.said) == said


def test_refused_alerts_may_come_again(client: FlaskClient, recipients: Recipients) -> None:
    recipients.errors = (stanza_error("resource-constraint"),)
    assert client.post(f"/hooks/{TOKEN}", json=alerts("firing")).status_code == 503
    recipients.errors = (None,)
    again = client.post(f"/hooks/{TOKEN}", json=alerts("firing"))
    assert (again.status_code, "Idempotent-Replayed" in again.headers) == (200, False)


@pytest.mark.parametrize("field", ["X-GitHub-Delivery", "X-Gitea-Delivery", "X-Forgejo-Delivery", "Idempotency-Key", "webhook-id"])
def test_every_name_of_a_request(client: FlaskClient, recipients: Recipients, field: str) -> None:
    first, again = (client.post(f"/hooks/{TOKEN}", data="words", headers={field: "1"}) for _ in range(2))
    assert (first.status_code, again.headers.get("Idempotent-Replayed"), again.data) == (200, "true", first.data)
    other = client.post(f"/hooks/{TOKEN}", data="other words", headers={field: "1"})
    assert other.status_code == (422 if field == "Idempotency-Key" else 200)
    assert recipients.said == ["words"]


@pytest.mark.parametrize("key", ["", " ", "a b", "x" * 256, "\u00e4"])
def test_what_cannot_be_a_name(client: FlaskClient, recipients: Recipients, key: str) -> None:
    for field in ("Idempotency-Key", "webhook-id"):
        assert client.post(f"/hooks/{TOKEN}", data="words", headers={field: key}).status_code == 400
    assert recipients.said == []


class TestRates:
    @pytest.fixture
    def hook_settings(self) -> dict[str, str]:
        return {"hook_ops_rate": "2", "hook_signed_rate": "2"}

    @pytest.mark.parametrize(
        ("path", "agent", "status", "word"),
        [
            ("", "curl/8", 429, None),
            ("/alertmanager", "", 503, None),
            ("/grafana", "", 503, None),
            ("/gitlab", "", 503, None),
            ("/github", "", 429, None),
            ("/slack", "", 429, "rate_limited"),
            ("/slack", "Alertmanager/0.27.0", 503, "rate_limited"),
            ("/json", "GitLab/17.0.0-ee", 503, None),
        ],
    )
    def test_too_many(self, client: FlaskClient, recipients: Recipients, path: str, agent: str, status: int, word: str | None) -> None:
        def post() -> Any:
            return client.post(f"/hooks/{TOKEN}{path}", data="words", headers={"User-Agent": agent})

        first, second, over = post(), post(), post()
        assert [first.status_code, second.status_code, over.status_code] == [200, 200, status]
        assert first.headers["RateLimit-Policy"] == '"hook";q=2;w=60'
        assert first.headers["RateLimit"].startswith('"hook";r=1;t=')
        assert over.headers["RateLimit"].startswith('"hook";r=0;t=')
        assert 1 <= int(over.headers["Retry-After"]) <= 30
        assert "Retry-After" not in first.headers
        if word:
            assert over.text == word
        assert len(recipients.said) == 2

    def test_what_costs_nothing(self, client: FlaskClient, recipients: Recipients) -> None:
        first = client.post(f"/hooks/{TOKEN}", data="words", headers={"Idempotency-Key": "1"})
        for _ in range(3):
            again = client.post(f"/hooks/{TOKEN}", data="words", headers={"Idempotency-Key": "1"})
            assert (again.data, again.headers["Idempotent-Replayed"]) == (first.data, "true")
            assert again.headers["RateLimit"].startswith('"hook";r=1;t=')
            assert client.get(f"/hooks/{TOKEN}").status_code == 405
            assert client.post(f"/hooks/{TOKEN}", data="x", content_type="image/png").status_code == 415
            assert client.post(f"/hooks/{SECRET_TOKEN}", data="x").status_code == 403
        assert client.post(f"/hooks/{TOKEN}", data="{", content_type="application/json").status_code == 400  # which costs
        assert client.post(f"/hooks/{TOKEN}", data="words").status_code == 429


class TestGet:
    @pytest.fixture
    def hook_settings(self) -> dict[str, str]:
        return {"hook_ops_get": "yes"}

    @pytest.mark.parametrize(
        ("query", "format_", "said"),
        [
            ("msg=It+is+down&heartbeat=%7B%22status%22%3A0%7D&monitor=%7B%22url%22%3A%22https%3A%2F%2Fx.example%22%7D", "uptime-kuma", "It is down"),
            ("msg=words", "uptime-kuma", "words"),
            ("payload=%7B%22message%22%3A%22words%22%7D", "json", "words"),
        ],
    )
    def test_it_sends(self, client: FlaskClient, recipients: Recipients, query: str, format_: str, said: str) -> None:
        answer = client.get(f"/hooks/{TOKEN}?{query}")
        assert (answer.status_code, answer.get_json()["format"], answer.headers["Cache-Control"]) == (200, format_, "no-store")
        assert recipients.said[0].startswith(said)

    @pytest.mark.parametrize(
        ("query", "headers"),
        [
            ("", {}),
            ("text=words", {}),
            ("msg=words", {"Purpose": "prefetch"}),
            ("msg=words", {"Sec-Purpose": "prefetch;prerender"}),
            ("msg=words", {"X-Moz": "prefetch"}),
            ("msg=words", {"Purpose": "preview"}),
            ("msg=words", {"Sec-Fetch-Mode": "navigate"}),
        ],
    )
    def test_it_sends_nothing_by_accident(self, client: FlaskClient, recipients: Recipients, query: str, headers: dict[str, str]) -> None:
        answer = client.get(f"/hooks/{TOKEN}?{query}", headers=headers)
        assert (answer.status_code, answer.headers["Allow"]) == (405, "GET, OPTIONS, POST, PUT")
        assert client.head(f"/hooks/{TOKEN}?msg=words").status_code == 405
        assert recipients.said == []

    def test_what_cannot_be_read(self, client: FlaskClient, recipients: Recipients) -> None:
        assert client.get(f"/hooks/{TOKEN}?msg=words&heartbeat=%7B").status_code == 400
        assert client.get(f"/hooks/{TOKEN}?payload=%7B").status_code == 400
        assert client.get(f"/hooks/{TOKEN}?msg=").status_code == 422
        assert recipients.said == []

    def test_gitea_signs_its_payload(self, client: FlaskClient, recipients: Recipients) -> None:
        payload = '{"message":"words"}'
        signature = hmac.new(SECRET.encode(), payload.encode(), sha256).hexdigest()
        fields = {"X-Gitea-Signature": signature}
        assert client.get(f"/hooks/{SECRET_TOKEN}", query_string={"payload": payload}, headers=fields).status_code == 200
        assert client.get(f"/hooks/{SECRET_TOKEN}", query_string={"payload": payload + " "}, headers=fields).status_code == 403


class TestSigned:
    def signed(self, body: bytes) -> dict[str, str]:
        return {"X-Hub-Signature-256": f"sha256={hmac.new(SECRET.encode(), body, sha256).hexdigest()}"}

    def test_by_the_token(self, client: FlaskClient, recipients: Recipients, gateway: Gateway) -> None:
        assert client.post(f"/hooks/{SECRET_TOKEN}", data=b"words", headers=self.signed(b"words")).status_code == 200
        refused = client.post(f"/hooks/{SECRET_TOKEN}", data=b"words", headers=self.signed(b"other"))
        assert (refused.status_code, refused.mimetype) == (403, "application/problem+json")
        assert client.post(f"/hooks/{SECRET_TOKEN}/slack", json={"text": "words"}).text == "action_prohibited"
        assert client.post(f"/message?token={SECRET_TOKEN}", json={"message": "words"}).status_code == 403
        assert client.post(f"/notify/{SECRET_TOKEN}", json={"body": "words"}).status_code == 403
        assert counted(gateway) == {"delivered": 1, "unsigned": 4}

    def test_by_the_name_alone(self, client: FlaskClient, recipients: Recipients) -> None:
        assert client.post("/hooks/signed", data=b"words", headers=self.signed(b"words")).status_code == 200
        for name in ("signed", "ops", "nothing"):
            wrong = client.post(f"/hooks/{name}", data=b"words", headers=self.signed(b"other"))
            assert (wrong.status_code, wrong.headers["WWW-Authenticate"]) == (401, 'Bearer realm="hooks"')
        assert recipients.said == ["words"]

    def test_too_many_wrong_ones(self, make_app: MakeApp) -> None:
        settings = {"auth_failures": "2", "hook_signed_token": SECRET_TOKEN, "hook_signed_targets": f"admin@{DOMAIN}", "hook_signed_secret": SECRET}
        client = make_app(**settings).test_client()
        statuses = [client.post(f"/hooks/{SECRET_TOKEN}", data="words").status_code for _ in range(3)]
        assert statuses == [403, 403, 429]
        assert client.post(f"/hooks/{SECRET_TOKEN}", data=b"words", headers=self.signed(b"words")).status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        f"/hooks/{TOKEN}",
        f"/hooks/{TOKEN}/second-token",
        f"/hooks/ops?token={TOKEN}",
        f"/message?token={TOKEN}",
        f"/notify/{TOKEN}",
        f"/%68ooks/%68k_{TOKEN[3:]}",
        f"/nothing/{TOKEN}",
        f"/hooks/{TOKEN}/" + "x" * 600,
    ],
)
def test_tokens_are_not_logged(client: FlaskClient, recipients: Recipients, caplog: pytest.LogCaptureFixture, path: str) -> None:
    caplog.set_level(logging.DEBUG)
    recipients.fail = RuntimeError("bug")
    answer = client.post(path, json={"message": "words", "body": "words"}, buffered=True)
    assert "request" in caplog.text
    assert TOKEN[3:] not in caplog.text
    assert "second-token" not in caplog.text
    assert TOKEN[3:] not in answer.text + str(answer.headers)
    if path.startswith(f"/hooks/{TOKEN}"):
        assert " path=/hooks/hk_… " in caplog.text
    assert (" hook=ops" in caplog.text) == ("nothing" not in path)


def test_so_many_alerts_are_named_as_they_come(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(names, "_state", lambda alert: asked.append(alert) or "x")
    many = [1] * (names.SORTED + 1)
    first, again = (names.name_of_alerts("alertmanager", {"alerts": list(many)}) for _ in range(2))
    assert (first, asked) == (again, [])
    assert names.name_of_alerts("alertmanager", {"alerts": [*many[:-1], 2]}) != first


def test_templates_see_no_secrets(client: FlaskClient, gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []
    say = gateway.parts.sayings.say
    monkeypatch.setattr(gateway.parts.sayings, "say", lambda hook, payload: (seen.append(payload), say(hook, payload))[1])
    fields = {
        "Authorization": f"Bearer {TOKEN}", "Cookie": "a=b", "X-Gitlab-Token": "secret", "X-Forwarded-Uri": f"/hooks/{TOKEN}", "X-Api-Key": "x",
        "X-Auth-Token": "x", "X-Hub-Signature": "sha1=x", "X-Session": "x", "X-Jwt-Assertion": "x", "X-Passwd": "x", "X-Custom": "seen",
    }  # fmt: skip
    assert client.post(f"/hooks/ops?token={TOKEN}&auth=x&again={TOKEN}&a=b", data="words", headers=fields).status_code == 200
    (payload,) = seen
    assert payload.query == {"a": "b"}
    assert payload.headers["x-custom"] == "seen"
    hidden = {"authorization", "cookie", "x-gitlab-token", "x-forwarded-uri", "x-api-key", "x-auth-token", "x-hub-signature"}
    hidden |= {"x-session", "x-jwt-assertion", "x-passwd"}
    assert hidden.isdisjoint(payload.headers)


@pytest.mark.parametrize(
    ("settings", "path", "body", "taken"),
    [
        ({"gotify_prefix": "/push"}, "/push/message", {"message": "words"}, True),
        ({"gotify_prefix": "/push"}, "/message", {"message": "words"}, False),
        ({"gotify_prefix": ""}, "/message", {"message": "words"}, False),
        ({"apprise_prefix": "/a/b"}, "/a/b/notify/ops", {"body": "words"}, True),
        ({"apprise_prefix": ""}, "/notify/ops", {"body": "words"}, False),
        ({"gotify_prefix": "/rest"}, "/rest/message", {"message": "words"}, False),
        ({"gotify_prefix": "/api"}, "/api/message", {"message": "words"}, False),
        ({"gotify_prefix": "/hooks"}, "/hooks/message", {"message": "words"}, False),
        ({"apprise_prefix": "/data"}, "/data/notify", {"body": "words"}, False),
    ],
)
def test_prefixes_hide_no_other_api(make_app: MakeApp, settings: dict[str, str], path: str, body: dict[str, str], taken: bool) -> None:
    client = make_app(hook_ops_token=TOKEN, hook_ops_targets=f"admin@{DOMAIN}", **settings).test_client()
    answer = client.post(path, json=body, headers=BEARER, buffered=False)  # what another API answers is not described as ours
    assert (answer.status_code == 200) == taken, answer.text
