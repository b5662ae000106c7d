"""Throttling: valid credentials pass at every API, whatever else comes from their address, and wrong ones are slowed."""

from __future__ import annotations

import threading
import time

import pytest
from flask.testing import FlaskClient

from tests.conftest import DOMAIN, PASSWORD, TOKEN, MakeApp, basic
from xmpp_rest.gateway.gateway import Gateway
from xmpp_rest.protocol.jid import parse_jid

ADMIN = f"admin@{DOMAIN}"
LIMIT = 3
PATHS = {"rest": "/rest/outcome/1", "client": "/api/contacts", "data": "/data/settings", "status": "/status", "command": "/api/registered_vhosts"}
WRONG_TOKEN = {"Authorization": "Bearer wrong"}
SCOPES = ["ejabberd:user", "ejabberd:admin"]


@pytest.fixture
def client(make_app: MakeApp) -> FlaskClient:
    return make_app(auth_failures=str(LIMIT)).test_client()


def ask(client: FlaskClient, path: str, fields: dict[str, str], address: str = "192.0.2.1") -> tuple[int, str | None]:
    answer = client.get(path, headers=fields, environ_base={"REMOTE_ADDR": address})
    return answer.status_code, answer.headers.get("Retry-After")


@pytest.fixture
def good(client: FlaskClient) -> dict[str, str]:
    gateway: Gateway = client.application.extensions["gateway"]
    gateway.start()
    return {"Authorization": "Bearer " + gateway.parts.tokens.issue(parse_jid(ADMIN), SCOPES, 60)}


@pytest.mark.parametrize("path", PATHS.values(), ids=PATHS)
def test_wrong_tokens_keep_nobody_out(client: FlaskClient, good: dict[str, str], path: str) -> None:
    answers = [ask(client, path, WRONG_TOKEN) for _ in range(LIMIT + 30)]
    assert {status for status, _ in answers[:LIMIT]} <= {401, 403}
    assert all(status == 429 and int(wait or 0) > 0 for status, wait in answers[LIMIT:])
    for other in PATHS.values():
        assert ask(client, other, good)[0] in (200, 404)
        assert ask(client, other, basic(ADMIN))[0] in (200, 404)
    assert ask(client, PATHS["rest"], {"Authorization": TOKEN})[0] in (200, 404)
    assert ask(client, path, WRONG_TOKEN)[0] == 429, "a valid one does not reset the count of the others"


@pytest.mark.parametrize("path", PATHS.values(), ids=PATHS)
def test_the_right_password_passes_after_wrong_ones(client: FlaskClient, good: dict[str, str], path: str) -> None:
    wrong = basic(ADMIN, "wrong")
    answers = [ask(client, path, wrong) for _ in range(LIMIT + 2)]
    assert {status for status, _ in answers[:LIMIT]} <= {401, 403}
    assert all(status == 429 and int(wait or 0) > 0 for status, wait in answers[LIMIT:])
    assert ask(client, path, good)[0] in (200, 404)
    assert ask(client, path, basic(ADMIN))[0] in (200, 404)


def test_guessing_is_slowed_all_the_same(client: FlaskClient) -> None:
    for _ in range(LIMIT + 1):
        ask(client, PATHS["data"], basic(ADMIN, "wrong"))
    began = time.monotonic()
    for n in range(4):
        assert ask(client, PATHS["data"], basic(ADMIN, f"wrong{n}"))[0] == 429
    assert time.monotonic() - began > 2.5, "a second each"


