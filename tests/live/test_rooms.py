"""HTTP clients take part in a room (XEP-0045) of a real server."""

from __future__ import annotations

from uuid import uuid4

import pytest

from .callback import Answer, Callback, Request
from .gateway import Gateway
from .users import User
from .xmppserver import CONFERENCE, GATEWAY

BOT = f"bot@{GATEWAY}/stage"
MUC = "<x xmlns='http://jabber.org/protocol/muc'/>"


def occupant(request: Request, jid: str) -> bool:
    return request.stanza.tag == "presence" and request.stanza.get("from") == jid


@pytest.fixture
def room(gateway: Gateway, callback: Callback) -> str:
    """A room that the bot has joined."""
    room = f"garden-{uuid4().hex}@{CONFERENCE}"
    gateway.send(f"<presence from='{BOT}' to='{room}/Romeo'>{MUC}</presence>")
    joined = callback.wait(lambda r: occupant(r, f"{room}/Romeo")).stanza
    assert joined.get("type") is None
    assert joined.get("to") == BOT
    codes = {s.get("code") for s in joined.iter("{http://jabber.org/protocol/muc#user}status")}
    assert "110" in codes
    return room


def enter(user: User, room: str, nick: str) -> None:
    user.send(f"<presence to='{room}/{nick}'>{MUC}</presence>")
    user.wait(lambda s: s.find(".//{*}status[@code='110']") is not None)


def test_http_speaks_in_a_room(gateway: Gateway, juliet: User, room: str) -> None:
    enter(juliet, room, "Juliet")
    gateway.send(f"<message from='{BOT}' to='{room}' type='groupchat'><body>hello all</body></message>")
    message = juliet.wait_message("hello all")
    assert (message.get("from"), message.get("type")) == (f"{room}/Romeo", "groupchat")


def test_the_callback_hears_the_room(juliet: User, room: str, callback: Callback) -> None:
    enter(juliet, room, "Juliet")
    callback.wait(lambda r: occupant(r, f"{room}/Juliet"))
    juliet.send_message(room, "hello bot", "groupchat")
    heard = callback.wait_body("hello bot", "/bot").stanza
    assert (heard.get("from"), heard.get("to"), heard.get("type")) == (f"{room}/Juliet", BOT, "groupchat")
    juliet.send(f"<presence to='{room}/Juliet' type='unavailable'/>")
    callback.wait(lambda r: occupant(r, f"{room}/Juliet") and r.stanza.get("type") == "unavailable")


def test_the_callback_answers_to_the_whole_room(juliet: User, room: str, callback: Callback) -> None:
    """A groupchat reply goes to the room's bare address, not to the occupant that spoke."""
    enter(juliet, room, "Juliet")
    reply = "<message type='groupchat'><body>echo</body></message>"
    callback.answers["/bot"] = lambda r: Answer(200, reply, "application/xmpp+xml") if b">say it<" in r.body else Answer(204)
    juliet.send_message(room, "say it", "groupchat")
    message = juliet.wait_message("echo")
    assert (message.get("from"), message.get("type")) == (f"{room}/Romeo", "groupchat")


def test_private_messages(gateway: Gateway, juliet: User, room: str, callback: Callback) -> None:
    enter(juliet, room, "Juliet")
    gateway.send(f"<message from='{BOT}' to='{room}/Juliet' type='chat'><body>psst</body></message>")
    assert juliet.wait_message("psst").get("from") == f"{room}/Romeo"
    juliet.send_message(f"{room}/Romeo", "what?")
    assert callback.wait_body("what?", "/bot").stanza.get("from") == f"{room}/Juliet"


def test_leaving(gateway: Gateway, juliet: User, room: str, callback: Callback) -> None:
    enter(juliet, room, "Juliet")
    gateway.send(f"<presence from='{BOT}' to='{room}/Romeo' type='unavailable'/>")
    callback.wait(lambda r: occupant(r, f"{room}/Romeo") and r.stanza.get("type") == "unavailable")
    juliet.wait(lambda s: s.get("from") == f"{room}/Romeo" and s.get("type") == "unavailable")


def test_a_taken_nick(gateway: Gateway, juliet: User, room: str, callback: Callback) -> None:
    gateway.send(f"<presence from='other@{GATEWAY}/x' to='{room}/Romeo'>{MUC}</presence>")
    refused = callback.wait(lambda r: r.path == "/other" and occupant(r, f"{room}/Romeo")).stanza
    assert refused.get("type") == "error"
    assert refused.find("error/{urn:ietf:params:xml:ns:xmpp-stanzas}conflict") is not None


def test_disco_by_http(gateway: Gateway, room: str) -> None:
    answer = gateway.request("GET", f"/rest/items/{CONFERENCE}", user="romeo", Accept="application/json")
    assert answer.status == 200
    assert room in answer.data.decode()
