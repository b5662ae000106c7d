"""A Prosody on the same storage sees changes made over HTTP, and content that Prosody ignores is not an error."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.botapp import eventually
from tests.conftest import DOMAIN, PASSWORD, MakeApp, basic, register_users
from tests.drivers import prosody13
from xmpp_rest.protocol.jid import parse_jid

JULIET, NURSE = (f"{name}@{DOMAIN}" for name in ("juliet", "nurse"))
ADMIN = basic(f"admin@{DOMAIN}")
NOW = 1_700_000_000


@pytest.fixture
def app(make_app: MakeApp) -> Flask:
    return register_users(make_app(storage_url="flatfile:files"))


def lists(tmp_path: Path) -> dict[str, Path]:
    """Lists of the nurse as a Prosody 13 has left them, with their indexes."""
    folder = tmp_path / "data0/files/capulet%2eexample"
    paths = {store: folder / store / "nurse.list" for store in ("archive", "offline", "wishlist")}
    for path in paths.values():
        for i in range(3):
            prosody13.append(path, prosody13.record(f"p{i}", NOW + i + 0.25, f"p{i}"))
    return paths


def bodies(path: Path) -> list[str]:
    """What 13 would show."""
    return [piece.split(b'"')[1].decode() for piece in prosody13.items(path)]


def test_messages_over_http_are_seen_and_come_in_order(client: FlaskClient, tmp_path: Path) -> None:
    paths = lists(tmp_path)
    for n in range(3):
        message = {"to": NURSE, "body": f"o{n}"}
        assert client.post("/api/messages", headers=basic(JULIET), json=message).status_code == 200
        for path in paths.values():
            prosody13.append(path, prosody13.record(f"q{n}", 4_000_000_000 + n, f"q{n}"))
    mixed = ["p0", "p1", "p2", "o0", "q0", "o1", "q1", "o2", "q2"]
    assert bodies(paths["archive"]) == bodies(paths["offline"]) == mixed
    assert b'["when"] = 17' in paths["archive"].read_bytes()


def test_removing_over_http_leaves_the_rest_visible(client: FlaskClient, tmp_path: Path) -> None:
    paths = lists(tmp_path)
    assert client.post("/api/messages", headers=basic(JULIET), json={"to": NURSE, "body": "kept"}).status_code == 200
    old = {"type": "all", "days": 30}
    assert client.post("/api/delete_old_mam_messages", headers=ADMIN, json=old).status_code == 200
    assert client.post("/api/delete_old_messages", headers=ADMIN, json={"days": 30}).status_code == 200
    for store in ("archive", "offline"):
        prosody13.append(paths[store], prosody13.record("q", 4_000_000_000, "q"))
        assert bodies(paths[store]) == ["kept", "q"]


def test_who_is_unregistered_leaves_no_index(client: FlaskClient, tmp_path: Path) -> None:
    paths = lists(tmp_path)
    assert client.post("/api/unregister", headers=ADMIN, json={"user": "nurse", "host": DOMAIN}).status_code == 200
    assert not any(path.exists() or prosody13.index_of(path).exists() for path in paths.values())


def test_a_list_that_changes_at_data(client: FlaskClient, tmp_path: Path) -> None:
    path = lists(tmp_path)["wishlist"]
    nurse = basic(NURSE)
    assert client.post("/data/wishlist", headers=nurse, json={"1": "a rope ladder"}).status_code == 201
    assert len(prosody13.items(path)) == 4
    assert client.delete("/data/wishlist", headers=nurse).status_code in (200, 204)
    assert not prosody13.index_of(path).exists()
    assert client.post("/data/wishlist", headers=nurse, json="b").status_code == 201
    assert prosody13.items(path) == [b'item("b");\n']


@pytest.mark.parametrize(("kind", "value"), [("number", "nan"), ("number", "inf"), ("json", "{"), ("blob", "x"), ("xml", "<a>")])
@pytest.mark.parametrize("store", ["accounts", "roster", "vcard", "private"])
def test_rows_that_prosody_ignores_are_no_error(make_app: MakeApp, tmp_path: Path, kind: str, value: str, store: str) -> None:
    app = make_app()
    app.extensions["gateway"].parts.accounts.register(parse_jid(JULIET), PASSWORD)
    with closing(sqlite3.connect(tmp_path / "data0/gateway.sqlite")) as connection, connection:
        connection.execute("INSERT INTO prosody VALUES (?, 'juliet', ?, 'odd', ?, ?)", (DOMAIN, store, kind, value))
    client = app.test_client()
    assert client.get("/api/contacts", headers=basic(JULIET)).status_code == 200
    assert client.get(f"/data/{DOMAIN}/juliet/{store}", headers=ADMIN).status_code in (200, 404)


def test_an_account_whose_record_prosody_ignores_is_closed(make_app: MakeApp, tmp_path: Path) -> None:
    app = make_app()
    app.extensions["gateway"].parts.accounts.register(parse_jid(JULIET), PASSWORD)
    client = app.test_client()
    assert client.get("/api/contacts", headers=basic(JULIET)).status_code == 200
    with closing(sqlite3.connect(tmp_path / "data0/gateway.sqlite")) as connection, connection:
        connection.execute("UPDATE prosody SET type='number', value='nan' WHERE user='juliet' AND key='iteration_count'")
    eventually(lambda: client.get("/api/contacts", headers=basic(JULIET)).status_code == 401)  # within a second (decision 0036)
