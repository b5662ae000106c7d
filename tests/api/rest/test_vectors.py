"""/rest/echo answers as mod_rest did: the recorded conversions, over HTTP."""

from __future__ import annotations

import re
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.conftest import basic
from tests.protocol.jsonmap.test_vectors import SAME, VECTORS


@pytest.fixture
def juliet(shared_app: Flask) -> FlaskClient:
    client = shared_app.test_client()
    client.environ_base["HTTP_AUTHORIZATION"] = basic("juliet")["Authorization"]
    return client


def with_recommendation(vector: dict[str, Any]) -> dict[str, Any]:
    recommended = vector.get("recommended")
    return {**vector, **recommended} if recommended else vector


@pytest.mark.parametrize("vector", [with_recommendation(v) for v in VECTORS if v["name"] != "j2x/from-xml/archive-result"], ids=lambda v: v["name"])
def test_echo(juliet: FlaskClient, vector: dict[str, Any]) -> None:
    headers = {"Accept": vector["accept"]} if vector["accept"] is not None else {}
    if vector["content_type"] is not None:
        headers["Content-Type"] = vector["content_type"]
    response = juliet.post("/rest/echo", data=vector["input"].encode(), headers=headers)
    assert response.status_code == vector["status"], response.get_data(as_text=True)
    if vector["output"] is None or response.status_code >= 400:
        return
    kind = vector["output_type"]
    assert response.headers["Content-Type"] == kind
    assert SAME[kind](with_id(response.get_data(as_text=True), vector["output"], kind)) == SAME[kind](vector["output"])


def with_id(text: str, expected: str, kind: str) -> str:
    """The text with its fresh id shown as the vectors show it."""
    if "*ID*" not in expected:
        return text
    patterns = {"application/json": r'("id":\s?")[\w-]{24}(")', "application/xmpp+xml": r"( id=')[\w-]{24}(')"}
    return re.sub(patterns.get(kind, r"(\bid=)[\w-]{24}(&|$)"), r"\g<1>*ID*\g<2>", text, count=1)
