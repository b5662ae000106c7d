"""Managing hooks at /hooks (hooks §4)."""

from __future__ import annotations

import re
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.conftest import DOMAIN, SHARED, MakeApp, basic, register_users
from xmpp_rest.gateway.gateway import Gateway
from xmpp_rest.service.messages.archive import EVERYTHING

JULIET, NURSE, ADMIN = (basic(f"{user}@{DOMAIN}") for user in ("juliet", "nurse", "admin"))
MADE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3})?Z")


def make(client: FlaskClient, who: dict[str, str] = JULIET, **members: Any) -> TestResponse:
    return client.post("/hooks", json={"name": "ops"} | members, headers=who)


def problem(answer: TestResponse, status: int, member: str = "") -> str:
    """The detail of a problem document, which must be of this status and about this member."""
    assert (answer.status_code, answer.content_type) == (status, "application/problem+json")
    document = answer.get_json()
    assert document["status"] == status
    assert document.get("member", "") == member
    return str(document["detail"])


def test_a_new_hook(client: FlaskClient) -> None:
    answer = make(client)
    hook = answer.get_json()
    assert answer.status_code == 201
    assert answer.headers["Location"] == "/hooks/ops"
    assert answer.headers["Cache-Control"] == "no-store"
    token = hook.pop("token")
    assert re.fullmatch("hk_[0-9A-Za-z]{27}", token)
    assert hook.pop("url") == f"http://localhost/hooks/{token}"
    assert MADE.fullmatch(hook.pop("made"))
    jid = f"juliet@{DOMAIN}"
    assert hook == {
        "name": "ops", "owner": jid, "from": jid, "targets": [jid], "format": "auto", "template": None, "nick": "ops", "update": False,
        "rate": None, "signed": False, "get": False, "expires": None, "used": None, "deliveries": 0, "source": "account",
    }  # fmt: skip
    there = client.get("/hooks/OPS", headers=JULIET)
    assert there.get_json() == hook | {"made": there.get_json()["made"]}
    assert client.get("/hooks", headers=JULIET).get_json() == {"count": 1, "hooks": [there.get_json()]}


def test_the_answer_of_get_can_be_sent_back(client: FlaskClient) -> None:
    members: dict[str, Any] = {
        "targets": [f"nurse@{DOMAIN}", "room:verona@rooms.example"], "format": "alertmanager", "template": "{{ text }}", "nick": "Ops!",
        "update": True, "rate": 7, "secret": "hand in glove", "get": True, "expires": "2999-12-24T18:00:00+01:00",
    }  # fmt: skip
    assert make(client, **members).status_code == 201
    before = client.get("/hooks/ops", headers=JULIET)
    shown = before.get_json()
    assert shown["signed"] is True
    assert "secret" not in shown
    assert shown["expires"] == "2999-12-24T17:00:00Z"
    assert {key: shown[key] for key in members if key not in ("secret", "expires")} == {
        k: v for k, v in members.items() if k not in ("secret", "expires")
    }
    again = client.put("/hooks/ops", json=shown, headers=JULIET | {"If-Match": before.headers["ETag"]})
    assert again.status_code == 200
    assert again.get_json() == shown
    stale = client.put("/hooks/ops", json=shown, headers=JULIET | {"If-Match": before.headers["ETag"]})
    assert problem(stale, 412) is not None
    gone = client.put("/hooks/ops", json=shown | {"secret": None}, headers=JULIET)
    assert gone.get_json()["signed"] is False


def test_an_absent_member_gets_its_default(client: FlaskClient) -> None:
    make(client, nick="Ops!", secret="hand in glove", rate=7)
    now = client.put("/hooks/ops", json={}, headers=JULIET).get_json()
    assert (now["nick"], now["signed"], now["rate"]) == ("ops", True, None)


def test_put_makes_what_is_not_there(client: FlaskClient) -> None:
    answer = client.put("/hooks/ops", json={"format": "slack"}, headers=JULIET)
    assert answer.status_code == 201
    assert answer.headers["Location"] == "/hooks/ops"
    assert answer.get_json()["token"]
    assert problem(client.put("/hooks/other", json={}, headers=JULIET | {"If-Match": "*"}), 412)


