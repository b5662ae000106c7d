"""Commands that are about all accounts read no more of them than they have to, and in pages."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from drivers import Content
from tests.api.commands.conftest import Run
from tests.conftest import DOMAIN
from xmpp_rest.gateway.gateway import Gateway
from xmpp_rest.protocol.jid import JID
from xmpp_rest.protocol.stanza import make
from xmpp_rest.service.accounts import accounts

HOST = {"host": DOMAIN}
JULIET = HOST | {"user": "juliet"}
MANY = 120


@pytest.fixture
def crowd(gateway: Gateway) -> list[str]:
    names = [f"u{n:03}" for n in range(MANY)]
    contents = [Content(name, DOMAIN, "accounts", "keyval", {"password": "x", "disabled": name < "u003"}) for name in names]
    assert not any(gateway.driver.bulk_write(contents))
    return names


@pytest.fixture
def calls(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often the storage is asked for these."""
    counted: Counter[str] = Counter()

    def count(name: str) -> None:
        method = getattr(gateway.driver, name)

        def counting(*arguments: Any, **named: Any) -> Any:
            counted[name] += 1
            return method(*arguments, **named)

        monkeypatch.setattr(gateway.driver, name, counting)

    for name in ("load", "users", "users_page", "tables_page", "bulk_read"):
        count(name)
    return counted


@pytest.mark.usefixtures("crowd")
def test_the_banned_are_read_in_pages(run: Run, calls: Counter[str]) -> None:
    assert run("list_banned", HOST).body == [f"u00{n}@{DOMAIN}" for n in range(3)]
    assert calls["load"] < 10


def test_the_sessions_of_all_are_read_in_pages(run: Run, gateway: Gateway, crowd: list[str], calls: Counter[str]) -> None:
    table = [{"resource": "r", "stanza": "<presence/>", "since": 1}]
    assert not any(gateway.driver.bulk_write([Content(name, DOMAIN, "presence", "keyval", table) for name in crowd]))
    assert run("connected_users", {}).body == [f"{name}@{DOMAIN}/r" for name in crowd]
    assert calls["load"] < 10


def test_a_count_that_takes_long_is_kept_for_a_while(run: Run, gateway: Gateway, crowd: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def counted() -> int:
        number: int = run("stats", {"name": "registeredusers"}).body
        return number

    assert counted() == MANY + 3
    gateway.parts.accounts.unregister(JID(crowd[0], DOMAIN, ""))
    assert counted() == MANY + 2
    monkeypatch.setattr(accounts, "QUICK", -1.0)
    monkeypatch.setattr(accounts, "TIMES", 1e9)
    assert counted() == MANY + 2
    gateway.parts.accounts.unregister(JID(crowd[1], DOMAIN, ""))
    assert counted() == MANY + 2


@pytest.mark.usefixtures("crowd")
def test_a_roster_without_everybody_reads_nobody(run: Run, calls: Counter[str]) -> None:
    for name in ("all", "others"):
        assert run("srg_add", HOST | {"group": name}) == (200, 0)
    for user, group in (("@all@", "all"), ("nurse", "others"), ("juliet", "others")):
        run("srg_user_add", HOST | {"user": user, "group": group, "grouphost": DOMAIN})
    run("srg_add_displayed", HOST | {"group": "others", "add": "others"})
    calls.clear()
    assert [row["jid"] for row in run("get_roster", JULIET).body] == [f"nurse@{DOMAIN}"]
    assert calls["users"] + calls["users_page"] == 0
    run("srg_add_displayed", HOST | {"group": "all", "add": "all"})
    assert run("get_roster_count", JULIET).body == MANY + 2


@pytest.mark.usefixtures("crowd")
def test_contacts_of_named_accounts(run: Run, gateway: Gateway, calls: Counter[str]) -> None:
    juliet, nurse = JID("juliet", DOMAIN, ""), JID("nurse", DOMAIN, "")
    gateway.parts.contacts.ask(juliet, nurse, make("presence", type_="subscribe"))
    matching = {"action": "list", "subs": "any", "asks": "any", "contacts": "any"}
    run("status", {})  # the first request starts the gateway
    calls.clear()
    for users in (str(juliet), f"{juliet}:nobody@{DOMAIN}:{juliet}:x@elsewhere.example:", f"JULIET@{DOMAIN}:{juliet}"):
        found = run("process_rosteritems", matching | {"users": users}).body
        assert [list(row.values()) for row in found] == [[str(juliet), str(nurse)]]
    assert calls["users"] + calls["users_page"] == 0
    assert len(run("process_rosteritems", matching | {"users": "jul*"}).body) == 1
