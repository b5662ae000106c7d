"""What is set for hooks is in force at once after a reload, and what is changed of them after a request: in all processes (hooks §2, §4)."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.conftest import DOMAIN, basic
from tests.gateway.test_reload import ADMIN, BEGINNING, JULIET, Make, app, config, make, reload
from xmpp_rest.gateway.gateway import Gateway

__all__ = ["app", "config", "make"]

OPS = f"[hook.ops]\ntoken = hk_{'a' * 27}\ntargets = juliet@{DOMAIN}\n"


@pytest.fixture
def processes(make: Make, app: Flask) -> list[FlaskClient]:
    """Two on the same data: the leader, and its follower."""
    apps = [app, make()]
    for each in apps:
        gateway: Gateway = each.extensions["gateway"]
        gateway.start()
    return [each.test_client() for each in apps]


def gateway_of(client: FlaskClient) -> Gateway:
    gateway: Gateway = client.application.extensions["gateway"]
    return gateway


def make_hook(client: FlaskClient, name: str, **members: Any) -> int:
    return client.post("/hooks", json={"name": name, "targets": [f"juliet@{DOMAIN}"]} | members, headers=JULIET).status_code


def is_told(processes: list[FlaskClient], what: Callable[[Gateway], bool]) -> bool:
    """Whether all processes come to know; a broadcast is carried out by a thread of the other process."""
    deadline = time.monotonic() + 20
    while not all(what(gateway_of(client)) for client in processes):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def test_a_hook_of_the_configuration_comes_and_goes(processes: list[FlaskClient], config: Path) -> None:
    first, second = processes
    token = f"hk_{'a' * 27}"
    config.write_text(BEGINNING + OPS)
    assert reload(first.application) == (200, 0)
    assert is_told(processes, lambda gateway: gateway.parts.hooks.by_token(token) is not None)
    assert second.get("/hooks/ops", headers=ADMIN).get_json()["source"] == "configuration"
    assert make_hook(second, "ops") == 409
    config.write_text(BEGINNING)
    assert reload(second.application) == (200, 0)
    assert is_told(processes, lambda gateway: gateway.parts.hooks.named("ops") is None)
    assert [client.get("/hooks/ops", headers=ADMIN).status_code for client in processes] == [404, 404]


def test_settings_are_in_force_at_once(app: Flask, config: Path) -> None:
    client = app.test_client()
    config.write_text(f"{BEGINNING}[hooks]\nwho = admin\n")
    assert reload(app) == (200, 0)
    assert make_hook(client, "ops") == 403
    config.write_text(f"{BEGINNING}[hooks]\nper_account = 1\naddress = desk@{DOMAIN}\n[limits]\nhook = 5\n")
    assert reload(app) == (200, 0)
    assert make_hook(client, "ops", rate=6) == 403
    assert [make_hook(client, "ops", rate=5), make_hook(client, "dev")] == [201, 403]
    assert client.post("/hooks", json={"name": "adm"}, headers=ADMIN).get_json()["from"] == f"desk@{DOMAIN}"


def test_what_is_wrong_changes_nothing(app: Flask, config: Path) -> None:
    config.write_text(f"{BEGINNING}{OPS}template = {{{{ x\n")
    status, answer = reload(app)
    assert status == 400
    assert "[hook.ops] template: line 1" in str(answer)
    assert app.extensions["gateway"].parts.hooks.named("ops") is None


def test_a_change_is_seen_by_the_other_process_at_once(processes: list[FlaskClient]) -> None:
    heard: list[str] = []
    gateway_of(processes[0]).parts.hooks.removed.subscribe(lambda hook: heard.append(hook.name))  # the leader is told
    for first, second in (processes, processes[::-1]):
        answer = first.post("/hooks", json={"name": "ops"}, headers=JULIET).get_json()
        hooks = gateway_of(second).parts.hooks
        hook = hooks.by_token(answer["token"])
        assert hook is not None
        assert second.put("/hooks/ops", json={"nick": "Ops!"}, headers=JULIET).status_code == 200
        assert gateway_of(first).parts.hooks.by_token(answer["token"]) == hooks.named("ops") != hook
        assert hooks.delivered(hook) == 1
        assert gateway_of(first).parts.hooks.delivered(hook) == 2
        assert [client.get("/hooks/ops", headers=JULIET).get_json()["deliveries"] for client in (first, second)] == [2, 2]
        renewed = second.post("/hooks/ops/token", headers=JULIET).get_json()["token"]
        assert gateway_of(first).parts.hooks.by_token(answer["token"]) is None
        assert gateway_of(first).parts.hooks.by_token(renewed)
        assert first.delete("/hooks/ops", headers=JULIET).status_code == 204
        assert hooks.by_token(renewed) is None
    assert heard == ["ops", "ops"]


def test_it_ends_with_the_account(app: Flask) -> None:
    client, parts = app.test_client(), app.extensions["gateway"].parts
    token = client.post("/hooks", json={"name": "ops"}, headers=JULIET).get_json()["token"]
    body = {"user": "juliet", "host": DOMAIN}
    assert client.post("/api/ban_account", json=body | {"reason": "noise"}, headers=ADMIN).status_code == 200
    assert parts.hooks.by_token(token) is None
    assert client.get("/hooks/ops", headers=ADMIN).status_code == 200
    assert client.post("/api/unban_account", json=body, headers=ADMIN).status_code == 200
    assert parts.hooks.by_token(token)
    assert client.post("/api/unregister", json=body, headers=ADMIN).status_code == 200
    assert client.post("/api/register", json=body | {"password": "x-another"}, headers=ADMIN).status_code == 200
    assert parts.hooks.by_token(token) is None
    assert client.get("/hooks", headers=ADMIN).get_json()["count"] == 0
    assert client.get("/hooks", headers=basic(f"juliet@{DOMAIN}", "x-another")).get_json() == {"count": 0, "hooks": []}
