"""Stanzas that are bound to one stream: who put them keeps them, and puts them again (rooms-anywhere §3)."""

from __future__ import annotations

import queue

import pytest

from tests.link.attached import Start, entry, until, without_pings
from tests.link.fake_server import Connection
from xmpp_rest.link.errors import OtherStream, OutboxFull, ShareFull
from xmpp_rest.link.outbox import Entry, Outbox, Progress


def bound(text: str, sender: str = "") -> Entry:
    return entry(text.encode())._replace(sender=sender)


def test_it_goes_out_on_its_stream_alone_and_is_confirmed(start: Start) -> None:
    heard: queue.SimpleQueue[str] = queue.SimpleQueue()
    steps: list[tuple[bytes, Progress]] = []

    def script(connection: Connection) -> None:
        connection.accept()
        if connection.number > 1:
            heard.put(without_pings(connection.read_until("<message>3</message>")))
            connection.read_until("never", 30)
        connection.read_until("<message>1</message>")
        connection.send(connection.read_until("</iq>"))

    outbox = Outbox(10, on_progress=lambda entries, progress: steps.extend((e.data, progress) for e in entries))
    component, _, _ = start(script, outbox=outbox, retry_max=1)
    until(lambda: component.online)
    first = component.stream
    outbox.put_bound(bound("<message>1</message>"), first)
    until(lambda: component.stream == 0)
    with pytest.raises(OtherStream):
        outbox.put_bound(bound("<message>1</message>"), first + 1)
    outbox.put_bound(bound("<message>2</message>"), first)  # the stream has ended, and the next one has not begun
    outbox.put([entry(b"<message>3</message>")])
    assert heard.get(timeout=30) == "<message>3</message>"
    assert (b"<message>1</message>", Progress.CONFIRMED) in steps
    with pytest.raises(OtherStream):
        outbox.put_bound(bound("<message>4</message>"), first)


def test_it_counts_as_what_waits() -> None:
    outbox = Outbox(3, share=2)
    stream = outbox.stream_begins()
    outbox.put_bound(bound("1", "a@b"), stream)
    outbox.put_bound(bound("2", "a@b"), stream)
    with pytest.raises(ShareFull):
        outbox.put_bound(bound("3", "a@b"), stream)
    outbox.put_bound(bound("3", "c@b"), stream)
    with pytest.raises(OutboxFull):
        outbox.put_bound(bound("4", "d@b"), stream)
    outbox.take()
    outbox.stream_ended()
    stream = outbox.stream_begins()
    assert len(outbox) == 0
    outbox.put_bound(bound("1", "a@b"), stream)
    outbox.put_bound(bound("2", "a@b"), stream)
    assert stream == outbox.stream_begins() - 1
    assert len(outbox) == 0
