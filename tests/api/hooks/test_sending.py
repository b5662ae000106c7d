"""How the messages of hooks arrive, over HTTP: in rooms of the gateway itself, with what is told of them (hooks §3, §8, §11)."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.botapp import eventually
from tests.conftest import DOMAIN, MakeApp, basic, register_users
from xmpp_rest.gateway.gateway import Gateway
from xmpp_rest.protocol.jid import parse_jid
from xmpp_rest.protocol.stanza import child, make, new_id

JULIET, NURSE, ADMIN = (basic(f"{user}@{DOMAIN}") for user in ("juliet", "nurse", "admin"))
CONFERENCE = f"conference.{DOMAIN}"
ROOM = f"ward@{CONFERENCE}"


@pytest.fixture
def app(make_app: MakeApp) -> Flask:
    return register_users(make_app(gateway_conference_domain=CONFERENCE, gateway_rooms_domain=f"muclight.{DOMAIN}", hooks_wait="0.3"))


def hook(client: FlaskClient, who: dict[str, str] = JULIET, **members: Any) -> str:
    """The path of a new hook's URL."""
    answer = client.post("/hooks", json={"name": "ops"} | members, headers=who)
    assert answer.status_code == 201, answer.text
    return f"/hooks/{answer.get_json()['token']}"


def results(answer: TestResponse) -> list[tuple[str, str]]:
    return [(result["outcome"], result.get("how") or result["error"]["condition"]) for result in answer.get_json()["results"]]


def create_room(client: FlaskClient, name: str = "ward") -> None:
    options = {"options": [{"name": "persistent", "value": "true"}]}
    answer = client.post("/api/create_room_with_opts", json={"room": name, "service": CONFERENCE, "host": DOMAIN} | options, headers=ADMIN)
    assert answer.status_code == 200, answer.text


def history(client: FlaskClient) -> list[str]:
    answer = client.post("/api/get_room_history", json={"room": "ward", "service": CONFERENCE}, headers=ADMIN)
    return [item["message"] for item in answer.get_json()]


def test_a_room_and_a_person(client: FlaskClient) -> None:
    create_room(client)
    url = hook(client, targets=[ROOM, f"nurse@{DOMAIN}"], nick="Alarm")
    answer = client.post(url, json={"message": "Fire"})
    assert answer.status_code == 200
    assert results(answer) == [("accepted", "sent"), ("accepted", "sent")]
    to_room, to_person = answer.get_json()["results"]
    assert (to_room["to"], to_person["to"]) == (ROOM, f"nurse@{DOMAIN}")
    (message,) = history(client)
    assert f"from='{ROOM}/Alarm'" in message
    assert "<body>Fire</body>" in message
    occupants = client.post("/api/get_room_occupants", json={"room": "ward", "service": CONFERENCE}, headers=ADMIN).get_json()
    assert [(occupant["jid"], occupant["nick"]) for occupant in occupants] == [(f"juliet@{DOMAIN}/hook-ops", "Alarm")]
    for result in (to_room, to_person):
        outcome = client.get(f"/rest/outcome/{result['id']}", headers=JULIET)
        assert outcome.get_json()["state"] == "confirmed"
        assert client.get(f"/rest/outcome/{result['id']}", headers=NURSE).status_code == 404
    (kept,) = client.get("/api/messages", headers=NURSE).get_json()
    assert (kept["from"], kept["body"]) == (f"juliet@{DOMAIN}", "Fire")


