"""Publishing at topics, as JSON and by GET; who may, and what is answered (hooks §13.1, §13.2)."""

from __future__ import annotations

import base64
import hmac
import json
import time
from typing import Any
from xml.etree.ElementTree import Element

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.api.ntfy.conftest import make_hook
from tests.conftest import DOMAIN, MakeApp, basic, register_users
from xmpp_rest.gateway.gateway import Gateway
from xmpp_rest.protocol.jid import parse_jid
from xmpp_rest.service.messages.archive import EVERYTHING

JULIET, NURSE = basic("juliet"), basic("nurse")


def received(gateway: Gateway, name: str = "nurse") -> list[Element]:
    return [kept.stanza for kept in gateway.parts.archive.page(parse_jid(f"{name}@{DOMAIN}"), EVERYTHING, 10).items]


def bodies(gateway: Gateway, name: str = "nurse") -> list[str | None]:
    return [stanza.findtext("body") for stanza in received(gateway, name)]


def code(answer: TestResponse) -> tuple[int, int]:
    body = answer.get_json()
    assert body["http"] == answer.status_code
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert answer.content_type == "application/json"
    return answer.status_code, body["code"]


def in_query(credentials: dict[str, str]) -> str:
    return base64.urlsafe_b64encode(credentials["Authorization"].encode()).decode().rstrip("=")


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_a_body_is_the_message(client: FlaskClient, gateway: Gateway, token: str, method: str) -> None:
    began = int(time.time())
    answer = client.open(f"/ntfy/{token}", method=method, data="Backup successful 😀", content_type="image/png")
    assert (answer.status_code, answer.content_type) == (200, "application/json")
    assert (answer.headers["Access-Control-Allow-Origin"], answer.headers["Cache-Control"]) == ("*", "no-store")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.data.count(b"\n") == 1
    body = answer.get_json()
    assert len(body.pop("id")) == 12
    assert began <= body["time"] <= time.time()
    assert body.pop("expires") == body.pop("time") + 43200
    assert body == {"event": "message", "topic": token, "message": "Backup successful 😀"}
    (stanza,) = received(gateway)
    assert (stanza.get("from"), stanza.findtext("body")) == (f"juliet@{DOMAIN}/hooks", "Backup successful 😀")
    assert answer.headers["RateLimit-Policy"] == '"hook";q=60;w=60'


def test_all_parameters(client: FlaskClient, gateway: Gateway, token: str) -> None:
    fields = {
        "Title": "Größe".encode().decode("latin-1"), "Priority": "5", "Tags": "warning,disk", "Click": "https://e.net/", "Icon": "https://e.net/i.png",
        "Attach": "https://e.net/f.jpg", "Actions": "view, Open, https://e.net/o", "Markdown": "yes",
    }  # fmt: skip
    body = client.post(f"/ntfy/{token}", data="hot", headers=fields).get_json()
    assert (body["title"], body["priority"], body["tags"], body["click"]) == ("Größe", 5, ["warning", "disk"], "https://e.net/")
    assert (body["icon"], body["attachment"]) == ("https://e.net/i.png", {"name": "f.jpg", "url": "https://e.net/f.jpg"})
    assert (body["content_type"], body["actions"][0]["label"]) == ("text/markdown", "Open")
    (text,) = bodies(gateway)
    assert text
    for part in ("Größe", "hot", "https://e.net/"):
        assert part in text


@pytest.mark.parametrize("word", ["publish", "send", "trigger"])
def test_get_sends_what_the_query_says(client: FlaskClient, gateway: Gateway, token: str, word: str) -> None:
    answer = client.get(f"/ntfy/{token}/{word}?message=It%20is%5Cndone&p=high&ta=a,b")
    assert (answer.status_code, answer.get_json()["message"], answer.get_json()["priority"]) == (200, "It is\ndone", 4)
    assert client.get(f"/ntfy/{token}/{word}", headers={"Priority": "u=0, i"}).get_json()["message"] == "triggered"
    assert len(received(gateway)) == 2


