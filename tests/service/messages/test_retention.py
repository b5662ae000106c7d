"""What archives have kept for long enough is removed (service/messages/retention.py, decision 0044)."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from drivers import ArchiveItem, Driver, StorageError
from tests.conftest import DOMAIN, MakeApp, OpenDriver
from tests.service.messages.test_mam import ask, query, refused
from tests.service.muc.hall import JULIET, ROMEO, ROOM, SERVICE, Hall, bodies
from xmpp_rest.config.readers import keep
from xmpp_rest.config.table import ArchiveSettings
from xmpp_rest.gateway.gateway import Gateway
from xmpp_rest.incidents import Incidents
from xmpp_rest.processes.remote import Remote
from xmpp_rest.protocol.jid import JID
from xmpp_rest.service.messages import archive_keep, retention
from xmpp_rest.service.messages.archive import Archive
from xmpp_rest.service.messages.archive_keep import KeepSettings
from xmpp_rest.service.messages.retention import Pruned, Retention

DAY = 86400


def fill(driver: Driver, name: str, *days: float, domain: str = DOMAIN) -> None:
    """An archive with one item so many days old for each."""
    now = time.time()
    items = [ArchiveItem(f"{name}-{age}", now - age * DAY, "", f"<message id='{n}'><body>{age}</body></message>") for n, age in enumerate(days)]
    driver.archive_extend(name, domain, "archive", items)


def left(driver: Driver, name: str, domain: str = DOMAIN) -> list[str]:
    return [item.id.partition("-")[2] for item in driver.archive_find(name, domain, "archive")]


@pytest.fixture(params=["sqlite:x.sqlite", "flatfile:x", "jsonfile:x"])
def any_driver(request: pytest.FixtureRequest, tmp_path: Path, open_driver: OpenDriver) -> Driver:
    return open_driver(request.param, tmp_path)


class Pruning:
    """A retention over a storage alone, and what it says it has pruned."""

    def __init__(self, driver: Driver, remote: Remote, text: str) -> None:
        self.incidents = Incidents()
        self.own = KeepSettings(driver, self.incidents)
        self.pruned: list[str] = []
        self.here = Retention(
            Archive(driver), self.own, [DOMAIN, SERVICE], ArchiveSettings(keep(text)), remote, self.incidents, lambda owner, _: self.pruned.append(owner.local)
        )

    def own_keep(self, name: str, text: str) -> None:
        self.own.set(JID(name, DOMAIN, ""), text)


@pytest.fixture
def remote(gateway: Gateway) -> Remote:
    return gateway.parts.remote


@pytest.mark.parametrize(("text", "days"), [("30d", 30), ("12m", 365.25), ("1y", 365.25), ("1m", 30.4375), ("forever", float("inf"))])
def test_how_long(text: str, days: float) -> None:
    assert keep(text) == days * DAY


@pytest.mark.parametrize("text", ["", "0d", "30", "1w", "-1d", "1.5y", "100000d", "Forever", "1y "])
def test_what_says_no_time(text: str) -> None:
    with pytest.raises(ValueError, match="30d, 12m or 1y, or forever"):
        keep(text)


def test_accounts_and_rooms(any_driver: Driver, remote: Remote) -> None:
    fill(any_driver, "juliet", 400, 31, 29, 0)
    fill(any_driver, "nurse", 1)
    fill(any_driver, "balcony", 40, 2, domain=SERVICE)
    any_driver.archive_append("juliet", DOMAIN, "offline", "<message/>", when=0.0)
    pruning = Pruning(any_driver, remote, "30d")
    assert pruning.here.prune() == Pruned(items=3, archives=2, failed=0)
    assert (left(any_driver, "juliet"), left(any_driver, "nurse"), left(any_driver, "balcony", SERVICE)) == (["29", "0"], ["1"], ["2"])
    assert any_driver.archive_count("juliet", DOMAIN, "offline") == 1, "offline messages are not an archive"
    assert pruning.pruned == ["juliet", "balcony"]
    assert pruning.here.prune() == Pruned()


def test_an_account_has_a_time_of_its_own(any_driver: Driver, remote: Remote) -> None:
    for name in ("abram", "juliet", "nurse", "peter", "romeo"):
        fill(any_driver, name, 400, 20, 5, 0)
    pruning = Pruning(any_driver, remote, "30d")
    pruning.own_keep("benvolio", "1d")  # and no archive
    pruning.own_keep("juliet", "forever")
    pruning.own_keep("nurse", "10d")
    pruning.own_keep("romeo", "10d")
    pruning.own_keep("romeo", "default")
    pruning.here.prune()
    assert {name: len(left(any_driver, name)) for name in ("abram", "juliet", "nurse", "peter", "romeo")} == {
        "abram": 3, "juliet": 4, "nurse": 2, "peter": 3, "romeo": 3,
    }  # fmt: skip


def test_where_all_others_keep_for_ever(any_driver: Driver, remote: Remote, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(any_driver, "juliet", 400)
    fill(any_driver, "nurse", 400, 5)
    pruning = Pruning(any_driver, remote, "forever")
    pruning.own_keep("nurse", "10d")
    counted = any_driver.archive_count_within
    looked: list[Any] = []
    monkeypatch.setattr(any_driver, "archive_count_within", lambda *a, **k: looked.append(a[0]) or counted(*a, **k))
    assert pruning.here.prune() == Pruned(1, 1, 0)
    assert (left(any_driver, "juliet"), left(any_driver, "nurse"), looked) == (["400"], ["5"], ["nurse"])


@pytest.mark.parametrize("accounts", [10, 200])
def test_an_account_without_a_setting_costs_one_look(driver: Driver, remote: Remote, accounts: int, monkeypatch: pytest.MonkeyPatch) -> None:
    for n in range(accounts):
        fill(driver, f"u{n:04}", 1)
    driver.store("u0003", DOMAIN, archive_keep.STORE, {"keep": "10d"})
    asked: Counter[str] = Counter()

    def counting(name: str) -> Any:
        method = getattr(driver, name)
        return lambda *a, **k: asked.update([name]) or method(*a, **k)

    for name in ("load", "archive_find", "archive_count", "archive_count_within", "archive_delete", "users_page"):
        monkeypatch.setattr(driver, name, counting(name))
    Pruning(driver, remote, "30d").here.prune()
    assert {name: count for name, count in asked.items() if name != "users_page"} == {"archive_count_within": accounts, "load": 1}
    assert asked["users_page"] <= 8


def test_a_setting_that_cannot_be_read_removes_nothing(any_driver: Driver, remote: Remote) -> None:
    fill(any_driver, "juliet", 400)
    any_driver.store("juliet", DOMAIN, archive_keep.STORE, {"keep": "soon"})
    pruning = Pruning(any_driver, remote, "30d")
    assert pruning.here.prune() == Pruned()
    assert pruning.incidents.counts() == {"archive-keep": 1}


@pytest.mark.parametrize("scheme", ["flatfile", "jsonfile"])
def test_at_once_where_a_few_cost_as_much(
    scheme: str, remote: Remote, tmp_path: Path, open_driver: OpenDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "BATCH", 4)
    driver = open_driver(f"{scheme}:data", tmp_path)
    fill(driver, "juliet", *range(40, 30, -1), 0)
    delete, removed = driver.archive_delete, []
    monkeypatch.setattr(driver, "archive_delete", lambda *arguments: removed.append(delete(*arguments)) or removed[-1])
    done = Pruning(driver, remote, "30d").here.prune()
    assert (left(driver, "juliet"), removed, done.items) == (["0"], [10, 0], 10)


def test_in_batches(driver: Driver, remote: Remote, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "BATCH", 4)
    fill(driver, "juliet", *range(40, 30, -1), 0)
    deleted = driver.archive_delete
    limits: list[int | None] = []
    monkeypatch.setattr(driver, "archive_delete", lambda *a: limits.append(a[3].limit) or deleted(*a))
    assert Pruning(driver, remote, "30d").here.prune() == Pruned(10, 1, 0)
    assert (left(driver, "juliet"), limits) == (["0"], [4, 4, 4])


def test_one_archive_that_fails_costs_itself_alone(driver: Driver, remote: Remote, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a", "b", "c"):
        fill(driver, name, 40)
    deleted = driver.archive_delete

    def damaged(user: str, *rest: Any) -> int:
        if user == "b":
            raise StorageError("the file is damaged")
        return deleted(user, *rest)

    monkeypatch.setattr(driver, "archive_delete", damaged)
    pruning = Pruning(driver, remote, "30d")
    assert pruning.here.prune() == Pruned(items=2, archives=3, failed=1)
    assert ([left(driver, name) for name in "abc"], pruning.incidents.counts()) == ([[], ["40"], []], {"archive-unpruned": 1})
    monkeypatch.undo()
    assert pruning.here.prune() == Pruned(1, 1, 0)


def test_a_storage_that_is_down_is_not_asked_for_every_account(driver: Driver, remote: Remote, monkeypatch: pytest.MonkeyPatch) -> None:
    for n in range(50):
        fill(driver, f"u{n}", 40)

    def down(*_: Any, **__: Any) -> int:
        raise StorageError("connection refused")

    monkeypatch.setattr(driver, "archive_count_within", down)
    assert Pruning(driver, remote, "30d").here.prune() == Pruned(failed=retention.FAILURES)


def test_names_are_read_in_pages(driver: Driver, remote: Remote, monkeypatch: pytest.MonkeyPatch) -> None:
    """So memory does not grow with their number, and none is missed although archives become empty meanwhile."""
    monkeypatch.setattr(archive_keep, "PAGE", 7)
    for n in range(40):
        fill(driver, f"u{n:02}", 40, *([0] if n % 3 else []))
        if n % 10 == 0:
            driver.store(f"u{n:02}", DOMAIN, archive_keep.STORE, {"keep": "1y"})
    assert Pruning(driver, remote, "30d").here.prune() == Pruned(36, 36, 0)


@pytest.fixture
def running(driver: Driver, remote: Remote) -> Iterator[Pruning]:
    pruning = Pruning(driver, remote, "forever")
    yield pruning
    pruning.here.stop()


def until(condition: Any) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


@pytest.mark.plain_thread
def test_a_changed_setting_is_in_force_soon(driver: Driver, running: Pruning) -> None:
    fill(driver, "juliet", 40, 0)
    running.here.start(first=0.01, every=3600)
    running.here.configure(ArchiveSettings(keep("30d")))
    until(lambda: left(driver, "juliet") == ["0"])


@pytest.mark.plain_thread
def test_it_runs_again_and_survives_what_nobody_foresaw(driver: Driver, running: Pruning, monkeypatch: pytest.MonkeyPatch) -> None:
    def surprise(*_: Any, **__: Any) -> list[str]:
        raise MemoryError

    monkeypatch.setattr(driver, "users_page", surprise)
    running.here.configure(ArchiveSettings(keep("30d")))
    running.here.start(first=0.001, every=0.001)
    until(lambda: running.incidents.counts().get("retention", 0) > 2)
    monkeypatch.undo()
    fill(driver, "juliet", 40)
    until(lambda: left(driver, "juliet") == [])


@pytest.mark.plain_thread
def test_it_ends_with_its_process(driver: Driver, remote: Remote, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "BATCH", 1)
    fill(driver, "juliet", *range(200, 100, -1))
    pruning, deleted, begun = Pruning(driver, remote, "30d"), driver.archive_delete, threading.Event()

    def slow(*arguments: Any) -> int:
        begun.set()
        time.sleep(0.01)
        return deleted(*arguments)

    monkeypatch.setattr(driver, "archive_delete", slow)
    pruning.here.start(first=0.0)
    assert begun.wait(30)
    pruning.here.stop()
    assert not [thread for thread in threading.enumerate() if thread is pruning.here._thread]
    assert 0 < len(left(driver, "juliet")) < 100


@pytest.fixture
def hall(make_app: MakeApp) -> Hall:
    return Hall(make_app(archive_keep="30d", conference_archive="yes"))


def test_who_enters_a_room_is_not_sent_what_was_removed(hall: Hall, monkeypatch: pytest.MonkeyPatch) -> None:
    hall.enter(ROMEO)
    hall.say(ROMEO, "old")
    monkeypatch.setattr(time, "time_ns", lambda ns=time.time_ns: ns() + 20 * DAY * 10**9)
    hall.say(ROMEO, "new")
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 31 * DAY)
    assert hall.gateway.parts.retention.prune() == Pruned(1, 1, 0)
    hall.inbox.clear()
    hall.presence(JULIET)
    assert bodies(hall.take(JULIET, "message")) == ["new"]
    assert hall.gateway.driver.archive_count(ROOM.partition("@")[0], SERVICE, "archive") == 1


def test_the_leader_prunes_whoever_asks(pair: tuple[Gateway, Gateway], monkeypatch: pytest.MonkeyPatch) -> None:
    leader, follower = pair
    fill(leader.driver, "juliet", 40, 1)
    settings = replace(leader.settings.archive, keep=keep("30d"))
    leader.parts.retention.configure(settings)
    assert follower.parts.retention.prune() == Pruned(1, 1, 0)
    assert left(follower.driver, "juliet") == ["1"]


def test_a_page_that_begins_after_a_removed_item(gateway: Gateway) -> None:
    """XEP-0313 §4.3: the client learns that it has missed something."""
    fill(gateway.driver, "juliet", 40, 1)
    gateway.parts.retention.configure(ArchiveSettings(keep("30d")))
    gateway.parts.retention.prune()
    assert refused(ask(gateway, query(page="<max>5</max><after>juliet-40</after>"))) == "item-not-found"
    assert ask(gateway, query(page="<max>5</max>")).bound("first") == "juliet-1"
