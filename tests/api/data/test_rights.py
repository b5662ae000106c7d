"""Rights on stores: the table of decision 0017, by every method (data-api §1.3)."""

from __future__ import annotations

import base64
import hashlib
import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.api.data.conftest import ADMIN, JULIET, Ask
from tests.conftest import DOMAIN, PASSWORD, basic
from xmpp_rest.gateway.gateway import Gateway
from xmpp_rest.protocol.jid import parse_jid

READS, WRITES = ("GET", "HEAD"), ("PUT", "POST", "DELETE")
BODIES: dict[str, str] = {"PUT": '{"prosody:admin":true,"_default":"prosody:operator"}', "POST": '{"a":1}'}
ACCOUNT_TOKENS = (["ejabberd:user"], ["sasl_auth"], ["sasl_auth", "register", "send:*@*"])
NARROW_TOKENS: tuple[list[str], ...] = ([], ["send:nurse@*"], ["register"], ["change_password"])
OWN = ("settings", "callback_notes", "idempotency_notes", "vcard", "roster", "private", "Jobs", "roles_", "accounts_", "hook_once_notes")
GUARDED = ("roles", "account_roles", "last", "presence", "account_activity", "accounts_cleanup", "data_usage")
TOKEN_STORES = ("auth_tokens", "oauth_tokens", "oauth_token", "oauth_client", "gateway_keys", "hook", "hook_token")
INTERNAL = (
    "jobs", "motd", "shared_roster_groups", "muc", "muc_heard", "muc_heard_rooms", "muc_registered", "muclight", "muclight_rooms", "callback_x_dead", "idempotency_a",
    "hooks", "hook_use", "hook_matters", "hook_published", "hook_once_a", "hook_once_fed", "scheduled", "rooms_anywhere",
)  # fmt: skip

Bearer = Callable[..., dict[str, str]]


@pytest.fixture
def bearer(gateway: Gateway) -> Bearer:
    issued: dict[tuple[str, ...], dict[str, str]] = {}

    def issue(owner: str, scopes: list[str]) -> dict[str, str]:
        if (key := (owner, *scopes)) not in issued:
            issued[key] = {"Authorization": "Bearer " + gateway.parts.tokens.issue(parse_jid(owner), scopes, 60)}
        return issued[key]

    return issue


def of(user: str, store: str) -> str:
    return f"/data/{DOMAIN}/{user}/{store}"


def allowed(ask: Ask, path: str, who: dict[str, str], methods: tuple[str, ...]) -> list[bool]:
    """Whether each method gets past 403 (and nobody is taken for somebody else: 401)."""
    statuses = [ask(method, path, user="", body=BODIES.get(method), fields=who).status_code for method in methods]
    assert not {401, 500} & set(statuses), statuses
    return [status != 403 for status in statuses]


def every(ask: Ask, path: str, who: dict[str, str], reads: bool, writes: bool) -> None:
    assert allowed(ask, path, who, READS) == [reads] * 2, (path, "reads")
    assert allowed(ask, path, who, WRITES) == [writes] * 3, (path, "writes")


@pytest.mark.parametrize(
    ("stores", "by_password", "by_token"),
    [
        (OWN, (True, True), (True, True)),
        (GUARDED, (True, False), (True, False)),
        (TOKEN_STORES, (True, False), (False, False)),
        (INTERNAL, (False, False), (False, False)),
    ],
    ids=["own", "guarded", "tokens", "internal"],
)
def test_ones_own(ask: Ask, bearer: Bearer, stores: tuple[str, ...], by_password: tuple[bool, bool], by_token: tuple[bool, bool]) -> None:
    for store in stores:
        every(ask, of("juliet", store), basic(JULIET), *by_password)
        for scopes in ACCOUNT_TOKENS:
            every(ask, f"/data/{store}", bearer(JULIET, scopes), *by_token)
        for scopes in (*NARROW_TOKENS, ["ejabberd:admin"]):
            every(ask, of("juliet", store), bearer(JULIET, scopes), False, False)


