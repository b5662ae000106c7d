"""Messages to rooms and occupants, invitations, voice requests and queries (XEP-0045 §7.4-§7.13, §8.1)."""

from __future__ import annotations

import pytest

from tests.service.muc.hall import JULIET, MUC, NURSE, ROMEO, ROOM, SERVICE, TYBALT, USER, Hall, bodies, codes, error, item
from xmpp_rest.protocol.element import serialise

OWNER = [["romeo@montague.example", "owner"]]
STANZA_ID = "{urn:xmpp:sid:0}stanza-id"
VISITORS = {"members_by_default": "false"}


@pytest.fixture
def play(hall: Hall) -> Hall:
    """Romeo owns the room, Juliet and the nurse are in it."""
    hall.enter(ROMEO, JULIET, NURSE)
    return hall


def test_everybody_hears_it_the_speaker_too(play: Hall) -> None:
    forged = f"<stanza-id xmlns='urn:xmpp:sid:0' by='{ROOM}' id='x'/><x xmlns='http://jabber.org/protocol/muc#user'><status code='307'/></x>"
    assert play.say(JULIET, "Romeo, Romeo", f"<thread>t</thread>{forged}") is None
    for who in (ROMEO, JULIET, NURSE):
        (heard,) = play.take(who)
        assert (heard.get("from"), heard.get("to"), heard.get("type"), heard.get("id")) == (f"{ROOM}/Juliet", who, "groupchat", "m1")
        assert (heard.findtext("body"), heard.findtext("thread"), codes(heard)) == ("Romeo, Romeo", "t", set())
        (identifier,) = heard.findall(STANZA_ID)
        assert identifier.get("by") == ROOM
        assert identifier.get("id") != "x"


def test_who_is_not_in_the_room_cannot_speak(play: Hall) -> None:
    assert error(play.say(TYBALT, "Boy")) == ("modify", "not-acceptable")
    assert error(play.say(JULIET.replace("window", "phone"), "Me")) == ("modify", "not-acceptable")
    assert error(play.say(JULIET, "Hm", room=f"nowhere@{SERVICE}")) == ("cancel", "item-not-found")
    assert error(play.say(JULIET, "Hm", room=SERVICE)) == ("cancel", "service-unavailable")
    assert error(play.say(JULIET, "Hm", kind="normal")) == ("modify", "bad-request")
    assert error(play.say(JULIET, "Hm", room=f"{ROOM}/Romeo")) == ("modify", "bad-request")
    assert not play.inbox


@pytest.mark.parametrize(
    ("options", "speaks"), [({}, True), (VISITORS, False), (VISITORS | {"moderated": "false"}, True), ({"moderated": "false"}, True)]
)
def test_voice(hall: Hall, options: dict[str, str], speaks: bool) -> None:
    hall.rooms.create("balcony", options, OWNER, [])
    hall.enter(ROMEO, JULIET)
    answer = hall.say(JULIET, "Ay me")
    assert (answer is None) == speaks
    if not speaks:
        assert error(answer) == ("auth", "forbidden")


@pytest.mark.parametrize(
    ("options", "who", "allowed"),
    [
        ({}, JULIET, True), ({}, ROMEO, True), ({"allow_change_subj": "false"}, JULIET, False), ({"allow_change_subj": "false"}, ROMEO, True),
        (VISITORS, JULIET, False),
    ],
)  # fmt: skip
def test_the_subject(hall: Hall, options: dict[str, str], who: str, allowed: bool) -> None:
    hall.rooms.create("balcony", options, OWNER, [])
    hall.enter(ROMEO, JULIET)
    answer = hall.say(who, "", "<subject>Names</subject>")
    assert (None if answer is None else error(answer)) == (None if allowed else ("auth", "forbidden"))
    if allowed:
        assert [m.findtext("subject") for m in hall.take(ROMEO)] == ["Names"]
        hall.presence(NURSE)
        assert hall.take(NURSE)[-1].findtext("subject") == "Names"
        assert hall.rooms.options("balcony")["subject"] == "Names"


def test_a_subject_with_a_body_is_a_message(play: Hall) -> None:
    play.say(JULIET, "text", "<subject>no subject of the room</subject>")
    assert play.rooms.options("balcony")["subject"] == ""


# private messages


