"""How occupants notice that they are out, and come in again (rooms-anywhere §7)."""

from __future__ import annotations

import logging
import queue
from collections.abc import Callable

import pytest

from tests.conftest import DOMAIN
from tests.link.attached import until
from tests.service.rooms.scripted import ROOM, SERVICE, Scripted, ScriptedRoom, error_presence, gone_x, status
from xmpp_rest.protocol.conditions import stanza_error
from xmpp_rest.protocol.namespaces import PING
from xmpp_rest.protocol.stanza import make
from xmpp_rest.service.rooms import joining, memberships
from xmpp_rest.service.rooms.refused import RoomRefused
from xmpp_rest.service.rooms.values import RoomView, Wish
from xmpp_rest.threads.timers import Timer

OCCUPANT = f"juliet@{DOMAIN}/xmpp-rest"
REQUEST = Wish(by="request", stay=True)

FOR_GOOD = [
    (("110", "307"), "not-allowed", 403),
    (("301", "307", "110"), "forbidden", 403),
    (("321", "110"), "registration-required", 403),
    (("322",), "registration-required", 403),
]
COMES_AGAIN = [("332", "110"), ("110", "333"), ("110", "307", "333"), ("110",), ()]


def pings(scripted: Scripted) -> int:
    return sum(stanza.find(f"{{{PING}}}ping") is not None and stanza.get("from") == OCCUPANT for stanza in list(scripted.came))


def test_who_was_put_out_for_good_stays_out_until_a_request_or_a_later_message(scripted: Scripted, monkeypatch: pytest.MonkeyPatch) -> None:
    scripted.start()
    for codes, condition, code in FOR_GOOD:
        assert scripted.enter(REQUEST) is None
        scripted.put_out(*codes)
        view = scripted.until_state("out")
        assert view.reason is not None
        assert (view.reason.condition, view.reason.rejoin, set(view.reason.status)) == (condition, False, {int(c) for c in codes})
        refused = scripted.enter()
        assert refused is not None
        assert (refused.status, refused.error.condition, refused.error.text) == (code, condition, view.reason.text)
    presences = len(scripted.presences())
    monkeypatch.setattr(memberships, "PAUSE", 0.0)
    scripted.rooms[ROOM].rules["join"] = lambda _: "forbidden"
    refused = scripted.enter()
    assert refused is not None
    assert (refused.status, len(scripted.presences())) == (403, presences + 1)
    scripted.rooms[ROOM].rules.clear()
    assert scripted.enter() is None
    scripted.put_out(x=gone_x("new@conference.montague.example", "Moved"))
    view = scripted.until_state("out")
    assert view.reason is not None
    assert (view.reason.condition, view.reason.text) == ("gone", "Moved (now new@conference.montague.example)")


def test_after_trouble_it_comes_in_again(scripted: Scripted) -> None:
    scripted.start()
    changes: queue.SimpleQueue[RoomView] = queue.SimpleQueue()
    scripted.memberships.changed.subscribe(changes.put)
    assert scripted.enter(REQUEST) is None
    assert [changes.get(timeout=30).state for _ in range(2)] == ["joining", "in"]
    for codes in COMES_AGAIN:
        scripted.put_out(*codes)
        view = changes.get(timeout=30)
        assert (view.state, view.reason is not None and view.reason.rejoin) == ("joining", True)
        while view.state != "in":
            view = changes.get(timeout=30)
        assert view.reason is None
    scripted.say(
        make("presence", status("110", role="none"), type_="unavailable", from_=ROOM, to_=OCCUPANT)
    )  # of the bare address: nothing
    scripted.memberships.refused(scripted.place(), stanza_error("not-acceptable"))
    assert scripted.enter() is None  # at once
    assert len(scripted.presences()) == 2 + len(COMES_AGAIN)