@pytest.mark.parametrize(
    ("method", "fields"), [("HEAD", {}), ("GET", {"Purpose": "prefetch"}), ("GET", {"Sec-Purpose": "prefetch;prerender"}), ("GET", {"X-Moz": "prefetch"})]
)
def test_looking_sends_nothing(client: FlaskClient, gateway: Gateway, token: str, method: str, fields: dict[str, str]) -> None:
    answer = client.open(f"/ntfy/{token}/trigger", method=method, headers=fields)
    assert answer.status_code == 405
    assert not received(gateway)


@pytest.mark.parametrize("path", ["/ntfy", "/ntfy/", "/"])
@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_json(client: FlaskClient, gateway: Gateway, token: str, path: str, method: str) -> None:
    message = {"topic": token, "message": "done", "title": "Backup", "tags": ["tada"], "priority": 4, "attach": None}
    answer = client.open(path, method=method, data=json.dumps(message), headers={"X-Priority": "1", "X-Click": "https://e.net"})
    assert answer.status_code == 200
    body = answer.get_json()
    assert (body["topic"], body["title"], body["priority"], body["tags"], body["click"]) == (token, "Backup", 4, ["tada"], "https://e.net")
    assert len(received(gateway)) == 1


@pytest.mark.parametrize("body", ["", "x", "{}", "[1]", '{"to": "a"}', "a=b"])
def test_anything_else_at_the_root_is_answered_as_before(client: FlaskClient, body: str) -> None:
    answer = client.post("/", data=body)
    assert (answer.status_code, answer.headers["Allow"]) == (405, "GET, HEAD, OPTIONS")
    assert "Content-Security-Policy" in answer.headers
    assert "Access-Control-Allow-Origin" not in answer.headers


def test_without_a_page_at_the_root_nothing_is_there(make_app: MakeApp) -> None:
    client = make_app(pages_landing="no").test_client()
    assert client.post("/", data="x").status_code == 404
    assert code(client.post("/", json={"topic": "juliet"})) == (403, 40301)


@pytest.mark.parametrize(("prefix", "path"), [("", "/"), ("/deep/ntfy", "/deep/ntfy"), ("/", "/")])
def test_the_prefix(make_app: MakeApp, prefix: str, path: str) -> None:
    app = register_users(make_app(ntfy_prefix=prefix))
    client = app.test_client()
    token = make_hook(app.extensions["gateway"])
    assert client.post(path, json={"topic": token, "message": "m"}).status_code == 200
    assert client.post("/", json={"topic": token, "message": "m"}).status_code == 200
    answer = client.post(f"{prefix.rstrip('/')}/{token}", data="m")
    assert answer.status_code == (200 if prefix else 404)
    assert client.get("/health").status_code == 200


def test_names_of_routes_are_no_topics_at_the_root(make_app: MakeApp) -> None:
    client = register_users(make_app(ntfy_prefix="/")).test_client()
    for name in ("rest", "health", "docs", "v1"):
        assert code(client.post("/", json={"topic": name}, headers=JULIET)) == (400, 40010)
    assert code(client.put("/", data="{")) == (400, 40024)
    assert code(client.get("/health/json")) == (400, 40010)
    assert client.options("/").headers["Access-Control-Allow-Headers"] == "*"
    assert client.get("/").status_code == 200
    assert client.post("/rest", json={"to": f"nurse@{DOMAIN}", "body": "m"}, headers=JULIET).status_code == 202
    assert client.post("/message", json={"message": "m"}).status_code == 401
    assert client.post("/nurse", data="m", headers=JULIET).status_code == 200


