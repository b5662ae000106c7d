"""What an account stores is bounded, and reading costs no more than reading (decision 0018)."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask

from tests.api.data.conftest import ADMIN, JULIET, Ask, asker
from tests.conftest import DOMAIN, PASSWORD, MakeApp
from xmpp_rest.api.data.read import ReadResource
from xmpp_rest.gateway.gateway import Gateway

KB = 1024
TEXT = json.dumps("x" * (30 * KB))
TABLE = json.dumps({"text": "x" * (30 * KB)})


@pytest.fixture(params=["sqlite:gateway.sqlite", "flatfile:tree"], ids=["sqlite", "flatfile"])
def small(make_app: MakeApp, request: pytest.FixtureRequest) -> Flask:
    limits = {"store_limit": str(100 * KB), "account_limit": str(200 * KB), "stores_limit": "5", "members_limit": "100"}
    app = make_app(storage_url=request.param, **{f"data_{name}": value for name, value in limits.items()})
    gateway: Gateway = app.extensions["gateway"]
    gateway.start()
    gateway.parts.accounts.register(gateway.parts.accounts.address("juliet", DOMAIN), PASSWORD)
    return app


@pytest.fixture
def ask(small: Flask) -> Ask:
    return asker(small)


def until_refused(act: Callable[[int], Any]) -> tuple[int, str]:
    """How often it was done, and why not once more."""
    for n in range(1000):
        answer = act(n)
        if answer.status_code not in (201, 204):
            assert answer.status_code == 413, answer.data
            return n, answer.get_json()["detail"]
    raise AssertionError("there is no limit")


@pytest.mark.parametrize("user", [JULIET, ADMIN])
def test_a_list(ask: Ask, user: str) -> None:
    """By any writer."""
    path = f"/data/{DOMAIN}/juliet/wishes"
    count, why = until_refused(lambda _: ask("POST", path, user=user, body=TEXT))
    assert count == 3
    assert "[data] store_limit" in why
    assert len(ask("GET", path).get_json()) == 3
    assert ask("GET", path, user=user).status_code == 200
    assert ask("DELETE", path).status_code == 204
    assert until_refused(lambda _: ask("POST", path, body=TEXT))[0] == 3


def test_many_small_items(ask: Ask) -> None:
    item = json.dumps("x" * 500)
    count, why = until_refused(lambda _: ask("POST", "/data/wishes", body=item))
    assert "[data] store_limit" in why
    assert 0.9 < count * len(item) / (100 * KB) <= 1
    assert ask("PUT", "/data/other", body='{"a":1}').status_code == 201


def test_the_stores_of_an_account_together(ask: Ask) -> None:
    count, why = until_refused(lambda n: ask("POST", f"/data/wishes_{'ab'[n % 2]}", body=TEXT))
    assert count == 6
    assert "[data] store_limit" in why
    count, why = until_refused(lambda _: ask("PUT", "/data/settings", body=TABLE))
    assert (count, "[data] account_limit" in why) == (0, True)
    assert ask("GET", "/data/settings").status_code == 404
    assert ask("DELETE", "/data/wishes_a").status_code == 204
    assert ask("PUT", "/data/settings", body=TABLE).status_code == 201


def test_a_table_is_replaced_as_often_as_one_likes(ask: Ask) -> None:
    for n in range(20):
        assert ask("PUT", "/data/settings", body=json.dumps({"text": "x" * (KB * 30), "n": n})).status_code == 201
    assert ask("PUT", "/data/settings", body=json.dumps({"text": "x" * (KB * 101)})).status_code == 413
    assert ask("GET", "/data/settings").get_json()["n"] == 19
    for body in ("{}", TABLE, "null", TABLE):
        assert ask("PUT", "/data/settings", body=body).status_code == 201


def test_how_many_stores(ask: Ask) -> None:
    count, why = until_refused(lambda n: ask(("PUT", "POST")[n % 2], f"/data/store_{'abcdefgh'[n]}", body='{"a":1}'))
    assert (count, "[data] stores_limit" in why) == (5, True)
    assert ask("PUT", "/data/store_a", body='{"a":2}').status_code == 201
    assert ask("DELETE", "/data/store_b").status_code == 204
    assert ask("PUT", "/data/store_z", body='{"a":1}').status_code == 201
    assert ask("PUT", "/data/settings", user=ADMIN, body='{"a":1}').status_code == 201, "others have room of their own"


def test_how_many_members(ask: Ask) -> None:
    def put(count: int) -> Any:
        return ask("PUT", "/data/settings", body=json.dumps({f"k{n}": n for n in range(count)}))

    assert put(100).status_code == 201
    assert put(101).status_code == 413
    assert "[data] members_limit" in put(101).get_json()["detail"]


@pytest.mark.parametrize("user", [JULIET, ADMIN])
def test_the_record_of_an_account(ask: Ask, user: str) -> None:
    """Naming the account has it read."""
    path, large = f"/data/{DOMAIN}/juliet/accounts", json.dumps({"password": PASSWORD, "note": "x" * 66_000})
    assert ask("PUT", path, user=user, body=large).status_code == 413
    assert ask("PUT", path, user=user, body=json.dumps({"password": PASSWORD, "note": "x" * 6_000})).status_code == 201


def test_what_is_refused_takes_no_room(ask: Ask) -> None:
    ask("PUT", "/data/settings", body='{"a":1}')
    for _ in range(20):
        assert ask("PUT", "/data/settings", body=TABLE, fields={"If-None-Match": "*"}).status_code == 412
        assert ask("POST", "/data/settings", body=TEXT, fields={"If-None-Match": "*"}).status_code == 412
    assert until_refused(lambda _: ask("POST", "/data/settings", body=TEXT))[0] == 3


def test_a_list_is_counted_anew_before_it_is_full(small: Flask, ask: Ask) -> None:
    """Processes that ended have taken more of it than they used."""
    small.extensions["gateway"].driver.store("juliet", DOMAIN, "data_usage", {"wishes:list": 90 * KB})
    assert until_refused(lambda _: ask("POST", "/data/wishes", body=TEXT))[0] == 3


def test_the_room_goes_with_the_account(small: Flask, ask: Ask) -> None:
    until_refused(lambda _: ask("POST", "/data/wishes", body=TEXT))
    assert ask("DELETE", "/data/accounts").status_code == 204
    gateway: Gateway = small.extensions["gateway"]
    gateway.parts.accounts.register(gateway.parts.accounts.address("juliet", DOMAIN), PASSWORD)
    assert ask("GET", "/data/wishes").status_code == 404
    assert until_refused(lambda n: ask("POST", f"/data/wishes_{'abcd'[n % 4]}", body=TEXT))[0] >= 4


def test_the_books_are_not_ones_own_to_write(ask: Ask) -> None:
    ask("PUT", "/data/settings", body=TABLE)
    assert ask("GET", "/data/data_usage").get_json() == {"settings:table": 32 * KB}
    assert ask("DELETE", "/data/data_usage").status_code == 403
    assert "data_usage" not in str(ask("GET", f"/data/{DOMAIN}/juliet/").get_json())


# -- a look


@pytest.mark.parametrize("length", [1, 16, 17, 40_000])
def test_a_head_of_a_list_reads_its_beginning(small: Flask, ask: Ask, monkeypatch: pytest.MonkeyPatch, length: int) -> None:
    driver = small.extensions["gateway"].driver
    driver.list_store("juliet", DOMAIN, "wishes", list(range(length)))
    asked: list[tuple[int, int | None]] = []
    real = driver.list_load

    def load(user: str, host: str, store: str, start: int = 0, stop: int | None = None) -> Any:
        asked.append((start, stop))
        return real(user, host, store, start, stop)

    monkeypatch.setattr(driver, "list_load", load)
    head = ask("HEAD", "/data/wishes")
    assert (head.status_code, head.data, head.content_type) == (200, b"", "application/json; charset=utf-8")
    assert all(stop is not None and stop - start <= 17 for start, stop in asked)
    whole = ask("GET", "/data/wishes")
    if length <= 16:
        assert (head.headers["ETag"], head.content_length) == (whole.headers["ETag"], len(whole.data))
    else:
        assert ("ETag" in head.headers, head.headers.get("Content-Length")) == (False, None)
    assert head.headers["Accept-Ranges"] == whole.headers["Accept-Ranges"] == "items"
    assert ask("HEAD", "/data/wishes", fields={"If-None-Match": whole.headers["ETag"]}).status_code == 304
    assert ask("HEAD", "/data/nothing").status_code == 404


LARGE = [{"text": "x" * 200_000}, {f"k{n}": n for n in range(9_000)}, {"a": [[n] for n in range(9_000)]}, list(range(9_000))]


@pytest.mark.parametrize("table", [*LARGE, {"a": 1}, [1, 2], {"text": "x" * 10_000}], ids=lambda table: str(table)[:9])
def test_a_head_writes_nothing_large_out(small: Flask, ask: Ask, monkeypatch: pytest.MonkeyPatch, table: Any) -> None:
    small.extensions["gateway"].driver.store("juliet", DOMAIN, "settings", table)
    whole = ask("GET", "/data/settings")
    if table in LARGE:
        monkeypatch.setattr(ReadResource, "_write", None)
    head = ask("HEAD", "/data/settings")
    assert (head.status_code, head.content_type) == (200, whole.content_type)
    if table in LARGE:
        assert ("ETag" in head.headers, head.headers.get("Content-Length")) == (False, None)
        monkeypatch.undo()
    else:
        assert (head.headers["ETag"], head.content_length) == (whole.headers["ETag"], len(whole.data))
    assert ask("HEAD", "/data/settings", fields={"If-None-Match": whole.headers["ETag"]}).status_code == 304