def test_a_program_with_an_old_password_keeps_nobody_out(client: FlaskClient, good: dict[str, str]) -> None:
    """However often it asks, and from however many threads: the right password passes at any time, and at once."""
    app, stop, seen = client.application, threading.Event(), set[int]()

    def hammer(n: int) -> None:
        mine = app.test_client()
        while not stop.is_set():
            seen.add(ask(mine, PATHS["client"], basic(ADMIN, f"old{n % 2}"))[0])

    threads = [threading.Thread(target=hammer, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    try:
        while 429 not in seen:
            time.sleep(0.01)
        time.sleep(2.5)  # for either of both passwords has had its turn by then
        began = time.monotonic()
        assert [ask(client, path, basic(ADMIN))[0] in (200, 404) for path in PATHS.values()] == [True] * len(PATHS)
        assert time.monotonic() - began < 20
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert seen == {401, 429}


def test_ever_different_passwords_keep_nobody_out(client: FlaskClient, good: dict[str, str]) -> None:
    """Of several at once, from addresses of one network: each try with the right one passes, and at once."""
    app, stop, seen = client.application, threading.Event(), set[int]()

    def guess(n: int) -> None:
        mine, count = app.test_client(), 0
        while not stop.is_set():
            count += 1
            seen.add(ask(mine, PATHS["client"], basic(ADMIN, f"guess {n} {count}"), f"2001:db8::{n}")[0])

    threads = [threading.Thread(target=guess, args=(n,)) for n in range(1, 4)]
    for thread in threads:
        thread.start()
    try:
        while 429 not in seen:
            time.sleep(0.01)
        statuses = [ask(client, path, basic(ADMIN), "2001:db8::ffff")[0] for path in [*PATHS.values()] * 2]
        assert set(statuses) <= {200, 404}
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert seen == {401, 429}


def test_a_password_that_was_wrong_may_have_become_the_right_one(client: FlaskClient, good: dict[str, str]) -> None:
    for _ in range(LIMIT + 5):
        ask(client, PATHS["client"], basic(ADMIN, "new"))
    assert ask(client, PATHS["client"], basic(ADMIN, "new"))[0] == 429
    arguments = {"user": "admin", "host": DOMAIN, "newpass": "new"}
    assert client.post("/api/change_password", json=arguments, headers=good).status_code == 200
    assert ask(client, PATHS["client"], basic(ADMIN, "new"))[0] == 200


@pytest.mark.parametrize(
    ("addresses", "another"),
    [
        ([f"2001:db8:1:2:{n:x}::1" for n in range(9)], "2001:db8:1:3::1"),
        (["::ffff:192.0.2.7", "192.0.2.7", "::ffff:c000:207"] * 3, "::ffff:192.0.2.8"),
    ],
    ids=["a /64", "IPv4 however it is written"],
)
def test_what_counts_as_one_address(client: FlaskClient, good: dict[str, str], addresses: list[str], another: str) -> None:
    statuses = [ask(client, PATHS["client"], WRONG_TOKEN, address)[0] for address in addresses]
    assert statuses == [401] * LIMIT + [429] * (9 - LIMIT)
    assert ask(client, PATHS["client"], WRONG_TOKEN, another)[0] == 401
    for network in ("198.51.100.0/24", "2001:db9::/32", "192.0.2.7/33", "192.0.2.7/255.255.255.255", "bogus", " 192.0.2.7", ""):
        answer = client.post("/api/unban_ip", json={"address": network}, headers=basic(ADMIN, PASSWORD)).get_json()
        assert answer == (0 if network in ("198.51.100.0/24", "2001:db9::/32") else -1), network
    lifted = client.post("/api/unban_ip", json={"address": addresses[-1]}, headers=basic(ADMIN, PASSWORD))
    assert lifted.get_json() == 1
    assert ask(client, PATHS["client"], WRONG_TOKEN, addresses[0])[0] == 401


@pytest.mark.parametrize(
    ("counted", "network"),
    [
        ("192.0.2.7", "192.0.2.7"), ("192.0.2.7", "192.0.2.0/24"), ("192.0.2.7", "192.0.2.9/8"), ("192.0.2.7", "0.0.0.0/0"),
        ("192.0.2.7", "::ffff:192.0.2.7"), ("192.0.2.7", "::ffff:192.0.2.7/128"), ("192.0.2.7", "::ffff:192.0.2.0/120"),
        ("::ffff:192.0.2.7", "192.0.2.7/32"), ("2001:db8::7", "2001:db8::7"), ("2001:db8::7", "2001:db8::/32"), ("2001:db8::7", "2001:db8::9/128"),
    ],
)  # fmt: skip
def test_a_network_is_lifted_as_a_whole(client: FlaskClient, good: dict[str, str], counted: str, network: str) -> None:
    for _ in range(LIMIT + 1):
        ask(client, PATHS["client"], WRONG_TOKEN, counted)
    assert ask(client, PATHS["client"], WRONG_TOKEN, counted)[0] == 429
    assert client.post("/api/unban_ip", json={"address": network}, headers=good).get_json() == 1
    assert ask(client, PATHS["client"], WRONG_TOKEN, counted)[0] == 401