@pytest.mark.parametrize(
    ("topic", "credentials", "expected"),
    [
        ("nurse", JULIET, (200, "")),
        ("nurse%40capulet.example", JULIET, (200, "")),
        ("ops", JULIET, (200, "")),
        ("OPS", JULIET, (200, "")),
        ("ops", basic("admin"), (200, "")),
        ("ops", NURSE, (404, 40401)),
        ("nobody", JULIET, (404, 40401)),
        ("nobody", {}, (403, 40301)),
        ("nurse", {}, (403, 40301)),
        ("ops", {}, (403, 40301)),
        ("ops", {"Authorization": "vapid t=x"}, (403, 40301)),
        ("nurse", basic("juliet", "wrong"), (401, 40101)),
        ("nobody", bearer("unknown"), (401, 40101)),
        ("ops", bearer("hk_" + "x" * 27), (401, 40101)),
        ("nurse", bearer("hk_" + "x" * 27), (401, 40101)),
        ("hk_" + "x" * 27, {}, (403, 40301)),
        ("hk_" + "x" * 27, JULIET, (404, 40401)),
        ("bad!topic", JULIET, (400, 40009)),
        ("x" * 65, JULIET, (400, 40009)),
        ("@", JULIET, (400, 40009)),
        ("a,b", JULIET, (400, 40009)),
    ],
)
def test_who_may_publish(client: FlaskClient, token: str, topic: str, credentials: dict[str, str], expected: tuple[int, int]) -> None:
    answer = client.post(f"/ntfy/{topic}", data="m", headers=credentials)
    if expected[0] == 200:
        assert answer.status_code == 200
    else:
        assert code(answer) == expected
    if credentials and expected[0] in (200, 401):
        in_url = client.post(f"/ntfy/{topic}?auth={in_query(credentials)}", data="m", headers=basic("nobody", "x"))
        assert in_url.status_code == expected[0]
    assert ("WWW-Authenticate" in answer.headers) == (expected[0] == 401)


def test_a_token_of_a_hook_in_any_place(client: FlaskClient, gateway: Gateway, token: str) -> None:
    for credentials in (bearer(token), basic(token, ""), basic("", token), basic("x", token), basic(token, "None")):
        assert client.post("/ntfy/ops", data="m", headers=credentials).status_code == 200
        assert client.post(f"/ntfy/ops?auth={in_query(credentials)}", data="m").status_code == 200
        assert client.post(f"/ntfy/ops?authorization={in_query(credentials)}==", data="m").status_code == 200
    assert code(client.post("/ntfy/ops?auth=%F0%9F", data="m")) == (401, 40101)


def test_a_token_for_certain_recipients(client: FlaskClient, gateway: Gateway, token: str) -> None:
    limited = gateway.parts.tokens.issue(parse_jid(f"juliet@{DOMAIN}"), ["send:nurse@*"], 60)
    for credentials in (bearer(limited), basic("", limited)):
        assert client.post("/ntfy/nurse", data="m", headers=credentials).status_code == 200
        assert code(client.post("/ntfy/juliet", data="m", headers=credentials)) == (403, 40301)
        assert code(client.post("/ntfy/ops", data="m", headers=credentials)) == (404, 40401)


def test_a_foreign_page_has_no_ambient_credentials(client: FlaskClient, gateway: Gateway, token: str) -> None:
    page = {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}
    assert code(client.post("/ntfy/nurse", data="m", headers=JULIET | page)) == (403, 40301)
    assert code(client.get("/ntfy/nurse/trigger", headers=JULIET | page)) == (403, 40301)
    assert not received(gateway)
    assert client.post(f"/ntfy/{token}", data="m", headers=JULIET | page).status_code == 200


def test_a_message_to_an_account_is_the_caller_s(client: FlaskClient, gateway: Gateway) -> None:
    answer = client.post("/ntfy/nurse", data="hot", headers=JULIET | {"Title": "CPU"})
    assert (answer.get_json()["topic"], answer.get_json()["title"]) == ("nurse", "CPU")
    (stanza,) = received(gateway)
    assert (stanza.get("from"), stanza.get("type")) == (f"juliet@{DOMAIN}", "chat")
    assert "CPU" in (stanza.findtext("body") or "")


def test_an_address_elsewhere(client: FlaskClient, sent: list[Element]) -> None:
    assert client.post("/ntfy/romeo%40montague.example", data="hot", headers=JULIET).status_code == 200
    assert sent[0].get("to") == "romeo@montague.example"


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"Email": "a@b.example"}, (400, 40001)),
        ({"Delay": "1h", "Cache": "no"}, (400, 40002)),
        ({"Delay": "soon"}, (400, 40004)),
        ({"Delay": "5s"}, (400, 40005)),
        ({"Delay": "40 days"}, (400, 40006)),
        ({"Priority": "9"}, (400, 40007)),
        ({"Actions": "jump"}, (400, 40018)),
        ({"Template": "yes"}, (400, 40043)),
    ],
)
def test_what_is_refused_is_not_sent(client: FlaskClient, gateway: Gateway, token: str, fields: dict[str, str], expected: tuple[int, int]) -> None:
    assert code(client.post(f"/ntfy/{token}", data="m", headers=fields)) == expected
    assert not received(gateway)


