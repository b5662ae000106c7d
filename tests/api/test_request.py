"""A truncated body is refused by every API (RFC 9112 §8)."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient

from tests.conftest import DOMAIN, basic


@pytest.mark.parametrize(
    ("method", "path", "kind", "body"),
    [
        ("POST", "/rest", "text/plain", "Wherefore art"),
        ("POST", "/rest/message/chat/nurse@capulet.example", "application/x-www-form-urlencoded", "body=Wherefore"),
        ("POST", "/api/messages", "application/json", '{"to":"nurse@capulet.example","body":"x"}'),
        ("PUT", f"/data/{DOMAIN}/juliet/private", "application/json", "{}"),
    ],
)
def test_a_body_that_was_cut_off(client: FlaskClient, method: str, path: str, kind: str, body: str) -> None:
    overrides = {"CONTENT_LENGTH": str(len(body) + 1), "wsgi.input_terminated": True}
    response = client.open(
        path, method=method, data=body, headers=basic(f"juliet@{DOMAIN}") | {"Content-Type": kind}, environ_overrides=overrides
    )
    assert response.status_code == 400
