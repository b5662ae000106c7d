"""Rosters are stored as Prosody stores them, and changed atomically (data-api §5.2)."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from drivers import Driver
from tests.conftest import OpenDriver
from tests.many import in_threads
from tests.raising import raising
from xmpp_rest.errors import GatewayError
from xmpp_rest.protocol.jid import JID, parse_jid
from xmpp_rest.service.contacts import roster as module
from xmpp_rest.service.contacts.contact import Contact
from xmpp_rest.service.contacts.roster import Roster
from xmpp_rest.service.contacts.subscriptions import Side, SubscriptionState

JULIET = parse_jid("juliet@capulet.example")
ROMEO = parse_jid("romeo@montague.example")
NURSE = parse_jid("nurse@capulet.example")
FIXTURES = Path(__file__).parents[2] / "drivers" / "fixtures"
REQUEST = {"name": "presence", "attr": {"type": "subscribe", "from": str(ROMEO)}}


@pytest.fixture(params=["sqlite:r.sqlite", "jsonfile:r", "flatfile:r"])
def driver(request: pytest.FixtureRequest, tmp_path: Path, open_driver: OpenDriver) -> Driver:
    return open_driver(request.param, tmp_path)


def raw(driver: Driver, owner: JID = JULIET) -> Any:
    return driver.load(owner.local, owner.domain, "roster")


def put(roster: Roster, contact: Contact) -> int:
    return roster.change(JULIET, contact.jid, lambda _: contact).version


def test_an_item_in_every_detail(driver: Driver) -> None:
    roster = Roster(driver)
    put(roster, Contact(ROMEO, SubscriptionState(Side.ASKED, Side.NONE), "Romeo", ("Lovers", "Friends"), approved=True))
    assert raw(driver) == {
        "romeo@montague.example": {
            "subscription": "none",
            "ask": "subscribe",
            "approved": "true",
            "name": "Romeo",
            "groups": {"Friends": True, "Lovers": True},
        },
        "__hash": [False, {"version": 1, "pending": {}}],
    }
    assert roster.contact(JULIET, ROMEO) == Contact(ROMEO, SubscriptionState(Side.ASKED), "Romeo", ("Friends", "Lovers"), approved=True)


def test_many_changes_are_one_step(driver: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    roster = Roster(driver)
    changes = roster.change_all(JULIET, {ROMEO: lambda _: Contact(ROMEO), NURSE: lambda old: old})
    assert [(c.before, c.after, c.version) for c in changes] == [(None, Contact(ROMEO), 1), (None, None, 1)]
    monkeypatch.setattr(module, "MAX_CONTACTS", 1)
    with pytest.raises(GatewayError, match="at most"):
        roster.change_all(JULIET, {ROMEO: lambda _: Contact(ROMEO, name="Romeo"), NURSE: lambda _: Contact(NURSE)})
    assert roster.items(JULIET) == (1, [Contact(ROMEO)])


def test_a_request_of_a_stranger_is_no_item(driver: Driver) -> None:
    roster = Roster(driver)
    stranger = Contact(ROMEO, SubscriptionState(from_=Side.ASKED), listed=False, request=REQUEST)
    put(roster, stranger)
    assert raw(driver) == {"__hash": [False, {"version": 1, "pending": {"romeo@montague.example": REQUEST}}]}
    assert roster.contacts(JULIET) == [stranger]
    assert roster.items(JULIET) == (1, [])


@pytest.mark.parametrize("subscription", ["none", "to", "from", "both"])
def test_every_subscription_comes_back(driver: Driver, subscription: str) -> None:
    driver.store("juliet", "capulet.example", "roster", {str(ROMEO): {"subscription": subscription, "groups": {}}})
    (contact,) = Roster(driver).contacts(JULIET)
    assert (contact.state.subscription, contact.state.ask) == (subscription, "none")


def test_the_version_counts_changes_only(driver: Driver) -> None:
    roster = Roster(driver)
    assert roster.items(JULIET) == (0, [])
    assert put(roster, Contact(ROMEO)) == 1
    assert put(roster, Contact(ROMEO)) == 1
    assert put(roster, Contact(ROMEO, name="R")) == 2
    assert roster.change(JULIET, ROMEO, lambda _: None).version == 3
    assert roster.contacts(JULIET) == []
    assert roster.items(JULIET)[0] == 3


def test_what_is_not_known_here_stays(driver: Driver) -> None:
    table = {
        str(ROMEO): {"subscription": "both", "groups": {}, "persist": True},
        "pending": {str(NURSE): True},  # as old files have it
        "__hash": [False, {"version": 6, "colour": "red"}, 10, "ten"],
    }
    driver.store("juliet", "capulet.example", "roster", table)
    roster = Roster(driver)
    assert {c.jid: (c.state.ask, c.listed) for c in roster.contacts(JULIET)} == {ROMEO: ("none", True), NURSE: ("in", False)}
    roster.change(JULIET, ROMEO, lambda c: c and replace(c, name="R"))
    kept = raw(driver)
    assert kept[str(ROMEO)] == {"subscription": "both", "groups": {}, "persist": True, "name": "R"}
    pairs = dict(zip(kept["__hash"][::2], kept["__hash"][1::2], strict=True))
    assert pairs == {False: {"version": 7, "colour": "red", "pending": {str(NURSE): True}}, 10: "ten"}
    assert "pending" not in kept


def test_a_roster_that_prosody_wrote(tmp_path: Path, open_driver: OpenDriver) -> None:
    driver = open_driver(f"flatfile:{FIXTURES / 'prosody-data'}", tmp_path)
    contacts = {str(c.jid): c for c in Roster(driver).contacts(JULIET)}
    assert contacts
    stored = driver.load("juliet", "capulet.example", "roster")
    assert isinstance(stored, dict)
    for jid, item in stored.items():
        if jid != "__hash":
            assert contacts[jid].state.subscription == item["subscription"]
            assert contacts[jid].name == item.get("name", "")
            assert (contacts[jid].state.to is Side.ASKED) == (item.get("ask") == "subscribe")
    driver.close()


@pytest.mark.parametrize("word", ["pending", "__hash", "__array"])
def test_words_of_the_storage_are_no_contacts(driver: Driver, word: str) -> None:
    with pytest.raises(GatewayError, match="bad-contact"):
        Roster(driver).change(JULIET, parse_jid(word), lambda _: Contact(parse_jid(word)))
    assert raw(driver) is None


def test_what_the_edit_raises_changes_nothing(driver: Driver) -> None:
    roster = Roster(driver)
    put(roster, Contact(ROMEO))
    with pytest.raises(ValueError):
        roster.change(JULIET, ROMEO, raising(ValueError))
    assert roster.contact(JULIET, ROMEO) == Contact(ROMEO)


def test_bounds(driver: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_CONTACTS", 2)
    monkeypatch.setattr(module, "MAX_REQUESTS", 1)
    roster = Roster(driver)
    put(roster, Contact(ROMEO))
    put(roster, Contact(NURSE, SubscriptionState(from_=Side.ASKED), listed=False))
    put(roster, Contact(parse_jid("a@b.example")))
    with pytest.raises(GatewayError, match="roster-full"):
        put(roster, Contact(parse_jid("c@d.example")))
    with pytest.raises(GatewayError, match="roster-full"):
        put(roster, Contact(parse_jid("e@f.example"), SubscriptionState(from_=Side.ASKED), listed=False))
    put(roster, Contact(ROMEO, name="still changes"))


def test_a_hundred_changes_at_once_are_all_kept(tmp_path: Path, open_driver: OpenDriver) -> None:
    driver = open_driver("sqlite:r.sqlite", tmp_path)
    roster = Roster(driver)

    def add(thread: int) -> None:
        for n in range(25):
            put(roster, Contact(parse_jid(f"u{thread}-{n}@montague.example")))

    in_threads(add, range(4))
    version, items = roster.items(JULIET)
    assert (version, len(items)) == (100, 100)
    driver.close()