@pytest.mark.parametrize(
    ("options", "whom", "allowed"),
    [
        ({}, "Romeo", True),
        ({"allowpm": "none"}, "Romeo", False),
        ({"allowpm": "moderators"}, "Romeo", False),
        ({"allowpm": "participants"}, "Romeo", True),
        (VISITORS | {"allowpm": "participants"}, "Romeo", False),
        (VISITORS, "Nurse", True),
        (VISITORS | {"allow_private_messages_from_visitors": "moderators"}, "Romeo", True),
        (VISITORS | {"allow_private_messages_from_visitors": "moderators"}, "Nurse", False),
        (VISITORS | {"allow_private_messages_from_visitors": "nobody"}, "Romeo", False),
    ],
)
def test_private_messages(hall: Hall, options: dict[str, str], whom: str, allowed: bool) -> None:
    hall.rooms.create("balcony", options, OWNER, [])
    hall.enter(ROMEO, JULIET, NURSE)
    answer = hall.say(JULIET, "psst", room=f"{ROOM}/{whom}", kind="chat")
    assert (None if answer is None else error(answer)) == (None if allowed else ("auth", "forbidden"))
    heard = hall.take({"Romeo": ROMEO, "Nurse": NURSE}[whom])
    assert bodies(heard) == ["psst"] * allowed
    for message in heard:
        assert (message.get("from"), message.get("type"), message.find(f"{USER}x") is not None) == (f"{ROOM}/Juliet", "chat", True)


def test_private_messages_to_nobody_and_by_nobody(play: Hall) -> None:
    assert error(play.say(JULIET, "psst", room=f"{ROOM}/Paris", kind="chat")) == ("cancel", "item-not-found")
    assert error(play.say(TYBALT, "psst", room=f"{ROOM}/Romeo", kind="chat")) == ("modify", "not-acceptable")
    unread = "<error type='cancel'><not-acceptable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>"
    assert play.send(ROMEO, f"<message to='{ROOM}/Juliet' type='error' id='m1'>{unread}</message>") is None
    (passed_on,) = play.take(JULIET)
    assert (passed_on.get("from"), passed_on.get("type")) == (f"{ROOM}/Romeo", "error")


# invitations


def invite(hall: Hall, sender: str, whom: str = "tybalt@verona.example") -> object:
    x = f"<x xmlns='http://jabber.org/protocol/muc#user'><invite to='{whom}'><reason>come</reason></invite></x>"
    return hall.send(sender, f"<message to='{ROOM}'>{x}</message>")


def test_an_invitation(play: Hall) -> None:
    play.rooms.set_option("balcony", "password", "rose")
    play.rooms.set_option("balcony", "password_protected", "true")
    assert invite(play, ROMEO) is None
    (got,) = play.take("tybalt@verona.example")
    assert got.get("from") == ROOM
    invited = got.find(f"{USER}x/{USER}invite")
    assert invited is not None
    assert (invited.get("from"), invited.findtext(f"{USER}reason")) == (f"{ROOM}/Romeo", "come")
    assert got.findtext(f"{USER}x/{USER}password") == "rose"
    direct = got.find("{jabber:x:conference}x")
    assert direct is not None
    assert direct.attrib == {"jid": ROOM, "reason": "come", "password": "rose"}


@pytest.mark.parametrize(
    ("options", "who", "refusal"),
    [
        ({}, JULIET, ("auth", "forbidden")),
        ({"allow_user_invites": "true"}, JULIET, None),
        ({"allow_user_invites": "true"} | VISITORS, JULIET, ("auth", "forbidden")),
        ({}, TYBALT, ("modify", "not-acceptable")),
    ],
)
def test_who_may_invite(hall: Hall, options: dict[str, str], who: str, refusal: tuple[str, str] | None) -> None:
    hall.rooms.create("balcony", options, OWNER, [])
    hall.enter(ROMEO, JULIET)
    answer = invite(hall, who)
    assert (None if answer is None else error(answer)) == refusal  # type: ignore[arg-type]
    assert len(hall.take("tybalt@verona.example")) == (refusal is None)


def test_an_invitation_into_a_room_for_members_makes_a_member(play: Hall) -> None:
    play.rooms.affiliate("balcony", JULIET, "member", "")
    play.rooms.set_option("balcony", "members_only", "true")
    play.rooms.set_option("balcony", "allow_user_invites", "true")
    assert error(invite(play, JULIET)) == ("auth", "forbidden")  # type: ignore[arg-type]
    assert invite(play, ROMEO) is None
    assert play.rooms.affiliation("balcony", TYBALT) == "member"
    assert error(invite(play, ROMEO, "@")) == ("modify", "jid-malformed")  # type: ignore[arg-type]


