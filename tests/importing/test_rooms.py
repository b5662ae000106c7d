"""Import of rooms, shared roster groups and nicks from neutral records."""

from __future__ import annotations

from collections.abc import Iterator
from xml.etree.ElementTree import Element

import pytest

from tests.importing.conftest import DOMAIN, Importing
from xmpp_rest.importing import records as r
from xmpp_rest.importing.accounts import Conflict
from xmpp_rest.importing.report import LEFT_OUT, SKIPPED, WRITTEN
from xmpp_rest.protocol.jid import parse_jid
from xmpp_rest.protocol.stanza import child, make
from xmpp_rest.service.accounts.shared_groups import SharedGroups
from xmpp_rest.service.muc.nicks import Nicks
from xmpp_rest.service.muclight.rooms import MucLightRooms

ROOMS, LIGHT = f"conference.{DOMAIN}", f"muclight.{DOMAIN}"
JULIET = f"juliet@{DOMAIN}"


def said(text: str) -> Element:
    return make("message", child("body", text), from_=f"verona@{ROOMS}/J", type="groupchat")


def room_parts() -> Iterator[r.RoomPart]:
    yield r.RoomOption("title", "Verona")
    yield r.RoomOption("members_only", "true")
    yield r.RoomOption("nosuch", "1")
    yield r.RoomAffiliation(JULIET, "owner")
    yield r.RoomAffiliation("paris@verona.example", "outcast", "no")
    yield r.RoomSubscriber(f"nurse@{DOMAIN}", "Nurse", ("urn:xmpp:mucsub:nodes:messages",))
    yield r.RoomSubject("Of love", "J", 5.0)
    yield from (r.Archived(f"i{number}", 100.0 + number, "", said(str(number))) for number in range(3))


def test_a_room(importing: Importing) -> None:
    report = importing.entities(r.ConferenceRoom("verona", ROOMS, room_parts()))
    assert (report.count("rooms", WRITTEN), report.count("archived messages", WRITTEN)) == (1, 3)
    (line,) = importing.said
    assert "nosuch" in line
    table = importing.driver.load("verona", ROOMS, "muc")
    assert isinstance(table, dict)
    assert table["options"]["persistent"] == table["options"]["members_only"] == "true"
    assert (table["options"]["subject"], table["subject_at"]) == ("Of love", 5)
    assert {row["jid"]: row["affiliation"] for row in table["affiliations"]} == {JULIET: "owner", "paris@verona.example": "outcast"}
    assert table["subscribers"] == [{"jid": f"nurse@{DOMAIN}", "nick": "Nurse", "nodes": ["urn:xmpp:mucsub:nodes:messages"]}]
    assert [item.id for item in importing.driver.archive_find("verona", ROOMS, "archive")] == ["i0", "i1", "i2"]

    report = importing.entities(r.ConferenceRoom("verona", ROOMS, room_parts()))
    assert (report.count("rooms", SKIPPED), report.count("rooms", WRITTEN)) == (1, 0)
    with pytest.raises(Conflict):
        importing.entities(r.ConferenceRoom("verona", ROOMS, room_parts()), on_conflict="fail")
    other: Iterator[r.RoomPart] = iter([r.RoomOption("title", "Padua"), r.RoomAffiliation(JULIET, "owner")])
    importing.entities(r.ConferenceRoom("verona", ROOMS, other), on_conflict="replace")
    assert "Padua" in str(importing.driver.load("verona", ROOMS, "muc"))


def test_a_room_of_another_domain(importing: Importing) -> None:
    report = importing.entities(r.ConferenceRoom("verona", "rooms.old.example", iter(())))
    assert report.count("rooms", LEFT_OUT) == 1
    assert f"--domain rooms.old.example={ROOMS}" in importing.said[0]
    renamed = {"rooms.old.example": ROOMS, "old.example": DOMAIN}
    parts: Iterator[r.RoomPart] = iter([r.RoomAffiliation("juliet@old.example", "owner")])
    importing.entities(r.ConferenceRoom("verona", "rooms.old.example", parts), domains=renamed)
    assert JULIET in str(importing.driver.load("verona", ROOMS, "muc"))


def test_a_muc_light_room(importing: Importing) -> None:
    def parts(title: str, *users: str) -> Iterator[r.RoomPart]:
        yield r.RoomOption("roomname", title)
        yield r.RoomAffiliation(JULIET, "owner")
        yield from (r.RoomAffiliation(user, "member") for user in users)
        yield r.Archived("i", 100.0, "", said("ho"))

    report = importing.entities(r.LightRoom("balcony", LIGHT, parts("Balcony", "romeo@montague.example")))
    assert (report.count("MUC Light rooms", WRITTEN), importing.said) == (1, [])
    rooms = MucLightRooms(importing.driver, LIGHT)
    for user in (JULIET, "romeo@montague.example"):
        assert [room.config["roomname"] for room in rooms.occupied(parse_jid(user))] == ["Balcony"]
    importing.entities(r.LightRoom("balcony", LIGHT, parts("Orchard", f"nurse@{DOMAIN}")), on_conflict="replace")
    assert [room.config["roomname"] for room in rooms.occupied(parse_jid(f"nurse@{DOMAIN}"))] == ["Orchard"]
    assert rooms.occupied(parse_jid("romeo@montague.example")) == []
    report = importing.entities(r.LightRoom("empty", LIGHT, iter(())))
    assert "no occupants" in importing.said[0]


def test_groups_and_nicks(importing: Importing) -> None:
    entities = (
        r.SharedGroup("a", DOMAIN, "A", displayed=("b", "nosuch"), flags=frozenset(("all_users",)), members=(JULIET,)),
        r.SharedGroup("b", DOMAIN, "B", "described"),
        r.ReservedNick(ROOMS, JULIET, "J"),
        r.ReservedNick(ROOMS, "romeo@montague.example", "J"),
    )
    dry = importing.entities(*entities, dry_run=True)
    assert list(importing.driver.hosts()) == []
    assert dry.count("shared roster groups", WRITTEN) == 2
    report = importing.entities(*entities)
    assert (report.count("shared roster groups", WRITTEN), report.count("reserved nicks", WRITTEN)) == (2, 1)
    groups = SharedGroups(importing.driver, DOMAIN).all()
    assert (groups["a"].displayed, groups["a"].members, groups["b"].description) == (("b",), {JULIET}, "described")
    assert Nicks(importing.driver, ROOMS).of(parse_jid(JULIET)) == "J"
    again = importing.entities(*entities)
    assert again.count("shared roster groups", SKIPPED) == 2