def test_anothers(ask: Ask, bearer: Bearer) -> None:
    for store in ("settings", "accounts", *GUARDED, *TOKEN_STORES, *INTERNAL):
        every(ask, of("nurse", store), basic(JULIET), False, False)
        for scopes in (*ACCOUNT_TOKENS, *NARROW_TOKENS, ["ejabberd:admin"], ["ejabberd:user", "ejabberd:admin"]):
            every(ask, of("nurse", store), bearer(JULIET, scopes), False, False)


def test_there_is_no_other_method(ask: Ask) -> None:
    for user in (JULIET, ADMIN):
        for store in ("settings", "accounts", "roles", "oauth_token"):
            assert ask("PATCH", of("juliet", store), user=user, body='{"password":"x"}').status_code == 405


def test_ones_own_account_by_password_alone(ask: Ask, bearer: Bearer) -> None:
    for scopes in (*ACCOUNT_TOKENS, *NARROW_TOKENS, ["ejabberd:admin"]):
        every(ask, "/data/accounts", bearer(JULIET, scopes), False, False)
    assert allowed(ask, "/data/accounts", basic(JULIET), READS) == [True] * 2
    assert ask("PUT", "/data/accounts", body='{"password":"changeme"}').status_code == 201
    assert ask("DELETE", "/data/accounts", user="", fields=basic(JULIET, "changeme")).status_code == 204


@pytest.mark.parametrize("body", ['{"password":"mine"}', "{}", "null"])
def test_a_token_never_changes_its_accounts_password(ask: Ask, bearer: Bearer, body: str) -> None:
    for owner in (JULIET, ADMIN):
        for scopes in ACCOUNT_TOKENS:
            assert ask("PUT", "/data/accounts", user="", body=body, fields=bearer(owner, scopes)).status_code == 403
        assert ask("GET", "/data/accounts", user=owner).status_code == 200


def test_configured_administrators(ask: Ask, bearer: Bearer) -> None:
    for store in ("settings", *GUARDED, *TOKEN_STORES, *INTERNAL):
        every(ask, of("nurse", store), basic(ADMIN), True, True)
        every(ask, of("nurse", store), bearer(ADMIN, ["ejabberd:admin"]), True, True)
        for scopes in (*ACCOUNT_TOKENS, *NARROW_TOKENS):
            every(ask, of("nurse", store), bearer(ADMIN, scopes), False, False)
    assert allowed(ask, of("admin", "accounts"), bearer(ADMIN, ["ejabberd:admin"]), READS) == [True] * 2


ROLES: tuple[tuple[str, dict[str, Any]], ...] = (
    ("roles", {"prosody:admin": True}),
    ("account_roles", {"_default": "prosody:admin"}),
    ("account_roles", {"_default": "prosody:operator"}),
)


@pytest.mark.parametrize(("store", "roles"), ROLES)
def test_administrators_by_role(ask: Ask, gateway: Gateway, bearer: Bearer, store: str, roles: dict[str, Any]) -> None:
    gateway.driver.store("juliet", DOMAIN, store, roles)
    for whose in (*OWN, *GUARDED, "auth_tokens", "oauth_tokens", *INTERNAL):
        every(ask, of("nurse", whose), basic(JULIET), True, True)
        for scopes in (*ACCOUNT_TOKENS, *NARROW_TOKENS):
            every(ask, of("nurse", whose), bearer(JULIET, scopes), False, False)
    every(ask, of("nurse", "settings"), bearer(JULIET, ["ejabberd:admin"]), True, True)
    assert allowed(ask, of("nurse", "accounts"), basic(JULIET), READS) == [True] * 2
    assert ask("GET", "/data/verona.example/nurse/settings").status_code == 403
    assert ask("GET", f"/data/muclight.{DOMAIN}/garden/muclight").status_code == 403