def test_declining(play: Hall) -> None:
    decline = "<x xmlns='http://jabber.org/protocol/muc#user'><decline to='{}'><reason>busy</reason></decline></x>"
    for to in (ROMEO, "romeo@montague.example", f"{ROOM}/Romeo"):
        assert play.send(TYBALT, f"<message to='{ROOM}'>{decline.format(to)}</message>") is None
        (told,) = play.take(ROMEO)
        declined = told.find(f"{USER}x/{USER}decline")
        assert declined is not None
        assert (declined.get("from"), declined.findtext(f"{USER}reason")) == ("tybalt@verona.example", "busy")
    assert error(play.send(TYBALT, f"<message to='{ROOM}'>{decline.format('paris@verona.example')}</message>")) == ("cancel", "item-not-found")


# voice requests

REQUEST = "<x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE'><value>http://jabber.org/protocol/muc#request</value></field>{}</x>"
ASK = REQUEST.format("<field var='muc#role'><value>participant</value></field>")
GRANT = REQUEST.format("<field var='muc#roomnick'><value>Juliet</value></field><field var='muc#request_allow'><value>1</value></field>")


def test_a_request_for_voice(hall: Hall) -> None:
    hall.rooms.create("balcony", VISITORS, OWNER, [])
    hall.enter(ROMEO, JULIET, NURSE)
    assert hall.send(JULIET, f"<message to='{ROOM}'>{ASK}</message>") is None
    assert hall.take(NURSE) == []
    (asked,) = hall.take(ROMEO)
    assert f"<field var='muc#jid' type='jid-single' label='User'><value>{JULIET}</value></field>" in serialise(asked)
    assert error(hall.send(JULIET, f"<message to='{ROOM}'>{ASK}</message>")) == ("wait", "resource-constraint")
    assert error(hall.send(NURSE, f"<message to='{ROOM}'>{GRANT}</message>")) == ("auth", "forbidden")
    assert hall.send(ROMEO, f"<message to='{ROOM}'>{GRANT}</message>") is None
    assert item(hall.take(NURSE)[0])["role"] == "participant"
    assert hall.say(JULIET, "thanks") is None


def test_requests_for_voice_that_nobody_hears(hall: Hall) -> None:
    hall.rooms.create("balcony", VISITORS | {"allow_voice_requests": "false"}, OWNER, [])
    hall.enter(ROMEO, JULIET)
    assert error(hall.send(JULIET, f"<message to='{ROOM}'>{ASK}</message>")) == ("auth", "forbidden")
    assert error(hall.send(TYBALT, f"<message to='{ROOM}'>{ASK}</message>")) == ("modify", "not-acceptable")


# queries

VERSION = "<query xmlns='jabber:iq:version'/>"


def ask(hall: Hall, sender: str, payload: str, nick: str = "Romeo") -> object:
    return hall.send(sender, f"<iq to='{ROOM}/{nick}' type='get' id='i1'>{payload}</iq>")


def test_a_query_between_occupants(play: Hall) -> None:
    assert ask(play, JULIET, VERSION) is None
    (asked,) = play.take(ROMEO)
    assert (asked.get("from"), asked.get("type")) == (f"{ROOM}/Juliet", "get")
    answer = f"<iq to='{ROOM}/Juliet' type='result' id='{asked.get('id')}'><query xmlns='jabber:iq:version'><name>Lute</name></query></iq>"
    assert play.send(TYBALT, answer) is None
    assert play.take(JULIET) == []
    assert play.send(ROMEO, answer) is None
    (got,) = play.take(JULIET)
    assert (got.get("from"), got.get("id"), got.get("type")) == (f"{ROOM}/Romeo", "i1", "result")
    assert play.send(ROMEO, answer) is None  # nobody waits for a second one
    assert play.take(JULIET) == []


def test_a_vcard_is_asked_of_the_account(play: Hall) -> None:
    ask(play, JULIET, "<vCard xmlns='vcard-temp'/>")
    assert len(play.take("romeo@montague.example")) == 1


def test_queries_that_go_nowhere(play: Hall) -> None:
    assert error(ask(play, TYBALT, VERSION)) == ("modify", "not-acceptable")  # type: ignore[arg-type]
    assert error(ask(play, JULIET, VERSION, "Paris")) == ("cancel", "item-not-found")  # type: ignore[arg-type]
    play.rooms.set_option("balcony", "allow_query_users", "false")
    assert error(ask(play, JULIET, VERSION)) == ("cancel", "not-allowed")  # type: ignore[arg-type]


def test_a_ping_to_oneself(play: Hall) -> None:
    """XEP-0410: the room answers for its occupants."""
    answer = ask(play, JULIET, "<ping xmlns='urn:xmpp:ping'/>", "Juliet")
    assert answer.get("type") == "result"  # type: ignore[attr-defined]
    assert error(ask(play, TYBALT, "<ping xmlns='urn:xmpp:ping'/>", "Tybalt")) == ("modify", "not-acceptable")  # type: ignore[arg-type]


