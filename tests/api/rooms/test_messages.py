"""`GET /rest/rooms/{room}/messages`: kept copies, page by page."""

from __future__ import annotations

import pytest
from flask import Flask
from flask.testing import FlaskClient

from drivers import ArchiveItem
from tests.conftest import DOMAIN
from xmpp_rest.gateway.gateway import Gateway
from xmpp_rest.protocol.jid import parse_jid
from xmpp_rest.service.messages.archive import Archive
from xmpp_rest.service.streams.timeline import HEARD_STORE, HeardId

from .conftest import JULIET, PATH, ROOM, Written, detail

ME = f"juliet@{DOMAIN}"
BEGAN = 1_700_000_000.0


@pytest.fixture
def heard(app: Flask, written: Written) -> list[str]:
    """The ids of six messages of a room."""
    written.put(ME)
    gateway: Gateway = app.extensions["gateway"]
    gateway.start()
    items = [
        ArchiveItem(
            HeardId(BEGAN + n, is_own=False).write(), BEGAN + n, ROOM,
            f"<message from='{ROOM}/romeo' to='{ME}/xmpp-rest' type='groupchat'><body>{n}</body></message>",
        )
        for n in range(6)
    ]  # fmt: skip
    assert Archive(gateway.driver, HEARD_STORE).keep_all({parse_jid(ME): items}) == [None]
    return [item.id for item in items]


def bodies(client: FlaskClient, query: str = "") -> tuple[list[str], bool]:
    answer = client.get(f"{PATH}/messages{query}", headers=JULIET)
    assert answer.status_code == 200
    page = answer.get_json()
    return [message["body"] for message in page["messages"]], page["complete"]


def test_pages(client: FlaskClient, heard: list[str]) -> None:
    assert bodies(client) == (list("012345"), True)
    assert bodies(client, "?max=2") == (["4", "5"], False)
    assert bodies(client, f"?max=2&before={heard[4]}") == (["2", "3"], False)
    assert bodies(client, f"?before={heard[2]}") == (["0", "1"], True)
    assert bodies(client, f"?max=2&after={heard[0]}") == (["1", "2"], False)
    assert bodies(client, f"?after={heard[5]}") == ([], True)


def test_a_message_is_the_stanza_with_its_id_and_time(client: FlaskClient, heard: list[str]) -> None:
    answer = client.get(f"{PATH}/messages?max=1", headers=JULIET)
    (message,) = answer.get_json()["messages"]
    assert message == {
        "kind": "message", "type": "groupchat", "from": f"{ROOM}/romeo", "to": f"{ME}/xmpp-rest", "body": "5",
        "archive_id": heard[5], "timestamp": "2023-11-14T22:13:25Z",
    }  # fmt: skip
    assert answer.headers["Cache-Control"] == "no-store"


def test_what_a_page_cannot_be(client: FlaskClient, heard: list[str]) -> None:
    for query in "max=0", "max=501", "max=x", "max=-1", "max=%C2%B2", "before=a&after=b":
        answer = client.get(f"{PATH}/messages?{query}", headers=JULIET)
        assert answer.status_code == 422, query
        assert query.partition("=")[0] in detail(answer)


def test_ids_that_are_none(client: FlaskClient, heard: list[str]) -> None:
    for query in "before=x", "after=x", "after=":
        answer = client.get(f"{PATH}/messages?{query}", headers=JULIET)
        assert answer.status_code == 404
        assert "no message of this id" in detail(answer)


def test_without_a_membership_there_are_none(client: FlaskClient, written: Written) -> None:
    assert "no membership" in detail(client.get(f"{PATH}/messages", headers=JULIET))
    written.put(ME)
    assert bodies(client) == ([], True)
    assert client.post(f"{PATH}/messages", json={}, headers=JULIET).status_code == 405


def test_a_room_of_the_gateway_is_spoken_in_by_the_occupant(app: Flask, client: FlaskClient) -> None:
    app.extensions["gateway"].start()
    room = f"hall@conference.{DOMAIN}"
    assert client.put(f"/rest/rooms/{room}", json={"create": True}, headers=JULIET).status_code == 201

    def said(body: str, **more: str) -> int:
        message = {"kind": "message", "type": "groupchat", "to": room, "body": body} | more
        return client.post("/rest", json=message, headers=JULIET).status_code

    assert said("of nobody") == 200  # an error
    assert said("hark", **{"from": f"{ME}/xmpp-rest"}) == 202
    kept = client.get(f"/rest/rooms/{room}/messages", headers=JULIET).get_json()
    assert [message["body"] for message in kept["messages"]] == ["hark"]
