"""Credentials are checked by their scheme and the policy of the dialect (RFC 7617, RFC 6750, rest-api §2)."""

from __future__ import annotations

import base64

import pytest
from flask import Flask

from tests.conftest import DOMAIN, PASSWORD, TOKEN
from xmpp_rest.auth.authenticator import SCHEMES
from xmpp_rest.auth.authorization import OPERATION, REST
from xmpp_rest.auth.caller import Caller, CallerKind, Denial, DenialReason
from xmpp_rest.gateway.gateway import Gateway
from xmpp_rest.protocol.jid import parse_jid


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize("name", ["juliet", "juliet@capulet.example", "JULIET@Capulet.Example", "juliet@capulet.example/balcony", "JULIET"])
@pytest.mark.parametrize("scheme", ["Basic", "basic", "BASIC"])
def test_an_account(gateway: Gateway, name: str, scheme: str) -> None:
    who = gateway.parts.authenticator.check(f"{scheme} {b64(f'{name}:{PASSWORD}')}", "127.0.0.1", OPERATION)
    assert who == Caller(parse_jid(f"juliet@{DOMAIN}"))


def test_the_component_token_stands_for_the_domain(gateway: Gateway) -> None:
    assert gateway.parts.authenticator.check(TOKEN, "", REST) == Caller(parse_jid(DOMAIN), CallerKind.COMPONENT)


def test_an_administrator_is_known_as_one(app: object, gateway: Gateway) -> None:
    gateway.prepare()
    who = gateway.parts.authenticator.check(f"Basic {b64(f'admin:{PASSWORD}')}", "", OPERATION)
    assert isinstance(who, Caller)
    assert who.admin


def test_a_password_may_hold_colons(gateway: Gateway) -> None:
    gateway.parts.accounts.register(gateway.parts.accounts.address("tybalt", DOMAIN), "a:b:")
    assert isinstance(gateway.parts.authenticator.check(f"Basic {b64('tybalt:a:b:')}", "", OPERATION), Caller)


@pytest.mark.parametrize(
    "header",
    [
        *("Basic", "Basic ", "Basic !!!", "Basic " + base64.b64encode(b"\xff:\xff").decode(), "Basic " + b64("juliet")),
        "Basic " + b64("juliet:wrong"),
        "Basic " + b64("nobody:x"),
        "Basic " + b64(f"juliet@montague.example:{PASSWORD}"),
        "Basic " + b64(f"{DOMAIN}:{PASSWORD}"),
        "Basic " + b64(f"@{DOMAIN}:{PASSWORD}"),
        *("Basic " + b64(f"a b:{PASSWORD}"), "Basic " + b64(f"juliet:{PASSWORD}") + " x", "Bearer", "Bearer wrong"),
        "Bearer " + "\udcff",
        "Digest username=juliet",
        "x" * 10_000,
    ],
)
def test_nobody(gateway: Gateway, header: str) -> None:
    assert gateway.parts.authenticator.check(header, "127.0.0.1", OPERATION) == Denial(DenialReason.WRONG)


@pytest.mark.parametrize("header", [None, ""])
def test_no_credentials(gateway: Gateway, header: str | None) -> None:
    assert gateway.parts.authenticator.check(header, "", OPERATION) == Denial(DenialReason.MISSING)


def test_without_a_configured_token_no_bearer_gets_in(make_app: object) -> None:
    app = make_app(rest_credentials="")  # type: ignore[operator]
    for token in ("Bearer ", "Bearer x"):
        assert app.extensions["gateway"].parts.authenticator.check(token, "", OPERATION) == Denial(DenialReason.WRONG)


def test_failures_are_throttled_by_account_and_address(make_app: object) -> None:
    app = make_app(auth_failures="3")  # type: ignore[operator]
    gateway: Gateway = app.extensions["gateway"]
    gateway.prepare()
    right, wrong = f"Basic {b64(f'admin:{PASSWORD}')}", f"Basic {b64('admin:guess')}"
    for _ in range(3):
        assert gateway.parts.authenticator.check(wrong, "192.0.2.1", OPERATION) == Denial(DenialReason.WRONG)
    throttled = gateway.parts.authenticator.check(wrong, "192.0.2.1", OPERATION)
    assert isinstance(throttled, Denial)
    assert throttled.reason is DenialReason.THROTTLED
    assert 0 < throttled.retry_after <= 61
    assert isinstance(gateway.parts.authenticator.check(right, "192.0.2.1", OPERATION), Caller), "the right one passes"
    assert gateway.parts.authenticator.check(wrong, "192.0.2.2", OPERATION) == Denial(DenialReason.WRONG), "another address is not slowed"


def test_what_was_good_is_looked_at_again_without_counting(gateway: Gateway) -> None:
    """A changed password, a token that was taken back, a ban: what goes on for long has to end; nobody tried anything wrong."""
    juliet, check = parse_jid(f"juliet@{DOMAIN}"), gateway.parts.authenticator
    password, token = f"Basic {b64(f'juliet:{PASSWORD}')}", "Bearer " + gateway.parts.tokens.issue(juliet, ["sasl_auth"], 60)
    assert [check.still_valid(field, REST) for field in (password, token, TOKEN)] == [True, True, True]
    gateway.parts.tokens.revoke(token.partition(" ")[2])
    gateway.parts.accounts.set_password(juliet, "another")
    for _ in range(50):
        assert not check.still_valid(password, REST)
        assert not check.still_valid(token, REST)
    assert isinstance(check.check(f"Basic {b64('juliet:another')}", "", OPERATION), Caller)
    assert [check.still_valid(field, REST) for field in (None, "", "Basic", "Basic !", "Bearer", "Digest x")] == [False] * 6


def test_another_scheme_is_a_row_of_the_table(app: Flask, gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    """Then it is good in every dialect, and no web page can have a browser add it."""
    gateway.start()
    client, headers = app.test_client(), {"Origin": "https://evil.example"}
    headers["Authorization"] = "ApiKey " + gateway.parts.tokens.issue(parse_jid(f"admin@{DOMAIN}"), ["sasl_auth", "ejabberd:admin"], 60)
    asked = [("GET", "/rest/outcome/x"), ("GET", f"/data/{DOMAIN}/juliet/vcard"), ("GET", "/api/contacts"), ("POST", "/api/clear_cache"), ("GET", "/status")]

    def statuses() -> list[int]:
        return [client.open(path, method=method, headers=headers, json={} if method == "POST" else None).status_code for method, path in asked]

    assert statuses() == [401, 401, 401, 403, 401]
    monkeypatch.setitem(SCHEMES, "apikey", SCHEMES["bearer"])
    assert statuses() == [404, 404, 200, 200, 200]
