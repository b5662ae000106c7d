"""Each request gets its own answer, whatever the one before it was: formats and callers in turn."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient

from tests.conftest import DOMAIN, TOKEN, basic

XML, JSON, FORM = "application/xmpp+xml", "application/json", "application/x-www-form-urlencoded"
BODY = {XML: "<message to='nurse@capulet.example'><body>x</body></message>", JSON: '{"to":"nurse@capulet.example","body":"x"}'}
ASKED = [
    (XML, "", XML), (JSON, "", JSON), (XML, JSON, JSON), (JSON, XML, XML), (JSON, FORM, FORM), (XML, "*/*", XML),
    ("Application/XMPP+XML; charset=UTF-8", "", XML), ("APPLICATION/JSON;charset=utf-8", "", JSON),
    (XML, "Application/JSON;Q=0.5, APPLICATION/XMPP+XML", XML), (XML, "application/json, application/xmpp+xml;q=0.5", JSON),
    (XML, "text/html", XML), (JSON, f"text/html;x={'y' * 400}, {XML}", XML), (JSON, f"text/html;x={'y' * 400}, {FORM}", FORM),
]  # fmt: skip


def kind(content_type: str) -> str:
    return content_type.partition(";")[0].lower()


@pytest.mark.parametrize("order", [1, -1])
def test_formats(client: FlaskClient, order: int) -> None:
    for sent, accept, answered in [*ASKED, *ASKED][::order]:
        fields = {"Authorization": TOKEN, "Content-Type": sent} | ({"Accept": accept} if accept else {})
        response = client.post("/rest/echo", data=BODY[kind(sent)], headers=fields)
        assert (response.status_code, response.mimetype) == (200, answered), (sent, accept)


def test_callers(client: FlaskClient) -> None:
    callers = [
        ({"Authorization": TOKEN}, 200, DOMAIN), (basic(f"juliet@{DOMAIN}"), 200, f"juliet@{DOMAIN}"), ({}, 401, None),
        (basic("nurse"), 200, f"nurse@{DOMAIN}"), ({"Authorization": f"{TOKEN}x"}, 403, None),
        (basic(f"juliet@{DOMAIN}", "wrong"), 403, None), ({"Authorization": TOKEN}, 200, DOMAIN),
    ]  # fmt: skip
    for credentials, status, sender in callers * 2:
        fields = credentials | {"Content-Type": JSON, "Accept": JSON}
        response = client.post("/rest/echo", data=BODY[JSON], headers=fields)
        assert (response.status_code, (response.get_json() or {}).get("from")) == (status, sender)
