"""Accounts and tokens that were read are not read again while nobody has written them (decision 0036)."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from drivers import Driver, Table
from drivers.sqlite import SQLite
from tests.conftest import DOMAIN, PASSWORD, MakeApp, basic
from xmpp_rest.auth import remembered
from xmpp_rest.auth.authorization import COMMANDS, OPERATION
from xmpp_rest.auth.caller import Caller
from xmpp_rest.auth.remembered import LONGEST, MOST, SECONDS, RememberedTables
from xmpp_rest.auth.scopes import Use
from xmpp_rest.gateway.gateway import Gateway
from xmpp_rest.protocol.jid import parse_jid
from xmpp_rest.service.accounts.bans import Bans

JULIET = parse_jid(f"juliet@{DOMAIN}")
USER = ("juliet", DOMAIN)


class Counting(SQLite):
    """A driver that counts what is read."""

    loads = 0

    def load(self, user: str | None, host: str, store: str) -> Table | None:
        self.loads += 1
        return super().load(user, host, store)


class Unknowing(Counting):
    """A driver of somebody else, which knows of no writes."""

    def unchanged(self, user: str | None, host: str, store: str) -> Callable[[], bool] | None:
        return None


class Clock:
    """Monotonic time, as the test sets it."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The time of what is remembered, which stands still."""
    clock = Clock()
    monkeypatch.setattr(remembered, "time", clock)
    return clock


@pytest.fixture
def driver(tmp_path: Path) -> Iterator[Counting]:
    with closing(Counting("gateway.sqlite", tmp_path)) as driver:
        yield driver


def tables(driver: Driver) -> RememberedTables[Table]:
    return RememberedTables(driver, "accounts", lambda _user, table: table if "bad" not in table else None)


def test_what_nobody_has_written_is_read_once(driver: Counting, clock: Clock) -> None:
    driver.store(*USER, "accounts", {"n": 1})
    known = tables(driver)
    assert [known.get(*USER) for _ in range(5)] == [{"n": 1}] * 5
    assert driver.loads == 1
    driver.store(*USER, "accounts", {"n": 2})
    assert [known.get(*USER) for _ in range(5)] == [{"n": 2}] * 5
    assert driver.loads == 2


def test_after_a_second_it_is_read_again(driver: Counting, clock: Clock) -> None:
    driver.store(*USER, "accounts", {"n": 1})
    known = tables(driver)
    known.get(*USER)
    for moment, loads in ((SECONDS - 0.01, 1), (SECONDS, 2), (2 * SECONDS - 0.01, 2), (2 * SECONDS, 3)):
        clock.now = 1000 + moment
        known.get(*USER)
        assert driver.loads == loads


@pytest.mark.parametrize("table", [None, {"bad": True}, {"long": "x" * LONGEST}], ids=["none", "unreadable", "long"])
def test_what_is_not_remembered(driver: Counting, clock: Clock, table: Table | None) -> None:
    driver.store(*USER, "accounts", table)
    known = tables(driver)
    known.get(*USER)
    known.get(*USER)
    assert driver.loads == 2


def test_nothing_is_remembered_over_a_driver_that_knows_of_no_writes(tmp_path: Path) -> None:
    with closing(Unknowing("gateway.sqlite", tmp_path)) as driver:
        driver.store(*USER, "accounts", {"n": 1})
        known = tables(driver)
        assert [known.get(*USER), known.get(*USER)] == [{"n": 1}] * 2
        assert driver.loads == 2


def test_the_number_of_tables_is_bounded(driver: Counting, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remembered, "MOST", 3)
    known = tables(driver)
    for n in range(4):
        driver.store(f"u{n}", DOMAIN, "accounts", {"n": n})
        known.get(f"u{n}", DOMAIN)
    known.get("u3", DOMAIN)
    assert driver.loads == 4
    known.get("u0", DOMAIN)
    assert driver.loads == 5
    assert MOST >= 1000


def opens(gateway: Gateway, password: str = PASSWORD) -> bool:
    return isinstance(gateway.parts.authenticator.check(basic("juliet", password)["Authorization"], "192.0.2.1", OPERATION), Caller)


def opens_by(gateway: Gateway, token: str) -> bool:
    return isinstance(gateway.parts.authenticator.check(f"Bearer {token}", "192.0.2.1", COMMANDS, Use.COMMAND), Caller)


