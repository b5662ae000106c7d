"""How actors come into rooms (rooms-anywhere §3.2, §4)."""

from __future__ import annotations

import queue

import pytest

from tests.conftest import DOMAIN
from tests.link.attached import until
from tests.service.rooms.scripted import ACTOR, ROOM, SERVICE, Scripted, ScriptedRoom, status
from xmpp_rest.protocol.jid import parse_jid
from xmpp_rest.protocol.namespaces import DATA_FORMS, MUC
from xmpp_rest.protocol.stanza import make
from xmpp_rest.service.rooms import bounds, joining
from xmpp_rest.service.rooms.refused import RoomRefused
from xmpp_rest.service.rooms.values import Subject, Wish
from xmpp_rest.threads.waits import Wait

OCCUPANT = f"juliet@{DOMAIN}/xmpp-rest"
OWNER = f"{{{MUC}#owner}}query"
REQUEST = Wish(by="request", stay=True)


def statuses(*refusals: RoomRefused | None) -> list[tuple[int, str] | None]:
    return [None if refused is None else (refused.status, refused.error.condition) for refused in refusals]


def test_it_asks_what_the_room_is_and_comes_in(scripted: Scripted) -> None:
    scripted.start()
    assert scripted.enter(REQUEST._replace(history=3, password="s3same")) is None
    view = scripted.view()
    assert view is not None
    assert (view.occupant, view.nick, view.state, view.by, view.stay) == (OCCUPANT, "juliet", "in", "request", True)
    assert (view.name, view.persistent, view.role, view.subject) == ("Garden", True, "participant", Subject("Tonight", "other"))
    assert ([o.nick for o in view.occupants], view.occupants_total) == (["juliet", "other"], 2)
    (presence,) = scripted.presences()
    assert (presence.get("from"), presence.get("to")) == (OCCUPANT, f"{ROOM}/juliet")
    assert presence.find(f"{{{MUC}}}x/{{{MUC}}}history[@maxstanzas='3']") is not None
    assert presence.findtext(f"{{{MUC}}}x/{{{MUC}}}password") == "s3same"
    assert scripted.enter() is None
    assert len(scripted.presences()) == 1
    assert "s3same" not in repr(scripted.view())


def test_a_typing_error_makes_no_room(scripted: Scripted) -> None:
    scripted.start()
    missing = f"gardn@{SERVICE}"
    assert statuses(scripted.enter(REQUEST, missing)) == [(404, "item-not-found")]
    assert scripted.presences() == []
    scripted.rooms[missing] = room = ScriptedRoom(missing)  # a service that does not tell
    room.rules["info"], room.created = lambda _: "forbidden", ("201",)
    assert statuses(scripted.enter(REQUEST, missing)) == [(404, "item-not-found")]
    until(lambda: len(scripted.presences("unavailable")) == 1)
    assert any(stanza.find(f"{OWNER}/{{{MUC}#owner}}destroy") is not None for stanza in scripted.came)
    assert scripted.view(missing) is None
    assert not scripted.memberships.of(ACTOR)


def test_a_room_is_made_where_that_is_wanted(scripted: Scripted) -> None:
    scripted.start()
    made, forbidden = f"new@{SERVICE}", f"other@{SERVICE}"
    assert scripted.enter(REQUEST._replace(create=True), made) is None
    forms = [stanza.find(f"{OWNER}/{{{DATA_FORMS}}}x") for stanza in scripted.came if stanza.find(OWNER) is not None]
    assert [form.get("type") for form in forms if form is not None] == ["submit"]
    scripted.rooms[forbidden] = room = ScriptedRoom(forbidden)
    room.created, room.rules["iq"] = ("201",), lambda _: "not-allowed"
    assert statuses(scripted.enter(REQUEST._replace(create=True), forbidden)) == [(403, "not-allowed")]
    until(lambda: len(scripted.presences("unavailable")) == 1)


