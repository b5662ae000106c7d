"""What was said through hooks and can be read again (hooks §13.3)."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from drivers import ArchiveQuery, Driver, StorageError
from tests.conftest import OpenDriver
from xmpp_rest.incidents import Incidents
from xmpp_rest.protocol.conditions import StanzaError
from xmpp_rest.protocol.jid import JID, parse_jid
from xmpp_rest.service.hooks.delivered import Delivered, Due, Result
from xmpp_rest.service.hooks.hook import Hook, HookTarget
from xmpp_rest.service.hooks.payload import Payload
from xmpp_rest.service.hooks.published import ALPHABET, MOST, STORE, Published, address_of, id_of, id_of_due, members_of
from xmpp_rest.service.hooks.said import Kind, Said
from xmpp_rest.service.streams.registry import Event

OPS = Hook(
    "ops",
    parse_jid("juliet@capulet.example"),
    parse_jid("juliet@capulet.example"),
    (HookTarget(parse_jid("nurse@capulet.example")),),
    7,
    1.0,
)
SENT = (Result("nurse@capulet.example", "s1"),)
REFUSED = (Result("nurse@capulet.example", "s1", error=StanzaError("cancel", "item-not-found")),)
TEXT = Payload("text", "hot")


class Told:
    """Records what is published to streams."""

    def __init__(self) -> None:
        self.events: list[tuple[JID, Event]] = []

        self.pool = self

    def submit(self, work: Callable[[], object]) -> None:
        work()

    def publish(self, owner: JID, event: Event) -> None:
        self.events.append((owner, event))


@pytest.fixture
def driver(open_driver: OpenDriver, tmp_path: Path) -> Driver:
    return open_driver("sqlite:data.sqlite", tmp_path)


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def published(driver: Driver, told: Told) -> Published:
    return make(driver, told)


def make(driver: Driver, told: Any, cache: Callable[[], float] = lambda: 3600.0) -> Published:
    return Published(driver, "capulet.example", told, cache, Incidents())


def delivered(number: int = 1, *, said: Said | None = None, results: tuple[Result, ...] = SENT, **more: Any) -> Delivered:
    given: dict[str, Any] = {"at": time.time(), **more}
    return Delivered("ops", "text", said or Said(Kind.MESSAGE, "hot", message="hot"), results, number, **given)


def texts(published: Published, hook: Hook = OPS, **how: bool) -> list[str]:
    return [message.members["message"] for message in published.kept(hook, **how)]


def test_what_was_said_can_be_read_and_is_told(published: Published, told: Told) -> None:
    request = delivered()
    published.add(OPS, TEXT, request)
    (message,) = published.kept(OPS)
    assert (message.id, message.when, message.members) == (id_of(request), pytest.approx(request.at), {"message": "hot"})
    assert len(message.id) == 12
    assert set(message.id) <= set(ALPHABET)
    ((owner, event),) = told.events
    assert (owner, event.id, members_of(event.stanza)) == (address_of(OPS), message.id, {"message": "hot"})


def test_of_ntfy_all_members_are_kept_but_no_topic(published: Published) -> None:
    own = {"topic": "hk_secret", "message": "hot", "title": "CPU", "priority": 4, "tags": ["fire"], "delay": "1h"}
    published.add(OPS, Payload("ntfy", own), delivered(said=Said(Kind.MESSAGE, "🔥 CPU", title="🔥 CPU", message="hot")))
    assert published.kept(OPS)[0].members == {"message": "hot", "title": "CPU", "priority": 4, "tags": ["fire"]}


@pytest.mark.parametrize("request_", [delivered(results=REFUSED), delivered(said=Said(Kind.SILENT)), delivered(said=Said(Kind.PING))])
def test_what_reached_nobody_is_not_there(published: Published, told: Told, request_: Delivered) -> None:
    published.add(OPS, TEXT, request_)
    assert not published.kept(OPS)
    assert not told.events


def test_what_waits_is_shown_to_those_who_ask_and_told_when_it_is_sent(published: Published, told: Told) -> None:
    request = delivered(results=(), due=Due("sch_1", time.time() + 60))
    published.add(OPS, TEXT, request)
    assert not told.events
    assert not published.kept(OPS)
    assert texts(published, scheduled=True) == ["hot"]
    published.sent(OPS, "sch_1")
    ((_, event),) = told.events
    assert event.id == id_of(request) == id_of_due("ops", "sch_1")
    published.withdraw("ops", OPS.number, "sch_1")
    assert not published.kept(OPS, scheduled=True)


def test_a_hook_has_its_own_even_if_it_has_the_name_of_another(published: Published) -> None:
    published.add(OPS, TEXT, delivered())
    assert not published.kept(replace(OPS, number=8))
    published.forget(OPS)
    assert not published.kept(OPS)


def test_they_are_in_the_order_of_time(published: Published) -> None:
    now = time.time()
    for number, (text, at) in enumerate((("b", now - 5), ("c", now - 5), ("a", now - 9))):
        published.add(OPS, TEXT, delivered(number, said=Said(Kind.MESSAGE, text, message=text), at=at))
    assert texts(published) == ["a", "b", "c"]


def test_old_ones_are_not_shown_and_removed_at_last(driver: Driver, told: Told) -> None:
    published = make(driver, told, lambda: 60.0)
    published.add(OPS, TEXT, delivered(1, at=time.time() - 100))
    assert not published.kept(OPS)
    published.add(OPS, TEXT, delivered(20))
    assert driver.archive_count(None, "capulet.example", STORE) == 1


def test_the_newest_are_kept(published: Published, driver: Driver) -> None:
    now = time.time()
    for number in range(1, MOST + 41):
        published.add(OPS, TEXT, delivered(number, said=Said(Kind.MESSAGE, str(number), message=str(number)), at=now))
    assert texts(published) == [str(number) for number in range(41, MOST + 41)]
    assert driver.archive_count(None, "capulet.example", STORE, ArchiveQuery()) == MOST


def test_what_waits_takes_no_place_of_what_was_said(published: Published, driver: Driver) -> None:
    published.add(OPS, TEXT, delivered(1, said=Said(Kind.MESSAGE, "said", message="said"), at=time.time() - 5))
    for number in range(2, MOST + 41):
        published.add(OPS, TEXT, delivered(number, results=(), due=Due(f"sch_{number}", time.time() + 600)))
    assert texts(published) == ["said"]
    assert driver.archive_count(None, "capulet.example", STORE, ArchiveQuery()) == MOST + 40, "and is kept until it is sent"


def test_without_a_cache_they_are_told_only(driver: Driver, told: Told) -> None:
    published = make(driver, told, lambda: 0.0)
    published.add(OPS, TEXT, delivered())
    assert not published.kept(OPS)
    assert told.events


def test_a_storage_that_fails_is_reported(
    published: Published, driver: Driver, told: Told, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object, **__: object) -> str:
        raise StorageError("full")

    monkeypatch.setattr(driver, "archive_append", fail)
    published.add(OPS, TEXT, delivered())
    assert told.events
    assert "cannot be read again" in caplog.text
