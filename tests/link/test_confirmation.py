"""Stanzas that the server has confirmed, and those that are sent again (docs/decisions/0009-outbox-on-disk.md)."""

from __future__ import annotations

import queue
import time
from pathlib import Path

import pytest

from tests.link.attached import Start, echo_pings, entry, stay, until, without_pings
from tests.link.fake_server import Connection
from xmpp_rest.link.journal import Journal
from xmpp_rest.link.outbox import Outbox


def test_confirmation_of_what_the_server_has_processed(start: Start, tmp_path: Path) -> None:
    journal = Journal(tmp_path / "a.journal")
    component, recorder, _ = start(echo_pings, journal)
    for n in range(1000):
        component.outbox.put([entry(b"<message>%d</message>" % n)])
    until(lambda: len(component.outbox) == 0)
    assert len(journal) == 0
    assert recorder.stanzas.empty()


@pytest.mark.parametrize(
    ("confirmations", "again"),
    [(0, "<message>1</message><message>2</message>"), (1, "<message>1</message><message>2</message>"), (2, "<message>2</message>")],
)
def test_second_confirmation_settles_a_stanza(start: Start, tmp_path: Path, confirmations: int, again: str) -> None:
    """A server that is killed between the two may have had it in memory alone."""
    heard: queue.SimpleQueue[str] = queue.SimpleQueue()

    def script(connection: Connection) -> None:
        connection.accept()
        if connection.number > 1:
            heard.put(connection.read_until("<message>2</message>"))
            connection.read_until("never", 30)
        connection.read_until("<message>1</message>")
        for _ in range(confirmations):
            connection.send(connection.read_until("</iq>"))
        connection.read_until("</iq>") if confirmations < 2 else time.sleep(0.1)

    component, _, _ = start(script, Journal(tmp_path / "a.journal"), retry_max=1)
    until(lambda: component.online)
    component.outbox.put([entry(b"<message>1</message>")])
    until(lambda: not component.online)
    component.outbox.put([entry(b"<message>2</message>")])
    assert without_pings(heard.get(timeout=30)) == again


def test_stop_waits_for_confirmation(start: Start, tmp_path: Path) -> None:
    journal = Journal(tmp_path / "a.journal")
    component, _, _ = start(echo_pings, journal)
    until(lambda: component.online)
    component.outbox.put([entry(b"<message>%d</message>" % n) for n in range(1000)])
    component.stop()
    assert (len(component.outbox), len(journal)) == (0, 0)


def test_stop_waits_for_confirmation_a_bounded_time(start: Start) -> None:
    component, _, _ = start(stay)
    until(lambda: component.online)
    component.outbox.put([entry(b"<message/>")])
    component.stop()
    assert not component._thread.is_alive(), "it has ended by itself, before stop() left it alone"
    assert len(component.outbox) == 1


def test_resend_of_what_was_not_confirmed(start: Start, tmp_path: Path) -> None:
    heard: list[str] = []

    def script(connection: Connection) -> None:
        connection.accept()
        heard.extend(without_pings(connection.read_until("</message>")) for _ in range(3))
        if connection.number > 1:
            connection.read_until("never", 30)

    component, _, _ = start(script, Journal(tmp_path / "a.journal"))
    component.outbox.put(
        [entry(b"<message>1</message>"), entry(b"<iq/>", lasting=False), entry(b"<message>2</message>"), entry(b"<message>3</message>")]
    )
    until(lambda: len(heard) == 6)
    assert heard == [
        "<message>1</message>",
        "<iq/><message>2</message>",
        "<message>3</message>",
        *(f"<message>{n}</message>" for n in (1, 2, 3)),
    ]


def test_outbox_outlives_the_process(start: Start, tmp_path: Path) -> None:
    """An outbox over the journal that another process left sends what it found, before all else."""
    left = Outbox(10, Journal(tmp_path / "a.journal"))
    left.put([entry(b"<message>1</message>"), entry(b"<iq/>", lasting=False), entry(b"<message>2</message>")])
    heard: queue.SimpleQueue[str] = queue.SimpleQueue()

    def script(connection: Connection) -> None:
        connection.accept()
        heard.put(connection.read_until("<message>3</message>"))
        connection.read_until("never", 30)

    component, _, _ = start(script, Journal(tmp_path / "a.journal"))
    component.outbox.put([entry(b"<message>3</message>")])
    assert without_pings(heard.get(timeout=30)) == "<message>1</message><message>2</message><message>3</message>"
