"""What a node kept in files when it was alone comes into the journal of all nodes, and is sent (many-machines §13)."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from drivers import Addition, ArchiveItem
from tests.cluster.fake_shared import FakeDatabase, FakeShared
from tests.processes.memory import MemoryGroup
from xmpp_rest.cluster import files_joining
from xmpp_rest.cluster.files_joining import FilesJoining
from xmpp_rest.cluster.journals import SharedJournals
from xmpp_rest.cluster.left_files import LeftEntry
from xmpp_rest.errors import GatewayError
from xmpp_rest.incidents import Incidents
from xmpp_rest.link.journal import Journal, NotedEntry
from xmpp_rest.link.journals import LateEntry, callback_path, journal_path
from xmpp_rest.processes.remote import Remote
from xmpp_rest.threads.waits import Waits

HOSTED = "capulet.example"


def until(is_so: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.01)


def of_note(entry: NotedEntry) -> Addition | None:
    return Addition("juliet", HOSTED, "archive", [ArchiveItem(entry.note, 1.0, "", entry.text)]) if entry.note != "?" else None


def journals_of(database: FakeDatabase, folder: Path, *, owns: bool = True) -> SharedJournals:
    shared = FakeShared(database)
    if owns:
        epoch = shared.take(HOSTED, "web1", "run", database.leases.get(HOSTED))
        assert epoch is not None
        shared.fence(HOSTED, "run", epoch, (), lambda: None)
    return SharedJournals(lambda: shared, HOSTED, Incidents(), folder, of_note)


def leave(folder: Path) -> None:
    """Files as one machine leaves them: `a` is sent but not archived, `c` is archived, `e` cannot be archived."""
    journal = Journal(journal_path(folder, HOSTED))
    numbers = journal.append(["a", "b", "c", "d", "e"], ["id-a", "id-b", None, "id-d", "?"], ["", "req-b", "", "", ""])
    journal.ack([numbers[0], numbers[3]])
    journal.ack_notes([numbers[3]])
    journal.close()
    bot = Journal(callback_path(folder, "bot"))
    bot.append(["delivery"])
    bot.close()


def test_an_owner_takes_its_own_files_when_it_opens_its_journals(tmp_path: Path) -> None:
    leave(tmp_path)
    database = FakeDatabase()
    journals = journals_of(database, tmp_path)
    outbox = journals.outbox(HOSTED)
    assert [text for _, text in outbox.unacknowledged()] == ["b", "c", "e"]
    assert [outbox.request_id(number) for number, _ in outbox.unacknowledged()] == ["req-b", "", ""]
    assert [[item.id for item in addition.items] for addition in database.archived] == [["id-a", "id-b"]]
    assert not database.archived[0].new
    assert [path.name for path in (tmp_path / "outbox").iterdir()] == [f"{HOSTED}.joined"]
    outbox.close()
    again = journals.outbox(HOSTED)
    assert [text for _, text in again.unacknowledged()] == ["b", "c", "e"]
    again.close()


def test_files_stay_where_the_storage_is_away(tmp_path: Path) -> None:
    leave(tmp_path)
    journals = journals_of(FakeDatabase(), tmp_path, owns=False)
    with pytest.raises(OSError, match="not held"):
        journals.outbox(HOSTED)
    assert journal_path(tmp_path, HOSTED).exists()


class Node:
    def __init__(self, folder: Path, group: MemoryGroup, journals: SharedJournals) -> None:
        self.remote = Remote(group, Waits(10), GatewayError)
        self.incidents = Incidents()
        self.joining = FilesJoining(folder, (HOSTED, "unused.example"), ("bot",), journals, self.remote, self.incidents)


class OfAnotherNode(MemoryGroup):
    """A process that follows, and speaks for its node."""

    spans_nodes = True

    @property
    def is_speaker(self) -> bool:
        return True

    def wait_for_speaker(self) -> bool:
        return True


def fail_at(monkeypatch: pytest.MonkeyPatch, journals: SharedJournals, text: str, *, times: int) -> None:
    """Have the storage fail so often for what begins with this entry."""
    take_left, failures = journals.take_left, [OSError(5, "away")] * times

    def failing(kind: str, name: str, entries: Sequence[LeftEntry]) -> None:
        if entries[0].text == text and failures:
            raise failures.pop()
        take_left(kind, name, entries)

    monkeypatch.setattr(journals, "take_left", failing)


def test_a_node_that_does_not_own_hands_its_files_to_the_owner_until_that_takes_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files_joining, "AGAIN", 0.05)
    monkeypatch.setattr(files_joining, "MOST", 2)
    database = FakeDatabase()
    (there := tmp_path / "web1").mkdir()
    (here := tmp_path / "web2").mkdir()
    leave(here)
    journals = journals_of(database, there)
    fail_at(monkeypatch, journals, "c", times=2)
    processes: list[MemoryGroup] = []
    owner = Node(there, MemoryGroup(processes), journals)
    newcomer = Node(here, OfAnotherNode(processes), journals_of(database, here, owns=False))
    owner.remote.start()
    newcomer.remote.start()
    try:
        until(lambda: newcomer.incidents.counts().get("joining", 0) > 1)  # the owner has not opened its journals
        assert journal_path(here, HOSTED).exists()
        late: list[LateEntry] = []
        outbox, bot = journals.outbox(HOSTED), journals.callback("bot")
        outbox.on_late(late.extend)
        bot.on_late(late.extend)
        until(lambda: len(late) == 4)
        assert [entry.text for entry in late] == ["b", "c", "e", "delivery"]
        until(lambda: not callback_path(here, "bot").exists())
        assert not journal_path(here, HOSTED).exists()
        outbox.close()
        bot.close()
        assert [*database.journals[f"outbox:{HOSTED}"].values()] == ["req-b\nb", "\nc", "\ne"]
        assert [*database.journals[f"callback:{HOSTED}/bot"].values()] == ["\ndelivery"]
    finally:
        newcomer.remote.stop()
        owner.remote.stop()


def test_a_process_that_does_not_speak_for_its_node_hands_nothing_over(tmp_path: Path) -> None:
    (here := tmp_path / "web2").mkdir()
    leave(here)
    processes: list[MemoryGroup] = []
    owner = Node(tmp_path, MemoryGroup(processes), journals_of(FakeDatabase(), tmp_path))
    sibling = Node(here, MemoryGroup(processes), journals_of(FakeDatabase(), here, owns=False))
    owner.remote.start()
    sibling.remote.start()
    sibling.joining._hand_on()
    assert journal_path(here, HOSTED).exists()
    assert sibling.incidents.counts() == {}
    sibling.remote.stop()
    owner.remote.stop()
