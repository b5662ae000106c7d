"""Messages that wait are kept by every storage driver, within their owner's quota, and found by their hour."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from drivers import Driver, Place
from tests.conftest import OpenDriver
from tests.drivers.conftest import cluster
from tests.drivers.postgrescluster import Cluster
from xmpp_rest.errors import GatewayError
from xmpp_rest.protocol.jid import JID, parse_jid
from xmpp_rest.service.hooks.said import Kind, Said
from xmpp_rest.service.scheduled.hints import OVER, Hints
from xmpp_rest.service.scheduled.message import ScheduledMessage
from xmpp_rest.service.scheduled.queue import DueQueue
from xmpp_rest.service.scheduled.store import HOUR, Hint, ScheduledStore

__all__ = ["cluster"]

JULIET, HOST = parse_jid("juliet@capulet.example"), parse_jid("capulet.example")
AT = 1_798_131_600.125
SAID = Said(Kind.MESSAGE, "*Disk* is full\n💾", key="disk", state="firing", truncated=True, title="Disk")


@pytest.fixture(params=["sqlite:s.sqlite", "jsonfile:s", "flatfile:s", pytest.param("postgres", marks=pytest.mark.live)])
def driver(request: pytest.FixtureRequest, tmp_path: Path, open_driver: OpenDriver) -> Driver:
    if request.param == "postgres":
        made: Cluster = request.getfixturevalue("cluster")
        return open_driver(made.new_database(), tmp_path)
    return open_driver(request.param, tmp_path)


@pytest.fixture
def store(driver: Driver) -> ScheduledStore:
    return ScheduledStore(driver, "capulet.example")


def message(identifier: str, at: float = AT, owner: JID = JULIET) -> ScheduledMessage:
    return ScheduledMessage(identifier, owner, at, AT - 100.5, ("nurse@capulet.example",), "Hello", "<message/>", "m1", is_id_given=True)


def of_hook(identifier: str) -> ScheduledMessage:
    return ScheduledMessage(identifier, JULIET, AT, AT - 1, ("room:v@rooms.example", "a@b"), SAID.text, hook="ops", hook_number=7, said=SAID)


def test_what_is_kept_comes_back_the_next_first(store: ScheduledStore) -> None:
    kept = [message("sch_1", AT + 5), of_hook("sch_2"), message("sch_3", AT + 1)]
    for each in kept:
        store.add(each, 10)
    assert store.all(JULIET) == [kept[1], kept[2], kept[0]]
    assert store.some(JULIET, ("sch_2", "sch_9")) == {"sch_2": kept[1]}
    assert store.all(HOST) == []


def test_the_quota_counts_each_owner(store: ScheduledStore) -> None:
    for number in range(2):
        store.add(message(f"sch_{number}"), 2)
    with pytest.raises(GatewayError, match="schedule-full"):
        store.add(message("sch_2"), 2)
    assert len(store.hints(int(AT // HOUR))) == 2  # what is refused leaves nothing
    store.add(message("sch_2", owner=HOST), 2)
    assert store.remove(JULIET, ("sch_0", "sch_9")) == {"sch_0"}
    store.add(message("sch_2"), 2)
    assert [m.id for m in store.all(JULIET)] == ["sch_1", "sch_2"]


def test_hints_by_hour(store: ScheduledStore, driver: Driver) -> None:
    for number, at in enumerate((AT, AT + HOUR, AT + 1)):
        store.add(message(f"sch_{number}", at), 10)
    driver.list_append(None, "capulet.example", f"scheduled_{int(AT // HOUR)}", "nonsense")
    hour = int(AT // HOUR)
    assert sorted(store.hours()) == [hour, hour + 1]
    assert store.hints(hour) == [Hint(AT, JULIET, "sch_0"), Hint(AT + 1, JULIET, "sch_2"), None]
    assert store.hints(hour, 2) == [None]
    store.forget_hour(hour)
    assert sorted(store.hours()) == [hour + 1]


def test_a_purged_account_has_nothing_that_waits(store: ScheduledStore, driver: Driver) -> None:
    store.add(message("sch_1"), 10)
    driver.purge("juliet", "capulet.example")
    assert store.all(JULIET) == []
    assert store.some(JULIET, ("sch_1",)) == {}


def test_what_others_wrote_is_told_and_left(store: ScheduledStore, driver: Driver) -> None:
    driver.store("juliet", "capulet.example", "scheduled", {"sch_1": {"at": "soon"}, "sch_2": message("sch_2").to_row()})
    assert [m.id for m in store.all(JULIET)] == ["sch_2"]
    assert isinstance(store.some(JULIET, ("sch_1",))["sch_1"], ValueError)


def test_hints_reach_the_queue_once_and_past_hours_go(store: ScheduledStore, driver: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [AT]
    monkeypatch.setattr(time, "time", lambda: now[0])
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    queue = DueQueue()
    hints = Hints(store, queue)
    for number in range(3):
        store.add(message(f"sch_{number}", AT + number), 10)
    store.add(message("sch_far", AT + 3 * HOUR), 10)
    hints.look()
    hints.told(Hint(AT + 1, JULIET, "sch_1"))
    hints.told(Hint(AT + 3 * HOUR, JULIET, "sch_far"))
    assert [due.hint.id for due in queue.take(AT + 9 * HOUR, 10)] == ["sch_0", "sch_1", "sch_2"]
    hints.absent(Hint(AT, JULIET, "sch_0"))
    now[0] += 60
    hints.look()
    assert [due.hint.id for due in queue.take(now[0], 10)] == ["sch_0"]  # it is looked for once more
    hints.absent(Hint(AT, JULIET, "sch_0"))
    now[0] += HOUR + OVER
    hints.look()
    assert queue.take(now[0], 10) == []
    assert Place(None, "capulet.example", f"scheduled_{int(AT // HOUR)}", "list") not in driver.places()
    now[0] = AT + 3 * HOUR
    hints.look()
    assert [due.hint.id for due in queue.take(now[0], 10)] == ["sch_far"]


def test_a_clock_that_was_set_is_looked_at(store: ScheduledStore, monkeypatch: pytest.MonkeyPatch) -> None:
    unix, monotonic = [AT], [1000.0]
    monkeypatch.setattr(time, "time", lambda: unix[0])
    monkeypatch.setattr(time, "monotonic", lambda: monotonic[0])
    queue = DueQueue()
    hints = Hints(store, queue)
    store.add(message("sch_1", AT + 5 * HOUR), 10)
    hints.look()
    unix[0] += 2
    monotonic[0] += 2
    assert hints.until_look() > 20
    unix[0] += 5 * HOUR  # by hand, or as the machine was asleep
    assert hints.until_look() == 0
    hints.look()
    assert [due.hint.id for due in queue.take(unix[0], 10)] == ["sch_1"]
    assert hints.until_look() > 20