def test_a_removed_hook_is_gone(client: FlaskClient, gateway: Gateway) -> None:
    token = make(client).get_json()["token"]
    assert gateway.parts.hooks.by_token(token)
    tag = client.get("/hooks/ops", headers=JULIET).headers["ETag"]
    assert problem(client.delete("/hooks/ops", headers=JULIET | {"If-Match": '"x"'}), 412)
    assert client.delete("/hooks/ops", headers=JULIET | {"If-Match": tag}).status_code == 204
    assert problem(client.get("/hooks/ops", headers=JULIET), 404)
    assert problem(client.delete("/hooks/ops", headers=JULIET), 404)
    assert gateway.parts.hooks.by_token(token) is None
    assert make(client).status_code == 201


def test_a_new_token_replaces_the_old_one(client: FlaskClient, gateway: Gateway) -> None:
    old = make(client).get_json()["token"]
    answer = client.post("/hooks/ops/token", headers=JULIET)
    assert answer.status_code == 200
    new = answer.get_json()["token"]
    assert answer.get_json() == {"token": new, "url": f"http://localhost/hooks/{new}"}
    hooks = gateway.parts.hooks
    assert (hooks.by_token(old), hooks.by_token(new)) == (None, hooks.named("ops"))


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/hooks"), ("POST", "/hooks"), ("GET", "/hooks/x"), ("PUT", "/hooks/x"), ("DELETE", "/hooks/x")]
)
def test_without_good_credentials(client: FlaskClient, method: str, path: str) -> None:
    for headers in ({}, basic(f"juliet@{DOMAIN}", "wrong")):
        answer = client.open(path, method=method, json={}, headers=headers)
        assert problem(answer, 401)
        assert answer.headers["WWW-Authenticate"] == 'Basic realm="hooks"'
        assert answer.headers["Cache-Control"] == "no-store"


def test_a_token_that_only_sends_does_not_manage(client: FlaskClient, gateway: Gateway) -> None:
    juliet = gateway.parts.accounts.address("juliet", DOMAIN)
    token = gateway.parts.tokens.issue(juliet, [f"send:*@{DOMAIN}"], 60)
    bearer = {"Authorization": f"Bearer {token}"}
    assert problem(client.get("/hooks", headers=bearer), 403)
    assert problem(make(client, bearer), 403)
    good = {"Authorization": f"Bearer {gateway.parts.tokens.issue(juliet, ['sasl_auth'], 60)}"}
    assert make(client, good).status_code == 201


def test_a_hook_of_somebody_else(client: FlaskClient) -> None:
    make(client)
    assert client.get("/hooks", headers=NURSE).get_json() == {"count": 0, "hooks": []}
    assert problem(client.get(f"/hooks?owner=juliet@{DOMAIN}", headers=NURSE), 403)
    for method, path in (("GET", "/hooks/ops"), ("PUT", "/hooks/ops"), ("DELETE", "/hooks/ops"), ("POST", "/hooks/ops/token")):
        assert problem(client.open(path, method=method, json={}, headers=NURSE), 404)
    assert problem(make(client, NURSE), 409)
    assert client.get("/hooks", headers=ADMIN).get_json()["count"] == 1
    assert client.get(f"/hooks?owner=nurse@{DOMAIN}", headers=ADMIN).get_json()["count"] == 0
    assert client.get(f"/hooks?owner=juliet@{DOMAIN}", headers=ADMIN).get_json()["count"] == 1


WRONG = [
    ("name", "Ä"), ("name", "-ops"), ("name", "hk_ops"), ("name", "x" * 65), ("name", 1), ("name", None), ("name", ""),
    ("owner", 1), ("owner", "@"), ("from", f"juliet@{DOMAIN}/x"), ("from", ""),
    ("targets", []), ("targets", "nurse"), ("targets", [1]), ("targets", ["a@"]), ("targets", ["room:"]), ("targets", ["nurse"]),
    ("targets", [f"u{n}@{DOMAIN}" for n in range(21)]), ("targets", None), ("format", "xml"), ("format", None), ("format", []),
    ("template", 1), ("template", "x" * 8193), ("nick", ""), ("nick", 1), ("nick", None), ("update", 1), ("update", None), ("get", "yes"),
    ("rate", 0), ("rate", 6001), ("rate", "5"), ("rate", True), ("rate", 1.0), ("secret", ""), ("secret", "short"), ("secret", "x" * 257),
    ("secret", 12345678), ("expires", "tomorrow"), ("expires", "2001-01-01T00:00:00Z"), ("expires", 1), ("expires", "2999-12-24"),
    ("secret", "\ud800hand in glove"), ("secret", "\0hand in glove"), ("template", "\ud800"), ("template", "a\0b"), ("template", "{{ x"),
    ("nick", "\ud800"), ("owner", "\ud800"), ("expires", "9999-12-31T23:59:59-23:59"), ("targets", [f" a@{DOMAIN}"]),
    ("token", "hk_" + "a" * 27), ("channel", "#ops"),
]  # fmt: skip


