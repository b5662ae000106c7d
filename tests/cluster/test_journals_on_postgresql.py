"""What a 202 promises, in a real database: over a change of owner, a restart, a standby that is gone, and the way back to one machine."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psycopg
import pytest

from drivers import Addition, ArchiveItem, ArchiveQuery, Driver, open_driver, postgres
from drivers.shared import Shared
from tests.drivers.conftest import give_up
from tests.drivers.postgrescluster import Cluster, program
from xmpp_rest.cluster.journals import SharedJournals
from xmpp_rest.gateway.journals_taken_back import JournalsTakenBack
from xmpp_rest.incidents import Incidents
from xmpp_rest.link.journals import FileJournals, LateEntry

pytestmark = pytest.mark.live

HOSTED = "capulet.example"
JULIET = ("juliet", HOSTED, "archive")


@pytest.fixture(scope="module")
def database() -> Iterator[Cluster]:
    if program("initdb") is None:
        give_up("PostgreSQL is not installed (on Debian: apt-get install postgresql)")
    cluster = Cluster()
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()


@pytest.fixture
def url(database: Cluster) -> str:
    return database.new_database()


class Owner:
    """A process that owns."""

    def __init__(self, driver: Driver, shared: Shared, folder: Path, run: str) -> None:
        self.driver = driver
        self.shared = shared
        self.incidents = Incidents()
        epoch = shared.take(HOSTED, "web1", run, shared.leases().get(HOSTED))
        assert epoch is not None
        shared.fence(HOSTED, run, epoch, (), lambda: None)
        self.journals = SharedJournals(lambda: shared, HOSTED, self.incidents, folder, lambda _: None)

    def archived(self) -> list[str]:
        return [item.id for item in self.driver.archive_find(*JULIET, ArchiveQuery())]


@contextmanager
def owner(url: str, folder: Path, run: str = "one") -> Iterator[Owner]:
    folder.mkdir(exist_ok=True)
    with closing(open_driver(url, folder)) as driver:
        driver.in_cluster(3.0)
        with closing(driver.open_shared(HOSTED)) as shared:
            yield Owner(driver, shared, folder, run)


def addition(identifier: str) -> Addition:
    return Addition(*JULIET, (ArchiveItem(identifier, 1.0, "romeo@montague.example", f"<message id='{identifier}'/>"),), new=True)


def until(is_so: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_the_next_owner_has_what_was_promised_and_the_former_adds_nothing(url: str, tmp_path: Path) -> None:
    with owner(url, tmp_path / "web1") as one, owner_later(url, tmp_path / "web2") as take_over:
        before = one.journals.outbox(HOSTED)
        numbers = before.append(["a", "b", "c"], [addition("a"), addition("b"), None], ["req-a", "", ""])
        before.ack(numbers[1:2])
        before.forget_notes()
        two = take_over()
        with pytest.raises(OSError, match="another node"):
            before.append(["d"], [addition("d")])
        before.close()
        with closing(two.journals.outbox(HOSTED)) as after:
            assert after.unacknowledged() == [(1, "a"), (3, "c")]
            assert after.request_id(1) == "req-a"
            assert two.archived() == ["a", "b"]


def test_a_stanza_that_the_archive_refuses_is_sent_and_counted(url: str, tmp_path: Path) -> None:
    bad = Addition(*JULIET, (ArchiveItem("bad", 1.0, "", "<message/>\0"),), new=True)
    of_domain = bad._replace(user=None)
    with owner(url, tmp_path / "web1") as one, closing(one.journals.outbox(HOSTED)) as journal:
        assert journal.append(["a", "b", "c"], [addition("a"), bad, of_domain]) == [1, 2, 3]
        assert one.archived() == ["a"]
        assert one.incidents.counts() == {"sent-unkept": 2}


@contextmanager
def owner_later(url: str, folder: Path) -> Iterator[Callable[[], Owner]]:
    """A process that owns once the function is called."""
    folder.mkdir()
    with closing(open_driver(url, folder)) as driver:
        driver.in_cluster(3.0)
        with closing(driver.open_shared(HOSTED)) as shared:
            yield lambda: Owner(driver, shared, folder, "two")


def test_a_restart_of_the_database_costs_time_alone(database: Cluster, url: str, tmp_path: Path) -> None:
    with owner(url, tmp_path / "web1") as one, closing(one.journals.outbox(HOSTED)) as journal:
        kept: list[int] = []
        failed: list[OSError] = []
        going = threading.Event()
        going.set()

        def work(name: str) -> None:
            while going.is_set():
                identifier = f"{name}-{len(kept)}-{time.monotonic_ns()}"
                try:
                    kept.extend(journal.append([identifier], [addition(identifier)]))
                except OSError as e:
                    failed.append(e)

        threads = [threading.Thread(target=work, args=(f"m{n}",), daemon=True) for n in range(8)]
        for thread in threads:
            thread.start()
        until(lambda: len(kept) > 50)
        database.halt(signal.SIGINT)
        database.start()
        count = len(kept)
        until(lambda: len(kept) > count + 50 or bool(failed))
        going.clear()
        for thread in threads:
            thread.join(60)
        assert failed == []
        rows = one.shared.journal(f"outbox:{HOSTED}").read()
        assert sorted(row.number for row in rows) == sorted(kept)
        assert sorted(one.archived()) == sorted(row.text.strip() for row in rows)


def test_a_standby_that_is_gone_is_a_failure_and_what_is_committed_is_sent(
    database: Cluster, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres, "COMMIT_WAIT", 1.0)
    with owner(url, tmp_path / "web1") as one, closing(one.journals.outbox(HOSTED)) as journal:
        late: list[LateEntry] = []
        journal.on_late(late.extend)
        journal.append(["before"])
        with waiting_for(database, "nobody"), pytest.raises(OSError, match="may have been made"):
            journal.append(["a"], [addition("a")], ["req-a"])
        until(lambda: bool(late))  # nothing is appended meanwhile
        assert late == [LateEntry(2, "a", "req-a")]
        assert journal.append(["b"]) == [3]
        assert [row.number for row in one.shared.journal(f"outbox:{HOSTED}").read()] == [1, 2, 3]
        assert one.archived() == ["a"]


@contextmanager
def waiting_for(database: Cluster, standby: str) -> Iterator[None]:
    """Commits wait for this standby."""
    with psycopg.connect(database.conninfo("postgres"), autocommit=True) as connection:
        connection.execute("SET synchronous_commit = local")
        try:
            connection.execute(f"ALTER SYSTEM SET synchronous_standby_names = '{standby}'".encode())
            connection.execute("SELECT pg_reload_conf()")
            until(lambda: connection.execute("SHOW synchronous_standby_names").fetchone() == (standby,))
            yield
        finally:
            connection.execute("ALTER SYSTEM RESET synchronous_standby_names")
            connection.execute("SELECT pg_reload_conf()")


def test_a_gateway_that_is_alone_again_has_what_was_promised_in_its_files(url: str, tmp_path: Path) -> None:
    with (
        owner(url, tmp_path / "web1") as one,
        closing(one.journals.outbox(HOSTED)) as outbox,
        closing(one.journals.callback("bot")) as bot,
    ):
        outbox.append(["a", "b"], (), ["req-a", ""])
        bot.append(["delivery"])
    folder = tmp_path / "alone"
    folder.mkdir()
    with closing(open_driver(url, folder)) as driver:
        for _ in range(2):
            journals = JournalsTakenBack(FileJournals(folder), driver, HOSTED)
            with closing(journals.outbox(HOSTED)) as kept, closing(journals.callback("bot")) as callback:
                assert [(text, kept.request_id(number)) for number, text in kept.unacknowledged()] == [("a", "req-a"), ("b", "")]
                assert [text for _, text in callback.unacknowledged()] == ["delivery"]
        with closing(driver.open_shared(HOSTED)) as shared:
            assert shared.journal_sizes() == {}


def test_a_database_that_is_away_is_an_error_of_taking_back(database: Cluster, tmp_path: Path) -> None:
    url = f"postgresql://postgres@/nowhere?host={database.folder}"
    with closing(open_driver(url, tmp_path)) as driver, pytest.raises(OSError, match="no such database"):
        JournalsTakenBack(FileJournals(tmp_path), driver, HOSTED).outbox(HOSTED)
