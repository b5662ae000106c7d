"""Entering a room, changing nick and presence, leaving (XEP-0045 §7.2-§7.7, §7.14)."""

from __future__ import annotations

import pytest

from tests.service.muc.hall import JULIET, MUC, NURSE, ROMEO, ROOM, SERVICE, TYBALT, Hall, bodies, codes, error, from_nicks, item
from xmpp_rest.errors import GatewayError


def test_the_first_one_makes_the_room_and_owns_it(hall: Hall) -> None:
    assert hall.presence(ROMEO) is None
    presence, subject = hall.take(ROMEO)
    assert codes(presence) == {"110", "201"}
    assert item(presence) == {"affiliation": "owner", "role": "moderator", "jid": ROMEO}
    assert (presence.get("from"), presence.get("id")) == (f"{ROOM}/Romeo", "p1")
    assert (subject.tag, subject.get("from"), subject.find("subject") is not None, subject.find("body")) == ("message", ROOM, True, None)
    assert hall.rooms.affiliations("balcony") == [["romeo@montague.example", "owner", ""]]


def test_a_newcomer_sees_everybody_and_is_seen(hall: Hall) -> None:
    hall.enter(ROMEO, NURSE)
    hall.presence(JULIET, inner=f"{MUC}<show>away</show>")
    *others, own, subject = hall.take(JULIET)
    assert sorted(from_nicks(others)) == ["Nurse", "Romeo"]
    assert all("jid" not in item(presence) for presence in others)  # semi-anonymous
    assert codes(own) == {"110"}
    assert own.findtext("show") == "away"
    assert subject.find("subject") is not None
    (seen,) = hall.take(NURSE)
    assert (seen.get("from"), item(seen), codes(seen)) == (f"{ROOM}/Juliet", {"affiliation": "none", "role": "participant"}, set())
    (by_moderator,) = hall.take(ROMEO)
    assert item(by_moderator)["jid"] == JULIET


def test_addresses_are_shown_where_nobody_is_anonymous(hall: Hall) -> None:
    hall.enter(ROMEO, NURSE)
    hall.rooms.set_option("balcony", "anonymous", "false")
    assert {"104", "172"} == codes(hall.take(NURSE)[0])
    hall.presence(JULIET)
    *_, own, _ = hall.take(JULIET)
    assert codes(own) == {"110", "100"}
    assert item(hall.take(NURSE)[0])["jid"] == JULIET


@pytest.mark.parametrize(
    ("options", "affiliation", "inner", "refusal"),
    [
        ({"members_only": "true"}, "none", MUC, ("auth", "registration-required")),
        ({"members_only": "true"}, "member", MUC, None),
        ({}, "outcast", MUC, ("auth", "forbidden")),
        ({"password_protected": "true", "password": "rose"}, "none", MUC, ("auth", "not-authorized")),
        ({"password_protected": "true", "password": "rose"}, "admin", MUC, ("auth", "not-authorized")),
        ({"password_protected": "true", "password": "rose"}, "owner", MUC, None),
        ({"password_protected": "true", "password": "rose"}, "none", MUC.replace("/>", "><password>rose</password></x>"), None),
        ({"password_protected": "true", "password": "rose"}, "none", MUC.replace("/>", "><password>Rose</password></x>"), ("auth", "not-authorized")),
        ({"max_users": "0"}, "member", MUC, ("wait", "service-unavailable")),
        ({"max_users": "0"}, "admin", MUC, None),
    ],
)
def test_who_may_come_in(hall: Hall, options: dict[str, str], affiliation: str, inner: str, refusal: tuple[str, str] | None) -> None:
    hall.rooms.create("balcony", options, [["juliet@verona.example", affiliation]] if affiliation != "none" else [], [])
    answer = hall.presence(JULIET, inner=inner)
    assert (None if answer is None else error(answer)) == refusal
    assert (hall.rooms.occupants("balcony") == []) == (refusal is not None)


