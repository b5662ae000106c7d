"""Rosters are remembered: no look-up and no change of presence costs more for contacts who are not concerned, and what others write is seen."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from drivers import Driver
from tests.conftest import OpenDriver
from tests.costs import spent
from xmpp_rest.protocol.jid import parse_jid
from xmpp_rest.service.contacts import remembered_rosters as module
from xmpp_rest.service.contacts.contact import Contact
from xmpp_rest.service.contacts.roster import MAX_CONTACTS, Roster
from xmpp_rest.service.contacts.subscriptions import Side, SubscriptionState

JULIET, NURSE, ROMEO = map(parse_jid, ("juliet@capulet.example", "nurse@capulet.example", "romeo@montague.example"))
URLS = ["sqlite:{}/r.sqlite", "jsonfile:{}/r", "flatfile:{}/r"]
ATTEMPTS = 5  # one within the bound proves it


def filled(driver: Driver, count: int, told: int) -> None:
    both, none = {"subscription": "both", "groups": {}}, {"subscription": "none", "groups": {}}
    table: dict[str, Any] = {f"u{n}@montague.example": both if n < told else none for n in range(count)}
    driver.store(JULIET.local, JULIET.domain, "roster", table | {"__hash": [False, {"version": 1, "pending": {}}]})


class LaterClock:
    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        monkeypatch.setattr(time, "monotonic", lambda: self.now)


@pytest.fixture(params=URLS)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return str(request.param).format(tmp_path / "storage")


@pytest.fixture
def ours(url: str, tmp_path: Path, open_driver: OpenDriver) -> Driver:
    (tmp_path / "storage").mkdir()
    return open_driver(url, tmp_path)


@pytest.fixture
def another(url: str, ours: Driver, tmp_path: Path, open_driver: OpenDriver) -> Driver:
    """Another program: it shares the storage, but not the data folder."""
    (tmp_path / "elsewhere").mkdir()
    return open_driver(url, tmp_path / "elsewhere")


def test_what_another_program_writes_is_seen_within_three_seconds(ours: Driver, another: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    clock, roster = LaterClock(monkeypatch), Roster(ours)
    filled(ours, 3, 1)
    assert len(roster.audience(JULIET).told) == 1
    filled(another, 3, 2)
    clock.now += 3
    assert (len(roster.audience(JULIET).told), roster.contact(JULIET, parse_jid("u1@montague.example"))) == (
        2,
        Contact(parse_jid("u1@montague.example"), SubscriptionState(Side.YES, Side.YES)),
    )


def test_what_another_process_of_ours_writes_is_seen_at_once(ours: Driver, url: str, tmp_path: Path, open_driver: OpenDriver) -> None:
    roster, theirs = Roster(ours), Roster(open_driver(url, tmp_path))
    assert roster.audience(JULIET).told == ()
    theirs.change(JULIET, ROMEO, lambda _: Contact(ROMEO, SubscriptionState(Side.NONE, Side.YES)))
    assert roster.audience(JULIET)[:2] == ((ROMEO,), ())
    theirs.change(JULIET, ROMEO, lambda _: Contact(ROMEO, SubscriptionState(Side.YES, Side.NONE)))
    assert roster.audience(JULIET)[:2] == ((), (ROMEO,))
    theirs.change(JULIET, ROMEO, lambda _: None)
    assert (roster.audience(JULIET)[:2], roster.contact(JULIET, ROMEO)) == (((), ()), None)


def cost(act: Callable[[], object]) -> float:
    act()
    return min(spent(act) for _ in range(ATTEMPTS))


def test_contacts_who_are_not_concerned_cost_nothing(ours: Driver) -> None:
    roster, one, costs = Roster(ours), parse_jid("u3@montague.example"), []
    acts = (lambda: roster.audience(JULIET), lambda: roster.contact(JULIET, one))
    for count in (10, 3000):
        filled(ours, count, 5)
        costs.append([cost(act) for act in acts])
    for few, many in zip(*costs, strict=True):
        assert many < 10 * few + 0.0002  # 300 times as many


def test_a_change_in_an_sql_storage_does_not_read_the_others(tmp_path: Path, open_driver: OpenDriver) -> None:
    driver = open_driver("sqlite:r.sqlite", tmp_path)
    roster, costs = Roster(driver), []
    for count in (10, 5000):
        filled(driver, count, count)
        names = iter(range(100))

        def add(names: Iterator[int] = names) -> None:
            jid = parse_jid(f"new{next(names)}@montague.example")
            roster.change(JULIET, jid, lambda _: Contact(jid))

        costs.append(cost(add))
    assert costs[1] < 5 * costs[0] + 0.001


def test_an_account_has_as_many_contacts_as_it_may(ours: Driver) -> None:
    filled(ours, MAX_CONTACTS, 0)
    assert len(Roster(ours).contacts(JULIET)) == MAX_CONTACTS
    with pytest.raises(Exception, match="at most"):
        Roster(ours).change(JULIET, ROMEO, lambda _: Contact(ROMEO))


def test_the_memory_of_all_rosters_is_bounded(ours: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST", 60)
    roster = Roster(ours)
    filled(ours, 20, 20)
    ours.store(NURSE.local, NURSE.domain, "roster", ours.load(JULIET.local, JULIET.domain, "roster"))
    for _ in range(3):
        for owner in (JULIET, NURSE, ROMEO):
            assert len(roster.audience(owner).told) == (0 if owner == ROMEO else 20)
            assert roster._known._weight == sum(entry.weight for entry in roster._known._entries.values()) <= 60
    filled(ours, 70, 70)  # too large to be remembered at all
    assert len(roster.audience(JULIET).told) == 70
    assert JULIET not in roster._known._entries