@SHARED
@pytest.mark.parametrize(("member", "value"), WRONG)
def test_a_wrong_member_is_named(client: FlaskClient, member: str, value: object) -> None:
    members: dict[str, Any] = {member: value}
    assert problem(make(client, **members), 422, member)
    assert client.get("/hooks", headers=JULIET).get_json()["count"] == 0


def test_what_is_read_only_is_ignored(client: FlaskClient) -> None:
    hook = make(client, made=1, used=2, deliveries=3, source=4, signed=True).get_json()
    assert (hook["deliveries"], hook["used"], hook["source"], hook["signed"]) == (0, None, "account", False)


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'"x"', b"null", b"\xff{}"])
def test_a_body_that_is_no_object(client: FlaskClient, body: bytes) -> None:
    assert problem(client.post("/hooks", data=body, content_type="application/json", headers=JULIET), 400)


def test_bodies_of_another_size_and_type(client: FlaskClient) -> None:
    assert problem(make(client, template="x" * 65536), 413)
    assert problem(client.post("/hooks", data="name=ops", content_type="text/plain", headers=JULIET), 415)
    assert problem(client.post("/hooks", data=b"{}", headers=JULIET), 415)


def test_what_only_administrators_may_set(client: FlaskClient) -> None:
    for member in (wanted := {"from": f"nurse@{DOMAIN}", "owner": f"nurse@{DOMAIN}", "rate": 61}):
        assert problem(client.post("/hooks", json={"name": "ops", member: wanted[member]}, headers=JULIET), 403, member)
    assert make(client, rate=60).status_code == 201
    given: dict[str, Any] = {"from": f"desk@{DOMAIN}", "owner": f"nurse@{DOMAIN}", "rate": 6000}
    hook = make(client, ADMIN, name="desk", **given).get_json()
    assert {key: hook[key] for key in given} == given
    assert hook["targets"] == [f"nurse@{DOMAIN}"]
    shown = client.get("/hooks/desk", headers=NURSE).get_json()
    kept = client.put("/hooks/desk", json=shown | {"nick": "Desk"}, headers=NURSE)
    assert (kept.status_code, kept.get_json()) == (200, shown | {"nick": "Desk"})
    assert problem(client.put("/hooks/desk", json=shown | {"rate": 5999}, headers=NURSE), 403, "rate")
    assert problem(make(client, ADMIN, name="x", **{"from": "ceo@other.example"}), 422, "from")
    assert problem(make(client, ADMIN, name="x", owner=f"nobody@{DOMAIN}"), 422, "owner")


def test_hooks_of_administrators_speak_as_the_address(client: FlaskClient) -> None:
    hook = make(client, ADMIN).get_json()
    assert (hook["owner"], hook["from"], hook["targets"]) == (f"admin@{DOMAIN}", f"hooks@{DOMAIN}", [f"admin@{DOMAIN}"])
    of_juliet = make(client, ADMIN, name="j", owner=f"juliet@{DOMAIN}").get_json()
    assert of_juliet["from"] == f"juliet@{DOMAIN}"
    assert client.get("/hooks/j", headers=JULIET).status_code == 200


def test_an_account_of_the_name_of_the_address_has_no_hooks(make_app: MakeApp) -> None:
    client = register_users(make_app(hooks_address=f"nurse@{DOMAIN}")).test_client()
    assert make(client, ADMIN, targets=[f"juliet@{DOMAIN}"], owner=f"nurse@{DOMAIN}").status_code == 201
    problem(client.get("/hooks", headers=NURSE), 403)
    problem(make(client, NURSE, name="mine"), 403)
    problem(client.post("/hooks/ops/token", headers=NURSE), 403)
    problem(client.post("/hooks/ops", data="words", headers=NURSE), 404)
    assert client.post("/hooks/ops", data="words", headers=ADMIN).status_code == 200


def test_the_name_is_taken(client: FlaskClient) -> None:
    make(client)
    assert problem(make(client, name="OPS"), 409)
    assert problem(client.put("/hooks/ops", json={"name": "other"}, headers=JULIET), 422, "name")


