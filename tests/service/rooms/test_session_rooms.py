"""Accounts of other servers in rooms: joined, spoken in and heard by their sessions, and left with these (accounts-anywhere §7.1)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest

from drivers import ItemNotFound
from tests.conftest import MakeApp
from tests.link.attached import until
from tests.raising import raising
from tests.service.rooms.by_session import ROMEO, SESSION, ScriptedSession
from tests.service.rooms.scripted import ROOM, SERVICE, ScriptedRoom
from xmpp_rest.errors import GatewayError
from xmpp_rest.protocol.element import BadXML
from xmpp_rest.protocol.jid import parse_jid
from xmpp_rest.protocol.parse import parse_text
from xmpp_rest.service.rooms import bounds, core, session_hearing, session_history, speech_core
from xmpp_rest.service.rooms.occupant_list import OccupantBudget, OccupantList
from xmpp_rest.service.rooms.presences import RoomSaid
from xmpp_rest.service.rooms.refused import RoomRefused
from xmpp_rest.service.rooms.said import REFLECTED, UNSENT
from xmpp_rest.service.rooms.values import RoomPlace, RoomState, Wish
from xmpp_rest.service.sessions.room_sessions import RoomSessions
from xmpp_rest.service.streams.stream import HEARD, MEMBERSHIP, OWN, Event
from xmpp_rest.threads.waits import Wait

if TYPE_CHECKING:
    from xmpp_rest.link.c2s.session import ClientSession

GARDEN = parse_jid(ROOM)
OTHER_SESSION = parse_jid("romeo@montague.example/another")


@pytest.fixture
def rooms(make_app: MakeApp) -> Iterator[ScriptedSession]:
    rooms = ScriptedSession(make_app)
    yield rooms
    rooms.stop()


def outcome(rooms: ScriptedSession, identifier: str) -> str:
    assert rooms.gateway is not None
    found = rooms.gateway.parts.sending.outcome(SESSION, identifier)
    return "" if found is None else found.state


def hear(rooms: ScriptedSession, inner: str, nick: str = "/other", kind: str = "groupchat", identifier: str = "m") -> None:
    rooms.say(parse_text(f"<message from='{ROOM}{nick}' to='{SESSION}' type='{kind}' id='{identifier}'>{inner}</message>"))


def test_a_join_is_of_the_session_and_nothing_of_it_is_stored(rooms: ScriptedSession) -> None:
    rooms.begin()
    assert rooms.gateway is not None
    calls = rooms.gateway.parts.room_calls
    joined = calls.join(ROMEO, GARDEN, Wish(by="request", stay=True), Wait(30))
    assert joined.view is not None
    assert (joined.view.occupant, joined.view.nick, joined.view.state) == (str(SESSION), "romeo", "in")
    assert [presence.get("to") for presence in rooms.presences()] == [f"{ROOM}/romeo"]
    assert [view.room for view in rooms.views()] == [ROOM]
    assert list(rooms.store.all()) == []
    assert calls.leave_room(ROMEO, GARDEN, "Good night")
    until(lambda: [presence.get("to") for presence in rooms.presences("unavailable")] == [f"{ROOM}/romeo"])
    assert rooms.views() == []
    assert list(rooms.store.all()) == []


def test_who_says_something_is_joined_and_sees_it(rooms: ScriptedSession) -> None:
    rooms.begin()
    said = rooms.speak("But soft", "m1", seconds=30)
    assert said.state == REFLECTED
    assert said.nick == "romeo"
    assert said.stanza is not None
    assert said.stanza.get("from") == f"{ROOM}/romeo"
    assert outcome(rooms, "m1") == "reflected"
    assert rooms.speak("What light", "m2").state == "accepted"
    until(lambda: outcome(rooms, "m2") == "reflected")
    assert len(rooms.presences()) == 1


def test_without_a_session_nothing_is_joined(rooms: ScriptedSession) -> None:
    rooms.start()
    refused = rooms.enter()
    assert refused is not None
    assert (refused.status, refused.error.condition, refused.text) == (
        503, "remote-server-timeout", "The session at montague.example broke off; try again",
    )  # fmt: skip
    said = rooms.speak("But soft", "m1")
    assert said.state == UNSENT
    assert rooms.views() == []
    assert rooms.messages() == []


def test_a_message_that_is_too_large_is_refused_before_anything(rooms: ScriptedSession) -> None:
    rooms.begin(sessions_send_limit="10000")
    said = rooms.speak("x" * 10_000, "m1")
    assert isinstance(said.why, GatewayError)
    assert said.why.name == "stanza-too-big"
    assert rooms.views() == []


def test_another_stream_joins_again_and_says_what_was_not_shown(rooms: ScriptedSession) -> None:
    """Its server has taken the occupant out with the stream before (accounts-anywhere §5.7)."""
    rooms.begin(rooms_anywhere_reflection_timeout="600")
    room = rooms.rooms[ROOM]
    assert rooms.speak("But soft", "m1", seconds=30).state == REFLECTED
    room.rules["message"] = lambda _: ""
    assert rooms.speak("What light", "m2").state == "accepted"
    until(lambda: rooms.messages() == ["m1", "m2"])
    room.occupants.pop(str(SESSION))
    del room.rules["message"]
    rooms.comes(SESSION, 2)
    until(lambda: outcome(rooms, "m2") == "reflected")
    assert rooms.messages() == ["m1", "m2", "m2"]
    assert rooms.until_state("in").nick == "romeo"


def test_an_attempt_under_way_ends_with_its_stream_and_another_follows(rooms: ScriptedSession) -> None:
    rooms.begin()
    room = rooms.rooms[ROOM]
    assert rooms.enter() is None
    room.occupants.pop(str(SESSION))
    room.rules["join"] = lambda _: ""
    rooms.comes(SESSION, 2)
    until(lambda: len(rooms.presences()) == 2)
    rooms.comes(SESSION, 3)
    del room.rules["join"]
    rooms.until_state("in")


def test_a_session_by_another_address_takes_the_rooms_along(rooms: ScriptedSession) -> None:
    rooms.begin()
    assert rooms.enter(Wish(by="request", stay=True)) is None
    rooms.rooms[ROOM].occupants.pop(str(SESSION))
    rooms.comes(OTHER_SESSION, 2)
    view = rooms.until_state("in")
    assert view.occupant == str(OTHER_SESSION)
    assert len(rooms.views()) == 1


def test_rooms_are_left_with_the_session_and_what_waits_is_refused(rooms: ScriptedSession) -> None:
    rooms.begin(rooms_anywhere_reflection_timeout="600")
    room = rooms.rooms[ROOM]
    assert rooms.enter() is None
    hear(rooms, "<body>Hark</body>")
    room.rules["message"] = lambda _: ""
    assert rooms.speak("But soft", "m1").state == "accepted"
    until(lambda: rooms.messages() == ["m1"])
    rooms.comes(SESSION, 0)
    assert rooms.views() == []
    until(lambda: outcome(rooms, "m1") == "lost")
    until(lambda: rooms.gateway is not None and rooms.gateway.parts.room_calls.figures() == {"in": 0, "joining": 0, "out": 0, "held": 0})
    rooms.comes(SESSION, 2)
    assert rooms.gateway is not None
    assert rooms.gateway.parts.foreign.heard.find(ROMEO, GARDEN, 50).items == []
    assert rooms.views() == []


def test_who_waits_for_a_join_hears_of_the_end_of_the_session(rooms: ScriptedSession) -> None:
    rooms.begin()
    rooms.rooms[ROOM].rules["join"] = lambda _: ""
    told: list[RoomRefused | None] = []
    rooms.memberships.enter(rooms.place(), Wish(), told.append)
    until(lambda: len(rooms.presences()) == 1)
    rooms.comes(SESSION, 0)
    until(lambda: len(told) == 1)
    assert told[0] is not None
    assert told[0].status == 503
    assert rooms.views() == []


def test_what_is_heard_is_told_and_kept_in_memory(rooms: ScriptedSession) -> None:
    rooms.begin()
    assert rooms.gateway is not None
    told: list[Event] = []
    stream = rooms.gateway.parts.streams.open(ROMEO, is_session=False)
    try:
        assert rooms.enter() is None
        assert rooms.speak("But soft", "m1", seconds=30).state == REFLECTED
        hear(rooms, "<body>Hark</body>", identifier="m2")
        hear(rooms, "<composing xmlns='http://jabber.org/protocol/chatstates'/>", identifier="m3")
        until(lambda: bool(told.extend(iter(stream.take, None)) or len(told) >= 5))
    finally:
        rooms.gateway.parts.streams.close_stream(stream)
    assert [event.room for event in told] == [MEMBERSHIP, MEMBERSHIP, OWN, HEARD, HEARD]
    heard = rooms.gateway.parts.foreign.heard
    page = heard.find(ROMEO, GARDEN, 50)
    assert [kept.stanza.get("id") for kept in page.items] == ["m1", "m2"]
    assert page.complete
    first, second = (kept.id for kept in page.items)
    assert heard.find(ROMEO, GARDEN, 1) == (page.items[1:], False)
    assert heard.find(ROMEO, GARDEN, 50, after=first) == (page.items[1:], True)
    assert heard.find(ROMEO, GARDEN, 50, before=second) == (page.items[:1], True)
    with pytest.raises(ItemNotFound):
        heard.find(ROMEO, GARDEN, 50, before="unknown")
    assert heard.find(ROMEO, parse_jid(f"balcony@{SERVICE}"), 50).items == []


def test_the_past_is_not_kept_again(rooms: ScriptedSession) -> None:
    rooms.begin()
    assert rooms.gateway is not None
    assert rooms.enter() is None
    delay = "<delay xmlns='urn:xmpp:delay' stamp='2026-11-29T09:55:00Z'/>"
    for inner in ("<body>Hark</body>", f"<body>Hark</body>{delay}"):
        hear(rooms, inner)
    assert len(rooms.gateway.parts.foreign.heard.find(ROMEO, GARDEN, 50).items) == 1


def test_what_is_kept_of_an_account_is_bounded(rooms: ScriptedSession, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session_history, "BYTES", 3 * session_history.OVERHEAD)
    rooms.begin()
    assert rooms.gateway is not None
    assert rooms.enter() is None
    for number in range(5):
        hear(rooms, "<body>Hark</body>", identifier=f"m{number}")
    hear(rooms, f"<body>{'x' * 3 * session_history.OVERHEAD}</body>", identifier="large")
    found = rooms.gateway.parts.foreign.heard.find(ROMEO, GARDEN, 50).items
    assert [kept.stanza.get("id") for kept in found] == ["m3", "m4"]


def test_what_a_room_sends_to_who_is_not_in_is_told_to_nobody_unless_it_is_private(rooms: ScriptedSession) -> None:
    rooms.begin()
    assert rooms.enter() is None
    rooms.memberships.leave(rooms.place())
    rooms.until_gone()
    hear(rooms, "<body>late</body>")
    rooms.say(parse_text(f"<presence from='{ROOM}/other' to='{SESSION}'><x xmlns='http://jabber.org/protocol/muc#user'/></presence>"))
    assert rooms.passed == []
    hear(rooms, "<body>private</body>", kind="chat", identifier="p1")
    hear(rooms, "<x xmlns='http://jabber.org/protocol/muc#user'><invite from='nurse@capulet.example'/></x>", nick="", kind="normal")
    rooms.say(parse_text(f"<presence from='benvolio@montague.example/x' to='{SESSION}'/>"))
    assert len(rooms.passed) == 3


def test_a_private_message_goes_on_to_the_account(rooms: ScriptedSession) -> None:
    rooms.begin()
    assert rooms.enter() is None
    hear(rooms, "<body>Psst</body>", kind="chat", identifier="p1")
    hear(rooms, "<error type='cancel'><item-not-found xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>", kind="error", identifier="p2")
    assert [stanza.get("id") for stanza in rooms.passed] == ["p1", "p2"]


# -- who comes in by a presence of its own (rooms-anywhere §1.1)


def enter_raw(rooms: ScriptedSession, nick: str = "mask") -> None:
    assert rooms.gateway is not None
    x = "<x xmlns='http://jabber.org/protocol/muc'/>"
    rooms.gateway.parts.router.send(parse_text(f"<presence from='{SESSION}' to='{ROOM}/{nick}'>{x}</presence>"))
    until(lambda: str(SESSION) in rooms.rooms[ROOM].occupants)


def test_who_has_come_in_by_a_presence_speaks_under_that_nick(rooms: ScriptedSession) -> None:
    rooms.begin()
    enter_raw(rooms)
    said = rooms.speak("But soft", "m1", seconds=30)
    assert (said.state, said.nick) == (REFLECTED, "mask")
    assert outcome(rooms, "m1") == "reflected"
    assert len(rooms.presences()) == 1
    assert rooms.views() == []
    rooms.rooms[ROOM].rules["message"] = lambda _: "forbidden"
    refused = rooms.speak("What light", "m2", seconds=30)
    assert isinstance(refused.error, RoomRefused)
    assert refused.error.error.condition == "forbidden"


def test_who_has_come_in_by_a_presence_is_out_with_the_session(rooms: ScriptedSession) -> None:
    rooms.begin()
    enter_raw(rooms)
    rooms.rooms[ROOM].rules["message"] = lambda _: ""
    assert rooms.speak("But soft", "m1").state == "accepted"
    rooms.comes(SESSION, 0)
    assert rooms.gateway is not None
    assert rooms.gateway.parts.router.occupancy.nick(SESSION, GARDEN) is None


def test_a_session_that_takes_no_more_refuses_at_once(rooms: ScriptedSession) -> None:
    rooms.begin()
    enter_raw(rooms)
    rooms.sessions.refuses = GatewayError("outbox-share")
    said = rooms.speak("But soft", "m1")
    assert said.state == UNSENT
    assert outcome(rooms, "m1") == ""


# -- what accounts elsewhere can do to others


def test_accounts_elsewhere_have_a_bound_of_their_own(rooms: ScriptedSession, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "MOST_ELSEWHERE", 1)
    rooms.begin()
    assert rooms.enter() is None
    rooms.rooms[f"balcony@{SERVICE}"] = ScriptedRoom(f"balcony@{SERVICE}")
    refused = rooms.enter(room=f"balcony@{SERVICE}")
    assert refused is not None
    assert (refused.status, refused.text) == (503, bounds.FULL_FOR_ALL)
    rooms.memberships.leave(rooms.place())
    assert rooms.enter(room=f"balcony@{SERVICE}") is None


def test_messages_that_wait_are_bounded_per_account(rooms: ScriptedSession) -> None:
    rooms.begin(sessions_queue_size="2", rooms_anywhere_reflection_timeout="600")
    assert rooms.enter() is None
    rooms.rooms[ROOM].rules["message"] = lambda _: ""
    assert [rooms.speak("But soft", f"m{number}").state for number in range(3)] == ["accepted", "accepted", UNSENT]


@pytest.mark.parametrize(("bound", "name"), [("BYTES_OF_ONE", "outbox-share"), ("BYTES_ELSEWHERE", "outbox-full")])
def test_messages_that_wait_are_bounded_by_bytes(rooms: ScriptedSession, monkeypatch: pytest.MonkeyPatch, bound: str, name: str) -> None:
    """They are in memory alone, and a room may leave them unshown for long."""
    monkeypatch.setattr(speech_core, bound, 2000)
    rooms.begin(rooms_anywhere_reflection_timeout="600")
    assert rooms.enter() is None
    rooms.rooms[ROOM].rules["message"] = lambda _: ""
    said = [rooms.speak("x" * 1500, f"m{number}") for number in range(3)]
    assert [one.state for one in said] == ["accepted", "accepted", UNSENT]
    assert isinstance(said[-1].why, GatewayError)
    assert said[-1].why.name == name


def test_large_messages_that_no_room_has_shown_in_time_are_not_remembered(rooms: ScriptedSession) -> None:
    rooms.begin(rooms_anywhere_reflection_timeout="0.1")
    assert rooms.enter() is None
    rooms.rooms[ROOM].rules["message"] = lambda _: ""
    bodies = {"large": "x" * 20_000, "small": "x"}
    assert [rooms.speak(body, identifier).state for identifier, body in bodies.items()] == ["accepted"] * 2
    assert rooms.gateway is not None
    outbox = rooms.gateway.parts.speaking._outbox
    until(lambda: not any(outbox.has(RoomPlace(SESSION, GARDEN), identifier) for identifier in bodies))
    for identifier, body in bodies.items():
        hear(rooms, f"<body>{body}</body>", "/romeo", identifier=identifier)
    until(lambda: outcome(rooms, "small") == "reflected")
    assert outcome(rooms, "large") != "reflected"


def test_a_session_that_takes_nothing_for_now_is_asked_again(rooms: ScriptedSession) -> None:
    rooms.begin()
    assert rooms.enter() is None
    rooms.sessions.refuses = GatewayError("outbox-share")
    assert rooms.speak("But soft", "m1").state == "accepted"
    rooms.sessions.refuses = None
    until(lambda: outcome(rooms, "m1") == "reflected")


def test_what_a_server_says_of_a_room_counts_for_its_own_accounts(rooms: ScriptedSession) -> None:
    rooms.begin()
    assert rooms.gateway is not None
    assert rooms.enter() is None
    discovery = rooms.gateway.parts.discovery
    assert discovery.known(GARDEN, ROMEO) is not None
    assert discovery.known(GARDEN) is None
    assert discovery.known(GARDEN, parse_jid("nurse@capulet.example")) is None
    discovery.forget(GARDEN, ROMEO)
    assert discovery.known(GARDEN, ROMEO) is None


def test_what_is_a_room_for_accounts_elsewhere_is_none_for_others(rooms: ScriptedSession) -> None:
    rooms.begin()
    enter_raw(rooms)
    assert rooms.gateway is not None
    occupancy = rooms.gateway.parts.router.occupancy
    assert occupancy.is_raw(SESSION, GARDEN)
    assert not occupancy.is_room(GARDEN)


def test_a_silent_server_holds_up_no_joins_of_others(rooms: ScriptedSession) -> None:
    """Each account elsewhere has turns of its own at a service."""
    rooms.begin(rooms_anywhere_joins_at_once="1")
    other = f"balcony@{SERVICE}"
    rooms.rooms[other] = ScriptedRoom(other)
    rooms.rooms[other].rules["join"] = lambda _: ""
    benvolio = parse_jid("benvolio@montague.example/b")
    rooms.sessions.open[benvolio.bare] = benvolio, 7
    rooms.memberships.enter(rooms.place(other, benvolio.bare), Wish(), lambda _: None)
    until(lambda: any(presence.get("to") == f"{other}/benvolio" for presence in rooms.presences()))
    assert rooms.enter() is None


def test_occupants_of_an_account_elsewhere_share_a_budget(rooms: ScriptedSession, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(core, "MOST_OCCUPANTS_ELSEWHERE", 600)
    rooms.begin()
    assert rooms.enter() is None
    for number in range(5):
        rooms.say(
            parse_text(
                f"<presence from='{ROOM}/mask{number}' to='{SESSION}'><x xmlns='http://jabber.org/protocol/muc#user'><item role='visitor'/></x></presence>"
            )
        )
    view = rooms.view()
    assert view is not None
    assert view.occupants_total == 2
    assert rooms.until_state(RoomState.IN.value).occupants_total == 2


def test_a_budget_is_given_back() -> None:
    said = RoomSaid(frozenset(), "", "visitor", "none", "", "", "", "", is_destroyed=False, alternate="")
    budget = OccupantBudget(500)
    lists = [OccupantList(1, budget) for _ in range(2)]
    for one in lists:
        one.put("mask", said)
        one.put("tybalt", said)
    assert [one.total for one in lists] == [2, 0]
    lists[0].put("mask", said)
    assert lists[0].remove("tybalt")
    assert not lists[0].remove("tybalt")
    lists[0].clear()
    lists[1].put("mask", said)
    lists[1].put("tybalt", said)
    assert lists[1].total == 2


def test_occupants_of_all_accounts_elsewhere_share_a_budget(rooms: ScriptedSession, monkeypatch: pytest.MonkeyPatch) -> None:
    """A list that goes gives back what it has taken."""
    monkeypatch.setattr(core, "MOST_OCCUPANTS_OF_ALL", 1000)
    rooms.begin()
    assert rooms.gateway is not None
    of_all = rooms.gateway.parts.room_calls._memberships._core._budget_elsewhere
    for _ in range(3):
        assert rooms.enter() is None
        view = rooms.view()
        assert view is not None
        assert [one.nick for one in view.occupants] == ["other", "romeo"]
        assert not of_all.take(1000)
        assert rooms.gateway.parts.room_calls.leave_room(ROMEO, GARDEN, "")
        assert of_all.take(1000)
        assert of_all.take(-1000)


def test_who_leaves_by_a_presence_of_its_own_is_not_brought_back(rooms: ScriptedSession) -> None:
    rooms.begin()
    assert rooms.gateway is not None
    assert rooms.enter(Wish(by="request", stay=True)) is None
    sessions, accounts = rooms.memberships.sessions, rooms.gateway.parts.router.accounts
    assert sessions.has_rooms(ROMEO)
    for kept in ("<presence/>", f"<presence type='unavailable' to='{SERVICE}'/>", f"<message to='{ROOM}/romeo'/>"):
        accounts.has_sent(parse_text(kept), SESSION)
    assert sessions.has_rooms(ROMEO)
    accounts.has_sent(parse_text(f"<presence type='unavailable' to='{ROOM}/romeo'/>"), SESSION)
    assert rooms.views() == []
    assert not sessions.has_rooms(ROMEO)
    rooms.put_out("110")
    assert rooms.views() == []
    assert rooms.passed == []


def test_a_session_that_has_just_ended_is_in_no_room(rooms: ScriptedSession, monkeypatch: pytest.MonkeyPatch) -> None:
    rooms.begin()
    monkeypatch.setattr(rooms.sessions, "has", lambda _: True)
    rooms.sessions.open.clear()
    assert rooms.views() == []
    assert rooms.place().occupant == ROMEO


def test_a_session_is_worth_resuming_for_its_rooms(rooms: ScriptedSession) -> None:
    rooms.begin()
    session = cast("ClientSession", SimpleNamespace(account=ROMEO))
    observer = RoomSessions(rooms.memberships.sessions)
    assert not observer.is_worth_resuming(session)
    assert rooms.enter() is None
    assert observer.is_worth_resuming(session)


def test_what_cannot_be_written_is_told_and_not_kept(rooms: ScriptedSession, monkeypatch: pytest.MonkeyPatch) -> None:
    rooms.begin()
    assert rooms.gateway is not None
    assert rooms.enter() is None
    monkeypatch.setattr(session_hearing, "serialise", raising(BadXML("broken")))
    hear(rooms, "<body>Hark</body>")
    assert rooms.gateway.parts.foreign.heard.find(ROMEO, GARDEN, 50).items == []


def test_bounds_of_sessions_may_change(rooms: ScriptedSession) -> None:
    rooms.begin(rooms_anywhere_reflection_timeout="600")
    assert rooms.gateway is not None
    assert rooms.enter() is None
    settings = rooms.gateway.settings
    fewer = replace(settings.sessions, send_limit=10, queue_size=1)
    rooms.gateway.parts.speaking.configure(settings.rooms_anywhere, fewer)
    assert rooms.speak("But soft", "m1").state == UNSENT
    rooms.gateway.parts.speaking.configure(settings.rooms_anywhere, replace(fewer, send_limit=10_000))
    rooms.rooms[ROOM].rules["message"] = lambda _: ""
    assert [rooms.speak("But soft", f"m{number}").state for number in range(2, 4)] == ["accepted", UNSENT]


def test_what_few_accounts_have_heard_is_kept(rooms: ScriptedSession, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session_history, "MOST", 0)
    rooms.begin()
    assert rooms.gateway is not None
    assert rooms.enter() is None
    hear(rooms, "<body>Hark</body>")
    assert rooms.gateway.parts.foreign.heard.find(ROMEO, GARDEN, 50).items == []
