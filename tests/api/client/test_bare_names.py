"""The name of a user without a domain is refused wherever an address is expected (protocol/jid.py)."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient

from tests.api.client.calls import NURSE, call


@pytest.mark.parametrize("name", ["nurse", "Nurse", "nurse/x"])
def test_it_is_no_contact_and_no_occupant(client: FlaskClient, name: str) -> None:
    room = {"name": "n", "subject": "s"}
    made = call(client, "POST", "/api/rooms", json=room).get_json()["id"]
    answers = [
        call(client, "POST", "/api/messages", json={"to": name, "body": "hi"}),
        call(client, "POST", "/api/contacts", json={"jid": name}),
        call(client, "POST", "/api/rooms", json=room | {"participants": [name]}),
        call(client, "POST", f"/api/rooms/{made}/users", json={"user": name}),
    ]
    assert [answer.status_code for answer in answers] == [400] * 4
    assert all(NURSE in answer.text + answer.headers.get("Error-Detail", "") for answer in answers)
    assert len(call(client, "GET", "/api/rooms").get_json()) == 1


def test_a_domain_is_an_address(client: FlaskClient) -> None:
    made = call(client, "POST", "/api/rooms", json={"name": "n", "subject": "s"}).get_json()["id"]
    assert call(client, "POST", "/api/contacts", json={"jid": "montague.example"}).status_code == 204
    assert call(client, "POST", "/api/contacts", json={"jid": "nurse@localhost"}).status_code == 204
    assert call(client, "POST", f"/api/rooms/{made}/users", json={"user": "nurse@localhost"}).status_code == 204
