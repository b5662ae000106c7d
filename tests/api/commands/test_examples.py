"""Recorded requests are answered as by the peer (tests/api/vectors/commands_examples.json).

`exact`: the same status and JSON value. `shape`: the same status and types; lists look like their first recorded element.
"""

from __future__ import annotations

import base64
import json
from pathlib import Path
from string import Template
from typing import Any

import pytest
from flask import Flask

from tests.api.commands.conftest import ADMIN
from tests.conftest import DOMAIN, PASSWORD
from xmpp_rest.gateway.gateway import Gateway

VECTORS = Path(__file__).parent.parent / "vectors" / "commands_examples.json"


def _basic(user: str, password: str) -> str:
    return base64.b64encode(f"{user}@{DOMAIN}:{password}".encode()).decode()


WORDS = {
    "DOMAIN": DOMAIN,
    "SERVICE": f"conference.{DOMAIN}",
    "U1": "benvolio",
    "U2": "mercutio",
    "ROOM": "verona",
    "GROUP": "montagues",
    "ADMIN_BASIC": _basic("admin", PASSWORD),
    "WRONG_BASIC": _basic("admin", "not-the-password"),
    "U1_BASIC": _basic("benvolio", "pw"),
}
OTHERWISE = {"json_array_body__current"}  # [] means no arguments here, as in the peer's releases up to 24.12
EXAMPLES = [e for e in json.loads(Template(VECTORS.read_text("utf-8")).substitute(WORDS))["examples"] if e["name"] not in OTHERWISE]


def _fits(value: Any, recorded: Any) -> bool:
    """Whether `value` has the shape of what was recorded."""
    if isinstance(recorded, dict):
        return isinstance(value, dict) and all(k in value and _fits(value[k], v) for k, v in recorded.items())
    if isinstance(recorded, list):
        return isinstance(value, list) and all(_fits(v, recorded[0]) for v in value if recorded)
    return type(value) is type(recorded)


def _store_in_plain(gateway: Gateway) -> None:
    """The recorded server kept passwords as they are; the gateway does so only with records that Prosody wrote."""
    gateway.driver.store("benvolio", DOMAIN, "accounts", {"password": "abcdefg"})


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda e: e["name"])
def test_example(app: Flask, gateway: Gateway, example: dict[str, Any]) -> None:
    client = app.test_client()
    for call in example["setup"]:
        done = client.post(call["path"], data=json.dumps(call["body"]), headers=ADMIN)
        assert done.status_code == 200, done.data
    if example["name"] == "check_password_hash_sha":
        _store_in_plain(gateway)
    request, recorded = example["request"], example["response"]
    body = request["raw_body"].encode() if "raw_body" in request else json.dumps(request["body"]) if request.get("body") is not None else None
    answer = client.open(request["path"], method=request["method"], data=body, headers=request["headers"])
    got = json.loads(answer.data) if answer.data else None
    assert answer.status_code == recorded["status"], got
    if example["compare"] == "exact":
        assert got == recorded["body"]
    else:
        assert _fits(got, recorded["body"]), got
