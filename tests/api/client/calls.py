"""Calls of the client API, for the tests of this folder."""

from __future__ import annotations

from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.conftest import DOMAIN, basic

JULIET, NURSE, ROMEO = f"juliet@{DOMAIN}", f"nurse@{DOMAIN}", "romeo@montague.example"


def call(client: FlaskClient, method: str, path: str, *, as_: str = JULIET, **how: Any) -> TestResponse:
    """A request with the credentials of `as_`; the path is sent as it stands, percent-encoding included."""
    headers = basic(as_) | how.pop("headers", {})
    return client.open(path, method=method, headers=headers, **how)


class Api:
    """Requests of one user to what is below `root`."""

    root = ""

    def __init__(self, app: Flask, user: str) -> None:
        self.client = app.test_client()
        self.headers = basic(user)

    def __call__(self, method: str, path: str = "", body: Any = None, **given: Any) -> TestResponse:
        if body is not None:
            given["json"] = body
        return self.client.open(f"{self.root}{path}", method=method, headers=self.headers, **given)

    def done(self, method: str, path: str, body: Any = None) -> None:
        response = self(method, path, body)
        assert (response.status_code, response.data, "Content-Type" in response.headers) == (204, b"", False)


def refused(response: TestResponse) -> tuple[int, Any]:
    assert response.headers["Content-Type"] == "application/json"
    return response.status_code, response.get_json()


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
