"""Every answer of the client API in these tests is held against its description in OpenAPI."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.api.client.calls import JULIET, NURSE
from tests.api.client.rooms import Rooms
from tests.api.client.schema import Checker
from xmpp_rest.api.client.openapi import describe

METHODS = ("get", "post", "put", "delete", "options")


def misses(response: TestResponse, settings: Any) -> Iterator[str]:
    """What the description of the API does not say of this answer."""
    description = describe(settings)
    path = re.sub(r"[^/]+%2F[^/]+", "x", str(response.request.environ["RAW_URI"]).partition("?")[0], flags=re.IGNORECASE)
    below = path.removeprefix(settings.prefix).removesuffix("/")
    known = next((rule for rule in description["paths"] if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", rule), below)), None)
    if known is None or (response.status_code in (405, 404) and not response.data):
        return
    method = response.request.method.lower()
    operation = description["paths"][known].get("get" if method == "head" else method)
    if operation is None:
        yield f"{response.request.method} {known} is not described"
        return
    said = operation["responses"].get(str(response.status_code))
    if said is None:
        yield f"{response.request.method} {known}: {response.status_code} is not described"
        return
    if method != "head":
        yield from _content_misses(response, said.get("content"), Checker(description["components"]["schemas"]))


def _content_misses(response: TestResponse, content: dict[str, Any] | None, checker: Checker) -> Iterator[str]:
    kind = response.headers.get("Content-Type")
    if kind == "text/event-stream":
        if kind not in (content or {}):
            yield f"{kind} is not described"
    elif content is None:
        if response.data and kind != "text/plain":  # generation 3 says something there to room messages
            yield f"a body is not described: {response.text}"
    elif kind is None and response.status_code == 429:  # of an account elsewhere it says more
        return
    elif kind not in content:
        yield f"{kind} is not described"
    else:
        yield from checker.problems(response.json, content[kind]["schema"])


@pytest.fixture(autouse=True)
def described(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = FlaskClient.open

    def opened(self: FlaskClient, *args: Any, **how: Any) -> TestResponse:
        response = plain(self, *args, **how)
        settings = self.application.extensions["gateway"].settings.client
        if str(response.request.path).startswith(f"{settings.prefix}/"):
            assert list(misses(response, settings)) == []
        return response

    monkeypatch.setattr(FlaskClient, "open", opened)


@pytest.fixture
def juliet(app: Flask) -> Rooms:
    return Rooms(app, JULIET)


@pytest.fixture
def nurse(app: Flask) -> Rooms:
    return Rooms(app, NURSE)


@pytest.fixture
def room(juliet: Rooms) -> str:
    """A room of Juliet's, with the nurse in it."""
    room = juliet.create("garden")
    juliet.done("POST", f"/{room}/users", {"user": NURSE})
    return room