def test_the_whole_domain_can_have_an_affiliation(hall: Hall) -> None:
    hall.rooms.create("balcony", {}, [["verona.example", "outcast"], ["nurse@verona.example", "member"]], [])
    assert error(hall.presence(TYBALT)) == ("auth", "forbidden")
    assert hall.presence(NURSE) is None


@pytest.mark.parametrize("to", [ROOM, SERVICE, f"{SERVICE}/x"])
def test_a_nick_is_needed(hall: Hall, to: str) -> None:
    answer = hall.send(ROMEO, f"<presence to='{to}'>{MUC}</presence>")
    assert (None if answer is None else error(answer)) == (("modify", "jid-malformed") if to == ROOM else None)


def test_a_nick_that_somebody_has(hall: Hall) -> None:
    hall.enter(ROMEO)
    answer = hall.presence(JULIET, "Romeo")
    assert error(answer) == ("cancel", "conflict")
    assert answer is not None
    assert (answer.get("from"), answer.get("to"), answer.get("id")) == (f"{ROOM}/Romeo", JULIET, "p1")


def test_a_nick_that_somebody_has_reserved(hall: Hall) -> None:
    hall.rooms.reserve_nick("Juliet", "juliet@verona.example")
    assert error(hall.presence(TYBALT, "Juliet")) == ("cancel", "conflict")
    assert hall.rooms.names() == []
    assert hall.presence(JULIET) is None
    hall.rooms.create("garden", {"allow_subscription": "true"}, [], [])
    hall.rooms.subscribe("garden", "nurse@verona.example", "Angelica", [])
    assert error(hall.presence(TYBALT, "Angelica", room=f"garden@{SERVICE}")) == ("cancel", "conflict")


def test_two_clients_of_one_user_share_a_nick(hall: Hall) -> None:
    phone = JULIET.replace("window", "phone")
    hall.enter(ROMEO, JULIET)
    assert hall.presence(phone, "Juliet") is None
    assert {"110"} == codes(hall.take(phone)[1])
    assert [row[0] for row in hall.rooms.occupants("balcony") if row[1] == "Juliet"] == [JULIET, phone]
    hall.inbox.clear()
    hall.say(ROMEO, "hark")
    assert bodies(hall.take(phone)) == bodies(hall.take(JULIET)) == ["hark"]
    hall.inbox.clear()
    hall.send(JULIET, f"<presence to='{ROOM}/Juliet' type='unavailable'/>")
    (gone,) = hall.take(JULIET)
    assert (gone.get("type"), codes(gone)) == ("unavailable", {"110"})
    (still,) = hall.take(ROMEO)
    assert still.get("type") is None
    hall.send(phone, f"<presence to='{ROOM}/Juliet' type='unavailable'/>")
    assert [p.get("type") for p in hall.take(ROMEO)] == ["unavailable"]


def test_whoever_comes_in_again_is_told_all_again(hall: Hall) -> None:
    hall.enter(ROMEO, JULIET)
    hall.say(ROMEO, "soft")
    hall.inbox.clear()
    hall.presence(JULIET)
    stanzas = hall.take(JULIET)
    assert sorted(from_nicks([s for s in stanzas if s.tag == "presence"])) == ["Juliet", "Romeo"]
    assert bodies(stanzas) == ["soft"]
    assert len(hall.rooms.occupants("balcony")) == 2


def test_presence_in_the_room_is_passed_on(hall: Hall) -> None:
    hall.enter(ROMEO, JULIET)
    hall.presence(JULIET, inner="<show>dnd</show><status>asleep</status><x xmlns='http://jabber.org/protocol/muc#user'><status code='307'/></x>")
    (seen,) = hall.take(ROMEO)
    assert (seen.findtext("show"), seen.findtext("status"), codes(seen)) == ("dnd", "asleep", set())


