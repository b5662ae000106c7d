"""A gateway with a hook of the configuration, and what its messages would go through."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.conftest import DOMAIN, MakeApp, build_app, register_users
from xmpp_rest.gateway.gateway import Gateway
from xmpp_rest.protocol.conditions import StanzaError
from xmpp_rest.service.hooks.delivered import Result
from xmpp_rest.service.hooks.hook import Hook
from xmpp_rest.service.hooks.said import Said

TOKEN = "hk_0123456789abcdefghijklmnopq"
SECRET_TOKEN = "hk_qponmlkjihgfedcba9876543210"
SECRET = "It is the east"
HOOKS = {
    "hook_ops_token": TOKEN, "hook_ops_targets": f"nurse@{DOMAIN}",
    "hook_signed_token": SECRET_TOKEN, "hook_signed_targets": f"nurse@{DOMAIN}", "hook_signed_secret": SECRET, "hook_signed_get": "yes",
}  # fmt: skip


class Recipients:
    """Takes messages in place of the network, and answers each target as a test says."""

    def __init__(self) -> None:
        self.errors: Sequence[StanzaError | None] = (None,)
        self.said: list[str] = []
        self.fail: Exception | None = None

    def send(self, hook: Hook, said: Said) -> tuple[Result, ...]:
        if self.fail is not None:
            raise self.fail
        self.said.append(said.text)
        return tuple(Result(f"nurse{n}@{DOMAIN}", f"id{n}", error=error) for n, error in enumerate(self.errors))


@pytest.fixture
def hook_settings() -> dict[str, str]:
    """More settings, for modules that need other ones."""
    return {}


@pytest.fixture(scope="module")
def shared_app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flask]:
    """For all tests of a module that are SHARED. They are more in a minute than one hook may be asked."""
    app = register_users(build_app(tmp_path_factory.mktemp("shared"), limits_hook="0", **HOOKS))
    yield app
    app.extensions["gateway"].stop()


@pytest.fixture
def app(request: pytest.FixtureRequest, make_app: MakeApp, hook_settings: dict[str, str]) -> Flask:
    if "shared_app" in request.fixturenames:
        shared: Flask = request.getfixturevalue("shared_app")
        return shared
    return register_users(make_app(**HOOKS | hook_settings))


@pytest.fixture
def recipients(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> Recipients:
    """In place of the network."""
    there = Recipients()
    monkeypatch.setattr(gateway.parts.hook_requests, "_sender", there)
    return there


def counted(gateway: Gateway) -> dict[str, float]:
    """How many requests had which result."""
    figures: dict[str, Any] = gateway.parts.counts.figures()
    return {key.split("\t")[2]: value for key, value in figures.items() if key.startswith("hook_requests_total\t")}


@pytest.fixture
def post(client: FlaskClient) -> Any:
    """Posts to the hook of the configuration."""
    return lambda path="", **how: client.post(f"/hooks/{TOKEN}{path}", **how)
