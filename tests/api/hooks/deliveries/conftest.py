"""A gateway with a hook of the configuration, and what its messages would go through."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.conftest import DOMAIN, MakeApp, register_users
from xmpp_rest.gateway.gateway import Gateway
from xmpp_rest.protocol.conditions import StanzaError
from xmpp_rest.service.hooks.delivered import Result
from xmpp_rest.service.hooks.hook import Hook
from xmpp_rest.service.hooks.said import Said

TOKEN = "hk_0123456789abcdefghijklmnopq"
SECRET_TOKEN = "hk_qponmlkjihgfedcba9876543210"
SECRET = "It is the east"


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


@pytest.fixture
def app(make_app: MakeApp, hook_settings: dict[str, str]) -> Flask:
    hooks = {
        "hook_ops_token": TOKEN, "hook_ops_targets": f"nurse@{DOMAIN}",
        "hook_signed_token": SECRET_TOKEN, "hook_signed_targets": f"nurse@{DOMAIN}", "hook_signed_secret": SECRET, "hook_signed_get": "yes",
    }  # fmt: skip
    return register_users(make_app(**hooks | hook_settings))


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
