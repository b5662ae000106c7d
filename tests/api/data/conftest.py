"""What do the tests of /data share? Applications on both storages that a Prosody knows, and a way to ask them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from tests.conftest import DOMAIN, USERS, MakeApp, basic
from xmpp_rest.gateway import Gateway

JULIET = f"juliet@{DOMAIN}"
ADMIN = f"admin@{DOMAIN}"
JSON = "application/json"
LUA = "text/x-lua"
Ask = Callable[..., TestResponse]


@pytest.fixture(params=["sqlite:gateway.sqlite", "flatfile:tree"], ids=["sqlite", "flatfile"])
def app(request: pytest.FixtureRequest, make_app: MakeApp) -> Flask:
    app = make_app(storage_url=request.param)
    gateway: Gateway = app.extensions["gateway"]
    for user in USERS:
        gateway.accounts.register(gateway.accounts.address(user, DOMAIN), "R0m30-forever")
    return app


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
def ask(app: Flask) -> Ask:
    return asker(app)