def test_a_nick_by_default_is_altered_where_it_is_taken_and_a_named_one_is_not(scripted: Scripted) -> None:
    scripted.start()
    room, taken = scripted.rooms[ROOM], []
    for expected in ("juliet_", "juliet__"):
        taken.append(expected.removesuffix("_"))
        room.occupants = {f"x{n}@montague.example/x": nick for n, nick in enumerate(taken)}
        assert scripted.enter() is None
        assert room.occupants[OCCUPANT] == expected
        scripted.memberships.leave(scripted.place())
    taken.append("juliet__")
    room.occupants = {f"x{n}@montague.example/x": nick for n, nick in enumerate(taken)}
    assert scripted.enter() is None
    assert room.occupants[OCCUPANT].startswith("juliet-")
    assert len(room.occupants[OCCUPANT]) == len("juliet-") + 4
    scripted.memberships.leave(scripted.place())
    assert statuses(scripted.enter(Wish("juliet", is_named=True))) == [(409, "conflict")]
    assert (
        statuses(*(scripted.enter(Wish(nick, is_named=True)) for nick in ("\u3000", "x" * 1024, "\u0000"))) == [(422, "jid-malformed")] * 3
    )
    room.given_nick = "Juliet the 2nd"
    assert scripted.enter(Wish("Julia", is_named=True)) is None
    assert scripted.memberships.own_nick(scripted.place()) == "Juliet the 2nd"


