"""What a default server passes on at its own limits, after it has escaped it, arrives whole."""

from __future__ import annotations

from collections.abc import Callable
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape

import pytest

from .gateway import Gateway
from .users import User
from .xmppserver import CONFERENCE, GATEWAY

ROMEO = f"romeo@{GATEWAY}"
ROOM = f"limits@{CONFERENCE}"
MUC = "<x xmlns='http://jabber.org/protocol/muc'/>"
SIZE = 250_000  # bytes; Prosody takes 256 KiB from a client

BODIES = {  # as the client writes it: the server writes it longer
    "apostrophes": ("'" * SIZE, "'" * SIZE),
    "quotes": ('"' * SIZE, '"' * SIZE),
    "greater than": (">" * SIZE, ">" * SIZE),
    "ampersands": ("&amp;" * (SIZE // 5), "&" * (SIZE // 5)),
    "carriage returns": ("&#13;" * (SIZE // 5), "\n" * (SIZE // 5)),  # both write it as it is, and so it is a line break
    "CDATA": (f"<![CDATA[{'<&' * (SIZE // 2)}]]>", "<&" * (SIZE // 2)),
}
INNER = {
    "as deep as is taken": "<a xmlns='d:e'>" + "<a>" * 61 + "</a>" * 62,
    "XHTML": "<html xmlns='http://jabber.org/protocol/xhtml-im'><body xmlns='http://www.w3.org/1999/xhtml'>"
    + "<div><ul><li><p style='color:red'>x<strong>y</strong><br/></p></li></ul></div>" * 2_000
    + "</body></html>",
    "a picture": f"<data xmlns='urn:xmpp:bob' type='image/png'>{'QUJD' * (SIZE // 4 - 100)}</data>",
    "forwards": "<forwarded xmlns='urn:xmpp:forward:0'><message xmlns='jabber:client'>" * 25 + "</message></forwarded>" * 25,
    "pubsub items": "<event xmlns='http://jabber.org/protocol/pubsub#event'><items node='n'>"
    + "<item id='i'><entry xmlns='http://www.w3.org/2005/Atom'><title>t</title></entry></item>" * 2_000
    + "</items></event>",
}


def assert_one_stream(gateway: Gateway) -> None:
    """Nothing has ended a stream."""
    assert all(s["state"] == "online" and s["accepted"] == 1 for s in gateway.streams().values())


def said(gateway: Gateway, peer: str) -> list[str]:
    return [m["body"] for m in gateway.request("GET", f"/api/messages/{peer}?limit=500", user="romeo").json()]


@pytest.mark.parametrize(("written", "meant"), BODIES.values(), ids=list(BODIES))
def test_a_body_at_the_limit_of_the_server(gateway: Gateway, juliet: User, written: str, meant: str) -> None:
    juliet.send(f"<message to='{ROMEO}' type='chat'><body>{written}</body></message>")
    assert juliet.iq(ROMEO, "<ping xmlns='urn:xmpp:ping'/>", timeout=30).get("type") == "result"
    assert said(gateway, juliet.bare)[-1] == meant


@pytest.mark.parametrize("inner", INNER.values(), ids=list(INNER))
def test_what_clients_and_services_send(gateway: Gateway, juliet: User, inner: str) -> None:
    juliet.send(f"<message to='{ROMEO}' type='chat' id='big'><body>{escape(inner[:30])}</body>{inner}</message>")
    assert juliet.iq(ROMEO, "<ping xmlns='urn:xmpp:ping'/>", timeout=30).get("type") == "result"
    assert said(gateway, juliet.bare)[-1] == inner[:30]
    assert [s for s in juliet.drain() if s.get("type") == "error"] == []
    assert_one_stream(gateway)


def about(nick: str) -> Callable[[ET.Element], bool]:
    return lambda s: s.tag.endswith("}presence") and s.get("from") == f"{ROOM}/{nick}" and s.get("type") is None


def test_a_room_of_the_server_passes_it_on(gateway: Gateway, juliet: User) -> None:
    """With what it adds to it; and who is told so much remains in the room."""
    juliet.send(f"<presence to='{ROOM}/Juliet'>{MUC}</presence>")
    juliet.wait(about("Juliet"))
    juliet.iq(ROOM, "<query xmlns='http://jabber.org/protocol/muc#owner'><x xmlns='jabber:x:data' type='submit'/></query>", "set")
    gateway.send(f"<presence from='{ROMEO}/x' to='{ROOM}/Romeo'>{MUC}</presence>")
    juliet.wait(about("Romeo"))
    juliet.send(f"<message to='{ROOM}' type='groupchat'><body>{BODIES['apostrophes'][0]}</body></message>")
    juliet.wait_message(BODIES["apostrophes"][1], timeout=30)
    juliet.iq(ROMEO, "<ping xmlns='urn:xmpp:ping'/>", timeout=30)
    gateway.send(f"<message from='{ROMEO}/x' to='{ROOM}' type='groupchat'><body>heard</body></message>")
    juliet.wait_message("heard")
    assert_one_stream(gateway)