CHANGES: dict[str, Callable[[Gateway], object]] = {
    "password": lambda gateway: gateway.parts.accounts.set_password(JULIET, "another"),
    "ban": lambda gateway: Bans(gateway.driver, DOMAIN).ban(JULIET, {}),
    "removal": lambda gateway: gateway.parts.accounts.unregister(JULIET),
}


@pytest.mark.parametrize("url", ["sqlite:gateway.sqlite", "flatfile:files"])
@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_change_counts_at_once_in_every_process(
    make_app: MakeApp, tmp_path: Path, clock: Clock, url: str, change: Callable[[Gateway], object]
) -> None:
    gateways = [make_app(server_data_dir=str(tmp_path / "shared"), storage_url=url).extensions["gateway"] for _ in range(2)]
    gateways[0].parts.accounts.register(JULIET, PASSWORD)
    token = gateways[0].parts.tokens.issue(JULIET, ["status"], 60)
    assert all(opens(gateway) and opens_by(gateway, token) for gateway in gateways * 2)
    change(gateways[0])
    assert [opens(gateway) or opens_by(gateway, token) for gateway in gateways * 2] == [False] * 4


def test_a_new_password_and_the_end_of_a_ban_count_at_once(pair: tuple[Gateway, Gateway], clock: Clock) -> None:
    leader, follower = pair
    assert opens(follower)
    leader.parts.accounts.set_password(JULIET, "another")
    assert (opens(follower, "another"), opens(follower)) == (True, False)
    bans = Bans(leader.driver, DOMAIN)
    bans.ban(JULIET, {})
    assert not opens(follower, "another")
    bans.unban(JULIET)
    assert opens(follower, "another")


def test_a_revoked_token_is_void_at_once_in_every_process(pair: tuple[Gateway, Gateway], clock: Clock) -> None:
    leader, follower = pair
    token = leader.parts.tokens.issue(JULIET, ["status"], 60)
    assert opens_by(leader, token)
    assert opens_by(follower, token)
    follower.parts.tokens.revoke(token)
    assert (opens_by(leader, token), opens_by(follower, token)) == (False, False)


def test_a_token_ends_in_time_though_it_is_remembered(gateway: Gateway, monkeypatch: pytest.MonkeyPatch, clock: Clock) -> None:
    token = gateway.parts.tokens.issue(JULIET, ["status"], 60)
    assert opens_by(gateway, token)
    ended = gateway.parts.tokens.check(token)
    assert ended is not None
    monkeypatch.setattr("xmpp_rest.auth.tokens.time.time", lambda: ended.expires)
    assert not opens_by(gateway, token)


@pytest.fixture
def elsewhere(gateway: Gateway, tmp_path: Path) -> Callable[[str], None]:
    """Another program, which knows nothing of this one, sets the account's password; "" removes the account."""

    def write(password: str) -> None:
        with closing(sqlite3.connect(tmp_path / "data0/gateway.sqlite")) as connection, connection:
            connection.execute("DELETE FROM prosody WHERE user='juliet' AND store='accounts'")
            if password:
                row = (DOMAIN, "juliet", "accounts", "password", "string", password)
                connection.execute("INSERT INTO prosody (host, user, store, key, type, value) VALUES (?, ?, ?, ?, ?, ?)", row)

    return write


def test_what_another_program_closes_is_closed_within_a_second(gateway: Gateway, elsewhere: Callable[[str], None], clock: Clock) -> None:
    assert opens(gateway)
    elsewhere("")
    clock.now += SECONDS
    assert not opens(gateway)
    assert SECONDS <= 1


def test_what_another_program_opens_is_open_at_once(gateway: Gateway, elsewhere: Callable[[str], None], clock: Clock) -> None:
    assert opens(gateway)
    elsewhere("by another program")
    assert opens(gateway, "by another program")
    assert not opens(gateway)


def test_a_check_reads_nothing_that_is_known(tmp_path: Path, make_app: MakeApp, clock: Clock) -> None:
    name = f"{__name__}:Counting:counted.sqlite"
    gateway: Gateway = make_app(storage_url=name).extensions["gateway"]
    driver = gateway.driver
    gateway.parts.accounts.register(JULIET, PASSWORD)
    token = gateway.parts.tokens.issue(JULIET, ["status"], 60)
    assert opens(gateway)
    assert opens_by(gateway, token)
    assert isinstance(driver, Counting)
    before = driver.loads
    assert all(opens(gateway) and opens_by(gateway, token) for _ in range(10))
    assert driver.loads == before
