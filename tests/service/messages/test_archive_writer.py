"""The archive writer: many messages of one account, in order, with few commits, and separate failures."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from itertools import cycle
from pathlib import Path
from xml.etree.ElementTree import Element, SubElement

import pytest

from drivers import ArchiveItem, BadValue, Driver, StorageError, open_driver
from tests.processes.memory import alone
from xmpp_rest.config.table import StreamSettings
from xmpp_rest.gateway.events import Events
from xmpp_rest.incidents import Incidents
from xmpp_rest.metrics.counts import Counts
from xmpp_rest.protocol.element import serialise
from xmpp_rest.protocol.jid import JID, parse_jid
from xmpp_rest.service.messages.archive import Archive, ArchiveFilter
from xmpp_rest.service.messages.archive_writer import ArchiveWrite, ArchiveWriter
from xmpp_rest.service.messages.clock import MonotonicClock
from xmpp_rest.service.streams.registry import Streams
from xmpp_rest.service.streams.stream import Event
from xmpp_rest.service.streams.timeline import AccountTimeline
from xmpp_rest.threads.waits import Waits

ROMEO, NURSE, FRIAR = (parse_jid(f"{name}@gateway.example") for name in ("romeo", "nurse", "friar"))
JULIET = parse_jid("juliet@capulet.example")
BOUNDS = StreamSettings(total=10, per_account=10, queue_size=1000, heartbeat=15, write_timeout=30)
COUNT = 40


class Slow(Archive):
    """Waits with the first message until all others are there; counts commits; refuses as it is told."""

    def __init__(self, driver: Driver) -> None:
        super().__init__(driver)
        self.entered = threading.Event()
        self.gate = threading.Event()
        self.commits: list[int] = []
        self.refuse: Exception | None = None

    def keep_all(self, items: Mapping[JID, Sequence[ArchiveItem]]) -> list[Exception | None]:
        self.entered.set()
        assert self.gate.wait(30)
        self.commits.append(sum(map(len, items.values())))
        bad = {owner for owner, some in items.items() if any("bad" in item.stanza for item in some)} if self.refuse else set()
        kept = iter(super().keep_all({owner: some for owner, some in items.items() if owner not in bad}))
        return [self.refuse if owner in bad else next(kept) for owner in items]


class Heard(Streams):
    """Remembers what it was to publish."""

    def __init__(self, archive: Archive) -> None:
        super().__init__(AccountTimeline(archive, archive), BOUNDS, Waits(64), alone(), Events(Incidents()), Counts())
        self.events: list[Event] = []

    def publish(self, owner: object, event: Event) -> None:
        self.events.append(event)


class Desk:
    """An archive, and threads that archive one message each."""

    def __init__(self, folder: Path) -> None:
        self.driver = open_driver("sqlite:test.sqlite", folder)
        self.archive = Slow(self.driver)
        self.streams = Heard(self.archive)
        self.archiving = ArchiveWriter(self.archive, self.streams, MonotonicClock(), lambda _owner: None)
        self.errors: dict[str, Exception] = {}

    def take(self, body: str, owner: JID = ROMEO) -> None:
        stanza = Element("message", {"from": str(ROMEO), "to": str(JULIET)})
        SubElement(stanza, "body").text = body
        (error,) = self.archiving.write_all([ArchiveWrite(owner, stanza, serialise(stanza), JULIET, sent=True)])
        if error is not None:
            self.errors[body] = error

    def take_at_once(self, bodies: list[str], owners: Sequence[JID] = (ROMEO,)) -> None:
        """The first one has the turn while the others come, one after the other."""
        threads = [threading.Thread(target=self.take, args=(body, owner)) for body, owner in zip(bodies, cycle(owners))]
        for n, thread in enumerate(threads):
            thread.start()
            assert self.archive.entered.wait(30)
            while len(self.archiving._group._waiting) < n:
                time.sleep(0.001)
        self.archive.gate.set()
        for thread in threads:
            thread.join(30)

    def kept(self, owner: JID = ROMEO) -> list[str]:
        return [k.stanza.findtext("body") or "" for k in self.archive.page(owner, ArchiveFilter(), 1000).items]


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(tmp_path)
    yield desk
    desk.driver.close()


def test_those_who_wait_share_a_commit_and_keep_their_order(desk: Desk) -> None:
    bodies = [str(n) for n in range(COUNT)]
    desk.take_at_once(bodies)
    assert desk.kept() == bodies
    assert [event.stanza.findtext("body") for event in desk.streams.events] == bodies
    assert desk.archive.commits == [1, COUNT - 1]
    ids = [k.id for k in desk.archive.page(ROMEO, ArchiveFilter(), 1000).items]
    assert [event.id for event in desk.streams.events] == ids
    times = [event.when for event in desk.streams.events]
    assert times == sorted(set(times))
    assert not desk.archiving._group._waiting


def test_several_accounts_share_a_commit(desk: Desk) -> None:
    desk.take_at_once([str(n) for n in range(9)], (ROMEO, NURSE, FRIAR))
    assert desk.archive.commits == [1, 8]
    assert [desk.kept(owner) for owner in (ROMEO, NURSE, FRIAR)] == [["0", "3", "6"], ["1", "4", "7"], ["2", "5", "8"]]
    assert len(desk.streams.events) == 9


def test_one_that_the_storage_cannot_take_is_refused_alone(desk: Desk) -> None:
    desk.archive.refuse = BadValue("no")
    desk.take_at_once(["0", "1", "bad", "3"])
    assert desk.kept() == ["0", "1", "3"]
    assert desk.errors == {"bad": desk.archive.refuse}
    assert len(desk.streams.events) == 3


def test_what_is_refused_is_none_of_another_accounts_business(desk: Desk) -> None:
    desk.archive.refuse = StorageError("full")
    desk.take_at_once(["0", "1", "bad", "3", "4"], (ROMEO, NURSE))
    assert (desk.kept(), desk.kept(NURSE)) == (["0"], ["1", "3"])
    assert set(desk.errors) == {"bad", "4"}


def test_a_storage_that_fails_is_told_to_all_and_nothing_is_shown(desk: Desk) -> None:
    desk.archive.refuse = StorageError("full")
    desk.take_at_once(["0", "1", "bad", "3"])
    assert desk.kept() == ["0"]
    assert set(desk.errors) == {"1", "bad", "3"}
    assert len(desk.streams.events) == 1
    desk.take("later")
    assert desk.kept() == ["0", "later"]


def test_many_at_once_are_archived_in_several_turns(desk: Desk) -> None:
    bodies = [str(n) for n in range(150)]
    desk.take_at_once(bodies)
    assert desk.kept() == bodies
    assert desk.archive.commits == [1, 64, 64, 21]