@pytest.mark.parametrize(("store", "roles"), ROLES)
def test_nobody_becomes_more_by_a_role(ask: Ask, gateway: Gateway, bearer: Bearer, store: str, roles: dict[str, Any]) -> None:
    """Neither by one's own roles and tokens, nor by what is a configured administrator's."""
    gateway.driver.store("juliet", DOMAIN, store, roles)
    for who in (basic(JULIET), bearer(JULIET, ["ejabberd:user", "ejabberd:admin"])):
        for own in ("roles", "account_roles", "auth_tokens", "oauth_tokens", "last"):
            assert allowed(ask, of("juliet", own), who, WRITES) == [False] * 3, own
        for whose in ("accounts", "roles", "account_roles", "auth_tokens", "oauth_tokens", "settings", "roster"):
            assert allowed(ask, of("admin", whose), who, WRITES) == [False] * 3, whose
        for secret in ("accounts", "auth_tokens", "oauth_tokens"):
            assert allowed(ask, of("admin", secret), who, READS) == [False] * 2, secret
        for user in ("juliet", "nurse", hashlib.sha256(b"x" * 32).hexdigest()):
            assert allowed(ask, of(user, "oauth_token"), who, WRITES) == [False] * 3
    assert ask("GET", "/data/accounts", user=ADMIN).status_code == 200


@pytest.mark.parametrize(
    ("new", "old", "status"),
    [
        ({"_default": "prosody:member"}, {"prosody:admin": True}, 403),
        ({"_default": "prosody:registered"}, {"prosody:admin": True}, 403),
        ({"prosody:admin": True}, {"prosody:admin": True}, 403),  # secondary roles count for who asks for them
        ({"_default": True}, {"prosody:admin": True}, 403),
        ({"_default": ["prosody:admin"]}, None, 403),
        ({"_default": "prosody:admin "}, None, 403),
        (["prosody:admin"], {"prosody:admin": True}, 403),
        ({"_default": "prosody:admin"}, None, 404),
        ({"_default": "prosody:operator"}, {"prosody:user": True}, 404),
        (None, {"prosody:admin": True}, 404),
        (None, None, 403),
    ],
)
def test_which_roles_administer(ask: Ask, gateway: Gateway, new: Any, old: Any, status: int) -> None:
    """An account that has roles of Prosody 13 is judged by the primary one of them alone."""
    for store, roles in (("account_roles", new), ("roles", old)):
        gateway.driver.store("juliet", DOMAIN, store, roles)
    assert ask("GET", of("nurse", "settings")).status_code == status
    assert ask("HEAD", of("nurse", "settings")).status_code == status
    assert ask("PUT", of("nurse", "settings"), body='{"a":1}').status_code == (201 if status == 404 else 403)


def test_the_refusal_says_what_would_be_right(ask: Ask, bearer: Bearer) -> None:
    def detail(path: str, who: dict[str, str], method: str = "GET") -> str:
        text: str = ask(method, path, user="", body=BODIES.get(method), fields=who).get_json()["detail"]
        return text

    assert "use the password" in detail("/data/accounts", bearer(JULIET, ["sasl_auth"]))
    assert "ejabberd:admin" in detail("/data/accounts", bearer(JULIET, ["sasl_auth"]))
    assert "'account_roles'" in detail("/data/account_roles", basic(JULIET), "PUT")
    assert "Only administrators" in detail(of("nurse", "settings"), basic(JULIET))
    assert "not hosted" in detail("/data/verona.example/nurse/settings", basic(JULIET))


# -- tokens of a Prosody 13


