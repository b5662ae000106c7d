"""Journals in the storage that machines share: one commit for many threads, doubts, and what an earlier owner left (many-machines §7)."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from drivers import Addition, ArchiveItem, BadValue, CommitInDoubt, StorageError
from drivers.shared import JournalChange, JournalRow, JournalRows, LeaseLost, Shared
from tests.cluster.fake_shared import FakeDatabase, FakeShared
from xmpp_rest.cluster.ack_writer import AckWriter
from xmpp_rest.cluster.journals import SharedJournals
from xmpp_rest.cluster.shared_journal import PATIENCE, SharedJournal
from xmpp_rest.incidents import Incidents
from xmpp_rest.link.journals import LateEntry
from xmpp_rest.link.outbox import Entry, Outbox

HOSTED = "capulet.example"
OUTBOX = f"outbox:{HOSTED}"
LONG = 20.0  # seconds that another thread may take


def until(is_so: Callable[[], bool]) -> None:
    end = time.monotonic() + LONG
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.01)


class ScriptedRows(JournalRows):
    """Rows in memory; `script` has what happens to the next commits: an exception, made before or after the change, or a function."""

    def __init__(self) -> None:
        self.rows: dict[int, str] = {}
        self.commits: list[JournalChange] = []
        self.archive: list[str] = []
        self.before: list[Exception | None] = []
        self.after: list[Exception | None] = []
        self.gate = threading.Event()
        self.gate.set()
        self.is_down: Exception | None = None
        self.bad: frozenset[str] = frozenset()

    def read(self) -> list[JournalRow]:
        if self.is_down:
            raise self.is_down
        return [JournalRow(*row) for row in sorted(self.rows.items())]

    def commit(self, change: JournalChange) -> list[Exception | None]:
        assert self.gate.wait(LONG)
        self.commits.append(change)
        if (error := self.before.pop(0) if self.before else self.is_down) is not None:
            raise error
        self.rows |= {row.number: row.text for row in change.added}
        for number in change.removed:
            self.rows.pop(number, None)
        errors: list[Exception | None] = []
        for addition in change.additions:
            is_bad = any(item.id in self.bad for item in addition.items)
            errors.append(BadValue("no") if is_bad else None)
            if not is_bad:
                ids = [item.id for item in addition.items if addition.new or item.id not in self.archive]
                self.archive += ids
        if self.after and (error := self.after.pop(0)) is not None:
            raise error
        return errors


class Bench:
    def __init__(self) -> None:
        self.rows = ScriptedRows()
        self.now = 0.0
        self.step = 1.0
        self.unkept: list[str] = []
        self.late: list[LateEntry] = []
        self.acks = AckWriter()
        self.journal = self.open()

    def open(self) -> SharedJournal:
        journal = SharedJournal(self.rows, self.acks, lambda addition, _: self.unkept.append(addition.items[0].id), self.clock)
        journal.on_late(self.late.extend)
        return journal

    def clock(self) -> float:
        self.now += self.step  # each look takes a while
        return self.now


@pytest.fixture
def bench() -> Iterator[Bench]:
    bench = Bench()
    yield bench
    bench.rows.is_down = None
    bench.rows.gate.set()
    bench.journal.close()


def addition(identifier: str, user: str = "juliet") -> Addition:
    return Addition(user, HOSTED, "archive", (ArchiveItem(identifier, 1.0, "romeo@montague.example", "<message/>"),), new=True)


@contextmanager
def background(work: Callable[[], object]) -> Iterator[list[object]]:
    """The result, or the exception, of work that goes on in another thread meanwhile."""
    found: list[object] = []

    def run() -> None:
        try:
            found.append(work())
        except Exception as e:
            found.append(e)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    yield found
    thread.join(LONG)
    assert not thread.is_alive()


def test_the_next_owner_finds_what_is_not_acknowledged_in_order_with_ids_of_requests(bench: Bench) -> None:
    first = bench.journal.append(["a", "line\nend"], request_ids=["req-1", ""])
    second = bench.journal.append(["c"])
    assert [*first, *second] == [1, 2, 3]
    bench.journal.ack(first[:1])
    bench.journal.close()
    again = bench.open()
    assert again.unacknowledged() == [(2, "line\nend"), (3, "c")]
    assert [again.request_id(n) for n in (2, 3)] == ["", ""]
    assert again.append(["d"], request_ids=["req-4"]) == [4]
    assert bench.open().request_id(4) == "req-4"
    assert again.noted() == []


def test_after_its_end_a_journal_takes_nothing(bench: Bench) -> None:
    bench.journal.close()
    with pytest.raises(OSError, match="stopped"):
        bench.journal.append(["a"])


def test_archives_are_written_by_the_commit_of_the_entries_one_addition_each(bench: Bench) -> None:
    bench.journal.append(["a", "b", "c", "d"], [addition("1"), addition("2", "nurse"), None, addition("3")])
    (commit,) = bench.rows.commits
    assert [(each.user, [item.id for item in each.items], each.new) for each in commit.additions] == [
        ("juliet", ["1", "3"], True),
        ("nurse", ["2"], True),
    ]


def test_an_item_that_the_archive_refuses_costs_itself_alone(bench: Bench) -> None:
    bench.rows.bad = frozenset({"2"})
    assert bench.journal.append(["a", "b", "c"], [addition("1"), addition("2"), addition("3")]) == [1, 2, 3]
    assert bench.rows.archive == ["1", "3"]
    assert bench.unkept == ["2"]


def test_what_threads_append_during_a_commit_shares_the_next_one(bench: Bench) -> None:
    bench.rows.gate.clear()
    with background(lambda: bench.journal.append(["first"])):
        until(lambda: bench.journal._group._led)
        threads = [threading.Thread(target=bench.journal.append, args=([f"{n}"],), daemon=True) for n in range(20)]
        for thread in threads:
            thread.start()
        until(lambda: len(bench.journal._group._waiting) == len(threads))
        bench.rows.gate.set()
        for thread in threads:
            thread.join(LONG)
    assert [len(commit.added) for commit in bench.rows.commits] == [1, 20]
    assert sorted(bench.rows.rows) == [*range(1, 22)]


def test_acknowledgements_go_with_the_next_entry_or_half_a_second_later(bench: Bench) -> None:
    numbers = bench.journal.append(["a", "b"])
    bench.journal.ack(numbers[:1])
    bench.journal.append(["c"])
    assert [commit.removed for commit in bench.rows.commits] == [[], [1]]
    bench.acks.add(bench.journal)
    bench.journal.ack(numbers[1:])
    until(lambda: sorted(bench.rows.rows) == [3])


def test_acknowledgements_are_written_again_after_a_failure(bench: Bench) -> None:
    numbers = bench.journal.append(["a"])
    bench.rows.is_down = StorageError("away")
    bench.journal.ack(numbers)
    with pytest.raises(OSError, match="away"):
        bench.journal.forget_notes()
    bench.acks.add(bench.journal)
    bench.acks.wake()
    until(lambda: len(bench.rows.commits) > 13)
    bench.rows.is_down = None
    until(lambda: not bench.rows.rows)


def test_the_thread_of_acknowledgements_survives_what_is_not_foreseen_and_ends_with_the_last_journal(bench: Bench) -> None:
    numbers = bench.journal.append(["a"])
    bench.acks.add(bench.journal)
    bench.rows.before = [RuntimeError("unforeseen")]
    bench.journal.ack(numbers)
    until(lambda: not bench.rows.rows)
    thread = bench.acks._thread
    assert thread is not None
    bench.journal.close()
    thread.join(LONG)
    assert not thread.is_alive()
    assert bench.acks._thread is None


def test_a_short_outage_of_the_storage_costs_time_alone(bench: Bench) -> None:
    bench.rows.before = [StorageError("away")] * 3
    assert bench.journal.append(["a"]) == [1]
    assert bench.rows.rows == {1: "\na"}


def test_a_long_outage_is_a_failure_and_nothing_is_kept(bench: Bench) -> None:
    bench.rows.is_down = StorageError("database web at db: away", told="the database cannot be reached")
    with pytest.raises(OSError, match="the database cannot be reached"):
        bench.journal.append(["a"])
    assert bench.now >= PATIENCE
    bench.rows.is_down = None
    assert bench.journal.append(["b"]) == [2]
    assert bench.rows.rows == {2: "\nb"}
    assert bench.late == []


def test_what_waited_while_the_storage_failed_does_not_wait_for_another_failure(bench: Bench) -> None:
    bench.rows.gate.clear()
    bench.rows.is_down = StorageError("away")
    with background(lambda: bench.journal.append(["first"])) as first:
        until(lambda: bench.journal._group._led)
        with background(lambda: bench.journal.append(["second"])) as second:
            until(lambda: len(bench.journal._group._waiting) == 1)
            bench.rows.gate.set()
    assert [str(each) for each in (*first, *second)] == ["[Errno 5] away", "[Errno 5] the database has failed"]
    assert not any(row.text == "\nsecond" for commit in bench.rows.commits for row in commit.added)


def test_a_commit_in_doubt_is_made_again_with_the_same_numbers_and_answered_truly(bench: Bench) -> None:
    bench.rows.after = [CommitInDoubt("lost while committing")]
    assert bench.journal.append(["a"], [addition("1")]) == [1]
    assert bench.rows.rows == {1: "\na"}
    assert bench.rows.archive == ["1"]
    assert [each.new for commit in bench.rows.commits for each in commit.additions] == [True, False]
    assert bench.late == []


def test_a_doubt_that_stays_is_a_failure_and_what_is_kept_is_reported_before_what_follows(bench: Bench) -> None:
    bench.rows.before = [None]
    bench.rows.after = [CommitInDoubt("no answer of the standby")]
    bench.rows.is_down = StorageError("away")
    with pytest.raises(OSError, match="away"):
        bench.journal.append(["a"], [addition("1")], ["req-1"])
    commits = len(bench.rows.commits)
    with pytest.raises(OSError, match="away"):
        bench.journal.append(["refused, and in no doubt"])
    assert all(row.number == 1 for commit in bench.rows.commits[commits:] for row in commit.added)
    bench.rows.is_down = None
    assert bench.journal.append(["c"]) == [3]
    assert bench.late == [LateEntry(1, "a", "req-1")]
    assert bench.rows.rows == {1: "req-1\na", 3: "\nc"}
    assert bench.rows.archive == ["1"]


def test_what_comes_with_a_failure_that_left_a_doubt_does_not_wait_for_another_one(bench: Bench) -> None:
    """A commit waits for the standby for as long as a request may; who waited for the batch before has done so."""
    bench.rows.before = [CommitInDoubt("no answer of the standby")]
    bench.rows.is_down = StorageError("away")
    with pytest.raises(OSError, match="away"):
        bench.journal.append(["a"])
    commits, bench.step = len(bench.rows.commits), 0.1
    with pytest.raises(OSError, match="the database has failed"):
        bench.journal.append(["b"])
    assert len(bench.rows.commits) == commits
    bench.rows.is_down, bench.step = None, 1.0
    assert bench.journal.append(["c"]) == [2]
    assert bench.rows.rows == {1: "\na", 2: "\nc"}


def test_the_end_of_a_journal_in_doubt_holds_up_nobody(bench: Bench) -> None:
    bench.journal.close()
    journal = SharedJournal(bench.rows, AckSilence(), lambda *_: None, bench.clock)
    bench.rows.before = [CommitInDoubt("no answer of the standby")]
    bench.rows.is_down = StorageError("away")
    with pytest.raises(OSError, match="away"):
        journal.append(["a"])
    commits = len(bench.rows.commits)
    journal.close()
    assert len(bench.rows.commits) == commits


class AckSilence(AckWriter):
    """Tries nothing by itself."""

    def wake(self) -> None:
        """Nobody writes."""


def test_a_doubt_ends_without_another_entry(bench: Bench) -> None:
    bench.rows.before = [CommitInDoubt("lost")]
    bench.rows.is_down = StorageError("away")
    with pytest.raises(OSError, match="away"):
        bench.journal.append(["a"])
    bench.rows.is_down = None
    bench.journal.settle()
    assert bench.late == [LateEntry(1, "a", "")]


def test_who_has_lost_the_lease_tries_no_further(bench: Bench) -> None:
    bench.rows.is_down = LeaseLost("another owns it")
    with pytest.raises(OSError, match="another owns it"):
        bench.journal.append(["a"])
    assert len(bench.rows.commits) == 1
    bench.journal.ack([1])
    bench.journal.close()  # raises nothing


def test_a_journal_that_cannot_be_read_is_not_opened(bench: Bench) -> None:
    bench.rows.is_down = StorageError("away")
    with pytest.raises(OSError, match="away"):
        bench.open()


# -- as its users have it


@pytest.fixture
def database() -> FakeDatabase:
    return FakeDatabase()


def owner(database: FakeDatabase, run: str) -> tuple[FakeShared, SharedJournals]:
    shared = FakeShared(database)
    epoch = shared.take(HOSTED, "web1", run, database.leases.get(HOSTED))
    assert epoch is not None
    shared.fence(HOSTED, run, epoch, (), lambda: None)
    return shared, SharedJournals(lambda: shared, HOSTED, Incidents(), Path("/nonexistent"), lambda _: None)


def test_each_journal_has_a_name_and_is_written_by_the_owner_alone(database: FakeDatabase) -> None:
    _, journals = owner(database, "one")
    with closing(journals.outbox(HOSTED)) as outbox, closing(journals.outbox(f"rooms@{HOSTED}")) as rooms:
        with closing(journals.callback("bot")) as bot:
            for journal in (outbox, rooms, bot):
                journal.append(["x"])
        assert database.journals.keys() == {OUTBOX, f"outbox:rooms@{HOSTED}", f"callback:{HOSTED}/bot"}
        owner(database, "two")
        with pytest.raises(OSError, match="another's"):
            outbox.append(["y"])
    assert database.journals[OUTBOX] == {1: "\nx"}


def test_a_storage_that_is_away_is_an_error_of_opening(database: FakeDatabase) -> None:
    shared, journals = owner(database, "one")
    shared.cut()
    with pytest.raises(OSError, match="cannot be reached"):
        journals.outbox(HOSTED)


def test_a_storage_that_cannot_be_opened_is_one_too() -> None:
    def away() -> Shared:
        raise StorageError("away")

    with pytest.raises(OSError, match="away"):
        SharedJournals(away, HOSTED, Incidents(), Path("/nonexistent"), lambda _: None).outbox(HOSTED)


def test_an_outbox_sends_what_turns_out_to_be_kept(bench: Bench) -> None:
    told: list[str] = []
    outbox = Outbox(10, bench.journal, lambda entries, _: told.extend(e.label.id for e in entries if e.label), 2, tells_left=True)
    bench.rows.before = [CommitInDoubt("lost")]
    bench.rows.is_down = StorageError("away")
    data = b"<message from='o&apos;brien@capulet.example/a' id='m&amp;1' to='romeo@montague.example'/>"
    with pytest.raises(OSError, match="away"):
        outbox.put([Entry(data, None, sender="o'brien@capulet.example")])
    assert not outbox.waits
    flushed: list[bool] = []
    outbox.attach(lambda: flushed.append(True))
    bench.rows.is_down = None
    bench.journal.settle()
    assert flushed == [True]
    (entry,) = outbox.take()
    assert (entry.data, entry.number, entry.sender, entry.label) == (data, 1, "o'brien@capulet.example", ("o'brien@capulet.example", "m&1"))
