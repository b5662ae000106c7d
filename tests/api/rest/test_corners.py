"""Edge cases of path, media type, size and method at /rest (rest-api §1, §3, §4, §10; json-mapping §5)."""

from __future__ import annotations

import json

import cbor2
import pytest
from flask.testing import FlaskClient

from tests.conftest import DOMAIN, basic

JULIET = basic("juliet")
XML, CBOR, JSON = "application/xmpp+xml", "application/cbor", "application/json"
TO_NURSE = f"<message to='nurse@{DOMAIN}'><body>Hi</body></message>"


@pytest.mark.parametrize("path", ["/rest/", "/rest/nonsense", "/rest/message/chat/@", "/rest/xyz/chat/a@b", "/rest/iq/p!ng/a@b"])
@pytest.mark.parametrize(("kind", "body"), [(XML, TO_NURSE), (CBOR, cbor2.dumps({"to": f"nurse@{DOMAIN}", "body": "Hi"}))])
def test_xml_and_cbor_speak_for_themselves_whatever_the_path(client: FlaskClient, path: str, kind: str, body: str | bytes) -> None:
    assert client.post(path, data=body, headers=JULIET | {"Content-Type": kind}).status_code == 202


@pytest.mark.parametrize(
    ("kind", "status"),
    [(f"{XML} x", 200), (f"{XML} x; charset=utf-8", 200), (f"{XML.upper()} ; charset=utf-8", 200), (f"x {XML}", 415), (f"{XML}x y", 415)],
)
def test_what_stands_behind_a_blank_is_no_media_type(client: FlaskClient, kind: str, status: int) -> None:
    assert client.post("/rest/echo", data=TO_NURSE, headers=JULIET | {"Content-Type": kind}).status_code == status


def test_too_large_says_how_large_and_what_is_allowed(client: FlaskClient) -> None:
    response = client.post("/rest", data=b"x" * 196609, headers=JULIET | {"Content-Type": XML})
    assert response.status_code == 413
    assert json.loads(response.data)["error"]["context"] == {"size": 196609, "limit": 196608}


@pytest.mark.parametrize("path", ["/rest", "/rest/", "/rest/echo", "/rest/stream", "/rest/ping/a@b", "/rest/callbacks/none/dead"])
def test_a_method_that_no_registry_knows_is_answered_with_cors_too(client: FlaskClient, path: str) -> None:
    response = client.open(path, method="FOO", headers={"Origin": "https://app.example.net"})
    assert response.status_code == 405
    assert response.headers["Access-Control-Allow-Origin"] == "https://app.example.net"


@pytest.mark.parametrize("path", ["/", "/restless", "/health"])
def test_cors_fields_are_for_rest_alone(client: FlaskClient, path: str) -> None:
    assert "Access-Control-Allow-Headers" not in client.get(path).headers


@pytest.mark.parametrize("arguments", ["with=nurse@{}", "with=nurse@{}&start=2020-01-01T00:00:00Z&max=5", "end=2100-01-01T00:00:00Z"])
def test_shortcuts_leave_the_other_fields_empty_and_the_archive_minds_none(client: FlaskClient, arguments: str) -> None:
    assert client.post("/rest", data=TO_NURSE, headers=JULIET | {"Content-Type": XML}).status_code == 202
    response = client.get(f"/rest/archive/?{arguments.format(DOMAIN)}", headers=JULIET | {"Accept": JSON})
    message, fin = json.loads(response.data)["xmpp"]
    assert message["archive"]["forward"]["message"]["body"] == "Hi"
    assert fin["type"] == "result"
