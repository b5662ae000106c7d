"""What a room sends to many is made once, and kept on disk once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from xml.etree.ElementTree import Element

import pytest
from flask import Flask

from drivers import Addition, Place, StorageError
from tests.conftest import DOMAIN, MakeApp
from tests.link.fake import attach
from tests.service.muc.hall import ROMEO, ROOM, SERVICE, Hall
from xmpp_rest.protocol.element import serialise
from xmpp_rest.protocol.jid import parse_jid
from xmpp_rest.service.contacts import block_lists, privacy

CROWD = [f"guest{n}@verona.example/x" for n in range(30)]


class Crowd(Hall):
    """A room full of people, and how often something was given to the link."""

    def __init__(self, make_app: MakeApp) -> None:
        super().__init__(make_app(conference_persistent="yes"))
        self.enter(ROMEO)
        for who in CROWD:
            self.presence(who, who.partition("@")[0])
        self.inbox.clear()
        self.calls: list[int] = []
        attach(self.gateway.parts.router, self._one, self._many)

    def _one(self, domain: str, stanza: Element) -> None:
        self.calls.append(1)
        self._out(domain, stanza)

    def _many(self, domain: str, stanzas: Sequence[Element], texts: Sequence[str]) -> None:
        self.calls.append(len(stanzas))
        assert list(texts) == list(map(serialise, stanzas))
        for stanza in stanzas:
            self._out(domain, stanza)


@pytest.fixture
def crowd(make_app: MakeApp) -> Crowd:
    return Crowd(make_app)


def test_a_message_is_one_call(crowd: Crowd) -> None:
    crowd.say(ROMEO, "hark")
    assert crowd.calls == [len(CROWD) + 1]
    assert [stanza.findtext("body") for who in (ROMEO, *CROWD) for stanza in crowd.take(who)] == ["hark"] * (len(CROWD) + 1)


def test_entering_and_leaving_are_few_calls(crowd: Crowd) -> None:
    crowd.presence("late@verona.example/x", "late")
    assert len(crowd.calls) <= 6  # the occupants, themselves twice, the history, the subject
    came = crowd.take("late@verona.example/x", "presence")
    assert len(came) == len(CROWD) + 2
    assert came[-1].get("from") == f"{ROOM}/late"
    crowd.calls.clear()
    crowd.presence("late@verona.example/x", "late", inner="", kind="unavailable")
    assert len(crowd.calls) <= 3
    assert all(len(crowd.take(who, "presence")) == 2 for who in CROWD)


def test_reserved_nicks_are_read_once(crowd: Crowd, monkeypatch: pytest.MonkeyPatch) -> None:
    crowd.rooms.reserve_nick("Nurse", "nurse@verona.example")
    load, loaded = crowd.gateway.driver.load, []

    def counting(user: str | None, host: str, store: str) -> object:
        loaded.append(store)
        return load(user, host, store)

    monkeypatch.setattr(crowd.gateway.driver, "load", counting)
    for n in range(5):
        crowd.presence(f"late{n}@verona.example/x", f"late{n}")
    assert loaded.count("muc_registered") == 1
    assert crowd.rooms.reserved_nick("nurse@verona.example") == "Nurse"
    crowd.rooms.reserve_nick("Angelica", "nurse@verona.example")
    assert crowd.rooms.reserved_nick("nurse@verona.example") == "Angelica"
    assert crowd.presence("late9@verona.example/x", "Angelica") is not None
    crowd.rooms.release_nick("nurse@verona.example")
    assert crowd.presence("late9@verona.example/x", "Angelica") is None


def test_what_is_known_of_many_hosted_occupants_is_read_together(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    hall = Hall(app)
    guests = [f"guest{n}@{DOMAIN}" for n in range(20)]
    driver, guard = hall.gateway.driver, hall.gateway.parts.guard
    for guest in guests:
        driver.store(guest.partition("@")[0], DOMAIN, "accounts", {"password": "x"})
        hall.presence(f"{guest}/x", guest.partition("@")[0])
    driver.store("guest3", DOMAIN, "blocklist", {SERVICE: 1})
    monkeypatch.setattr(block_lists, "FRESH", 0.0)  # everything is read again
    monkeypatch.setattr(privacy, "FRESH", 0.0)
    heard: list[str] = []
    monkeypatch.setattr(hall.gateway.parts.streams, "publish", lambda owner, _event: heard.append(str(owner)))
    reads: list[str] = []
    bulk_read = driver.bulk_read

    def reading(places: Sequence[Place]) -> list[Any]:
        reads.append(f"{len(places)} {places[0].store if places else ''}")
        return bulk_read(places)

    monkeypatch.setattr(driver, "bulk_read", reading)
    hall.say(f"{guests[0]}/x", "hark")
    assert set(heard) == set(guests) - {guests[3]}
    assert "20 blocklist" in reads
    assert "20 privacy" in reads
    assert guard.blocks(parse_jid(guests[3]), parse_jid(SERVICE))


class Subscribed(Hall):
    """A room with hosted subscribers, and the archives that are written together."""

    def __init__(self, app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__(app)
        self.users = [f"guest{n}@{DOMAIN}" for n in range(20)]
        for user in self.users:
            self.gateway.driver.store(user.partition("@")[0], DOMAIN, "accounts", {"password": "x"})
        people = [[user, user.partition("@")[0], ["urn:xmpp:mucsub:nodes:messages"]] for user in self.users]
        self.rooms.create("balcony", {"allow_subscription": "true"}, [], people)
        self.writes: list[tuple[str, int]] = []
        self._extend_all = self.gateway.driver.archive_extend_all
        monkeypatch.setattr(self.gateway.driver, "archive_extend_all", self._extending)
        self.failing = ""

    def _extending(self, additions: Sequence[Addition]) -> list[Exception | None]:
        self.writes.append((additions[0].store, len(additions)))
        errors = self._extend_all([a for a in additions if a.user != self.failing])
        return [StorageError("full") if a.user == self.failing else errors.pop(0) for a in additions]

    def count(self, user: str, store: str = "archive") -> int:
        return self.gateway.driver.archive_count(user.partition("@")[0], DOMAIN, store)


def test_hosted_subscribers_have_it_with_one_commit(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    hall = Subscribed(app, monkeypatch)
    hall.enter(ROMEO)
    hall.say(ROMEO, "hark")
    assert hall.writes == [("archive", 20), ("offline", 20)]
    assert [(hall.count(user), hall.count(user, "offline")) for user in hall.users] == [(1, 1)] * 20
    (item,) = hall.gateway.driver.archive_find("guest7", DOMAIN, "archive")
    assert f"to='guest7@{DOMAIN}'" in item.stanza


def test_one_whose_archive_fails_is_reported_and_the_others_have_it(
    app: Flask, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    hall = Subscribed(app, monkeypatch)
    hall.enter(ROMEO)
    hall.failing = "guest7"
    hall.say(ROMEO, "hark")
    assert [user for user in hall.users if not hall.count(user)] == [f"guest7@{DOMAIN}"]
    assert hall.count(f"guest7@{DOMAIN}", "offline") == 0
    assert f"of {ROOM} did not reach guest7@{DOMAIN}" in caplog.text