def test_status_of_visitors(hall: Hall) -> None:
    hall.rooms.create("balcony", {"members_by_default": "false", "allow_visitor_status": "false"}, [["romeo@montague.example", "owner"]], [])
    hall.enter(ROMEO)
    hall.presence(JULIET, inner=f"{MUC}<show>dnd</show><status>asleep</status>")
    (seen,) = hall.take(ROMEO)
    assert (item(seen)["role"], seen.findtext("show"), seen.findtext("status")) == ("visitor", "dnd", None)


def test_presence_that_is_not_broadcast(hall: Hall) -> None:
    hall.rooms.create("balcony", {"members_by_default": "false", "presence_broadcast": "moderator"}, [["romeo@montague.example", "owner"]], [])
    hall.enter(ROMEO)
    hall.presence(JULIET)
    assert hall.take(ROMEO) == []
    assert sorted(from_nicks(hall.take(JULIET, "presence"))) == ["Juliet", "Romeo"]
    hall.presence(NURSE)
    assert sorted(from_nicks(hall.take(NURSE, "presence"))) == ["Nurse", "Romeo"]
    hall.leave(JULIET)
    assert hall.take(ROMEO) == hall.take(NURSE) == []


def test_who_is_not_in_the_room_hears_it(hall: Hall) -> None:
    """A client that missed its own removal, by a restart say, and sends presence as if it were there."""
    hall.enter(ROMEO)
    assert hall.presence(JULIET, inner="<show>away</show>") is None
    (told,) = hall.take(JULIET)
    assert (told.get("type"), told.get("from"), codes(told)) == ("unavailable", f"{ROOM}/Juliet", {"110", "307", "333"})
    assert hall.take(ROMEO) == []
    assert error(hall.presence(JULIET, inner="", room=f"nowhere@{SERVICE}")) == ("cancel", "item-not-found")
    assert hall.rooms.names() == ["balcony"]


def test_changing_the_nick(hall: Hall) -> None:
    hall.enter(ROMEO, JULIET)
    assert hall.presence(JULIET, "Sun", inner="") is None
    gone, come = hall.take(ROMEO)
    assert (gone.get("type"), gone.get("from"), codes(gone), item(gone)["nick"]) == ("unavailable", f"{ROOM}/Juliet", {"303"}, "Sun")
    assert item(gone)["role"] == "participant"
    assert (come.get("type"), come.get("from")) == (None, f"{ROOM}/Sun")
    own_gone, own_come = hall.take(JULIET)
    assert (codes(own_gone), codes(own_come)) == ({"303", "110"}, {"110"})


@pytest.mark.parametrize(("nick", "refusal"), [("Romeo", ("cancel", "conflict")), ("Reserved", ("cancel", "conflict")), ("Free", ("cancel", "not-allowed"))])
def test_nicks_that_cannot_be_changed_to(hall: Hall, nick: str, refusal: tuple[str, str]) -> None:
    hall.rooms.reserve_nick("Reserved", "nurse@verona.example")
    options = {"members_by_default": "false", "allow_visitor_nickchange": "false"} if nick == "Free" else {}
    hall.rooms.create("balcony", options, [["romeo@montague.example", "owner"]], [])
    hall.enter(ROMEO, JULIET)
    assert error(hall.presence(JULIET, nick, inner="")) == refusal
    assert hall.take(ROMEO) == []


def test_leaving(hall: Hall) -> None:
    hall.enter(ROMEO, JULIET)
    hall.presence(JULIET, inner="<status>good night</status>", kind="unavailable")
    (seen,) = hall.take(ROMEO)
    assert (seen.get("type"), seen.get("from"), item(seen)["role"], seen.findtext("status")) == ("unavailable", f"{ROOM}/Juliet", "none", "good night")
    (own,) = hall.take(JULIET)
    assert codes(own) == {"110"}
    hall.leave(JULIET)
    assert hall.take(ROMEO) == hall.take(JULIET) == []
    hall.leave(ROMEO)
    assert hall.rooms.names() == []
    hall.leave(ROMEO)