def grant(gateway: Gateway, secret: bytes = b"0123456789;bcdefgh", **change: Any) -> dict[str, str]:
    """The field of a token that a Prosody 13 has issued for juliet."""
    now = int(time.time())
    row = {"role": change.pop("role", "prosody:registered"), "created": now, "expires": change.pop("token_expires", now + 60)}
    kept = {"id": "abc-123", "jid": JULIET, "owner": JULIET, "created": now, "accessed": now, "expires": now + 60, **change}
    kept["tokens"] = {f"sha256:{hashlib.sha256(secret).hexdigest()}": {k: v for k, v in row.items() if v is not None}}
    gateway.driver.store("juliet", DOMAIN, "auth_tokens", {"abc-123": {k: v for k, v in kept.items() if v is not None}})
    text = base64.b64encode(b"2;abc-123;" + secret + b";" + JULIET.encode()).decode()
    return {"Authorization": f"Bearer secret-token:{text}"}


GOOD: dict[str, dict[str, Any]] = {
    "plain": {}, "without an end": {"expires": None, "token_expires": None}, "without a role": {"role": None},
    "a member": {"role": "prosody:member"}, "an operator": {"role": "prosody:operator"}, "bytes": {"secret": bytes(range(240, 256)) + b"\n\0"},
}  # fmt: skip
BAD: dict[str, dict[str, Any]] = {
    "expired": {"token_expires": 1}, "of an expired grant": {"expires": 1}, "older than the account": {"created": 1}, "of no time": {"created": None},
    "a guest": {"role": "prosody:guest"}, "an unknown role": {"role": "x"},
}  # fmt: skip


@pytest.mark.parametrize("change", GOOD.values(), ids=GOOD)
def test_a_token_of_prosody_acts_as_the_account(ask: Ask, gateway: Gateway, change: dict[str, Any]) -> None:
    who = grant(gateway, **change)
    assert ask("GET", "/rest/echo", user="", fields=who).status_code != 403
    assert ask("GET", "/api/contacts", user="", fields=who).status_code == 200
    assert ask("PUT", "/data/settings", user="", body='{"a":1}', fields=who).status_code == 201
    assert ask("GET", "/data/accounts", user="", fields=who).status_code == 403
    assert ask("GET", of("nurse", "settings"), user="", fields=who).status_code == 403


@pytest.mark.parametrize("change", BAD.values(), ids=BAD)
def test_a_token_of_prosody_that_is_over(ask: Ask, gateway: Gateway, change: dict[str, Any]) -> None:
    assert ask("GET", "/api/contacts", user="", fields=grant(gateway, **change)).status_code == 401


def test_what_is_no_token_of_prosody(ask: Ask, gateway: Gateway) -> None:
    good = grant(gateway)["Authorization"].partition("secret-token:")[2]
    raw = base64.b64decode(good)
    for text in ("", "!", good + "x", *(base64.b64encode(b).decode() for b in (raw[:-5], raw.replace(b"abc", b"abd"), raw.replace(b"5", b"6"), b"2;;;"))):
        field = {"Authorization": f"Bearer secret-token:{text}"}
        assert ask("GET", "/api/contacts", user="", fields=field).status_code == 401, text


@pytest.mark.parametrize("how", ["change_password", "ban_account", "data"])
def test_a_token_of_prosody_ends_with_the_password(ask: Ask, gateway: Gateway, how: str) -> None:
    who = grant(gateway, created=int(time.time()) - 2)
    gateway.driver.update("juliet", DOMAIN, "accounts", lambda r: {**dict(r or {}), "updated": int(time.time()) - 9})
    assert ask("GET", "/api/contacts", user="", fields=who).status_code == 200
    account = {"user": "juliet", "host": DOMAIN}
    calls = {
        "change_password": ("POST", "/api/change_password", account | {"newpass": PASSWORD}),
        "ban_account": ("POST", "/api/ban_account", account | {"reason": "x"}),
        "data": ("PUT", of("juliet", "accounts"), {"password": "changeme"}),
    }
    method, path, body = calls[how]
    assert ask(method, path, user=ADMIN, json=body, fields={"Content-Type": "application/json"}).status_code in (200, 201)
    assert ask("POST", "/api/unban_account", user=ADMIN, json=account).status_code == 200
    assert ask("GET", "/api/contacts", user="", fields=who).status_code == 401
