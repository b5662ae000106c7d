"""Rooms with several processes of one gateway: two over one data folder, one of which leads."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from tests.api.client.calls import JULIET, NURSE, ROMEO
from tests.api.client.rooms import CLUB
from tests.conftest import DOMAIN, MakeApp, basic, register_users
from tests.many import in_threads
from xmpp_rest.api.client.events import EventWriter, is_shown
from xmpp_rest.gateway.gateway import Gateway
from xmpp_rest.protocol.jid import parse_jid
from xmpp_rest.service.streams.registry import Stream


def gateway_of(app: Flask) -> Gateway:
    gateway: Gateway = app.extensions["gateway"]
    return gateway


@pytest.fixture
def apps(make_app: MakeApp, tmp_path: Path) -> tuple[Flask, Flask]:
    """The owner, and its peer."""
    owner, peer = (make_app(server_data_dir=str(tmp_path / "shared")) for _ in range(2))
    for app in (owner, peer):
        gateway_of(app).start()
    register_users(owner)
    assert gateway_of(owner).parts.remote.group.is_leader
    assert not gateway_of(peer).parts.remote.group.is_leader
    return owner, peer


def call(app: Flask, user: str, method: str, path: str, body: Any = None) -> Any:
    response = app.test_client().open(f"/api/rooms{path}", method=method, headers=basic(user), json=body)
    assert response.status_code in (200, 201, 204), response.data
    return response.get_json(silent=True)


def heard(stream: Stream, count: int) -> list[dict[str, Any]]:
    writer = EventWriter("us", f"muclight.{DOMAIN}", counted=True, xml=False)
    data: list[dict[str, Any]] = []
    while len(data) < count:
        event = stream.next(30)
        assert event is not None, f"only {len(data)} of {count} events came"
        data.append(json.loads((writer.write(event) or b"").decode().partition("data: ")[2]))
    return data


def test_a_peer_has_the_owner_change_rooms(apps: tuple[Flask, Flask]) -> None:
    owner, peer = apps
    call(peer, JULIET, "PUT", "/garden", CLUB | {"participants": [NURSE]})
    call(peer, JULIET, "PUT", "/garden/config", CLUB | {"subject": "Five"})
    call(peer, JULIET, "POST", "/garden/users", {"user": ROMEO})
    call(peer, JULIET, "DELETE", f"/garden/users/{ROMEO}")
    said = call(peer, NURSE, "POST", "/garden/messages", {"body": "ä <&>"})
    details = call(owner, NURSE, "GET", "/garden")
    assert (details["subject"], len(details["participants"])) == ("Five", 2)
    for app in apps:
        items = call(app, JULIET, "GET", "/garden/messages")
        assert [item.get("affiliation", item.get("body")) for item in items] == ["member", "member", "none", "ä <&>"]
        assert items[-1]["id"] == said["id"]


def test_refusals_come_back_as_they_are(apps: tuple[Flask, Flask]) -> None:
    _, peer = apps
    call(peer, JULIET, "PUT", "/garden", CLUB)
    client = peer.test_client()
    for user, method, path, body, status, text in [
        (NURSE, "PUT", "/garden", CLUB, 403, "Room already exists"),
        (NURSE, "POST", "/garden/messages", {"body": "x"}, 403, "Given user does not occupy this room"),
        (NURSE, "POST", "/orchard/messages", {"body": "x"}, 404, "Room not found"),
        (JULIET, "POST", "/garden/users", {"user": "שלום@x.example"}, 400, "Invalid user JID: שלום@x.example"),
    ]:
        response = client.open(f"/api/rooms{path}", method=method, json=body, headers=basic(user))
        assert (response.status_code, response.get_json()) == (status, text)


def test_events_have_one_order_and_one_time_in_all_processes(apps: tuple[Flask, Flask]) -> None:
    call(apps[1], JULIET, "PUT", "/garden", CLUB | {"participants": [NURSE]})
    streams = [gateway_of(app).parts.streams.open(parse_jid(user), wanted=is_shown) for app in apps for user in (JULIET, NURSE)]

    def speak(speaker: tuple[Flask, str]) -> None:
        for n in range(10):
            call(*speaker, "POST", "/garden/messages", {"body": f"{speaker[1]} {n}"})

    in_threads(speak, [(app, user) for app in apps for user in (JULIET, NURSE)])
    kept = [(i["id"], i["timestamp"]) for i in call(apps[0], NURSE, "GET", "/garden/messages?limit=500") if i["type"] == "message"]
    assert len(kept) == 40
    for stream in streams:
        assert [(event["id"], event["timestamp"] // 1000) for event in heard(stream, 40)] == kept
