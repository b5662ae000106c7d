"""Calls of the client API, for the tests of this folder."""

from __future__ import annotations

from typing import Any

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.conftest import DOMAIN, basic

JULIET, NURSE, ROMEO = f"juliet@{DOMAIN}", f"nurse@{DOMAIN}", "romeo@montague.example"


def call(client: FlaskClient, method: str, path: str, *, as_: str = JULIET, **how: Any) -> TestResponse:
    """A request with the credentials of `as_`; the path is sent as it stands, percent-encoding included."""
    headers = basic(as_) | how.pop("headers", {})
    return client.open(path, method=method, headers=headers, **how)


def send(client: FlaskClient, to: str, body: str, *, as_: str = JULIET, **more: Any) -> str:
    """POST /api/messages; the id of the message."""
    response = call(client, "POST", "/api/messages", as_=as_, json={"to": to, "body": body, **more})
    assert response.status_code == 200, response.text
    identifier: str = response.get_json()["id"]
    return identifier


def history(client: FlaskClient, path: str = "/api/messages", *, as_: str = JULIET, **how: Any) -> list[dict[str, Any]]:
    response = call(client, "GET", path, as_=as_, **how)
    assert response.status_code == 200, response.text
    items: list[dict[str, Any]] = response.get_json()
    return items
