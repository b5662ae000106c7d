"""Journals in a real PostgreSQL: whole, fenced, and with the archives that go with them."""

from __future__ import annotations

import secrets
from collections.abc import Callable

import psycopg
import pytest

from drivers import Addition, ArchiveItem, BadValue, StorageError
from drivers.postgres import Postgres
from drivers.shared import JournalChange, JournalRow, LeaseLost, Shared, StandbySettings, TransferMark, TransferRow
from drivers.sql.cluster.journal import PASSED_ON
from drivers.sql.cluster.schema import ensure_tables
from drivers.sql.postgresschema import names
from drivers.sql.postgressession import PostgresSession
from tests.drivers.cluster.conftest import OpenShared
from tests.drivers.contract_base import JULIET, ROMEO
from tests.many import in_threads

pytestmark = pytest.mark.live
HOSTED = "gateway.example"


def owner(shared: Shared, run: str = "run1") -> None:
    epoch = shared.take(HOSTED, "web1", run, shared.leases().get(HOSTED))
    assert epoch is not None
    shared.fence(HOSTED, run, epoch, (), lambda: None)


def item(id_: str, when: float = 1.5) -> ArchiveItem:
    return ArchiveItem(id_, when, "romeo@gateway.example", f"<message id='{id_}'/>")


def test_entries_are_kept_until_they_are_removed(open_shared: OpenShared) -> None:
    one, two = open_shared(), open_shared()
    owner(one)
    journal = one.journal("outbox:a", HOSTED)
    assert journal.read() == []
    assert journal.commit(JournalChange([JournalRow(2, "b"), JournalRow(1, "a")])) == []
    journal.commit(JournalChange([JournalRow(3, "c")], removed=[1, 7]))
    one.journal("callback:x", HOSTED).commit(JournalChange([JournalRow(1, "x")]))
    assert two.journal("outbox:a").read() == [JournalRow(2, "b"), JournalRow(3, "c")]
    assert two.journal_sizes() == {"outbox:a": 2, "callback:x": 1}
    journal.commit(JournalChange([JournalRow(3, "d")]))  # again, as it was not known whether it was kept
    assert journal.read() == [JournalRow(2, "b"), JournalRow(3, "d")]
    journal.commit(JournalChange())


def test_only_the_owner_changes_a_journal(open_shared: OpenShared) -> None:
    one, two = open_shared(), open_shared()
    with pytest.raises(LeaseLost):
        one.journal("outbox:a", HOSTED).commit(JournalChange([JournalRow(1, "a")]))
    owner(one)
    journal = one.journal("outbox:a", HOSTED)
    journal.commit(JournalChange([JournalRow(1, "a")]))
    owner(two, "run2")
    with pytest.raises(LeaseLost):
        journal.commit(JournalChange([JournalRow(2, "b")], [1], [Addition(*JULIET, "archive", [item("b")])]))
    assert two.journal("outbox:a", HOSTED).read() == [JournalRow(1, "a")]
    one.unfence(HOSTED)
    with pytest.raises(LeaseLost):
        journal.commit(JournalChange(removed=[1]))
    one.journal("outbox:a").commit(JournalChange(removed=[1]))  # for a gateway that is alone
    assert journal.read() == []


def test_archives_are_written_with_the_promise(open_shared: OpenShared, open_node: Callable[[], Postgres]) -> None:
    driver = open_node()
    shared = open_shared(driver)
    owner(shared)
    additions = [
        Addition(*JULIET, "archive", [item("a", 1.25), item("b", 2.0)], new=True),
        Addition(*ROMEO, "archive", [item("a", 3.5)]),
        Addition(*JULIET, "archive", [ArchiveItem("c", 1e30, "", "<message/>")]),
        Addition(*JULIET, "archive", [item("d", 0.5)]),
        Addition(*JULIET, "archive", []),
    ]
    errors = shared.journal("outbox:a", HOSTED).commit(JournalChange([JournalRow(1, "a")], additions=additions))
    assert [isinstance(error, BadValue) for error in errors] == [False, False, True, False, False]
    assert list(driver.archive_find(*JULIET, "archive")) == [item("a", 1.25), item("b", 2.0), item("d", 0.5)]
    assert list(driver.archive_find(*ROMEO, "archive")) == [item("a", 3.5)]
    shared.journal("outbox:a", HOSTED).commit(
        JournalChange(additions=[Addition(*JULIET, "archive", [item("a", 9.0), item("d"), item("d", 4.0)])])
    )
    assert list(driver.archive_find(*JULIET, "archive")) == [item("b", 2.0), item("a", 9.0), item("d", 4.0)]