@pytest.mark.parametrize("kind", ["presence", "message"])
@pytest.mark.parametrize(
    ("condition", "removed"),
    [("remote-server-not-found", True), ("gone", True), ("recipient-unavailable", True), ("service-unavailable", True), ("not-acceptable", False)],
)
def test_unreachable_clients_are_removed(hall: Hall, kind: str, condition: str, removed: bool) -> None:
    """What comes back as an error removes the occupant (presence always)."""
    hall.enter(ROMEO, JULIET)
    answer = hall.send(
        JULIET, f"<{kind} to='{ROOM}/Romeo' type='error'><error type='cancel'><{condition} xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></{kind}>"
    )
    assert answer is None
    gone = removed or kind == "presence"
    assert [row[1] for row in hall.rooms.occupants("balcony")] == ["Romeo"] + ["Juliet"] * (not gone)
    if gone:
        (seen,) = hall.take(ROMEO)
        assert (seen.get("type"), codes(seen)) == ("unavailable", {"307", "333"})


def test_errors_of_strangers_are_dropped(hall: Hall) -> None:
    hall.enter(ROMEO)
    bounce = "type='error'><error type='cancel'><gone xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>"
    for to in (f"{ROOM}/Romeo", ROOM, f"nowhere@{SERVICE}/x", SERVICE):
        for kind in ("presence", "message", "iq"):
            assert hall.send(TYBALT, f"<{kind} id='1' to='{to}' {bounce}</{kind}>") is None
    assert hall.take(ROMEO) == []


@pytest.mark.parametrize("kind", ["subscribe", "subscribed", "unsubscribe", "unsubscribed", "probe"])
def test_a_room_is_no_contact(hall: Hall, kind: str) -> None:
    hall.enter(ROMEO)
    assert hall.presence(ROMEO, inner="", kind=kind) is None
    assert hall.take(ROMEO) == []


def test_nobody_is_in_too_many_rooms(hall: Hall) -> None:
    for n in range(100):
        assert hall.presence(ROMEO, room=f"room{n}@{SERVICE}") is None
    assert error(hall.presence(ROMEO)) == ("wait", "resource-constraint")
    assert "balcony" not in hall.rooms.names()
    hall.rooms.destroy("room7", "", False)
    assert hall.presence(ROMEO) is None
    hall.leave(ROMEO)
    assert hall.presence(ROMEO, room=f"room7@{SERVICE}") is None
    assert error(hall.presence(ROMEO)) == ("wait", "resource-constraint")


BLANK = (" ", "   ", "\u00a0", "\u2003\u3000", "\u00a0 ", "\u202f\u205f", "\u3164", " \u2800 \u115f")


@pytest.mark.parametrize("nick", BLANK)
def test_a_nick_is_more_than_white_space(hall: Hall, nick: str) -> None:
    assert error(hall.presence(ROMEO, nick)) == ("modify", "not-acceptable")
    assert hall.rooms.names() == []
    hall.enter(ROMEO)
    assert error(hall.presence(ROMEO, nick, inner="")) == ("modify", "not-acceptable")
    assert error(hall.presence(JULIET, nick)) == ("modify", "not-acceptable")
    assert [row[1] for row in hall.rooms.occupants("balcony")] == ["Romeo"]
    with pytest.raises(GatewayError):
        hall.rooms.reserve_nick(nick, "nurse@verona.example")


def test_white_space_around_a_nick_is_cut_off(hall: Hall) -> None:
    """RFC 8266 §2.3; the newcomer hears so (XEP-0045 §7.2.9)."""
    hall.enter(ROMEO)
    assert hall.presence(JULIET, " Juliet\u3000") is None
    own = hall.take(JULIET, "presence")[-1]
    assert (own.get("from"), codes(own)) == (f"{ROOM}/Juliet", {"110", "210"})
    assert error(hall.presence(NURSE, " Romeo")) == ("cancel", "conflict")
    hall.inbox.clear()
    assert hall.presence(JULIET, " Fair Sun ", inner="") is None
    assert [row[1] for row in hall.rooms.occupants("balcony")] == ["Romeo", "Fair Sun"]
