"""A token ends with the account that it was issued for, and a later account of the name inherits nothing."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.conftest import DOMAIN, PASSWORD, MakeApp, basic, register_users
from tests.raising import raising
from xmpp_rest.errors import GatewayError
from xmpp_rest.gateway.gateway import Gateway
from xmpp_rest.protocol.jid import parse_jid

JULIET = parse_jid(f"juliet@{DOMAIN}")
ADMIN = basic(f"admin@{DOMAIN}")
RECORD = f"/data/{DOMAIN}/juliet/accounts"
ACCOUNT = {"user": "juliet", "host": DOMAIN}
BOTH = {"nick": "", "groups": [], "subs": "both"}


@pytest.fixture(params=["sqlite:gateway.sqlite", "flatfile:tree"], ids=["sqlite", "flatfile"])
def app(make_app: MakeApp, request: pytest.FixtureRequest) -> Flask:
    app = make_app(storage_url=request.param)
    app.extensions["gateway"].start()
    register_users(app)
    return app


@pytest.fixture
def token(gateway: Gateway) -> dict[str, str]:
    return {"Authorization": "Bearer " + gateway.parts.tokens.issue(JULIET, ["ejabberd:user"], 60)}


def run(client: FlaskClient, name: str, **arguments: Any) -> Any:
    answer = client.post(f"/api/{name}", json=arguments, headers=ADMIN)
    assert answer.status_code == 200, answer.data
    return answer.get_json()


def is_good(client: FlaskClient, token: dict[str, str]) -> bool:
    statuses = {client.get(path, headers=token).status_code for path in ("/api/contacts", "/data/settings")}
    assert (statuses == {401}) == (client.post("/api/status", json={}, headers=token).status_code == 401)
    return statuses <= {200, 404}


REMOVALS: dict[str, Callable[[FlaskClient, Gateway], object]] = {
    "unregister": lambda client, _: run(client, "unregister", **ACCOUNT),
    "DELETE": lambda client, _: client.delete(RECORD, headers=ADMIN),
    "DELETE by oneself": lambda client, _: client.delete("/data/accounts", headers=basic(str(JULIET))),
    "DELETE with a condition": lambda client, _: client.delete(RECORD, headers=ADMIN | {"If-Match": "*"}),
    "PUT null": lambda client, _: client.put(RECORD, data="null", content_type="application/json", headers=ADMIN),
    "PUT {}": lambda client, _: client.put(RECORD, data="{}", content_type="application/json", headers=ADMIN | {"If-Match": "*"}),
    "delete_old_users": lambda client, gateway: (gateway.parts.last.set(JULIET, 1, ""), run(client, "delete_old_users", days=1)),
}


@pytest.mark.parametrize("how", REMOVALS)
def test_nothing_of_a_removed_account_is_left(client: FlaskClient, gateway: Gateway, token: dict[str, str], how: str) -> None:
    run(client, "add_rosteritem", localuser="nurse", localhost=DOMAIN, user="juliet", host=DOMAIN, **BOTH)
    run(client, "add_rosteritem", localuser="juliet", localhost=DOMAIN, user="nurse", host=DOMAIN, **BOTH)
    run(client, "srg_create", group="verona", host=DOMAIN, label="Verona", description="", display=[])
    run(client, "srg_user_add", user="juliet", host=DOMAIN, group="verona", grouphost=DOMAIN)
    room = client.post("/api/rooms", json={"name": "Orchard", "subject": ""}, headers=basic(str(JULIET))).get_json()["id"]
    client.put("/data/settings", json={"a": 1}, headers=basic(str(JULIET)))
    client.post("/rest", json={"kind": "message", "to": str(JULIET), "body": "Lady"}, headers=basic("nurse"))
    assert is_good(client, token)
    REMOVALS[how](client, gateway)
    assert not is_good(client, token)
    assert run(client, "check_account", **ACCOUNT) == 1
    assert [*gateway.driver.stores("juliet", DOMAIN)] == []
    assert run(client, "srg_get_members", group="verona", host=DOMAIN) == []
    assert [row["subscription"] for row in run(client, "get_roster", user="nurse", host=DOMAIN)] == ["none"]
    run(client, "register", **ACCOUNT, password="another")
    assert not is_good(client, token)
    headers = basic(str(JULIET), "another")
    assert client.get(f"/api/rooms/{room}", headers=headers).status_code in (403, 404)
    assert client.get("/api/messages", headers=headers).get_json() == []
    assert client.get("/data/settings", headers=headers).status_code == 404


@pytest.mark.parametrize("fields", [{"If-Match": '"other"'}, {"If-None-Match": "*"}])
def test_a_removal_whose_condition_fails_changes_nothing(client: FlaskClient, token: dict[str, str], fields: dict[str, str]) -> None:
    assert client.delete(RECORD, headers=ADMIN | fields).status_code == 412
    assert client.put(RECORD, data="null", content_type="application/json", headers=ADMIN | fields).status_code == 412
    assert client.put(RECORD, json={"password": "x"}, headers=ADMIN | fields).status_code == 412
    assert is_good(client, token)


def test_a_removal_that_cannot_be_told_changes_nothing(
    client: FlaskClient, gateway: Gateway, token: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gateway.parts.online, "of", raising(GatewayError("link-down")))
    answer = client.delete(RECORD, headers=ADMIN)
    assert (answer.status_code, answer.headers["Retry-After"].isdigit()) == (503, True)
    assert is_good(client, token)


def test_a_clock_that_is_ahead_voids_no_new_token(client: FlaskClient, gateway: Gateway) -> None:
    gateway.driver.update("juliet", DOMAIN, "accounts", lambda old: {**dict(old or {}), "updated": int(time.time()) + 30})
    assert is_good(client, {"Authorization": "Bearer " + gateway.parts.tokens.issue(JULIET, ["ejabberd:user"], 60)})


def test_who_is_not_there_is_not_removed(client: FlaskClient, gateway: Gateway) -> None:
    gateway.driver.store("ghost", DOMAIN, "settings", {"a": 1})
    assert client.delete(f"/data/{DOMAIN}/ghost/accounts", headers=ADMIN).status_code == 204
    assert client.put(f"/data/{DOMAIN}/ghost/accounts", data="null", content_type="application/json", headers=ADMIN).status_code == 201
    assert gateway.driver.load("ghost", DOMAIN, "settings") == {"a": 1}


def remade(gateway: Gateway, **more: Any) -> dict[str, Any]:
    """The record of an account of this name that Prosody 0.12 makes."""
    return {**gateway.parts.passwords.record(PASSWORD), **more}


@pytest.mark.parametrize("purged", [True, False])
def test_a_prosody_beside_us_removes_and_makes_accounts(client: FlaskClient, gateway: Gateway, token: dict[str, str], purged: bool) -> None:
    """Nobody tells the gateway: even with the same password it is another account."""
    if purged:
        gateway.driver.purge("juliet", DOMAIN)
    gateway.driver.store("juliet", DOMAIN, "accounts", None)
    assert not is_good(client, token)
    gateway.driver.store("juliet", DOMAIN, "accounts", remade(gateway))
    assert not is_good(client, token)


def changed_by_prosody(client: FlaskClient, gateway: Gateway) -> None:
    gateway.driver.update("juliet", DOMAIN, "accounts", lambda old: remade(gateway, created=dict(old or {})["created"]))


def updated_by_prosody(client: FlaskClient, gateway: Gateway) -> None:
    gateway.driver.update("juliet", DOMAIN, "accounts", lambda old: {**dict(old or {}), "updated": int(time.time()) + 1})


CHANGES: dict[str, Callable[[FlaskClient, Gateway], object]] = {
    "change_password": lambda client, _: run(client, "change_password", **ACCOUNT, newpass="another"),
    "the same password": lambda client, _: run(client, "change_password", **ACCOUNT, newpass=PASSWORD),
    "/data": lambda client, _: client.put(RECORD, json={"password": "another"}, headers=ADMIN),
    "/data by oneself": lambda client, _: client.put("/data/accounts", json={"password": "another"}, headers=basic(str(JULIET))),
    "ban_account v0": lambda client, _: run(client, "ban_account/v0", **ACCOUNT, reason="x"),
    "ban and unban": lambda client, _: (run(client, "ban_account", **ACCOUNT, reason="x"), run(client, "unban_account", **ACCOUNT)),
    "Prosody": changed_by_prosody,
    "Prosody 13": updated_by_prosody,
}


@pytest.mark.parametrize("how", CHANGES)
def test_another_password_ends_every_token(client: FlaskClient, gateway: Gateway, token: dict[str, str], how: str) -> None:
    other = {"Authorization": "Bearer " + gateway.parts.tokens.issue(parse_jid(f"nurse@{DOMAIN}"), ["ejabberd:user"], 60)}
    CHANGES[how](client, gateway)
    assert not is_good(client, token)
    assert is_good(client, other)


def test_other_changes_end_none(client: FlaskClient, gateway: Gateway, token: dict[str, str]) -> None:
    record = client.get(RECORD, headers=ADMIN).get_json()
    assert client.put(RECORD, json=record | {"note": "x", "updated": 1, "created": 1}, headers=ADMIN).status_code == 201
    assert is_good(client, token)
    assert client.get(RECORD, headers=ADMIN).get_json() == record | {"note": "x"}


def test_it_is_said_how_many_tokens_ended(client: FlaskClient, token: dict[str, str], caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    run(client, "change_password", **ACCOUNT, newpass="another")
    assert f"the password of {JULIET} was changed; 1 token(s) of it were revoked" in caplog.text
    assert run(client, "oauth_list_tokens") == []


def test_a_token_of_an_older_gateway(client: FlaskClient, gateway: Gateway, token: dict[str, str]) -> None:
    """It says nothing of when it was issued: it counts until the account says that it was updated."""
    name = next(gateway.driver.users(DOMAIN, "oauth_token"))
    gateway.driver.update(name, DOMAIN, "oauth_token", lambda old: {k: v for k, v in dict(old or {}).items() if k not in ("issued", "account")})
    assert not is_good(client, token)
    gateway.driver.update("juliet", DOMAIN, "accounts", lambda old: {k: v for k, v in dict(old or {}).items() if k not in ("created", "updated")})
    assert is_good(client, token)
    run(client, "change_password", **ACCOUNT, newpass="another")
    assert not is_good(client, token)


# -- the times in the record (COMPAT Prosody 13)


def times(client: FlaskClient) -> tuple[Any, Any]:
    record = client.get(RECORD, headers=ADMIN).get_json()
    return record.get("created"), record.get("updated")


@pytest.mark.parametrize(
    "change",
    [
        lambda client: run(client, "change_password", **ACCOUNT, newpass="another"),
        lambda client: client.put(RECORD, json={"password": "another", "created": 5, "updated": 5}, headers=ADMIN),
        lambda client: run(client, "ban_account", **ACCOUNT, reason="x"),
        lambda client: client.put(RECORD, json=client.get(RECORD, headers=ADMIN).get_json() | {"disabled": True}, headers=ADMIN),
    ],
    ids=["change_password", "/data", "ban_account", "disabled at /data"],
)
def test_the_record_says_when_it_changed(client: FlaskClient, gateway: Gateway, change: Callable[[FlaskClient], object]) -> None:
    gateway.driver.update("juliet", DOMAIN, "accounts", lambda old: {**dict(old or {}), "created": 1_000, "updated": 2_000})
    before = int(time.time())
    change(client)
    created, updated = times(client)
    assert created == 1_000
    assert isinstance(updated, int)
    assert before <= updated <= time.time()


def test_unbanning_is_an_update_too(client: FlaskClient, gateway: Gateway) -> None:
    run(client, "ban_account", **ACCOUNT, reason="x")
    gateway.driver.update("juliet", DOMAIN, "accounts", lambda old: {**dict(old or {}), "updated": 2_000})
    run(client, "unban_account", **ACCOUNT)
    assert time.time() - times(client)[1] < 60


@pytest.mark.parametrize(
    "make",
    [
        lambda client: run(client, "register", **ACCOUNT, password="another"),
        lambda client: client.put(RECORD, json={"password": "another"}, headers=ADMIN),
    ],
    ids=["register", "/data"],
)
def test_a_new_account_says_when_it_was_made(client: FlaskClient, make: Callable[[FlaskClient], object]) -> None:
    run(client, "unregister", **ACCOUNT)
    before = int(time.time())
    make(client)
    assert all(isinstance(when, int) and before <= when <= time.time() for when in times(client))


def test_an_account_is_an_object(client: FlaskClient) -> None:
    assert client.put(RECORD, data='["x"]', content_type="application/json", headers=ADMIN).status_code == 400
    assert client.get("/api/contacts", headers=basic(str(JULIET))).status_code == 200
