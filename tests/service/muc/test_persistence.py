"""Persistence of rooms: history, storage, settings, removed accounts."""

from __future__ import annotations

import pytest

from tests.conftest import MakeApp
from tests.service.muc.hall import JULIET, MUC, NURSE, ROMEO, SERVICE, Hall, bodies, codes


def test_history_and_its_limits(hall: Hall) -> None:
    hall.enter(ROMEO)
    for n in range(25):
        hall.say(ROMEO, f"line {n}")
    hall.say(ROMEO, "unsaid", "<no-store xmlns='urn:xmpp:hints'/>")

    def shown(history: str) -> list[str]:
        hall.presence(JULIET, inner=MUC.replace("/>", f">{history}</x>"))
        messages = hall.take(JULIET, "message")
        assert all(m.find("{urn:xmpp:delay}delay") is not None for m in messages if m.find("body") is not None)
        return bodies(messages)

    assert shown("") == [f"line {n}" for n in range(5, 25)]
    assert shown("<history maxstanzas='2'/>") == ["line 23", "line 24"]
    assert shown("<history maxstanzas='0'/>") == shown("<history maxchars='0'/>") == shown("<history since='2999-01-01T00:00:00Z'/>") == []
    assert shown("<history maxchars='10000000'/>") == shown("<history seconds='1000'/>") == shown("<history maxstanzas='-1' since='x'/>")
    assert 0 < len(shown("<history maxchars='1000'/>")) < 20


def test_a_restart_forgets_occupants_and_rooms_that_are_not_kept(hall: Hall, make_app: MakeApp) -> None:
    hall.enter(ROMEO)
    hall.enter(NURSE, room=f"garden@{SERVICE}")
    hall.rooms.set_option("garden", "persistent", "true")
    hall.say(NURSE, "hear me", room=f"garden@{SERVICE}")
    hall.gateway.stop()
    after = Hall(make_app(server_data_dir=str(hall.gateway.data_dir)))
    assert after.rooms.names() == ["garden"]
    assert after.rooms.occupants("garden") == []
    assert after.rooms.affiliations("garden") == [["nurse@verona.example", "owner", ""]]
    after.presence(JULIET, room=f"garden@{SERVICE}")
    assert bodies(after.take(JULIET)) == ["hear me"]


def test_a_stop_tells_the_occupants(hall: Hall) -> None:
    hall.enter(ROMEO, JULIET)
    hall.rooms.close()
    for who in (ROMEO, JULIET):
        (told,) = hall.take(who)
        assert (told.get("type"), codes(told)) == ("unavailable", {"332", "110"})


def test_a_removed_account_is_in_no_room(hall: Hall) -> None:
    juliet = hall.gateway.parts.accounts.address("juliet", hall.gateway.parts.accounts.domain)
    hall.enter(ROMEO)
    hall.presence(f"{juliet}/web", "Juliet")
    hall.rooms.set_option("balcony", "allow_subscription", "true")
    hall.rooms.subscribe("balcony", str(juliet), "Juliet", [])
    hall.rooms.affiliate("balcony", str(juliet), "admin", "")
    hall.rooms.reserve_nick("Juliet", str(juliet))
    hall.gateway.parts.accounts.unregister(juliet)
    assert [row[1] for row in hall.rooms.occupants("balcony")] == ["Romeo"]
    assert (hall.rooms.subscribers("balcony"), hall.rooms.affiliation("balcony", str(juliet)), hall.rooms.reserved_nicks()) == (
        [],
        "none",
        [],
    )


@pytest.mark.parametrize("driver", ["sqlite:gateway.sqlite", "flatfile:storage", "jsonfile:storage"])
def test_what_every_driver_keeps(make_app: MakeApp, driver: str) -> None:
    hall = Hall(make_app(storage_url=driver))
    hall.rooms.create("empty", {"persistent": "true"}, [], [])
    hall.rooms.create("garden", {"persistent": "true", "title": "Ü"}, [["romeo@montague.example", "owner"]], [["a@b", "A", []]])
    hall.rooms.affiliate("garden", "tybalt@verona.example", "outcast", "enough")
    hall.rooms.reserve_nick("Romeo", "romeo@montague.example")
    hall.enter(ROMEO, room=f"garden@{SERVICE}")
    hall.say(ROMEO, "hark", room=f"garden@{SERVICE}")
    hall.gateway.stop()
    later = Hall(make_app(storage_url=driver, server_data_dir=str(hall.gateway.data_dir)))
    after = later.rooms
    assert (after.names(), after.affiliations("empty")) == (["empty", "garden"], [])
    assert after.affiliations("garden") == [["romeo@montague.example", "owner", ""], ["tybalt@verona.example", "outcast", "enough"]]
    assert (after.options("garden")["title"], after.subscriptions("a@b"), len(after.history("garden"))) == ("Ü", [["garden", "A", []]], 1)
    assert after.reserved_nicks() == [["romeo@montague.example", "Romeo"]]
    after.destroy("garden", "", False)
    after.destroy("empty", "", False)
    assert list(later.gateway.driver.users(SERVICE)) == []


def test_the_settings(make_app: MakeApp) -> None:
    hall = Hall(make_app(conference_persistent="yes", conference_archive="no", conference_history_size="2"))
    hall.enter(ROMEO)
    for n in range(5):
        hall.say(ROMEO, f"line {n}")
    hall.leave(ROMEO)
    assert hall.rooms.names() == ["balcony"]
    assert (hall.rooms.options("balcony")["mam"], hall.rooms.options("balcony")["persistent"]) == ("false", "true")
    hall.presence(JULIET)
    assert bodies(hall.take(JULIET)) == ["line 3", "line 4"]
    none = Hall(make_app(conference_history_size="0"))
    none.enter(ROMEO)
    none.say(ROMEO, "hark")
    none.presence(JULIET)
    assert bodies(none.take(JULIET)) == none.rooms.history("balcony") == []
