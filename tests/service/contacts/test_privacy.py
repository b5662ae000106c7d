"""Privacy lists are stored as Prosody stores them, and changes take effect (XEP-0016)."""

from __future__ import annotations

from pathlib import Path

import pytest

from drivers import Driver
from tests.conftest import OpenDriver
from tests.link.attached import until
from tests.processes.memory import alone, cut, processes
from xmpp_rest.protocol.jid import JID, parse_jid
from xmpp_rest.protocol.privacy import PrivacyError, PrivacyItem
from xmpp_rest.service.contacts import privacy as module
from xmpp_rest.service.contacts.privacy import PrivacyLists

JULIET = parse_jid("juliet@capulet.example")
DENY = (PrivacyItem(1, False, "jid", "romeo@montague.example", frozenset(("message",))), PrivacyItem(2, False, "subscription", "none"))
ROWS = [
    {
        "type": "jid", "value": "romeo@montague.example", "action": "deny", "order": 1,
        "message": True, "iq": False, "presence-in": False, "presence-out": False,
    },
    {
        "type": "subscription", "value": "none", "action": "deny", "order": 2,
        "message": False, "iq": False, "presence-in": False, "presence-out": False,
    },
]  # fmt: skip


@pytest.fixture(params=["sqlite:p.sqlite", "flatfile:p"])
def driver(request: pytest.FixtureRequest, tmp_path: Path, open_driver: OpenDriver) -> Driver:
    return open_driver(request.param, tmp_path)


def test_the_form_in_the_storage(driver: Driver) -> None:
    lists = PrivacyLists(driver, alone())
    lists.put(JULIET, "special", DENY)
    lists.choose(JULIET, "special")
    kept = {"default": "special", "lists": {"special": {"name": "special", "items": ROWS}}}
    assert driver.load("juliet", "capulet.example", "privacy") == kept
    assert lists.items(JULIET, "special") == lists.counting(JULIET) == DENY
    assert lists.names(JULIET) == ("special", ["special"])
    lists.choose(JULIET, None)
    lists.remove(JULIET, "special")
    assert driver.load("juliet", "capulet.example", "privacy") is None


def test_what_nobody_understands_is_left_out(driver: Driver) -> None:
    rows = ["x", {"action": "deny"}, {"action": "?", "order": 1}, {"action": "deny", "order": 3, "type": "moon"}, {**ROWS[0], "order": 7.0}]
    driver.store("juliet", "capulet.example", "privacy", {"default": "a", "lists": {"a": {"items": rows}, "b": {"items": "x"}, "c": 1}})
    lists = PrivacyLists(driver, alone())
    assert [item.order for item in lists.counting(JULIET)] == [7]
    assert (lists.items(JULIET, "b"), lists.items(JULIET, "c"), lists.items(JULIET, "d")) == ((), (), None)


def test_a_default_that_is_not_there(driver: Driver) -> None:
    driver.store("juliet", "capulet.example", "privacy", {"default": "gone", "lists": {"a": {"items": ROWS}}})
    assert PrivacyLists(driver, alone()).counting(JULIET) == ()


def test_refusals(driver: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    lists = PrivacyLists(driver, alone())
    lists.put(JULIET, "a", DENY)
    lists.choose(JULIET, "a")
    monkeypatch.setattr(module, "MAX_LISTS", 1)
    lists.put(JULIET, "a", DENY[:1])  # no further one
    cases = [
        (lambda: lists.put(JULIET, "b", DENY), "resource-constraint"),
        (lambda: lists.put(JULIET, "__hash", DENY), "not-acceptable"),
        (lambda: lists.put(JULIET, "", DENY), "not-acceptable"),
        (lambda: lists.put(JULIET, "x" * 1024, DENY), "not-acceptable"),
        (lambda: lists.remove(JULIET, "b"), "item-not-found"),
        (lambda: lists.remove(JULIET, "a"), "conflict"),
        (lambda: lists.choose(JULIET, "b"), "item-not-found"),
        (lambda: lists.choose(JULIET, ""), "item-not-found"),
    ]
    for step, condition in cases:
        with pytest.raises(PrivacyError) as e:
            step()
        assert e.value.condition == condition
    assert lists.counting(JULIET) == DENY[:1]


def test_changes_are_noticed(driver: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    remotes = processes(2)
    here, there = (PrivacyLists(driver, remote) for remote in remotes)
    apart = PrivacyLists(driver, alone())
    here.put(JULIET, "a", DENY)
    assert (here.counting(JULIET), there.counting(JULIET), apart.counting(JULIET)) == ((), (), ())
    for remote in remotes:
        remote.start()
    here.choose(JULIET, "a")
    assert (here.counting(JULIET), apart.counting(JULIET)) == (DENY, ())
    until(lambda: there.counting(JULIET) == DENY)
    driver.store("juliet", "capulet.example", "privacy", None)  # by somebody else
    assert there.counting(JULIET) == DENY
    monkeypatch.setattr(module, "FRESH", 0.0)
    assert there.counting(JULIET) == ()


def test_the_memory_is_bounded(driver: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "REMEMBERED", 2)
    lists = PrivacyLists(driver, alone())
    for user in "abcde":
        lists.counting(JID(user, "capulet.example", ""))
    assert len(lists._counting) <= 2


def test_other_processes_that_cannot_be_told(driver: Driver) -> None:
    leader, follower = processes(2)
    lists, _ = PrivacyLists(driver, follower), PrivacyLists(driver, leader)
    leader.start()
    follower.start()
    cut(follower)
    lists.put(JULIET, "a", DENY)
    assert lists.items(JULIET, "a") == DENY
