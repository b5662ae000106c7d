"""What is put into the outbox is written whole, in order and at once, from any thread, until the stream ends."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from functools import partial

import pytest

from tests.link.attached import Start, entry, nothing, until, without_pings
from tests.link.fake_server import Connection
from tests.threads.scheduler import OneThread
from xmpp_rest.link.errors import OutboxFull
from xmpp_rest.link.outbox import Entry, Outbox
from xmpp_rest.threads.tasks import OrderLock


def test_full_inbound_queue_stops_reading_but_not_writing(start: Start) -> None:
    heard: queue.SimpleQueue[str] = queue.SimpleQueue()

    def script(connection: Connection) -> None:
        connection.accept()
        connection.read_until("<go/>")
        connection.send("<message/>")
        heard.put(without_pings(connection.read_until("<last/>")))
        connection.read_until("never", 30)

    component, recorder, _ = start(script)
    until(lambda: component.online)
    recorder.full = True
    time.sleep(0.1)
    component.outbox.put([entry(b"<go/>")])
    component.outbox.put([entry(b"<last/>")])
    assert heard.get(timeout=30) == "<last/>"
    with pytest.raises(queue.Empty):
        recorder.stanzas.get(timeout=0.3)
    recorder.full = False
    assert recorder.stanzas.get(timeout=30).tag == "message"


def test_outbox_order_with_a_slow_reader(start: Start) -> None:
    """More than the socket's buffers hold: writes are partial, and nothing may be mixed or lost."""
    bodies: list[str] = []

    def script(connection: Connection) -> None:
        connection.accept()
        time.sleep(0.3)
        while len(bodies) < 400:
            bodies.append(without_pings(connection.read_until("</message>")))
        connection.read_until("never", 30)

    component, _, _ = start(script)
    sent = [f"<message>{n} {'x' * 20_000}</message>" for n in range(400)]
    for message in sent:
        component.outbox.put([entry(message.encode())])
    until(lambda: len(bodies) == 400, 60)
    assert bodies == sent


class Delayed(Outbox):
    """An outbox in which something happens at the moment that a test is about."""

    def __init__(self) -> None:
        super().__init__(10)
        self.before_taking: Callable[[], None] | None = None
        self.after_taking_nothing: Callable[[], None] | None = None

    @property
    def waits(self) -> bool:
        happens, self.before_taking = self.before_taking, None
        if happens:
            happens()
        return super().waits

    def take(self) -> list[Entry]:
        burst = super().take()
        if not burst and (happens := self.after_taking_nothing):
            self.after_taking_nothing = None
            happens()
        return burst


def test_outbox_is_not_taken_for_an_ended_stream(start: Start) -> None:
    heard: queue.SimpleQueue[str] = queue.SimpleQueue()
    over = threading.Event()

    def script(connection: Connection) -> None:
        connection.accept()
        if connection.number == 1:
            over.wait(30)
            return
        heard.put(connection.read_until("</message>"))
        connection.read_until("never", 30)

    def end() -> None:
        over.set()
        until(lambda: not component.online)

    outbox = Delayed()
    component, _, _ = start(script, outbox=outbox, retry_max=1)
    until(lambda: component.online and outbox._flush is not None)
    outbox.before_taking = end
    outbox.put([entry(b"<message>kept</message>")])
    assert heard.get(timeout=30) == "<message>kept</message>"


def test_stanza_put_during_a_write_is_written_at_once(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("xmpp_rest.link.component.PATIENCE", 600.0)  # after which the owner would look by itself
    heard: queue.SimpleQueue[str] = queue.SimpleQueue()

    def script(connection: Connection) -> None:
        connection.accept()
        heard.put(without_pings(connection.read_until("</message>")))
        connection.read_until("never", 30)

    def look_again() -> None:  # as it does once before it waits
        outbox.after_taking_nothing = put

    def put() -> None:
        thread = threading.Thread(target=outbox.put, args=([entry(b"<message></message>")],))
        thread.start()
        thread.join(30)

    outbox = Delayed()
    component, _, _ = start(script, outbox=outbox)
    until(lambda: component.online and outbox._flush is not None)
    time.sleep(0.1)
    outbox.after_taking_nothing = look_again
    transport = component._transport
    assert transport is not None
    transport.wake()
    assert heard.get(timeout=30) == "<message></message>"


class Counting(Outbox):
    """Knows how many stanzas were taken together."""

    def __init__(self) -> None:
        super().__init__(10)
        self.bursts: list[int] = []

    def take(self) -> list[Entry]:
        burst = super().take()
        if burst:
            self.bursts.append(len(burst))
        return burst


def test_tasks_of_one_round_write_together_and_one_that_may_not_park_writes_at_once(start: Start) -> None:
    heard: queue.SimpleQueue[str] = queue.SimpleQueue()

    def script(connection: Connection) -> None:
        connection.accept()
        heard.put(without_pings(connection.read_until("<d/>")))

    outbox = Counting()
    component, _, _ = start(script, outbox=outbox)
    until(lambda: component.online)
    scheduler, lock = OneThread(), OrderLock()
    there: list[list[int]] = []  # bursts that were written when a task went on

    def put(stanza: bytes) -> None:
        outbox.put([entry(stanza)])
        there.append(list(outbox.bursts))

    def put_locked() -> None:
        with lock:
            put(b"<c/>")

    scheduler.run(partial(put, b"<a/>"), partial(put, b"<b/>"), put_locked, partial(put, b"<d/>"))
    assert there == [[], [], [3], [3]]
    assert outbox.bursts == [3, 1]
    assert heard.get(timeout=30) == "<a/><b/><c/><d/>"


def test_outbox_is_bounded(start: Start) -> None:
    component, _, _ = start(nothing, outbox_size=2)
    component.outbox.put([entry(b"1")])
    component.outbox.put([entry(b"2")])
    with pytest.raises(OutboxFull):
        component.outbox.put([entry(b"3")])


def test_stop_closes_the_stream(start: Start) -> None:
    heard: queue.SimpleQueue[str] = queue.SimpleQueue()

    def script(connection: Connection) -> None:
        connection.accept()
        heard.put(connection.read_until("</stream:stream>"))

    component, _, _ = start(script)
    until(lambda: component.online)
    component.stop()
    assert heard.get(timeout=30).endswith("</stream:stream>")
    component._thread.join(30)  # stop() gives up after 5 s
    assert not component._thread.is_alive()
    assert component.state.state == "stopped"


def test_nothing_is_written_after_the_closing_tag(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    heard: queue.SimpleQueue[str] = queue.SimpleQueue()

    def script(connection: Connection) -> None:
        connection.accept()
        try:
            connection.read_until("never")
        except EOFError as e:
            heard.put(str(e))

    component, _, _ = start(script)
    until(lambda: component.online and component.outbox._flush is not None)
    transport = component._transport
    assert transport is not None
    send = transport.send

    def send_and_put(text: str) -> None:
        send(text)
        thread = threading.Thread(target=component.outbox.put, args=([entry(b"<message/>")],))
        thread.start()
        thread.join(30)

    monkeypatch.setattr(transport, "send", send_and_put)
    component.stop()
    assert heard.get(timeout=30) == "</stream:stream>"
    assert len(component.outbox) == 1