def test_bodies_that_are_too_large(make_app: MakeApp) -> None:
    app = register_users(make_app(hooks_size_limit="6000"))
    client, token = app.test_client(), make_hook(app.extensions["gateway"])
    assert code(client.post(f"/ntfy/{token}", data="x" * 6001)) == (413, 41301)
    assert code(client.post("/ntfy", data="x" * 6001)) == (413, 41303)
    assert code(client.post("/", data="x" * 6001)) == (413, 41303)
    assert code(client.post(f"/ntfy/{token}", data="x" * 5001)) == (400, 40014)
    assert code(client.post(f"/ntfy/{token}", data=b"\xff")) == (400, 40014)


@pytest.mark.parametrize("body", ["", "{", "[]", '{"topic": 1}'])
def test_json_that_cannot_be_read(client: FlaskClient, body: str) -> None:
    assert code(client.post("/ntfy", data=body)) == (400, 40024)


@pytest.mark.parametrize("message", [{}, {"message": "m"}, {"topic": ""}, {"topic": "a b"}])
def test_json_without_a_topic(client: FlaskClient, message: dict[str, Any]) -> None:
    assert code(client.post("/ntfy", json=message)) == (400, 40009)


def test_a_template(client: FlaskClient, gateway: Gateway, token: str) -> None:
    alert = {"version": "4", "groupKey": "g", "status": "firing", "alerts": [{"status": "firing", "labels": {"alertname": "DiskFull"}}]}
    answer = client.post(f"/ntfy/{token}", json=alert, headers={"Template": "alertmanager"})
    assert answer.status_code == 200
    assert "DiskFull" in answer.get_json()["message"] + answer.get_json().get("title", "")


def test_a_limited_hook(make_app: MakeApp) -> None:
    app = register_users(make_app(limits_hook="1"))
    client, token = app.test_client(), make_hook(app.extensions["gateway"])
    assert client.post(f"/ntfy/{token}", data="m").status_code == 200
    answer = client.post(f"/ntfy/{token}", data="m")
    assert code(answer) == (429, 42901)
    assert int(answer.headers["Retry-After"]) >= 1


def test_nobody_who_gets_it(client: FlaskClient, gateway: Gateway) -> None:
    token = make_hook(gateway, to="nobody")
    assert code(client.post(f"/ntfy/{token}", data="m")) == (502, 50201)
    assert code(client.post("/ntfy/nobody%40capulet.example", data="m", headers=JULIET)) == (502, 50201)


def test_a_preflight(client: FlaskClient) -> None:
    for path in ("/ntfy", "/ntfy/ops", "/ntfy/ops/json", "/ntfy/x/y/z", "/ntfy/v1/health"):
        answer = client.options(path)
        assert answer.status_code == 200
        assert answer.headers["Access-Control-Allow-Methods"] == "GET, PUT, POST"
        assert answer.headers["Access-Control-Allow-Headers"] == "*"
        assert answer.headers["Access-Control-Allow-Origin"] == "*"


@pytest.mark.parametrize("path", ["/ntfy/ops/raw", "/ntfy/ops/ws", "/ntfy/a/b/c", "/ntfy/v1/account", "/ntfy/ops/"])
def test_what_is_not_offered(client: FlaskClient, path: str) -> None:
    assert code(client.get(path)) == (404, 40401)


