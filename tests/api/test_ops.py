"""/health and /status: the state of the gateway, and who may see it."""

from __future__ import annotations

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.conftest import DOMAIN, PASSWORD, MakeApp, basic


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