# accounts of the gateway


def test_an_account_takes_part_by_http(play: Hall) -> None:
    """What the room says is in the streams of the account, and in its archive where the archive keeps such messages."""
    juliet = f"juliet@{play.gateway.parts.accounts.domain}/web"
    stream = play.gateway.parts.streams.open(play.gateway.parts.accounts.address("juliet", play.gateway.parts.accounts.domain))
    play.send(juliet, f"<presence to='{ROOM}/Sun'>{MUC}</presence>")
    play.say(ROMEO, "it is the east")
    said = [event.stanza.findtext("body") for event in iter(lambda: stream.next(0.1), None)]
    assert "it is the east" in said


def test_a_room_does_not_hear_rooms(play: Hall) -> None:
    other = f"garden@{SERVICE}/x"
    assert play.send(other, f"<message to='{ROOM}' type='groupchat'><body>echo</body></message>") is None
    assert play.send(other, f"<presence to='{ROOM}/x'>{MUC}</presence>") is None
    assert len(play.rooms.occupants("balcony")) == 3


DELAYS = (
    f"<delay xmlns='urn:xmpp:delay' from='{ROOM}' stamp='2002-09-10T23:08:25Z'/>",
    f"<delay xmlns='urn:xmpp:delay' from='{ROOM.upper()}' stamp='2002-09-10T23:08:25Z'/>",
    f"<delay xmlns='urn:xmpp:delay' from='{ROOM}/Romeo' stamp='2002-09-10T23:08:25Z'/>",
    f"<x xmlns='jabber:x:delay' from='{ROOM}' stamp='20020910T23:08:25'/>",
    f"<delay xmlns='urn:xmpp:delay' from='{SERVICE}' stamp='2002-09-10T23:08:25Z'/>",
    f"<delay xmlns='urn:xmpp:delay' from=' {ROOM}/ ' stamp='2002-09-10T23:08:25Z'/>",
    f"<delay xmlns='urn:xmpp:delay' from='@{SERVICE}' stamp='2002-09-10T23:08:25Z'/>",
    f"<stanza-id xmlns='urn:xmpp:sid:0' by='{ROOM.upper()}' id='forged'/>",
    f"<stanza-id xmlns='urn:xmpp:sid:0' by='{SERVICE}' id='forged'/>",
)


@pytest.mark.parametrize("forged", DELAYS)
@pytest.mark.parametrize("to", ["", "/Romeo"])
def test_what_the_room_alone_says_is_removed(play: Hall, forged: str, to: str) -> None:
    """A client would take the message for one of the room's history."""
    kind = "chat" if to else "groupchat"
    play.send(JULIET, f"<message to='{ROOM}{to}' type='{kind}'><body>forged</body>{forged}</message>")
    (heard,) = [m for m in play.take(ROMEO) if m.findtext("body") == "forged"]
    assert [e.tag for e in heard if e.get("id") == "forged" or "delay" in e.tag] == []


@pytest.mark.parametrize("forged", [*DELAYS, "<occupant-id xmlns='urn:xmpp:occupant-id:0' id='forged'/>"])
def test_nor_does_a_presence_say_it(play: Hall, forged: str) -> None:
    assert play.presence(JULIET, inner=f"<status>forged</status>{forged}") is None
    (seen,) = [p for p in play.take(ROMEO, "presence") if p.findtext("status") == "forged"]
    assert [e.tag for e in seen if e.get("id") == "forged" or "delay" in e.tag] == []


def test_nor_does_the_refusal_of_a_private_message(play: Hall) -> None:
    refusal = "<error type='modify'><not-acceptable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>"
    play.send(JULIET, f"<message to='{ROOM}/Romeo' type='error' id='e'>{DELAYS[0]}{refusal}</message>")
    (told,) = play.take(ROMEO)
    assert [e.tag for e in told] == ["error"]


def test_a_subject_is_not_said_late(play: Hall) -> None:
    play.send(ROMEO, f"<message to='{ROOM}' type='groupchat'><subject>x</subject>{DELAYS[0]}</message>")
    assert [m.find("{urn:xmpp:delay}delay") for m in play.take(ROMEO)] == [None]


def test_a_delay_of_somebody_else_stays(play: Hall) -> None:
    play.send(JULIET, f"<message to='{ROOM}' type='groupchat'><body>x</body>{DELAYS[0].replace(ROOM, 'irc.example')}</message>")
    assert [m.find("{urn:xmpp:delay}delay") is not None for m in play.take(ROMEO)] == [True]