def test_two_seconds_without_a_subject_are_the_end_too(scripted: Scripted, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(joining, "GRACE", 0.05)
    scripted.start()
    scripted.rooms[ROOM].has_subject = False
    assert scripted.enter() is None
    view = scripted.view()
    assert view is not None
    assert (view.state, view.subject) == ("in", None)


def test_refusals_have_the_rooms_own_words_and_nothing_is_kept(scripted: Scripted) -> None:
    scripted.start(rooms_anywhere_join_timeout="0.5")
    room = scripted.rooms[ROOM]
    for condition, code in (
        ("not-authorized", 403),
        ("registration-required", 403),
        ("not-acceptable", 409),
        ("service-unavailable", 404),
        ("gone", 410),
    ):
        room.rules["join"] = lambda _, condition=condition: condition  # type: ignore[misc]
        refused = scripted.enter(REQUEST)
        assert statuses(refused) == [(code, condition)]
        assert refused is not None
        assert (refused.by, bool(refused.error.text)) == (f"{ROOM}/juliet", True)
        assert scripted.view() is None
    room.rules["join"] = lambda _: ""
    assert statuses(scripted.enter(REQUEST)) == [(504, "remote-server-timeout")]
    until(lambda: [p.get("to") for p in scripted.presences("unavailable")] == [f"{ROOM}/juliet"])
    assert scripted.memberships.of(ACTOR) == []


def test_joins_are_shared_and_have_bounds(scripted: Scripted, monkeypatch: pytest.MonkeyPatch) -> None:
    scripted.start(rooms_anywhere_joins="5", rooms_anywhere_rooms="3", rooms_anywhere_joins_at_once="1")
    rooms = [f"r{n}@{SERVICE}" for n in range(5)]
    for name in rooms:
        scripted.rooms[name] = ScriptedRoom(name)
    told: queue.SimpleQueue[RoomRefused | None] = queue.SimpleQueue()
    for name in (*rooms[:2], *rooms[:2]):
        scripted.memberships.enter(scripted.place(name), Wish(), told.put)
    assert [told.get(timeout=30) for _ in range(4)] == [None] * 4
    assert len(scripted.presences()) == 2
    assert statuses(scripted.enter(Wish(), rooms[2])) == [None]
    full = scripted.enter(Wish(), rooms[3])
    assert full is not None
    assert (full.status, full.error.text) == (403, bounds.FULL)
    monkeypatch.setattr(bounds, "IDLE", 0.0)
    assert statuses(scripted.enter(Wish(), rooms[3])) == [None]  # the one that was idle for longest has made place
    assert [view.room for view in scripted.memberships.of(ACTOR)] == rooms[1:4]
    assert statuses(scripted.enter(REQUEST, rooms[4])) == [None]
    often = scripted.enter(Wish(), rooms[0])
    assert [view.room for view in scripted.memberships.of(ACTOR)] == rooms[2:5]  # none has made place for what is refused
    assert often is not None
    assert (often.status, often.error.condition) == (429, "policy-violation")
    assert 0 < (often.retry_after or 0) <= 60
    other = scripted.memberships.place(parse_jid(f"romeo@{DOMAIN}"), parse_jid(rooms[0]))
    scripted.memberships.enter(other, Wish(), told.put)
    assert told.get(timeout=30) is None


def test_what_nobody_waits_for_any_more_is_not_joined_later(scripted: Scripted) -> None:
    scripted.start(rooms_anywhere_joins_at_once="1", rooms_anywhere_join_timeout="600")
    assert scripted.gateway is not None
    calls, slow = scripted.gateway.parts.room_calls, f"slow@{SERVICE}"
    scripted.rooms[slow] = ScriptedRoom(slow)
    scripted.rooms[slow].rules["join"] = lambda _: ""
    told: queue.SimpleQueue[RoomRefused | None] = queue.SimpleQueue()
    scripted.memberships.enter(scripted.place(slow), REQUEST, told.put)
    refusal = calls.join(ACTOR, parse_jid(ROOM), REQUEST, Wait(0.2)).refusal  # its turn has not come
    assert refusal is not None
    assert refusal.status == 504
    assert scripted.view() is None
    assert calls.leave_room(ACTOR, parse_jid(slow), "")
    assert statuses(told.get(timeout=30)) == [(409, "recipient-unavailable")]
    assert scripted.enter(REQUEST) is None
    assert len([p for p in scripted.presences() if p.get("to") == f"{ROOM}/juliet"]) == 1


def test_a_change_of_the_nick_is_asked_for_and_not_made_alone(scripted: Scripted) -> None:
    scripted.start()
    room = scripted.rooms[ROOM]
    assert scripted.enter(REQUEST) is None
    assert statuses(scripted.enter(Wish("Julia", is_named=True))) == [None]  # a message, which changes nothing
    assert room.occupants[OCCUPANT] == "juliet"
    assert statuses(scripted.enter(REQUEST._replace(nick="Julia", is_named=True))) == [None]
    assert (room.occupants[OCCUPANT], scripted.memberships.own_nick(scripted.place())) == ("Julia", "Julia")
    assert scripted.enter(REQUEST._replace(nick="other", is_named=True)) is not None
    room.rules["join"] = lambda _: ""
    told: queue.SimpleQueue[RoomRefused | None] = queue.SimpleQueue()
    scripted.memberships.enter(scripted.place(), REQUEST._replace(nick="Juliet", is_named=True), told.put)
    scripted.say(make("presence", status("110", role="moderator"), from_=f"{ROOM}/Julia", to_=OCCUPANT))  # which is not the change
    until(lambda: (view := scripted.view()) is not None and view.role == "moderator")
    assert (told.empty(), statuses(scripted.enter(REQUEST._replace(nick="J", is_named=True)))) == (True, [(409, "conflict")])
    scripted.say(make("presence", status("110", "210"), from_=f"{ROOM}/Juliet 2", to_=OCCUPANT))
    assert (told.get(timeout=30), scripted.memberships.own_nick(scripted.place())) == (None, "Juliet 2")
    alone = f"alone@{SERVICE}"
    scripted.rooms[alone] = ScriptedRoom(alone)
    scripted.rooms[alone].occupants.clear()
    scripted.rooms[alone].features = [MUC]
    assert scripted.enter(REQUEST, alone) is None
    refused = scripted.enter(REQUEST._replace(nick="Julia", is_named=True), alone)
    assert refused is not None
    assert (refused.status, "destroy" in refused.error.text) == (409, True)