def test_who_may_make_hooks_and_how_many(make_app: MakeApp) -> None:
    few = register_users(make_app(hooks_per_account="2")).test_client()
    assert [make(few, name=f"n{n}").status_code for n in range(3)] == [201, 201, 403]
    assert few.delete("/hooks/n0", headers=JULIET).status_code == 204
    assert make(few, name="n3").status_code == 201
    assert make(few, NURSE, name="n4").status_code == 201
    admins = register_users(make_app(hooks_who="admin")).test_client()
    assert problem(make(admins), 403)
    assert problem(admins.put("/hooks/ops", json={}, headers=JULIET), 403)
    assert make(admins, ADMIN).status_code == 201
    assert admins.get("/hooks", headers=JULIET).status_code == 200


def test_a_hook_of_the_configuration(make_app: MakeApp) -> None:
    token = "hk_" + "a" * 27
    app = register_users(make_app(hook_ops_token=token, hook_ops_targets=f"nurse@{DOMAIN}, room:verona@rooms.example"))
    client = app.test_client()
    hook = client.get("/hooks/ops", headers=ADMIN).get_json()
    assert (hook["owner"], hook["from"], hook["source"]) == (f"hooks@{DOMAIN}", f"hooks@{DOMAIN}", "configuration")
    assert hook["targets"] == [f"nurse@{DOMAIN}", "room:verona@rooms.example"]
    assert app.extensions["gateway"].parts.hooks.by_token(token).name == "ops"
    for method, path in (("PUT", "/hooks/ops"), ("DELETE", "/hooks/ops"), ("POST", "/hooks/ops/token")):
        assert problem(client.open(path, method=method, json={}, headers=ADMIN), 409)
        assert problem(client.open(path, method=method, json={}, headers=JULIET), 404)
    assert problem(make(client, JULIET), 409)
    assert client.get("/hooks", headers=ADMIN).get_json()["count"] == 1
    assert client.get("/hooks", headers=JULIET).get_json()["count"] == 0


@pytest.mark.parametrize("name", ["%ff", "OPS%00", "x" * 3000, "-x", "%F0%9F%94%A5"])
def test_what_can_be_no_name(client: FlaskClient, name: str) -> None:
    for method, status, member in (("GET", 404, ""), ("PUT", 422, "name"), ("DELETE", 404, "")):
        assert problem(client.open(f"/hooks/{name}", method=method, json={}, headers=JULIET), status, member)


def test_options(client: FlaskClient) -> None:
    assert client.options("/hooks").headers["Allow"] == "GET, HEAD, OPTIONS, POST"
    assert problem(client.delete("/hooks", headers=JULIET), 405)


def test_the_url_is_the_public_one(make_app: MakeApp) -> None:
    client = register_users(make_app(server_public_url="https://chat.example/xmpp/")).test_client()
    answer = make(client)
    assert answer.headers["Location"] == "/xmpp/hooks/ops"
    assert answer.get_json()["url"] == f"https://chat.example/xmpp/hooks/{answer.get_json()['token']}"


def test_the_test_message(client: FlaskClient, gateway: Gateway) -> None:
    nobody = f"nobody@{DOMAIN}"
    make(client, targets=[f"nurse@{DOMAIN}", nobody])
    answer = client.post("/hooks/ops/test", headers=JULIET)
    assert answer.status_code == 200
    told = answer.get_json()
    first, second = told["results"]
    assert (told["hook"], told["format"], first["to"], first["outcome"], first["how"]) == (
        "ops",
        "json",
        f"nurse@{DOMAIN}",
        "accepted",
        "sent",
    )
    assert (second["to"], second["outcome"], second["error"]["condition"]) == (nobody, "refused", "service-unavailable")
    (kept,) = gateway.parts.archive.page(gateway.parts.accounts.address("nurse", DOMAIN), EVERYTHING, 10).items
    assert (kept.stanza.findtext("body"), kept.stanza.get("from")) == ("Test of the hook ops", f"juliet@{DOMAIN}/hooks")
    assert client.get("/hooks/ops", headers=JULIET).get_json()["deliveries"] == 0
    client.put("/hooks/ops", json={"targets": [nobody]}, headers=JULIET)
    refused = client.post("/hooks/ops/test", headers=JULIET)
    assert problem(refused, 502)
    assert refused.get_json()["results"][0]["outcome"] == "refused"
    assert problem(client.post("/hooks/ops/test", headers=NURSE), 404)