def test_no_token_is_logged(client: FlaskClient, token: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    client.post(f"/ntfy/ops?auth={in_query(bearer(token))}", data="m")
    client.post("/ntfy", json={"topic": token, "message": "m"})
    assert token not in caplog.text
    assert in_query(bearer(token)) not in caplog.text


def test_a_repetition_is_not_sent_again(client: FlaskClient, gateway: Gateway, token: str) -> None:
    first = client.post(f"/ntfy/{token}", data="m", headers={"Idempotency-Key": "k"})
    second = client.post(f"/ntfy/{token}", data="m", headers={"Idempotency-Key": "k"})
    assert second.get_json() == first.get_json()
    assert second.headers["Idempotent-Replayed"] == "true"
    assert len(received(gateway)) == 1
    assert client.post(f"/ntfy/{token}", data="m", headers={"Idempotency-Key": ""}).status_code == 400


def test_a_hook_with_a_secret(client: FlaskClient, gateway: Gateway) -> None:
    token = make_hook(gateway, secret="montague")
    right = hmac.digest(b"montague", b"m", "sha256").hex()
    assert client.post(f"/ntfy/{token}", data="m", headers={"X-Hub-Signature-256": f"sha256={right}"}).status_code == 200
    for fields in ({}, {"X-Hub-Signature-256": "sha256=00"}, {"X-Hub-Signature-256": f"sha256={right}", "X-Gitea-Signature": "00"}):
        assert code(client.post(f"/ntfy/{token}", data="m", headers=fields)) == (403, 40301)
    assert len(received(gateway)) == 1


def test_too_many_unknown_tokens(make_app: MakeApp) -> None:
    app = register_users(make_app(auth_failures="3"))
    client, token = app.test_client(), make_hook(app.extensions["gateway"])
    answers = [client.post("/ntfy/hk_" + "x" * 27, data="m") for _ in range(6)]
    assert code(answers[0]) == (403, 40301)
    assert code(answers[-1]) == (429, 42909)
    assert int(answers[-1].headers["Retry-After"]) > 0
    assert client.post(f"/ntfy/{token}", data="m").status_code == 200


def test_who_gives_up_after_429_is_told_to_try_again(make_app: MakeApp) -> None:
    app = register_users(make_app(limits_hook="1"))
    client, token = app.test_client(), make_hook(app.extensions["gateway"])
    assert client.post(f"/ntfy/{token}", data="m").status_code == 200
    alert = {"version": "4", "groupKey": "g", "status": "firing", "alerts": [{"status": "firing", "labels": {"alertname": "DiskFull"}}]}
    alertmanager = {"User-Agent": "Alertmanager/0.27.0"}
    for answer in (
        client.post(f"/ntfy/{token}?template=alertmanager", json=alert),
        client.post(f"/ntfy/{token}", data="m", headers=alertmanager),
        client.post(f"/hooks/{token}/ntfy", json={"message": "m"}, headers=alertmanager),
    ):
        assert (answer.status_code, answer.get_json()["code"]) == (503, 50301)
        assert int(answer.headers["Retry-After"]) >= 1


def test_a_limited_account(make_app: MakeApp) -> None:
    client = register_users(make_app(limits_account="1")).test_client()
    assert client.post("/ntfy/nurse", data="m", headers=JULIET).headers["RateLimit-Policy"] == '"account";q=1;w=60'
    answer = client.post("/ntfy/nurse", data="m", headers=JULIET)
    assert code(answer) == (429, 42901)
    assert int(answer.headers["Retry-After"]) >= 1


def test_a_scheduled_message_to_an_account(client: FlaskClient, gateway: Gateway) -> None:
    answer = client.post("/ntfy/nurse", data="later", headers=JULIET | {"In": "1h"})
    assert answer.get_json()["time"] > time.time() + 3500
    (waiting,) = gateway.parts.scheduled.all(parse_jid(f"juliet@{DOMAIN}"))
    assert waiting.body == "later"
    assert not received(gateway)


@pytest.mark.parametrize("coding", ["aes128gcm", "gzip"])
def test_a_body_in_a_coding_that_it_has_not(client: FlaskClient, token: str, coding: str) -> None:
    assert code(client.post(f"/ntfy/{token}", data=b"\x00\xff", headers={"Content-Encoding": coding})) == (400, 40014)


@pytest.mark.parametrize("fields", [{"If-None-Match": "*"}, {"If-Match": '"x"'}, {"Content-Range": "bytes 0-1/2"}, {"Accept": "image/png"}, {"Range": "bytes=0-1"}])
def test_what_means_nothing_to_ntfy(client: FlaskClient, token: str, fields: dict[str, str]) -> None:
    assert client.put(f"/ntfy/{token}", data="m", headers=fields).status_code == 200
    assert client.get(f"/ntfy/{token}/json?poll=1", headers=fields).status_code == 200


def test_a_ping_of_a_forge_is_no_message(client: FlaskClient, gateway: Gateway, token: str) -> None:
    ping = {"zen": "Keep it logically awesome.", "hook_id": 1}
    for topic in (token, "nurse"):
        answer = client.post(f"/ntfy/{topic}", json=ping, headers=JULIET | {"Template": "github", "X-GitHub-Event": "ping"})
        assert answer.status_code == 200
    assert not received(gateway)


def test_the_fields_of_a_limit_are_there_once(make_app: MakeApp) -> None:
    app = register_users(make_app(limits_hook="1"))
    client, token = app.test_client(), make_hook(app.extensions["gateway"])
    answers = [client.post(f"/ntfy/{token}", data="m") for _ in range(2)]
    assert len(answers[1].headers.getlist("Retry-After")) == 1
    assert len(answers[1].headers.getlist("RateLimit")) == 1


def test_what_is_refused_counts_as_at_hooks(make_app: MakeApp) -> None:
    """Within the limit once the request is signed; what was refused before costs nothing, and is told how many are left."""
    app = register_users(make_app(limits_hook="2"))
    gateway, client = app.extensions["gateway"], app.test_client()
    token = make_hook(gateway, secret="a good secret")
    bad = client.post(f"/ntfy/{token}", data="m", headers={"Priority": "9"})
    assert (code(bad), bad.headers["RateLimit"]) == ((403, 40301), '"hook";r=2;t=0')
    signed = {"X-Hub-Signature-256": f"sha256={hmac.new(b'a good secret', b'm', 'sha256').hexdigest()}"}
    bad = client.post(f"/ntfy/{token}", data="m", headers=signed | {"Priority": "9"})
    assert (code(bad), bad.headers["RateLimit"]) == ((400, 40007), '"hook";r=1;t=30')
    assert client.post(f"/ntfy/{token}", data="m", headers=signed).status_code == 200
    assert code(client.post(f"/ntfy/{token}", data="m", headers=signed)) == (429, 42901)
    assert bodies(gateway) == ["m"]


@pytest.mark.parametrize("path", ["/ntfy/ops", "/hooks/ops", "/notify/ops"])
def test_a_limited_token_of_the_owner(make_app: MakeApp, path: str) -> None:
    app = register_users(make_app(limits_token="2"))
    gateway, client = app.extensions["gateway"], app.test_client()
    own = make_hook(gateway)
    oauth = gateway.parts.tokens.issue(parse_jid(f"juliet@{DOMAIN}"), ["sasl_auth"], 60)
    answers = [client.post(path, json={"body": "m", "message": "m"}, headers=bearer(oauth)) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[0].headers["RateLimit-Policy"] == '"token";q=2;w=60'
    assert client.post("/msg/nurse", data="m", headers=bearer(oauth)).status_code == 429
    for credentials in (JULIET, bearer(own)):
        assert client.post(path, json={"body": "m", "message": "m"}, headers=credentials).status_code == 200


@pytest.mark.parametrize("payload", [{"action": "opened"}, {}])
def test_every_message_has_a_text(client: FlaskClient, token: str, payload: dict[str, str]) -> None:
    """The apps show no message without one."""
    answer = client.post(f"/ntfy/{token}?template=github", json=payload, headers={"X-GitHub-Event": "issues" if payload else "ping"})
    assert answer.status_code == 200
    assert answer.get_json()["message"]
    for line in client.get(f"/ntfy/{token}/json?poll=1").text.splitlines():
        assert json.loads(line) == answer.get_json()


def test_a_title_alone_has_a_text_too(client: FlaskClient, token: str) -> None:
    assert client.post(f"/hooks/{token}", json={"title": "words"}).status_code == 200
    message = json.loads(client.get(f"/ntfy/{token}/json?poll=1").text)
    assert (message["title"], bool(message["message"])) == ("words", True)


@pytest.mark.parametrize("path", ["/ntfy/nurse", "/ntfy", "/"])
def test_a_body_that_breaks_off(client: FlaskClient, gateway: Gateway, path: str) -> None:
    body = '{"topic": "nurse", "message": "m"}'
    answer = client.post(path, data=body, headers=JULIET, environ_overrides={"CONTENT_LENGTH": "100"})
    assert code(answer) == (400, 40000)
    assert not received(gateway)
