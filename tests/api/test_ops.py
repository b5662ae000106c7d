"""/health and /status: the state of the gateway, and who may see it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.cluster.made_up import MadeUpNode
from tests.conftest import DOMAIN, PASSWORD, MakeApp, basic
from xmpp_rest.errors import GatewayError
from xmpp_rest.gateway.gateway import Gateway


def test_health_needs_no_credentials(client: FlaskClient) -> None:
    response = client.get("/health")
    assert (response.status_code, response.json) == (200, {"status": "ok", "health": "green", "database": "green"})


def test_status_is_for_administrators(client: FlaskClient) -> None:
    assert client.get("/status").status_code == 401
    assert client.get("/status", headers=basic("admin", "wrong")).status_code == 401
    assert client.get("/status", headers=basic("juliet")).status_code == 403
    status = client.get("/status", headers=basic("admin", PASSWORD)).json
    assert status is not None
    assert status["domain"] == DOMAIN
    assert status["link"] == {"kind": "none", "streams": []}


def test_status_says_why_a_stream_is_down(make_app: object) -> None:
    app: Flask = make_app(link_kind="component", link_secret="x", link_port="1")  # type: ignore[operator]
    client = app.test_client()
    client.get("/health")
    for _ in range(100):
        streams = client.get("/status", headers=basic("admin")).json["link"]["streams"]  # type: ignore[index]
        if all(s["state"] == "waiting" for s in streams):
            break
    assert [s["domain"] for s in streams] == [DOMAIN, f"muclight.{DOMAIN}", f"conference.{DOMAIN}"]
    assert {(s["reason"], s["accepted"], s["outbox"]) for s in streams} == {("unreachable", 0, 0)}


def test_status_tells_of_one_machine_and_of_several(client: FlaskClient, gateway: Gateway) -> None:
    gateway.start()
    found = client.get("/status", headers=basic("admin")).json
    assert found is not None
    assert found["cluster"] == {"kind": "none"}
    node = MadeUpNode()
    gateway.parts = replace(gateway.parts, cluster=node)
    found = client.get("/status", headers=basic("admin")).json
    assert found is not None
    assert found["cluster"] == node.figures()
    assert found["link"] == {"kind": "none", "streams": []}


def test_status_of_a_node_is_there_while_nobody_owns(client: FlaskClient, gateway: Gateway) -> None:
    """Who looks for the reason must not have to wait for an owner."""

    def nobody() -> list[dict[str, Any]]:
        raise GatewayError("link-down")

    gateway.start()
    node = MadeUpNode()
    node.owner, node.grace = "", 0.0
    gateway.parts = replace(gateway.parts, cluster=node, link_status=nobody)
    found = client.get("/status", headers=basic("admin")).json
    assert found is not None
    assert found["cluster"] == node.figures()
    assert found["reasons"] == [{"check": "lease", "reason": "no-owner"}]
    assert (found["processes"], found["domain"], "link" in found) == (1, DOMAIN, False)


@pytest.mark.parametrize("path", ["/nowhere", "/health/x"])
def test_what_is_not_there_is_a_problem_document(client: FlaskClient, path: str) -> None:
    response = client.get(path)
    assert (response.status_code, response.mimetype) == (404, "application/problem+json")


def test_a_page_may_ask_whether_it_may_read_the_status(make_app: MakeApp) -> None:
    asked = {"Origin": "https://page.example", "Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "authorization"}
    answer = make_app().test_client().options("/status", headers=asked)
    assert (answer.status_code, answer.headers["Access-Control-Allow-Origin"]) == (200, "https://page.example")
    assert "Authorization" in answer.headers["Access-Control-Allow-Headers"]
    assert b"streams" not in answer.data
