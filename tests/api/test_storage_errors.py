"""What clients are told of a storage that fails: the reason, and never where a file is."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from drivers import StorageError
from tests.conftest import DOMAIN, PASSWORD, MakeApp, basic, register_users
from xmpp_rest.errors import storage_failed

JULIET, ADMIN = basic(f"juliet@{DOMAIN}"), basic(f"admin@{DOMAIN}")


def break_files(folder: Path) -> None:
    """Every file of juliet's but her account becomes a folder, and what is not there yet as well."""
    root = folder / "files"
    (host,) = [p for p in root.iterdir() if p.is_dir() and "capulet" in p.name]
    for store in ("roster", "archive", "vcard", "settings", "offline", "xmpprest_archive"):
        for suffix in (".dat", ".list", ".json", ".jsonl"):
            (host / store / f"juliet{suffix}" / "x").mkdir(parents=True, exist_ok=True)


def break_sqlite(folder: Path) -> None:
    with sqlite3.connect(folder / "gateway.sqlite") as connection:
        connection.execute("ALTER TABLE prosodyarchive RENAME TO gone")
    connection.close()


DRIVERS: dict[str, tuple[str, Callable[[Path], None]]] = {
    "flatfile": ("flatfile:files", break_files),
    "jsonfile": ("jsonfile:files", break_files),
    "sqlite": ("sqlite:gateway.sqlite", break_sqlite),
}


@pytest.fixture(params=DRIVERS)
def broken(request: pytest.FixtureRequest, make_app: MakeApp, tmp_path: Path) -> Flask:
    url, spoil = DRIVERS[request.param]
    app = make_app(storage_url=url, server_data_dir=str(tmp_path / "hideaway"))
    app.extensions["gateway"].start()
    register_users(app)
    for headers in (JULIET, ADMIN):  # the accounts are known to be there
        assert app.test_client().get("/rest/outcome/x", headers=headers).status_code == 404
    spoil(tmp_path / "hideaway")
    return app


def calls(client: FlaskClient) -> list[TestResponse]:
    send = {"kind": "message", "type": "chat", "to": f"juliet@{DOMAIN}", "body": "x"}
    user = {"user": "juliet", "host": DOMAIN}
    key = {"Idempotency-Key": "x"}
    return [
        client.post("/rest", json=send, headers=JULIET),
        client.post("/rest", json=send, headers=JULIET | key),
        client.get("/rest/archive/?max=1", headers=JULIET),
        client.get("/rest/stream?after=x", headers=JULIET | {"Last-Event-ID": "x"}),
        client.get("/rest/callbacks", headers=ADMIN),
        client.get(f"/data/{DOMAIN}/juliet/settings", headers=JULIET),
        client.put(f"/data/{DOMAIN}/juliet/settings", json={"a": 1}, headers=JULIET),
        client.get("/api/messages", headers=JULIET),
        client.post("/api/messages", json={"to": f"nurse@{DOMAIN}", "body": "x"}, headers=JULIET),
        client.get("/api/contacts", headers=JULIET),
        client.get("/api/sse?resume=x", headers=JULIET),
        client.post("/api/get_roster", json=user, headers=ADMIN),
        client.post("/api/get_mam_count", json=user, headers=ADMIN),
        client.post("/api/get_vcard", json=user | {"name": "FN"}, headers=ADMIN),
    ]


def test_no_answer_says_where_the_storage_is(broken: Flask, tmp_path: Path) -> None:
    answers = calls(broken.test_client())
    assert [a for a in answers if a.status_code >= 500]
    for answer in answers:
        shown = str(answer.headers) + (answer.text if not answer.is_streamed or answer.status_code >= 400 else "")
        assert str(tmp_path) not in shown
        assert "hideaway" not in shown
        answer.close()


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (StorageError("/var/x: no space (ENOSPC)", told="no space"), "It failed: no space"),
        (StorageError("the disk is gone"), "It failed: the disk is gone"),
        (StorageError("/var/x: no space"), "It failed; the log says why"),
        (StorageError(r"C:\x: no space"), "It failed; the log says why"),
        (StorageError(), "It failed; the log says why"),
        (RuntimeError("/var/x"), "It failed; the log says why"),
    ],
)
def test_what_is_told(error: Exception, told: str, caplog: pytest.LogCaptureFixture) -> None:
    assert storage_failed(error, "It failed").text == told
    assert str(error) in caplog.text


def test_a_configuration_that_has_become_wrong(tmp_path: Path) -> None:
    from xmpp_rest.application import build
    from xmpp_rest.config.load import load_settings

    config = tmp_path / "wsgi.ini"
    good = f"[gateway]\ndomain = {DOMAIN}\n[auth]\nadmin_password = {PASSWORD}\niterations = 4096\n"
    config.write_text(good, "utf-8")
    app = build(load_settings(config, {}))
    try:
        app.extensions["gateway"].start()
        config.write_text(good + "[rest]\niq_timeout = soon\n", "utf-8")
        answer = app.test_client().post("/api/reload_config", json={}, headers=ADMIN)
        assert answer.status_code == 400
        assert "wsgi.ini: [rest] iq_timeout" in answer.get_json()
        assert str(tmp_path) not in answer.get_json()
    finally:
        app.extensions["gateway"].stop()
