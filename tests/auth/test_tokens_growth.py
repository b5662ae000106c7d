"""Tokens: issuing one costs the same however many there are, of the account and of all others."""

from __future__ import annotations

import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from drivers import Content, Driver
from tests.conftest import OpenDriver
from tests.costs import spent
from xmpp_rest.auth import tokens as module
from xmpp_rest.auth.account_tokens import TOKENS_OF, AccountTokens, Ends
from xmpp_rest.auth.tokens import MAX_TOKENS, MORE, TOKENS, Tokens
from xmpp_rest.protocol.jid import parse_jid

DOMAIN = "capulet.example"
JULIET = parse_jid(f"juliet@{DOMAIN}")
SCOPES = ["sasl_auth"]


@pytest.fixture(params=["sqlite:t.sqlite", "jsonfile:t", "flatfile:t"])
def driver(request: pytest.FixtureRequest, tmp_path: Path, open_driver: OpenDriver) -> Driver:
    return open_driver(request.param, tmp_path)


def fill(driver: Driver, count: int, ends: float, *, noted: bool) -> list[str]:
    """Tokens as they are kept, without issuing each."""
    names = [f"{n:064x}" for n in range(count)]
    record: dict[str, Any] = {"owner": str(JULIET), "scopes": SCOPES, "issued": 1, "account": None}
    errors = driver.bulk_write([Content(name, DOMAIN, TOKENS, "keyval", record | {"expires": int(ends) + n}) for n, name in enumerate(names)])
    assert not any(errors)
    if noted:
        driver.store(*JULIET[:2], TOKENS_OF, {name: int(ends) + n for n, name in enumerate(names)})
    return names


def noted(driver: Driver) -> Ends:
    return AccountTokens(driver, lambda _: None).ends(JULIET)


@pytest.mark.parametrize("scheme", ["sqlite", "jsonfile", "flatfile"])
def test_issuing_costs_the_same_at_the_thousandth(tmp_path: Path, open_driver: OpenDriver, scheme: str) -> None:
    costs = []
    for count in (1, MAX_TOKENS):
        driver = open_driver(f"{scheme}:{count}.storage", tmp_path)
        fill(driver, count, time.time() + 1000, noted=True)
        tokens = Tokens(driver, DOMAIN)
        tokens.issue(JULIET, SCOPES, 60)
        costs.append(min(spent(lambda tokens=tokens: tokens.issue(JULIET, SCOPES, 9999)) for _ in range(10)))  # type: ignore[misc]
    assert costs[1] < 4 * costs[0] + 0.001


def test_the_bound_holds_and_those_that_end_first_give_way(driver: Driver) -> None:
    names = fill(driver, MAX_TOKENS, time.time() + 1000, noted=True)
    tokens = Tokens(driver, DOMAIN)
    issued = [tokens.issue(JULIET, SCOPES, 9999) for _ in range(MAX_TOKENS // MORE + 1)]
    assert all(map(tokens.check, issued))
    left = {token.hash for token in tokens.all()}
    assert left == set(noted(driver))
    assert MAX_TOKENS <= len(left) <= MAX_TOKENS + MAX_TOKENS // MORE
    gone = MAX_TOKENS + len(issued) - len(left)
    assert gone > 0
    assert [name in left for name in names] == [False] * gone + [True] * (MAX_TOKENS - gone)


def test_what_an_older_gateway_has_listed(driver: Driver) -> None:
    names = fill(driver, 3, time.time() + 1000, noted=False)
    driver.store(*JULIET[:2], TOKENS_OF, [*names, "f" * 64])
    tokens = Tokens(driver, DOMAIN)
    tokens.issue(JULIET, SCOPES, 60)
    assert set(noted(driver)) == {token.hash for token in tokens.all()} > set(names)
    driver.store(*JULIET[:2], TOKENS_OF, names)
    assert tokens.revoke_all(JULIET) >= 3
    assert not {token.hash for token in tokens.all()} & set(names)


def test_a_revoked_token_makes_room(driver: Driver) -> None:
    tokens = Tokens(driver, DOMAIN)
    text = tokens.issue(JULIET, SCOPES, 60)
    tokens.revoke(text)
    assert (tokens.check(text), noted(driver), list(tokens.all())) == (None, {}, [])


def test_a_copied_storage_has_both_forms(driver: Driver) -> None:
    names = fill(driver, 4, time.time() + 1000, noted=True)
    driver.store(*JULIET[:2], TOKENS_OF, dict.fromkeys(names[:2], time.time() + 1000))
    driver.list_store(*JULIET[:2], TOKENS_OF, [[name, time.time() + 1000] for name in names[2:]])
    tokens = Tokens(driver, DOMAIN)
    assert sorted(noted(driver)) == names
    tokens.revoke(names[0])
    tokens.revoke(names[3])
    assert sorted(noted(driver)) == names[1:3]
    assert (tokens.revoke_all(JULIET), tokens.revoke_all(JULIET), list(tokens.all()), noted(driver)) == (2, 0, [], {})


def test_a_sweep_looks_at_some_and_comes_to_all(driver: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(driver, 35, time.time() - 100_000, noted=False)
    monkeypatch.setattr(module, "SWEPT", 10)
    monkeypatch.setattr(module, "SWEEP", 0)
    tokens, left = Tokens(driver, DOMAIN), [35]
    while left[-1] > 0:
        tokens.issue(JULIET, SCOPES, 60)
        left.append(sum(token.expires < time.time() for token in tokens.all()))
    assert all(0 <= before - after <= 10 for before, after in pairwise(left))


def test_listing_reads_pages(driver: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    names = fill(driver, 25, time.time() + 1000, noted=False)
    monkeypatch.setattr(module, "PAGE", 10)
    assert [token.hash for token in Tokens(driver, DOMAIN).all()] == names
