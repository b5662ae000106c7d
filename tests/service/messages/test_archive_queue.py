"""The archive queue: one transaction for many, in order, whatever fails; and what earlier processes left over."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from drivers import ArchiveItem, BadValue, Driver, StorageError, open_driver
from tests.link.attached import until
from xmpp_rest.incidents import Incidents
from xmpp_rest.link.journal import NotedEntry
from xmpp_rest.protocol.jid import JID, parse_jid
from xmpp_rest.service.messages import archive_queue as module
from xmpp_rest.service.messages.archive import EVERYTHING, Archive
from xmpp_rest.service.messages.archive_queue import ArchiveQueue, QueuedMessage
from xmpp_rest.service.messages.unarchived_counts import UnarchivedCounts

ROMEO, NURSE = (parse_jid(f"{name}@gateway.example") for name in ("romeo", "nurse"))
JULIET = "juliet@capulet.example"


class Store(Archive):
    """Counts transactions, and refuses as it is told."""

    def __init__(self, driver: Driver) -> None:
        super().__init__(driver)
        self.commits: list[int] = []
        self.refuse: Callable[[JID, Sequence[ArchiveItem]], Exception | None] = lambda _owner, _items: None

    def keep_all(self, items: Mapping[JID, Sequence[ArchiveItem]]) -> list[Exception | None]:
        errors = {owner: self.refuse(owner, some) for owner, some in items.items()}
        good = {owner: some for owner, some in items.items() if errors[owner] is None}
        self.commits.append(sum(map(len, good.values())))
        errors |= zip(good, super().keep_all(good), strict=True)
        return [errors[owner] for owner in items]


class Bench:
    """A queue on an archive, with what it acknowledged."""

    def __init__(self, folder: Path) -> None:
        self.driver = open_driver("sqlite:test.sqlite", folder)
        self.archive = Store(self.driver)
        self.counts = UnarchivedCounts(folder)
        self.incidents = Incidents()
        self.acknowledged: list[int] = []
        self.queue = ArchiveQueue(self.archive, self.counts, self.incidents, self.acknowledged.extend)
        self.queue.restore(())
        self._number = 0

    def put(self, *bodies: str, owner: JID = ROMEO) -> None:
        self.queue.put([self.message(body, owner) for body in bodies])

    def message(self, body: str, owner: JID = ROMEO) -> QueuedMessage:
        self._number += 1
        return QueuedMessage(owner, ArchiveItem(f"id-{body}", float(self._number), JULIET, text(body, owner)), self._number)

    def kept(self, owner: JID = ROMEO) -> list[str]:
        return [kept.stanza.findtext("body") or "" for kept in self.archive.page(owner, EVERYTHING, 10_000).items]


def text(body: str, owner: JID = ROMEO) -> str:
    return f"<message from='{owner}/x' to='{JULIET}/y'><body>{body}</body></message>"


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path)
    yield bench
    bench.queue.stop()
    bench.driver.close()


def test_what_waits_shares_a_transaction(bench: Bench) -> None:
    for n in range(40):
        bench.put(str(n), owner=(ROMEO, NURSE)[n % 2])
    bench.queue.start()
    until(lambda: not bench.queue)
    assert bench.archive.commits == [40]
    assert bench.kept() == [str(n) for n in range(0, 40, 2)]
    assert sorted(bench.acknowledged) == list(range(1, 41))


def test_a_full_transaction_waits_for_nobody(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "DELAY", 60.0)
    monkeypatch.setattr(module, "MOST", 4)
    bench.put(*map(str, range(9)))
    bench.queue.start()
    until(lambda: len(bench.queue) == 1)
    assert bench.archive.commits == [4, 4]


def test_nothing_is_counted_any_more_once_it_is_archived(bench: Bench) -> None:
    bench.put("a", "b")
    other = UnarchivedCounts(bench.counts._path.parent)  # as another process sees it
    assert (other.has_some(ROMEO), other.has_some(NURSE), other.has_any()) == (True, False, True)
    bench.queue.settle(ROMEO)
    assert not other.has_some(ROMEO)
    assert not other.has_any()


def test_who_reads_an_account_has_its_messages_archived_first(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST", 10)
    for n in range(30):
        bench.put(f"n{n}", owner=NURSE)
    bench.put(*(str(n) for n in range(25)))
    bench.queue.settle(ROMEO)
    assert bench.kept() == [str(n) for n in range(25)]
    assert len(bench.archive.commits) == 3
    bench.queue.settle_all()
    assert bench.kept(NURSE) == [f"n{n}" for n in range(30)]


def test_a_storage_that_fails_costs_no_message_and_is_told_to_readers(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LONGEST", 0.05)
    broken = threading.Event()
    broken.set()
    bench.archive.refuse = lambda _owner, _items: StorageError("full") if broken.is_set() else None
    bench.queue.start()
    bench.put("a", "b")
    with pytest.raises(StorageError, match="full"):
        bench.queue.settle(ROMEO)
    until(lambda: bench.incidents.counts().get("archive-behind", 0) > 2)
    bench.put("c")
    assert (len(bench.queue), bench.acknowledged, bench.kept()) == (3, [], [])
    broken.clear()
    until(lambda: not bench.queue)
    assert bench.kept() == ["a", "b", "c"]


def test_an_account_that_cannot_be_archived_is_none_of_anothers_business(bench: Bench) -> None:
    bench.archive.refuse = lambda owner, _items: StorageError("damaged") if owner == ROMEO else None
    bench.put("a")
    bench.put("b", owner=NURSE)
    bench.queue.settle(NURSE)
    assert (bench.kept(NURSE), len(bench.queue)) == (["b"], 1)
    bench.archive.refuse = lambda _owner, _items: None
    bench.queue.settle(ROMEO)
    assert bench.kept() == ["a"]


def test_what_the_storage_cannot_take_is_left_out_alone(bench: Bench) -> None:
    bench.archive.refuse = lambda _owner, items: BadValue("no") if any("bad" in item.stanza for item in items) else None
    bench.put("a", "bad", "c")
    bench.queue.settle(ROMEO)
    assert (bench.kept(), len(bench.queue)) == (["a", "c"], 0)
    assert bench.incidents.counts() == {"sent-unkept": 1}
    assert sorted(bench.acknowledged) == [1, 2, 3]


def test_a_commit_that_was_made_although_it_failed_repeats_nothing(bench: Bench) -> None:
    bench.put("a", "b")
    keep_all = bench.archive.keep_all

    def kept_and_failed(items: Mapping[JID, Sequence[ArchiveItem]]) -> list[Exception | None]:
        keep_all(items)
        return [StorageError("the connection broke") for _ in items]

    bench.archive.keep_all = kept_and_failed  # type: ignore[method-assign]
    with pytest.raises(StorageError):
        bench.queue.settle(ROMEO)
    bench.archive.keep_all = keep_all  # type: ignore[method-assign]
    bench.put("c")
    bench.queue.settle(ROMEO)
    assert bench.kept() == ["a", "b", "c"]


def test_what_an_earlier_process_left_over_is_archived_once_and_in_its_place(bench: Bench) -> None:
    messages = [bench.message(body) for body in "abcd"]
    bench.archive.keep_all({ROMEO: [m.item for m in messages[:2]]})
    bench.queue.restore([NotedEntry(m.number, m.item.stanza, bench.queue.note_of(ROMEO, m.item)) for m in messages])
    assert bench.counts.has_some(ROMEO)
    bench.put("e")
    bench.queue.settle(ROMEO)
    items = list(bench.driver.archive_find(ROMEO.local, ROMEO.domain, "archive"))
    assert [item.id for item in items] == ["id-a", "id-b", "id-c", "id-d", "id-e"]
    assert (items[2].when, items[2].with_) == (3.0, JULIET)
    assert bench.acknowledged == [1, 2, 3, 4, 5]


def test_an_entry_that_cannot_be_read_does_not_keep_the_others_waiting(bench: Bench) -> None:
    good = bench.message("a")
    bench.queue.restore([NotedEntry(7, "<message", ["x", 1.0]), NotedEntry(8, text("b"), "?"), NotedEntry(9, good.item.stanza, bench.queue.note_of(ROMEO, good.item))])
    bench.queue.settle(ROMEO)
    assert bench.kept() == ["a"]
    assert bench.acknowledged == [7, 8, 9]


def test_the_end_archives_what_is_queued(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "DELAY", 60.0)
    bench.queue.start()
    bench.put("a")
    bench.queue.stop()
    assert bench.kept() == ["a"]


def test_the_end_leaves_to_the_next_process_what_the_storage_does_not_take(bench: Bench) -> None:
    bench.archive.refuse = lambda _owner, _items: StorageError("full")
    bench.queue.start()
    bench.put("a")
    bench.queue.stop()
    assert (len(bench.queue), bench.acknowledged) == (1, [])
