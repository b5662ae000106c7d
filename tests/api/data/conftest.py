"""Fixtures of /data: applications on both storages that Prosody knows, and a way to call them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from tests.conftest import DOMAIN, USERS, basic, build_app, register_users

JULIET = f"juliet@{DOMAIN}"
ADMIN = f"admin@{DOMAIN}"
JSON = "application/json"
LUA = "text/x-lua"
Ask = Callable[..., TestResponse]


@pytest.fixture(scope="package", params=["sqlite:gateway.sqlite", "flatfile:tree"], ids=["sqlite", "flatfile"])
def shared(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flask]:
    """One application for each storage: deriving keys of passwords for every test would take most of the time."""
    app = register_users(build_app(tmp_path_factory.mktemp("data"), auth_failures="100000", storage_url=request.param))
    app.extensions["gateway"].start()
    yield app
    app.extensions["gateway"].stop()


@pytest.fixture
def app(shared: Flask) -> Iterator[Flask]:
    """The application with the accounts of USERS and nothing else; what a test changes is undone."""
    driver = shared.extensions["gateway"].driver
    records = {user: driver.load(user, DOMAIN, "accounts") for user in (*USERS, "admin")}
    yield shared
    for host in list(driver.hosts()):
        for user in list(driver.users(host)):
            if [*driver.stores(user, host)] != [("accounts", "keyval")] or user not in records:
                driver.purge(user, host)
    for user, record in records.items():
        if driver.load(user, DOMAIN, "accounts") != record:
            driver.store(user, DOMAIN, "accounts", record)


def asker(app: Flask) -> Ask:
    """Asks `app`: method, path, as whom (a JID; "": nobody), body, its Content-Type (default: JSON), more header fields."""
    client = app.test_client()

    def ask(
        method: str,
        path: str,
        user: str = JULIET,
        body: str | bytes | None = None,
        sent_as: str = JSON,
        fields: Mapping[str, str] | None = None,
        **more: Any,
    ) -> TestResponse:
        who = basic(user) if user else {}
        kind = {"Content-Type": sent_as} if body is not None and sent_as else {}
        return client.open(path, method=method, data=body, headers={**who, **kind, **(fields or {})}, **more)

    return ask


@pytest.fixture
def storage(app: Flask) -> str:
    """The kind of the application's storage: `sqlite` or `flatfile`."""
    return str(app.extensions["gateway"].settings.storage.url).partition(":")[0]


@pytest.fixture
def ask(app: Flask) -> Ask:
    return asker(app)