def test_who_is_kicked_comes_in_again_and_who_is_banned_is_told_of_it(client: FlaskClient, gateway: Gateway) -> None:
    create_room(client)
    url = hook(client, targets=[f"room:{ROOM}"])
    assert client.post(url, json={"message": "Fire"}).status_code == 200
    owner, conference = parse_jid("romeo@montague.example/orchard"), gateway.parts.conference
    assert conference is not None
    conference.affiliate("ward", "romeo@montague.example", "owner", "")
    enter = make("presence", child("{http://jabber.org/protocol/muc}x"), from_=str(owner), to_=f"{ROOM}/Romeo")

    def put_out(**item: str) -> None:
        gateway.parts.router.deliver(enter, owner, parse_jid(f"{ROOM}/Romeo"))  # whom the room loses, as nothing reaches romeo
        admin = "{http://jabber.org/protocol/muc#admin}"
        query = make(f"{admin}query", make(f"{admin}item", child(f"{admin}reason", "Too loud"), **item))
        gateway.parts.router.deliver(make("iq", query, type_="set", id_=new_id(), from_=str(owner), to_=ROOM), owner, parse_jid(ROOM))

    put_out(nick="ops", role="none")
    again = client.post(url, json={"message": "Smoke"})
    assert (again.status_code, results(again)) == (200, [("accepted", "sent")])
    assert len(history(client)) == 2
    put_out(jid=f"juliet@{DOMAIN}", affiliation="outcast")
    for _ in range(2):
        refused = client.post(url, json={"message": "Water"})
        assert (refused.status_code, results(refused)) == (502, [("refused", "forbidden")])
        text = refused.get_json()["results"][0]["error"]["text"]
        assert text.endswith("The hook was put out of the room: banned by Romeo: Too loud")
    put_out(jid=f"juliet@{DOMAIN}", affiliation="none")
    assert client.post(url, json={"message": "Water"}).status_code == 200


def test_a_room_that_is_not_there_is_not_made(client: FlaskClient) -> None:
    url = hook(client, targets=[f"room:{ROOM}"])
    answer = client.post(url, json={"message": "Fire"})
    assert (answer.status_code, results(answer)) == (502, [("refused", "item-not-found")])
    assert client.post("/api/muc_online_rooms", json={"service": CONFERENCE}, headers=ADMIN).get_json() == []


def test_one_who_refuses_costs_the_others_nothing(client: FlaskClient) -> None:
    url = hook(client, targets=["romeo@montague.example", f"nurse@{DOMAIN}", f"room:yard@muclight.{DOMAIN}"])
    answer = client.post(url, json={"message": "Fire"})
    assert answer.status_code == 200
    assert results(answer) == [("refused", "remote-server-not-found"), ("accepted", "sent"), ("refused", "item-not-found")]


def test_administrators_hear_of_what_their_hooks_said(client: FlaskClient) -> None:
    url = hook(client, ADMIN, targets=[f"nurse@{DOMAIN}"])
    (result,) = client.post(url, json={"message": "Fire"}).get_json()["results"]
    assert client.get(f"/rest/outcome/{result['id']}", headers=ADMIN).get_json()["state"] == "confirmed"
    assert client.get(f"/rest/outcome/{result['id']}", headers=JULIET).status_code == 404
    (kept,) = client.get("/api/messages", headers=NURSE).get_json()
    assert kept["from"] == f"hooks@{DOMAIN}"


def test_a_matter_is_followed(client: FlaskClient) -> None:
    create_room(client)
    url = hook(client, targets=[f"room:{ROOM}", f"nurse@{DOMAIN}"], update=True)

    def post(text: str, state: str) -> list[str]:
        answer = client.post(f"{url}?key=door&state={state}", json={"message": text})
        return [how for _, how in results(answer)]

    assert [post("Open", "1"), post("Wide open", "2")] == [["sent"] * 2, ["corrected"] * 2]
    body = {"type": "chat", "to": f"nurse@{DOMAIN}", "body": "I look after it"}
    assert client.post("/rest", json=body | {"kind": "message"}, headers=JULIET).status_code == 202
    assert post("Shut", "ok") == ["corrected", "replied"]
    assert post("Open", "1") == ["sent", "sent"]
    assert len(history(client)) == 4
    assert "<replace xmlns='urn:xmpp:message-correct:0'" in history(client)[1]


def test_a_removed_hook_leaves(client: FlaskClient) -> None:
    create_room(client)
    url = hook(client, targets=[f"room:{ROOM}"])
    assert client.post(url, json={"message": "Fire"}).status_code == 200
    assert client.delete("/hooks/ops", headers=JULIET).status_code == 204
    room = {"room": "ward", "service": CONFERENCE}
    eventually(lambda: client.post("/api/get_room_occupants", json=room, headers=ADMIN).get_json() == [])
