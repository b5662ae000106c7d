"""Rooms of real servers over HTTP: coming, what they refuse, staying, and what an occupant does there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest

from .gateway import Gateway, Sections
from .muc import MUC, Guest, OwnRoom, codes
from .proxy import Proxy
from .users import User
from .xmppserver import CONFERENCE, DOMAIN, GATEWAY, UNKNOWN, XMPPServer

SETTINGS: Sections = {
    "gateway": {"rooms_domain": "", "conference_domain": f"conference.{GATEWAY}"},
    "rooms_anywhere": {"join_timeout": 10, "retry_max": 2, "reflection_timeout": 5},
}


@pytest.fixture(scope="module")
def anywhere(proxy: Proxy, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    gateway = Gateway(tmp_path_factory.mktemp("gateway"), proxy.port, SETTINGS)
    gateway.start()
    for name in "romeo", "mercutio":
        gateway.register(name)
    gateway.wait_state("online")
    yield gateway
    gateway.stop()


@pytest.fixture
def romeo(anywhere: Gateway) -> Guest:
    return Guest(anywhere, "romeo")


@pytest.fixture
def name() -> str:
    return f"garden-{uuid4().hex[:8]}"


def refused(answer: Any) -> tuple[int, str]:
    assert answer.headers["Content-Type"] == "application/problem+json", answer.data
    assert answer.json()["detail"]
    return answer.status, answer.json()["condition"]


def test_in_and_out(romeo: Guest, juliet: User, name: str) -> None:
    garden = OwnRoom(juliet, name, roomname="Garden", whois="moderators")
    answer = romeo.put(garden.room, {"nick": "Romeo M."})
    assert answer.status == 201, answer.data
    assert answer.headers["Location"].endswith(f"/rest/rooms/{garden.room}")
    view = answer.json()
    assert (view["state"], view["nick"], view["reason"], view["stay"], view["by"]) == ("in", "Romeo M.", None, True, "request")
    assert (view["name"], view["role"], view["affiliation"]) == ("Garden", "participant", "none")
    assert [(o["nick"], o["affiliation"], "jid" in o) for o in view["occupants"]] == [
        ("Juliet", "owner", False),
        ("Romeo M.", "none", True),
    ]
    assert view["occupants_total"] == 2
    assert MUC in view["features"]
    presence = garden.sees("Romeo M.")
    (item,) = presence.iter(f"{{{MUC}#user}}item")
    assert item.get("jid") == romeo.occupant
    assert romeo.put(garden.room).status == 200
    assert garden.room in [row["room"] for row in romeo.ask("GET", "").json()["rooms"]]
    # another nick, and back to oneself
    renamed = romeo.put(garden.room, {"nick": "Montague"})
    assert (renamed.status, renamed.json()["nick"]) == (200, "Montague"), renamed.data
    assert "303" in codes(garden.sees("Romeo M.", "unavailable"))
    garden.sees("Montague")
    assert refused(romeo.put(garden.room, {"nick": "Juliet"})) == (409, "conflict")
    assert romeo.view(garden.room)["nick"] == "Montague"
    # out
    assert romeo.ask("DELETE", f"/{garden.room}?reason=Good%20night").status == 204
    assert garden.sees("Montague", "unavailable").findtext("{*}status") == "Good night"
    assert refused(romeo.ask("GET", f"/{garden.room}")) == (404, "item-not-found")
    assert refused(romeo.ask("DELETE", f"/{garden.room}")) == (404, "item-not-found")


def test_who_is_not_let_in(romeo: Guest, juliet: User, name: str, server: XMPPServer) -> None:
    secret = OwnRoom(juliet, f"{name}-s", passwordprotectedroom="1", roomsecret="open sesame")
    for body in None, {"password": "wrong"}:
        assert refused(romeo.put(secret.room, body)) == (403, "not-authorized")
    assert refused(romeo.ask("GET", f"/{secret.room}")) == (404, "item-not-found")  # nothing is kept of it
    right = romeo.put(secret.room, {"password": "open sesame"})
    assert right.status == 201
    assert b"sesame" not in right.data + romeo.ask("GET", f"/{secret.room}").data
    members = OwnRoom(juliet, f"{name}-m", membersonly="1")
    assert refused(romeo.put(members.room)) == (403, "registration-required")
    banned = OwnRoom(juliet, f"{name}-b")
    banned.change(f"jid='romeo@{GATEWAY}'", "affiliation='outcast'")
    answer = romeo.put(banned.room)
    assert refused(answer) == (403, "forbidden")
    assert (answer.json()["room"], answer.json()["by"].partition("/")[0]) == (banned.room, banned.room)
    # a nick that is named is not altered; one by default is
    taken = OwnRoom(juliet, f"{name}-t")
    assert refused(romeo.put(taken.room, {"nick": "Juliet"})) == (409, "conflict")
    other = Guest(romeo.gateway, "mercutio")
    assert other.put(taken.room, {"nick": "romeo"}).status == 201
    assert romeo.put(taken.room).json()["nick"] == "romeo_"
    assert other.ask("DELETE", f"/{taken.room}").status == 204


def test_where_no_room_is(romeo: Guest, juliet: User, name: str, server: XMPPServer) -> None:
    room = f"{name}@{CONFERENCE}"
    assert refused(romeo.put(room)) == (404, "item-not-found")
    info = juliet.iq(room, "<query xmlns='http://jabber.org/protocol/disco#info'/>")
    assert info.get("type") == "error"  # a typing error makes no room
    status, condition = refused(romeo.put(f"{name}@{UNKNOWN}"))
    assert (status, condition) in {(403, "not-allowed"), (403, "forbidden"), (502, "remote-server-not-found")}  # each server has its own
    made = romeo.put(room, {"create": True})
    assert (made.status, made.json()["affiliation"]) == (201, "owner"), made.data
    assert MUC in made.json()["features"]
    juliet.send(f"<presence to='{room}/Juliet'><x xmlns='{MUC}'/></presence>")  # it is not locked
    juliet.wait(lambda s: s.get("from") == f"{room}/Juliet" and "110" in codes(s))
    assert romeo.ask("DELETE", f"/{room}").status == 204


def test_alone_in_a_temporary_room_a_nick_stays(romeo: Guest, name: str) -> None:
    room = f"{name}@{CONFERENCE}"
    assert romeo.put(room, {"create": True}).status == 201
    answer = romeo.put(room, {"nick": "Montague"})
    assert answer.status == 409, answer.data
    assert "persistent" in answer.json()["detail"]
    assert romeo.view(room)["nick"] == "romeo"
    assert romeo.ask("DELETE", f"/{room}").status == 204


def test_put_without_waiting(romeo: Guest, juliet: User, name: str) -> None:
    garden = OwnRoom(juliet, name)
    answer = romeo.put(garden.room, None, Prefer="respond-async")
    assert answer.status == 202
    assert answer.json()["state"] in ("joining", "in")
    assert romeo.until(garden.room, "in")["nick"] == "romeo"


def test_verbs(romeo: Guest, juliet: User, nurse: User, name: str, server: XMPPServer) -> None:
    garden = OwnRoom(juliet, name, changesubject="0", allowinvites="0")
    room = garden.room
    for verb, body in (
        ("subject", {"subject": "x"}),
        ("kick", {"nick": "Nurse"}),
        ("ban", {"jid": f"nurse@{DOMAIN}"}),
        ("invite", {"to": DOMAIN}),
    ):
        method = "PUT" if verb == "subject" else "POST"
        assert refused(romeo.ask(method, f"/{room}/{verb}", body)) == (409, "not-acceptable")
    assert romeo.put(room).status == 201
    nurse.send(f"<presence to='{room}/Nurse'><x xmlns='{MUC}'/></presence>")
    nurse.wait(lambda s: s.get("from") == f"{room}/Nurse" and "110" in codes(s))
    # who may not
    assert refused(romeo.ask("PUT", f"/{room}/subject", {"subject": "Tonight"}))[0] == 403
    for verb, body in ("kick", {"nick": "Nurse"}), ("ban", {"jid": f"nurse@{DOMAIN}"}):
        assert romeo.ask("POST", f"/{room}/{verb}", body).status == 403
    assert refused(romeo.ask("POST", f"/{room}/kick", {"nick": "Nobody"})) == (404, "item-not-found")
    assert romeo.ask("POST", f"/{room}/ban", {"nick": "Nurse"}).status in (403, 409)  # hidden from who is not a moderator
    if server.name == "ejabberd":  # it lets nobody invite by default
        answer = romeo.ask("POST", f"/{room}/invite", {"to": f"tybalt@{DOMAIN}"})
        assert refused(answer) == (403, "not-allowed")
        assert "nvitations are not allowed" in answer.json()["detail"]
    # who may
    garden.change(f"jid='romeo@{GATEWAY}'", "affiliation='admin'")
    assert romeo.ask("PUT", f"/{room}/subject", {"subject": "Tonight"}).status == 204
    juliet.wait(lambda s: s.findtext("{*}subject") == "Tonight" and s.get("from") == f"{room}/romeo")
    assert romeo.view(room)["subject"] == {"text": "Tonight", "nick": "romeo"}
    assert romeo.gateway.request("PUT", f"/rest/rooms/{room}/subject", "Tomorrow", "text/plain", "romeo").status == 204
    for text in "Tomorrow", "To\r\nmorrow", "To\nmorrow":  # Prosody shows a subject once, without an id
        assert romeo.ask("PUT", f"/{room}/subject", {"subject": text}).status == 204
    assert romeo.ask("PUT", f"/{room}/subject", {"subject": ""}).status == 204
    assert romeo.view(room)["subject"] is None
    garden.configure(allowinvites="1")
    assert romeo.ask("POST", f"/{room}/invite", {"to": [f"nurse@{DOMAIN}"], "reason": "Come"}).status == 204
    invited = nurse.wait(lambda s: s.find(f"{{{MUC}#user}}x/{{{MUC}#user}}invite") is not None)
    assert invited.findtext(f"{{{MUC}#user}}x/{{{MUC}#user}}invite/{{{MUC}#user}}reason") == "Come"
    assert romeo.ask("POST", f"/{room}/invite", {"to": f"nurse@{DOMAIN}", "direct": True, "reason": "Now"}).status == 204
    direct = nurse.wait(lambda s: s.find("{jabber:x:conference}x") is not None and s.get("from") == f"romeo@{GATEWAY}")
    assert direct.find("{jabber:x:conference}x").attrib == {"jid": room, "reason": "Now"}  # type: ignore[union-attr]  # found above
    assert romeo.ask("POST", f"/{room}/kick", {"nick": "Nurse", "reason": "Peace"}).status == 204
    gone = nurse.wait(lambda s: s.get("from") == f"{room}/Nurse" and s.get("type") == "unavailable")
    assert "307" in codes(gone)
    nurse.send(f"<presence to='{room}/Nurse'><x xmlns='{MUC}'/></presence>")
    nurse.wait(lambda s: s.get("from") == f"{room}/Nurse" and "110" in codes(s) and s.get("type") is None)
    romeo.until_listed(room, "Nurse")
    assert romeo.ask("POST", f"/{room}/ban", {"nick": "Nurse"}).status == 204
    assert "301" in codes(nurse.wait(lambda s: s.get("from") == f"{room}/Nurse" and s.get("type") == "unavailable" and "301" in codes(s)))


def test_a_room_of_the_gateways_own(romeo: Guest) -> None:
    room = f"hall-{uuid4().hex[:6]}@conference.{GATEWAY}"
    assert romeo.put(room).status == 404
    made = romeo.put(room, {"create": True})
    assert (made.status, made.json()["nick"]) == (201, "romeo"), made.data
    other = Guest(romeo.gateway, "mercutio")
    assert other.put(room).json()["occupants_total"] == 2
    assert romeo.ask("PUT", f"/{room}/subject", {"subject": "Tonight"}).status == 204
    assert other.view(room)["subject"] == {"text": "Tonight", "nick": "romeo"}
    assert romeo.ask("POST", f"/{room}/kick", {"nick": "mercutio"}).status == 204
    assert other.view(room)["state"] == "out"
    assert romeo.ask("DELETE", f"/{room}").status == 204
