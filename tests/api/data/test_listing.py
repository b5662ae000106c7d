"""The list of the stores of an account."""

from __future__ import annotations

import pytest
from flask import Flask

from tests.api.data.conftest import ADMIN, Ask, asker
from tests.conftest import DOMAIN, PASSWORD, MakeApp, basic
from xmpp_rest.gateway.gateway import Gateway

BASE = f"http://localhost/data/{DOMAIN}/juliet"


@pytest.mark.parametrize("user", [f"juliet@{DOMAIN}", ADMIN])
def test_the_stores_of_an_account(app: Flask, ask: Ask, user: str) -> None:
    ask("PUT", "/data/settings", body='{"a":1}')
    ask("POST", "/data/settings", body="1")
    ask("POST", "/data/wishes", body="1")
    gateway: Gateway = app.extensions["gateway"]
    gateway.driver.archive_append("juliet", DOMAIN, "pep_urn:x", "<message/>", when=1.0)
    gateway.driver.store("juliet", DOMAIN, "last", None)  # that she came in is noted too
    response = ask("GET", f"/data/{DOMAIN}/juliet/", user=user)
    assert response.status_code == 200
    assert response.json == {
        "host": DOMAIN,
        "user": "juliet",
        "stores": [
            {"store": "accounts", "sort": "keyval", "url": f"{BASE}/accounts"},
            {"store": "pep_urn:x", "sort": "archive"},
            {"store": "settings", "sort": "keyval", "url": f"{BASE}/settings"},
            {"store": "settings", "sort": "list", "url": f"{BASE}/settings"},
            {"store": "wishes", "sort": "list", "url": f"{BASE}/wishes"},
        ],
    }
    head = ask("HEAD", f"/data/{DOMAIN}/juliet/", user=user)
    assert (head.status_code, head.data) == (200, b"")


def test_an_account_that_has_nothing(ask: Ask) -> None:
    assert ask("GET", f"/data/{DOMAIN}/nobody/", user=ADMIN).get_json()["stores"] == []


def test_whose_stores(ask: Ask) -> None:
    assert ask("GET", f"/data/{DOMAIN}/nurse/").status_code == 403
    assert ask("GET", f"/data/{DOMAIN}/juliet/", user="").status_code == 401


@pytest.mark.parametrize("path", [f"/data/{DOMAIN}/juliet", "/data/verona.example/juliet/", f"/data/{DOMAIN}/", "/data/"])
def test_other_paths_are_no_account(ask: Ask, path: str) -> None:
    assert ask("GET", path, user=ADMIN).status_code == 404


@pytest.mark.parametrize("method", ["PUT", "POST", "DELETE"])
def test_it_can_only_be_read(ask: Ask, method: str) -> None:
    assert ask(method, f"/data/{DOMAIN}/juliet/", body="{}").status_code == 404


def test_what_the_peers_clients_mean_comes_first(make_app: MakeApp) -> None:
    """Where the domain is a word of letters, `/data/WORD/json/` is one's own store WORD in JSON."""
    app = make_app(gateway_domain="localhost")
    gateway: Gateway = app.extensions["gateway"]
    gateway.start()
    fields = basic("admin@localhost", PASSWORD)
    ask = asker(app)
    assert ask("PUT", "/data/localhost/json/", user="", body='{"a":1}', fields=fields).status_code == 201
    assert ask("GET", "/data/localhost/json/", user="", fields=fields).data == b'{"a":1}'
    assert ask("GET", "/data/localhost/admin/", user="", fields=fields).get_json()["user"] == "admin"
    assert ask("GET", "/data/localhost/admin", user="", fields=fields).status_code == 404
