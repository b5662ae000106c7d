"""Frames between nodes over a real PostgreSQL, by NOTIFY and by rows."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import closing

import psycopg
import pytest

from drivers import StorageError
from drivers.postgres import Postgres
from drivers.shared import FrameListener, channel_of
from drivers.sql.cluster import frames
from drivers.sql.cluster.frames import Sweep
from drivers.sql.postgressession import PostgresSession
from tests.drivers.cluster.conftest import DOMAIN, OpenShared, row
from tests.drivers.cluster.test_leases import end_sessions

pytestmark = pytest.mark.live
ALL = channel_of(DOMAIN)
RUN1, RUN2 = channel_of(DOMAIN, "run1"), channel_of(DOMAIN, "run2")
WAYS = [True, False]


def heard(listener: FrameListener, count: int) -> list[tuple[str, str]]:
    """The first so many that come in."""
    found: list[tuple[str, str]] = []
    end = time.monotonic() + 30
    while len(found) < count:
        assert time.monotonic() < end, found
        found += listener.receive(1.0)
    return found


@pytest.mark.parametrize("notify", WAYS)
def test_frames_arrive_in_order(notify: bool, open_shared: OpenShared) -> None:
    one, two = open_shared(notify=notify), open_shared(notify=notify)
    with closing(one.listen([RUN1, ALL])) as to_one, closing(two.listen([RUN2, ALL])) as to_two:
        one.enter(row("web1", "run1"))
        two.enter(row("web2", "run2"))
        long = "é" * 4000  # 8,000 bytes
        sent = [(RUN2, "1"), (ALL, "2"), (RUN2, long), (RUN1, "for the other"), (RUN2, "5"), (RUN2, "5"), (ALL, long), (RUN2, "")]
        one.notify(sent)
        one.notify([(RUN2, "last")])
        one.notify([])
        assert heard(to_two, 8) == [each for each in sent if each[0] != RUN1] + [(RUN2, "last")]
        assert heard(to_one, 3) == [each for each in sent if each[0] != RUN2]
        assert to_two.receive(0.0) == []


@pytest.mark.parametrize("notify", WAYS)
def test_a_listener_is_woken(notify: bool, open_shared: OpenShared) -> None:
    with closing(open_shared(notify=notify).listen([RUN1])) as listener:
        listener.wake()
        assert listener.receive(60.0) == []
        thread = threading.Timer(0.2, listener.wake)
        thread.start()
        assert listener.receive(60.0) == []
        thread.join()


@pytest.mark.parametrize("notify", WAYS)
def test_a_listener_is_closed_by_another_thread(notify: bool, open_shared: OpenShared) -> None:
    listener = open_shared(notify=notify).listen([RUN1])
    thread = threading.Timer(0.2, listener.close)
    thread.start()
    listener.receive(60.0)
    thread.join()
    with pytest.raises(StorageError, match="listens"):
        listener.receive(0.0)
    listener.close()
    listener.wake()


@pytest.mark.parametrize("notify", WAYS)
def test_a_session_that_is_gone_is_noticed(notify: bool, open_shared: OpenShared, url: str) -> None:
    shared = open_shared(notify=notify)
    with closing(shared.listen([RUN1])) as listener:
        listener.receive(0.0)
        end_sessions(url)
        with pytest.raises(StorageError):
            heard(listener, 1)
    with closing(shared.listen([RUN1])) as listener:
        shared.notify([(RUN1, "a")])
        assert heard(listener, 1) == [(RUN1, "a")]
        end_sessions(url)
        shared.notify([(RUN1, "b")])  # by a new session, as the sender's own has ended
    with closing(shared.listen([RUN1])) as listener:
        shared.notify([(RUN1, "c")])
        assert heard(listener, 1 if notify else 2)[-1] == (RUN1, "c")  # rows wait for who looks


def test_a_quiet_listener_asks_whether_the_database_is_there(open_shared: OpenShared) -> None:
    shared = open_shared(lease=0.6)
    with closing(shared.listen([RUN1])) as listener:
        assert listener.receive(0.9) == []
        shared.notify([(RUN1, "a")])
        assert heard(listener, 1) == [(RUN1, "a")]


def test_a_lost_row_is_a_lost_frame(open_shared: OpenShared, url: str) -> None:
    shared = open_shared()
    with closing(shared.listen([RUN1])) as listener:
        shared.notify([(RUN1, "x" * 8000)])
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("DELETE FROM xmpprest_frames")
        with pytest.raises(StorageError, match="gone"):
            heard(listener, 1)


def test_notifications_of_others_are_left_out(open_shared: OpenShared, url: str) -> None:
    shared = open_shared()
    with closing(shared.listen([RUN1])) as listener, psycopg.connect(url, autocommit=True) as connection:
        for payload in ("", "a", "=a", "1", "1@", "1@x", "99999999999=a"):
            connection.execute("SELECT pg_notify(%s, %s)", [RUN1, payload])
        shared.notify([(RUN1, "a")])
        assert heard(listener, 1) == [(RUN1, "a")]


def test_rows_of_a_forgotten_node_go_with_it(open_shared: OpenShared, url: str) -> None:
    one, two = open_shared(notify=False), open_shared(notify=False)
    two.enter(row("web2", "run2"))
    one.notify([(RUN2, "a"), (ALL, "b")])
    with psycopg.connect(url, autocommit=True) as connection:
        count = "SELECT COUNT(*) FROM xmpprest_frames"
        assert connection.execute(count).fetchone() == (2,)
        assert one.forget("web2", one.nodes()[0])
        assert connection.execute(count).fetchone() == (0,)


def test_rows_that_nobody_reads_are_removed_after_a_minute(open_shared: OpenShared, url: str) -> None:
    open_shared().nodes()
    now = [100.0]
    sweep = Sweep(lambda: now[0])
    with psycopg.connect(url, autocommit=True) as connection:
        session = PostgresSession(connection)

        def left() -> list[str]:
            return [text for (text,) in session.rows('SELECT "text" FROM "xmpprest_frames" ORDER BY "id"')]

        frames.leave(session, DOMAIN, [(RUN1, "old")])
        sweep.sweep(session)
        now[0] += 59
        frames.leave(session, DOMAIN, [(RUN1, "new")])
        sweep.sweep(session)
        assert len(left()) == 2
        now[0] += 1
        sweep.sweep(session)
        assert left() == [f"{RUN1}\nnew"]


def test_another_database_behind_url_is_refused(open_node: Callable[[], Postgres], open_shared: OpenShared, url: str) -> None:
    shared = open_shared(open_node(), url=f"postgresql://postgres@/postgres?{url.partition(chr(63))[2]}")
    with pytest.raises(StorageError, match=r"\[cluster\] url names another database") as raised:
        shared.enter(row())
    assert raised.value.lasting