def test_another_nick_is_the_own_one_and_the_stored_one_is_taken_back(scripted: Scripted) -> None:
    scripted.start()
    assert scripted.enter(REQUEST) is None
    room = scripted.rooms[ROOM]
    room.occupants["thief@montague.example/x"] = "juliet"
    scripted.put_out("110")
    until(lambda: scripted.memberships.own_nick(scripted.place()) == "juliet_" and scripted.until_state("in").nick == "juliet_")
    del room.occupants["thief@montague.example/x"]
    scripted.say(make("presence", status(role="none"), type_="unavailable", from_=f"{ROOM}/juliet", to_=OCCUPANT))
    until(lambda: scripted.memberships.own_nick(scripted.place()) == "juliet")
    assert room.occupants[OCCUPANT] == "juliet"


def test_silence_is_followed_by_a_self_ping(scripted: Scripted) -> None:
    scripted.start(rooms_anywhere_self_ping="0.2")
    room = scripted.rooms[ROOM]
    assert scripted.enter(REQUEST) is None
    for condition in ("service-unavailable", "feature-not-implemented", "remote-server-not-found"):
        before = pings(scripted)
        room.rules["ping"] = lambda _, condition=condition: condition  # type: ignore[misc]
        until(lambda before=before: pings(scripted) > before + 1)  # type: ignore[misc]
        assert scripted.until_state("in").since
    assert len(scripted.presences()) == 1
    room.rules["ping"] = lambda _: "not-acceptable"
    until(lambda: len(scripted.presences()) == 2)
    room.rules.clear()
    scripted.until_state("in")


def test_of_a_long_refusal_the_beginning_is_kept(scripted: Scripted, caplog: pytest.LogCaptureFixture) -> None:
    scripted.start()
    assert scripted.enter(REQUEST) is None
    scripted.rooms[ROOM].rules["join"] = lambda _: ""
    scripted.put_out("333")
    until(lambda: len(scripted.presences()) == 2)
    told: queue.SimpleQueue[RoomRefused | None] = queue.SimpleQueue()
    scripted.memberships.enter(scripted.place(), REQUEST, told.put)
    with caplog.at_level(logging.INFO):
        scripted.say(error_presence(ROOM, "juliet", OCCUPANT, "forbidden", "No! " * 25_000))
        refused = told.get(timeout=30)
        reason = scripted.until_state("out").reason
    assert refused is not None
    assert reason is not None
    assert refused.error.text == reason.text == ("No! " * 125)
    assert max(len(record.getMessage()) for record in caplog.records) < 1000


def test_self_pings_without_an_answer_do_not_add_up(scripted: Scripted, monkeypatch: pytest.MonkeyPatch) -> None:
    scripted.start(rooms_anywhere_self_ping="0.1", rooms_anywhere_retry_max="600")
    assert scripted.gateway is not None
    timers, made = scripted.gateway.parts.remote.timers, []
    after = timers.after

    def noted(seconds: float, act: Callable[[], None], grain: float = 0.0) -> Timer:
        timer = after(seconds, act, grain)
        if "_ping_again" in repr(act):
            made.append(timer)
        return timer

    monkeypatch.setattr(timers, "after", noted)
    scripted.rooms[ROOM].rules["ping"] = lambda _: "remote-server-timeout"
    assert scripted.enter(REQUEST) is None
    until(lambda: len(made) > 10)  # one after each silence
    assert sum(timer.act is not None for timer in made[5:10]) == 0


def test_each_reconnect_is_followed_by_a_self_ping_before_anything_is_said(scripted: Scripted) -> None:
    scripted.start()
    other = f"other@{SERVICE}"
    scripted.rooms[other] = ScriptedRoom(other)
    assert [scripted.enter(), scripted.enter(REQUEST, other)] == [None, None]
    scripted.rooms[ROOM].occupants.pop(OCCUPANT)  # somebody has spoken while the link was down
    assert scripted.gateway is not None
    scripted.memberships.link_changed(DOMAIN, False)
    told: queue.SimpleQueue[RoomRefused | None] = queue.SimpleQueue()
    for room in (ROOM, other):
        scripted.memberships.confirmed(scripted.place(room), told.put)
    scripted.memberships.link_changed(DOMAIN, True)
    assert [told.get(timeout=30) for _ in range(2)] == [None, None]
    assert scripted.rooms[ROOM].occupants[OCCUPANT] == "juliet"
    assert (pings(scripted), len(scripted.presences())) == (2, 3)


