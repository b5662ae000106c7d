"""Authorization fields and the callers that they authenticate (RFC 7617, RFC 6750, rest-api §2)."""

from __future__ import annotations

import base64

import pytest

from tests.conftest import DOMAIN, PASSWORD, TOKEN
from xmpp_rest.auth.credentials import Caller, Kind, Outcome, Refused
from xmpp_rest.gateway.gateway import Gateway
from xmpp_rest.protocol.jid import parse_jid


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize("name", ["juliet", "juliet@capulet.example", "JULIET@Capulet.Example", "juliet@capulet.example/balcony", "JULIET"])
@pytest.mark.parametrize("scheme", ["Basic", "basic", "BASIC"])
def test_an_account(gateway: Gateway, name: str, scheme: str) -> None:
    who = gateway.parts.authenticator.check(f"{scheme} {b64(f'{name}:{PASSWORD}')}", "127.0.0.1")
    assert who == Caller(parse_jid(f"juliet@{DOMAIN}"))


def test_the_component_token_stands_for_the_domain(gateway: Gateway) -> None:
    assert gateway.parts.authenticator.check(TOKEN, "") == Caller(parse_jid(DOMAIN), Kind.COMPONENT)


def test_an_administrator_is_known_as_one(app: object, gateway: Gateway) -> None:
    gateway.prepare()
    who = gateway.parts.authenticator.check(f"Basic {b64(f'admin:{PASSWORD}')}", "")
    assert isinstance(who, Caller)
    assert who.admin


def test_a_password_may_hold_colons(gateway: Gateway) -> None:
    gateway.parts.accounts.register(gateway.parts.accounts.address("tybalt", DOMAIN), "a:b:")
    assert isinstance(gateway.parts.authenticator.check(f"Basic {b64('tybalt:a:b:')}", ""), Caller)


@pytest.mark.parametrize(
    "header",
    [
        "Basic",
        "Basic ",
        "Basic !!!",
        "Basic " + base64.b64encode(b"\xff:\xff").decode(),
        "Basic " + b64("juliet"),
        "Basic " + b64("juliet:wrong"),
        "Basic " + b64("nobody:x"),
        "Basic " + b64(f"juliet@montague.example:{PASSWORD}"),
        "Basic " + b64(f"{DOMAIN}:{PASSWORD}"),
        "Basic " + b64(f"@{DOMAIN}:{PASSWORD}"),
        "Basic " + b64(f"a b:{PASSWORD}"),
        "Basic " + b64(f"juliet:{PASSWORD}") + " x",
        "Bearer",
        "Bearer wrong",
        "Bearer " + "\udcff",
        "Digest username=juliet",
        "x" * 10_000,
    ],
)
def test_nobody(gateway: Gateway, header: str) -> None:
    assert gateway.parts.authenticator.check(header, "127.0.0.1") == Refused(Outcome.WRONG)


@pytest.mark.parametrize("header", [None, ""])
def test_no_credentials(gateway: Gateway, header: str | None) -> None:
    assert gateway.parts.authenticator.check(header, "") == Refused(Outcome.MISSING)


def test_without_a_configured_token_no_bearer_gets_in(make_app: object) -> None:
    app = make_app(rest_credentials="")  # type: ignore[operator]
    for token in ("Bearer ", "Bearer x"):
        assert app.extensions["gateway"].parts.authenticator.check(token, "") == Refused(Outcome.WRONG)


def test_failures_are_throttled_by_account_and_address(make_app: object) -> None:
    app = make_app(auth_failures="3")  # type: ignore[operator]
    gateway: Gateway = app.extensions["gateway"]
    gateway.prepare()
    right, wrong = f"Basic {b64(f'admin:{PASSWORD}')}", f"Basic {b64('admin:guess')}"
    for _ in range(3):
        assert gateway.parts.authenticator.check(wrong, "192.0.2.1") == Refused(Outcome.WRONG)
    throttled = gateway.parts.authenticator.check(wrong, "192.0.2.1")
    assert isinstance(throttled, Refused)
    assert throttled.outcome is Outcome.THROTTLED
    assert 0 < throttled.retry_after <= 61
    assert isinstance(gateway.parts.authenticator.check(right, "192.0.2.1"), Caller), "the right one passes"
    assert gateway.parts.authenticator.check(wrong, "192.0.2.2") == Refused(Outcome.WRONG), "another address is not slowed"


def test_what_was_good_is_looked_at_again_without_counting(gateway: Gateway) -> None:
    """A changed password, a token that was taken back, a ban: what goes on for long has to end; nobody tried anything wrong."""
    juliet, check = parse_jid(f"juliet@{DOMAIN}"), gateway.parts.authenticator
    password, token = f"Basic {b64(f'juliet:{PASSWORD}')}", "Bearer " + gateway.parts.tokens.issue(juliet, ["sasl_auth"], 60)
    assert [check.holds(field) for field in (password, token, TOKEN)] == [True, True, True]
    gateway.parts.tokens.revoke(token.partition(" ")[2])
    gateway.parts.accounts.set_password(juliet, "another")
    for _ in range(50):
        assert not check.holds(password)
        assert not check.holds(token)
    assert isinstance(check.check(f"Basic {b64('juliet:another')}", ""), Caller)
    assert [check.holds(field) for field in (None, "", "Basic", "Basic !", "Bearer", "Digest x")] == [False] * 6
