"""Subject, invitations, kicks and bans: what is asked of a room, and what becomes of its answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, cast
from xml.etree.ElementTree import Element

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.conftest import DOMAIN
from xmpp_rest.errors import GatewayError
from xmpp_rest.gateway.gateway import Gateway
from xmpp_rest.protocol.conditions import StanzaError
from xmpp_rest.protocol.jid import JID
from xmpp_rest.protocol.namespaces import CONFERENCE, MUC_ADMIN, MUC_USER
from xmpp_rest.protocol.stanza import refusal, result
from xmpp_rest.service.messages.batch import OutboundMessage
from xmpp_rest.service.messages.outcomes import Outcome
from xmpp_rest.service.rooms.refused import message_refused
from xmpp_rest.service.rooms.values import RoomOccupant, Subject
from xmpp_rest.service.rooms.verbs import RoomVerbs
from xmpp_rest.threads.waits import Wait

from .conftest import JULIET, OCCUPANTS, PATH, ROOM, Written, detail

ME = f"juliet@{DOMAIN}"
FORBIDDEN = StanzaError("auth", "forbidden", "Only moderators")


class ScriptedRoom:
    """What sends, and the room behind it. `error`: its answer; `failure`: why there is none; `state`: what becomes of messages; `shows`: what it does by the way."""

    def __init__(self) -> None:
        self.sent: list[Element] = []
        self.error: StanzaError | None = None
        self.failure: Exception | None = None
        self.bounced: dict[str, StanzaError] = {}  # by whom is invited
        self.state = "reflected"
        self.shows: Callable[[], object] = bool

    def ask(self, iq: Element, wait: Wait) -> tuple[Element, list[Element]]:
        self.sent.append(iq)
        if self.failure is not None:
            raise self.failure
        return (result(iq) if self.error is None else refusal(iq, self.error)), []

    def send_and_wait(self, stanza: Element, sender: JID, to: JID, wait: Wait) -> tuple[Element | None, str]:
        self.sent.append(stanza)
        if self.failure is not None:
            raise self.failure
        self.shows()
        return None, self.state

    def send_many(self, messages: Sequence[OutboundMessage]) -> list[None]:
        self.sent += [message.stanza for message in messages]
        return [None for _ in messages]

    def outcome_within(self, sender: JID, identifier: str, wait: Wait) -> Outcome | None:
        (stanza,) = [stanza for stanza in self.sent if stanza.get("id") == identifier]
        invited = stanza.find(f"{{{MUC_USER}}}x/{{{MUC_USER}}}invite")
        error = self.bounced.get((invited.get("to") if invited is not None else stanza.get("to")) or "")
        return Outcome(self.state, 0.0) if error is None else Outcome("refused", 0.0, refusal(stanza, error))


@pytest.fixture
def room(app: Flask, written: Written) -> ScriptedRoom:
    gateway: Gateway = app.extensions["gateway"]
    scripted = ScriptedRoom()
    hosted = replace(gateway.parts.hosted, room_verbs=RoomVerbs(written, cast(Any, scripted)))
    gateway.parts = replace(gateway.parts, hosted=hosted)
    written.put(ME, occupants=OCCUPANTS, occupants_total=2)
    return scripted


def post(client: FlaskClient, verb: str, body: Any) -> TestResponse:
    how = client.put if verb == "subject" else client.post
    return how(f"{PATH}/{verb}", json=body, headers=JULIET)


PUT_OUT: list[tuple[Any, ...]] = [
    ("kick", {"nick": "romeo", "reason": "Peace"}, {"nick": "romeo", "role": "none"}),
    ("ban", {"jid": "tybalt@capulet.example/sword"}, {"jid": "tybalt@capulet.example", "affiliation": "outcast"}),
    ("ban", {"nick": "romeo", "reason": "Peace"}, {"jid": "romeo@montague.example", "affiliation": "outcast"}),
]


def test_kicks_and_bans_are_asked_for(client: FlaskClient, room: ScriptedRoom) -> None:
    for verb, body, item in PUT_OUT:
        answer = post(client, verb, body)
        assert (answer.status_code, answer.data) == (204, b"")
        iq = room.sent[-1]
        assert (iq.get("type"), iq.get("from"), iq.get("to")) == ("set", f"{ME}/xmpp-rest", ROOM)
        found = iq.find(f"{{{MUC_ADMIN}}}query/{{{MUC_ADMIN}}}item")
        assert found is not None
        assert found.attrib == item
        assert found.findtext(f"{{{MUC_ADMIN}}}reason") == body.get("reason")


def test_whom_nobody_can_put_out(client: FlaskClient, room: ScriptedRoom, written: Written) -> None:
    for verb in "kick", "ban":
        answer = post(client, verb, {"nick": "nobody"})
        assert (answer.status_code, answer.get_json()["condition"]) == (404, "item-not-found")
    hidden = post(client, "ban", {"nick": "juliet"})
    assert hidden.status_code == 409
    assert "hides" in detail(hidden)
    assert room.sent == []
    written.put(ME, occupants=(RoomOccupant("juliet"),), occupants_total=2000)  # not all are listed: the room knows
    assert post(client, "kick", {"nick": "nobody"}).status_code == 204


VERBS: list[tuple[str, Any]] = [
    ("subject", {"subject": "x"}),
    ("kick", {"nick": "romeo"}),
    ("ban", {"jid": "x@y.example"}),
    ("invite", {"to": "x@y.example"}),
]


def test_who_is_not_in_does_nothing(client: FlaskClient, room: ScriptedRoom, written: Written) -> None:
    for verb, body in VERBS:
        for state in "out", "joining":
            written.put(ME, state=state)
            assert post(client, verb, body).status_code == 409
        written.views.clear()
        answer = post(client, verb, body)
        assert (answer.status_code, answer.get_json()["condition"]) == (409, "not-acceptable")
        assert PATH in detail(answer)
    assert room.sent == []


@pytest.mark.parametrize(("verb", "body"), [row for row in VERBS if row[0] in ("kick", "ban")])
def test_what_a_room_has_against_it(client: FlaskClient, room: ScriptedRoom, verb: str, body: Any) -> None:
    room.error = StanzaError("cancel", "not-allowed", "You cannot")
    answer = post(client, verb, body)
    assert (answer.status_code, detail(answer)) == (403, "You cannot")
    assert answer.get_json()["by"] == ROOM
    room.failure = GatewayError("iq-timeout")
    late = post(client, verb, body)
    assert (late.status_code, late.get_json()["condition"]) == (504, "remote-server-timeout")
    room.failure = GatewayError("link-down")
    down = post(client, verb, body)
    assert (down.status_code, "Retry-After" in down.headers) == (503, True)
    assert detail(down)


def test_a_subject_that_is_shown_already_is_done(client: FlaskClient, room: ScriptedRoom, written: Written) -> None:
    written.put(ME, subject=Subject("One\nTwo", "juliet"))
    room.state = "written"
    assert post(client, "subject", {"subject": "One\r\nTwo"}).status_code == 204
    assert [stanza.tag for stanza in room.sent] == ["iq"]
    room.error = StanzaError("cancel", "not-acceptable")
    assert post(client, "subject", {"subject": "One\nTwo"}).status_code == 409
    room.failure = GatewayError("link-down")
    assert post(client, "subject", {"subject": "One\nTwo"}).status_code == 503
    room.failure = None
    written.put(ME, subject=Subject("One", "romeo"))
    assert post(client, "subject", {"subject": "One"}).status_code == 504  # somebody else's: it is for the room to show it again
    room.shows = lambda: written.put(ME, subject=Subject("Two", "juliet"))  # by another request, for both
    assert post(client, "subject", {"subject": "Two"}).status_code == 204


def test_the_subject_is_done_when_it_is_shown(client: FlaskClient, room: ScriptedRoom) -> None:
    assert post(client, "subject", {"subject": "Tonight"}).status_code == 204
    assert client.put(f"{PATH}/subject", data="Grüße", content_type="text/plain; charset=utf-8", headers=JULIET).status_code == 204
    assert post(client, "subject", {"subject": ""}).status_code == 204
    assert [stanza.findtext("subject") for stanza in room.sent] == ["Tonight", "Grüße", ""]
    assert {(s.get("type"), s.get("from"), s.get("to")) for s in room.sent} == {("groupchat", f"{ME}/xmpp-rest", ROOM)}
    room.state = "accepted"
    assert post(client, "subject", {"subject": "x"}).status_code == 504
    room.failure = message_refused(FORBIDDEN, ROOM).raised
    refused = post(client, "subject", {"subject": "x"})
    assert (refused.status_code, detail(refused)) == (403, "Only moderators")
    assert client.put(f"{PATH}/subject", data=b"\xff", content_type="text/plain", headers=JULIET).status_code == 400
    assert client.put(f"{PATH}/subject", data="a\x01b", content_type="text/plain", headers=JULIET).status_code == 422
    assert client.put(f"{PATH}/subject", data="x", content_type="text/html", headers=JULIET).status_code == 415


def test_invitations_through_the_room(client: FlaskClient, room: ScriptedRoom) -> None:
    room.state = "confirmed"
    assert post(client, "invite", {"to": ["a@x.example", "b@x.example", "a@x.example"], "reason": "Come"}).status_code == 204
    first, second, check = room.sent
    invite = first.find(f"{{{MUC_USER}}}x/{{{MUC_USER}}}invite")
    assert invite is not None
    assert (invite.get("to"), invite.findtext(f"{{{MUC_USER}}}reason")) == ("a@x.example", "Come")
    assert (first.get("to"), first.get("type"), second.get("to")) == (ROOM, None, ROOM)
    assert (check.tag, check.get("to")) == ("iq", f"{ROOM}/juliet")  # whose answer comes after what the room has against them
    room.error = StanzaError("cancel", "service-unavailable")  # which is an answer
    assert post(client, "invite", {"to": "a@x.example"}).status_code == 204
    room.bounced["b@x.example"] = StanzaError("cancel", "not-allowed", "Invitations are not allowed in this conference")
    one = post(client, "invite", {"to": "b@x.example"})
    assert (one.status_code, detail(one)) == (403, "Invitations are not allowed in this conference")
    several = post(client, "invite", {"to": ["a@x.example", "b@x.example"]})
    assert detail(several) == "b@x.example: Invitations are not allowed in this conference"
    room.failure = GatewayError("iq-timeout")
    assert post(client, "invite", {"to": "a@x.example"}).status_code == 504


def test_direct_invitations(client: FlaskClient, room: ScriptedRoom) -> None:
    room.state = "confirmed"
    assert post(client, "invite", {"to": "a@x.example", "reason": "Come", "direct": True}).status_code == 204
    (stanza,) = room.sent
    assert (stanza.get("from"), stanza.get("to")) == (ME, "a@x.example")
    element = stanza.find(f"{{{CONFERENCE}}}x")
    assert element is not None
    assert element.attrib == {"jid": ROOM, "reason": "Come"}
    room.bounced["a@x.example"] = StanzaError("cancel", "service-unavailable")
    nobody = post(client, "invite", {"to": "a@x.example", "direct": True})
    assert (nobody.status_code, detail(nobody)) == (404, "Nobody at this address takes the invitation")
    room.bounced.clear()
    room.state = "written"
    assert post(client, "invite", {"to": "a@x.example", "direct": True}).status_code == 504


UNREADABLE: list[tuple[Any, ...]] = [
    ("subject", {}, "subject", "bad-request"),
    ("subject", {"subject": 1}, "subject", "bad-request"),
    ("subject", {"subject": "x", "reason": "y"}, "reason", "bad-request"),
    ("invite", {}, "to", "bad-request"),
    ("invite", {"to": []}, "to", "bad-request"),
    ("invite", {"to": ["a@x.example", 5]}, "to", "bad-request"),
    ("invite", {"to": ["a@x.example"] * 101}, "to", "bad-request"),
    ("invite", {"to": "@"}, "to", "jid-malformed"),
    ("invite", {"to": "a@x.example", "direct": "yes"}, "direct", "bad-request"),
    ("invite", {"to": "a@x.example", "reason": "\0"}, "reason", "bad-request"),
    ("kick", {"jid": "a@x.example"}, "jid", "bad-request"),
    ("kick", {"nick": ""}, "nick", "jid-malformed"),
    ("kick", {"nick": 5}, "nick", "bad-request"),
    ("kick", {"reason": "x"}, "nick", "bad-request"),
    ("ban", {}, "jid", "bad-request"),
    ("ban", {"jid": "a@x.example", "nick": "a"}, "nick", "bad-request"),
    ("ban", {"jid": "a b@x.example"}, "jid", "jid-malformed"),
    ("ban", [], "object", "bad-request"),
]


def test_what_cannot_be_read(client: FlaskClient, room: ScriptedRoom) -> None:
    for verb, body, named, condition in UNREADABLE:
        answer = post(client, verb, body)
        assert (answer.status_code, answer.get_json()["condition"]) == (422, condition)
        assert named in detail(answer)
        assert room.sent == []


def test_bodies_are_json(client: FlaskClient, room: ScriptedRoom) -> None:
    for verb in "invite", "kick", "ban":
        assert client.post(f"{PATH}/{verb}", data="x", content_type="text/plain", headers=JULIET).status_code == 415
        assert client.post(f"{PATH}/{verb}", data="{", content_type="application/json", headers=JULIET).status_code == 400
        assert client.get(f"{PATH}/{verb}", headers=JULIET).headers["Allow"] == "OPTIONS, POST"
        wrong = client.post(f"/rest/rooms/{DOMAIN}/{verb}", json={}, headers=JULIET)
        assert (wrong.status_code, wrong.get_json()["condition"]) == (422, "jid-malformed")