def test_what_is_idle_is_left(scripted: Scripted) -> None:
    scripted.start(rooms_anywhere_idle="1")
    other = f"other@{SERVICE}"
    scripted.rooms[other] = ScriptedRoom(other)
    assert [scripted.enter(), scripted.enter(REQUEST, other)] == [None, None]
    until(lambda: scripted.view() is None)
    until(lambda: [p.get("to") for p in scripted.presences("unavailable")] == [f"{ROOM}/juliet"])
    assert scripted.until_state("in", other).stay


def test_a_room_that_is_not_there_any_more_is_out(scripted: Scripted) -> None:
    scripted.start()
    assert scripted.enter() is None
    scripted.memberships.refused(scripted.place(), stanza_error("item-not-found"))
    assert scripted.until_state("out").reason is not None
    scripted.memberships.leave(scripted.place())
    assert scripted.enter(REQUEST) is None
    scripted.memberships.refused(scripted.place(), stanza_error("item-not-found"))
    view = scripted.until_state("joining")
    assert view.reason is not None
    assert (view.reason.next or 0) - view.since > 100  # slowly
    assert scripted.memberships.leave(scripted.place())
    assert not scripted.memberships.leave(scripted.place())


def test_a_room_causes_no_more_than_it_should(scripted: Scripted, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(joining, "MANY", 1)
    scripted.start()
    stray = make("presence", status("110"), from_=f"{ROOM}/juliet", to_=OCCUPANT)
    scripted.say(stray, stray, stray)  # as if it had come in once: it leaves, and not for each of these
    until(lambda: len(scripted.presences("unavailable")) == 1)
    assert scripted.enter(REQUEST) is None
    assert len(scripted.presences("unavailable")) == 1
    delays = []
    for _ in range(3):  # a room that puts out each occupant that has just come in
        scripted.put_out("333", "110")
        view = scripted.until_state("joining")
        assert view.reason is not None
        delays.append((view.reason.next or 0) - view.since)
        assert scripted.enter() is None
    assert delays[0] < delays[1] < delays[2]


def test_who_is_put_out_before_the_subject_is_not_in(scripted: Scripted) -> None:
    scripted.start()
    room = scripted.rooms[ROOM]
    room.has_subject = False
    for wish, codes, code in ((REQUEST, ("307", "110"), 403), (Wish(), ("110",), 502)):
        told: queue.SimpleQueue[RoomRefused | None] = queue.SimpleQueue()
        scripted.memberships.enter(scripted.place(), wish, told.put)
        until(lambda: OCCUPANT in room.occupants)
        scripted.put_out(*codes)
        refused = told.get(timeout=30)
        assert refused is not None
        assert refused.status == code
        assert scripted.view() is None
    changes: queue.SimpleQueue[RoomView] = queue.SimpleQueue()
    room.has_subject = True
    assert scripted.enter(REQUEST) is None
    scripted.memberships.changed.subscribe(changes.put)
    room.rules["join"] = lambda _: "internal-server-error"
    scripted.put_out("333")
    until(lambda: len(scripted.presences()) == 5)  # it is tried again, and each failure is told once
    until(lambda: (view := scripted.view()) is not None and view.reason is not None and view.reason.condition == "internal-server-error")
    room.rules.clear()
    states = [changes.get(timeout=30)]
    while states[-1].state != "in":
        states.append(changes.get(timeout=30))
    assert [(view.state, view.reason and view.reason.condition) for view in states] == [
        ("joining", "recipient-unavailable"), ("joining", "internal-server-error"), ("in", None),
    ]  # fmt: skip