def test_writers_of_many_archives_do_not_hinder_one_another(open_shared: OpenShared, open_node: Callable[[], Postgres]) -> None:
    driver = open_node()
    shared = open_shared(driver)
    owner(shared)

    def write(thread: int) -> None:
        journal = shared.journal(f"callback:{thread}", HOSTED)
        for i in range(10):
            users = [f"user{(thread * 7 + i * 3 + j) % 20}" for j in range(10)]
            additions = [Addition(user, HOSTED, "archive", [item(f"{thread}-{i}-{j}")], new=True) for j, user in enumerate(users)]
            journal.commit(JournalChange([JournalRow(i, "text")], additions=additions))
            driver.archive_append(users[0], HOSTED, "archive", "<message/>", when=2.5)
            if i == 5:
                driver.purge(users[5], HOSTED)

    in_threads(write, range(5))
    assert shared.journal_sizes() == {f"callback:{thread}": 10 for thread in range(5)}


def test_what_is_passed_on_waits_for_the_other_owner(open_shared: OpenShared) -> None:
    one, two = open_shared(), open_shared()
    owner(one)
    rows = [TransferRow(0, "rooms.example", "run1:1", number, f"text {number}") for number in (1, 2)]
    journal = one.journal("outbox:a", HOSTED)
    journal.commit(JournalChange([JournalRow(1, "a")], passed_on=rows))
    journal.commit(JournalChange(passed_on=[*rows, TransferRow(0, "rooms.example", "run1:1", 3, "text 3")]))
    assert two.transfers(HOSTED) == []
    found = two.transfers("rooms.example", 2)
    assert [(each.source, each.number, each.text) for each in found] == [("run1:1", 1, "text 1"), ("run1:1", 2, "text 2")]
    assert sorted(two.transfer_marks("rooms.example")) == [("run1:1", 1), ("run1:1", 2), ("run1:1", 3)]
    two.journal("outbox:rooms").commit(JournalChange(taken=[each.seq for each in found]))
    assert (one.transfer_marks("rooms.example"), one.transfer_marks(HOSTED)) == ([TransferMark("run1:1", 3)], [])
    assert [each.number for each in two.transfers("rooms.example")] == [3]


def test_a_table_of_an_earlier_release_gets_its_index(open_shared: OpenShared, url: str) -> None:
    """Of a cluster whose nodes are brought up to this release one by one."""
    first = open_shared()
    first.nodes()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute('DROP INDEX "xmpprest_transfer_by_hosted"')
        owner(first)
        rows = [TransferRow(0, f"{n % 50}.example", "run1:1", n, "text") for n in range(5000)]
        first.journal("outbox:a", HOSTED).commit(JournalChange(passed_on=rows))
        assert [row.number for row in open_shared().transfers("7.example", 2)] == [7, 57]
        found = connection.execute("SELECT tablename FROM pg_indexes WHERE indexname='xmpprest_transfer_by_hosted'").fetchall()
        assert found == [("xmpprest_transfer",)]
        connection.execute('ANALYZE "xmpprest_transfer"')
        plan = "\n".join(line for (line,) in connection.execute(f"EXPLAIN {PASSED_ON}".replace("?", "%s"), ("7.example", 64)))
        assert "xmpprest_transfer_by_hosted" in plan, plan


def test_a_table_of_another_user_does_without_its_index(open_shared: OpenShared, url: str) -> None:
    open_shared().nodes()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute('DROP INDEX "xmpprest_transfer_by_hosted"')
        role = f"r{secrets.token_hex(4)}"
        connection.execute(f'CREATE ROLE "{role}"'.encode())
        connection.execute(f'GRANT ALL ON ALL TABLES IN SCHEMA public TO "{role}"; GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO "{role}"'.encode())
        connection.execute(f'SET ROLE "{role}"'.encode())
        ensure_tables(connection)
        assert "xmpprest_transfer_by_hosted" not in names(PostgresSession(connection))


def test_text_is_not_shown(open_shared: OpenShared) -> None:
    assert "secret" not in repr([JournalRow(1, "secret"), TransferRow(0, HOSTED, "run", 1, "secret")])


@pytest.mark.parametrize(
    ("names", "commit", "copies"), [("", "on", 1), ("*", "on", 2), ("*", "local", 1), (" ", "remote_apply", 1), ("s", "off", 1)]
)
def test_copies(names: str, commit: str, copies: int) -> None:
    assert StandbySettings(names, commit).copies == copies


def test_what_the_database_says_of_itself(open_shared: OpenShared) -> None:
    shared = open_shared()
    assert shared.standby_settings() == StandbySettings("", "on")
    assert shared.clock() > 1.7e9


def test_one_that_is_closed(open_shared: OpenShared) -> None:
    shared = open_shared()
    shared.close()
    for call in (shared.nodes, shared.leases, shared.clock, lambda: shared.notify([("a", "b")])):
        with pytest.raises(StorageError, match="closed"):
            call()
