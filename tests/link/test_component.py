"""Does a stream end in a clean way, whatever the server does, and begin again without a storm? (XEP-0114; RFC 6120 §4.9)"""

from __future__ import annotations

import queue
import re
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element

import pytest

from tests.link.fake_server import ERROR, SECRET, Connection, FakeServer, Script
from xmpp_rest.configuration import load_settings
from xmpp_rest.link.component import Component
from xmpp_rest.link.errors import OutboxFull
from xmpp_rest.link.journal import Journal
from xmpp_rest.link.outbox import Entry, Label, Outbox
from xmpp_rest.protocol.element import serialise

DOMAIN = "gateway.example"


class Recorder:
    """Events that remembers."""

    def __init__(self) -> None:
        self.stanzas: queue.SimpleQueue[Element] = queue.SimpleQueue()
        self.changes: queue.SimpleQueue[bool] = queue.SimpleQueue()
        self.full = False

    def received(self, domain: str, stanza: Element) -> None:
        self.stanzas.put(stanza)

    def changed(self, domain: str, online: bool) -> None:
        self.changes.put(online)

    def congested(self) -> bool:
        return self.full


Start = Callable[..., tuple[Component, Recorder, FakeServer]]


@pytest.fixture
def start() -> Iterator[Start]:
    running: list[tuple[Component, FakeServer]] = []

    def begin(
        script: Script, journal: Journal | None = None, outbox: Outbox | None = None, **settings: Any
    ) -> tuple[Component, Recorder, FakeServer]:
        server = FakeServer(script)
        link = replace(load_settings(None, {}).link, kind="component", port=server.port, secret=SECRET, **settings)
        recorder = Recorder()
        component = Component(DOMAIN, link, recorder, outbox if outbox is not None else Outbox(link.outbox_size, journal))
        component.start()
        running.append((component, server))
        return component, recorder, server

    yield begin
    for component, server in running:
        component.stop()
        server.close()


def until(condition: Callable[[], bool], seconds: float = 5) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.005)


def entry(data: bytes, lasting: bool = True) -> Entry:
    return Entry(data, Label("a@b", "1"), lasting=lasting)


def without_pings(text: str) -> str:
    """What was sent besides the iqs to oneself."""
    return re.sub(r"<iq [^>]*><ping xmlns='urn:xmpp:ping'/></iq>", "", text)


def stay(connection: Connection) -> None:
    connection.accept()
    connection.read_until("never", 30)


def test_login_and_both_directions(start: Start) -> None:
    heard: queue.SimpleQueue[str] = queue.SimpleQueue()

    def script(connection: Connection) -> None:
        connection.accept()
        connection.send("<message from='a@b' to='bot@gateway.example'><body>one</body></message> \n <presence from='a@b'/>")
        heard.put(connection.read_until("</message>"))
        connection.read_until("never", 30)

    component, recorder, _ = start(script)
    component.outbox.put([entry(b"<message><body>queued before the stream was up</body></message>")])
    assert serialise(recorder.stanzas.get(timeout=5)) == "<message from='a@b' to='bot@gateway.example'><body>one</body></message>"
    assert recorder.stanzas.get(timeout=5).tag == "presence"
    assert heard.get(timeout=5) == "<message><body>queued before the stream was up</body></message>"
    assert component.online


def test_stanzas_behind_the_handshake_in_pieces(start: Start) -> None:
    """What shares a segment with <handshake/> must neither be lost nor answered by xmpppy."""

    def script(connection: Connection) -> None:
        connection.open()
        connection.read_until("</handshake>")
        for piece in ("<handshake/><iq type='get' id='1' fr", "om='a' to='b'><ping xmlns='urn:xm", "pp:ping'/></iq><message/>"):
            connection.send(piece)
            time.sleep(0.02)
        connection.read_until("never", 30)

    _, recorder, _ = start(script)
    assert serialise(recorder.stanzas.get(timeout=5)) == "<iq type='get' id='1' from='a' to='b'><ping xmlns='urn:xmpp:ping'/></iq>"
    assert recorder.stanzas.get(timeout=5).tag == "message"


def refuse(condition: str) -> Script:
    def script(connection: Connection) -> None:
        connection.open()
        connection.read_until("</handshake>")
        connection.send(ERROR.format(condition))

    return script


def unknown_host(connection: Connection) -> None:
    connection.open()
    connection.send(ERROR.format("host-unknown"))


def nothing(connection: Connection) -> None:
    connection.read_until("never", 30)


def header_only(connection: Connection) -> None:
    connection.open()
    connection.read_until("never", 30)


def close_in_the_handshake(connection: Connection) -> None:
    connection.open()
    connection.read_until("</handshake>")


def not_xmpp(connection: Connection) -> None:
    connection.send("HTTP/1.1 400 Bad Request\r\n\r\n")
    connection.read_until("never", 30)


def after_login(text: str) -> Script:
    def script(connection: Connection) -> None:
        connection.accept()
        connection.send(text)
        connection.read_until("never", 30)

    return script


def hang_up(connection: Connection) -> None:
    connection.accept()


ENDS = {
    "wrong secret": (refuse("not-authorized"), "not-authorized"),
    "conflict": (refuse("conflict"), "conflict"),
    "unknown host": (unknown_host, "host-unknown"),
    "silent": (nothing, "login-timeout"),
    "silent in the handshake": (header_only, "login-timeout"),
    "closed at once": (lambda c: None, "disconnected"),
    "closed in the handshake": (close_in_the_handshake, "disconnected"),
    "not XMPP": (not_xmpp, "bad-xml"),
    "end of stream": (after_login("</stream:stream>"), "closed"),
    "end of file": (hang_up, "disconnected"),
    "replaced": (after_login(ERROR.format("conflict")), "conflict"),
    "broken XML": (after_login("<message><body></message>"), "bad-xml"),
    "processing instruction": (after_login("<?x y?>"), "bad-xml"),
    "comment": (after_login("<!-- x -->"), "bad-xml"),
    "stanza without end": (after_login("<message><body>" + "x" * 70_000), "stanza-too-big"),
    "too deep": (after_login("<message>" + "<x>" * 70), "bad-xml"),
}


@pytest.mark.parametrize(("script", "reason"), ENDS.values(), ids=list(ENDS))
def test_every_end_is_noticed_and_named(start: Start, script: Script, reason: str) -> None:
    component, _, server = start(script, login_timeout=0.4, stanza_size_limit=50_000)
    until(lambda: component.state.state == "waiting")
    assert component.state.reason == reason
    assert component.state.retry_at is not None
    assert server.connections == 1


def test_a_refused_login_causes_no_storm(start: Start) -> None:
    component, _, server = start(refuse("not-authorized"))
    until(lambda: component.state.state == "waiting")
    time.sleep(1.5)
    assert server.connections == 1, "a refusal waits for seconds: somebody has to change a configuration"


def test_a_broken_stream_comes_back_with_what_was_not_written(start: Start) -> None:
    heard: queue.SimpleQueue[str] = queue.SimpleQueue()

    def script(connection: Connection) -> None:
        connection.accept()
        if server.connections > 1:
            heard.put(connection.read_until("</message>"))
            connection.read_until("never", 30)

    component, recorder, server = start(script)
    assert [recorder.changes.get(timeout=5) for _ in range(2)] == [True, False]
    component.outbox.put([entry(b"<message>kept</message>")])
    assert heard.get(timeout=5) == "<message>kept</message>"
    assert component.state.accepted == 2


def test_silence_is_tried_and_then_counts_as_dead(start: Start) -> None:
    component, _, _ = start(stay, keepalive=1.0)
    until(lambda: component.state.state == "waiting", 8)
    assert component.state.reason == "silent"


def test_an_answered_keepalive_keeps_the_stream(start: Start) -> None:
    pings: queue.SimpleQueue[str] = queue.SimpleQueue()

    def script(connection: Connection) -> None:
        connection.accept()
        while True:
            ping = connection.read_until("</iq>", 30)
            pings.put(ping)
            connection.send(ping)

    component, recorder, _ = start(script, keepalive=1.0)
    ping = pings.get(timeout=5)
    assert "from='gateway.example' to='gateway.example'" in ping
    pings.get(timeout=5)
    assert component.online
    assert recorder.stanzas.empty(), "its own ping is nobody else's business"


def test_a_full_inbox_stops_reading_but_not_writing(start: Start) -> None:
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
    assert heard.get(timeout=5) == "<last/>"
    with pytest.raises(queue.Empty):
        recorder.stanzas.get(timeout=0.3)
    recorder.full = False
    assert recorder.stanzas.get(timeout=5).tag == "message"


def test_order_is_kept_through_a_slow_reader(start: Start) -> None:
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
    until(lambda: len(bodies) == 400, 20)
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


def test_nothing_is_taken_for_a_stream_that_has_just_ended(start: Start) -> None:
    heard: queue.SimpleQueue[str] = queue.SimpleQueue()
    over = threading.Event()

    def script(connection: Connection) -> None:
        connection.accept()
        if server.connections == 1:
            over.wait(5)
            return
        heard.put(connection.read_until("</message>"))
        connection.read_until("never", 30)

    def end() -> None:
        over.set()
        until(lambda: not component.online)

    outbox = Delayed()
    component, _, server = start(script, outbox=outbox, retry_max=1)
    until(lambda: component.online and outbox._flush is not None)
    outbox.before_taking = end
    outbox.put([entry(b"<message>kept</message>")])
    assert heard.get(timeout=5) == "<message>kept</message>"


def test_what_is_put_while_the_thread_of_the_stream_writes_is_not_left_until_its_next_look(start: Start) -> None:
    heard: queue.SimpleQueue[float] = queue.SimpleQueue()

    def script(connection: Connection) -> None:
        connection.accept()
        connection.read_until("</message>")
        heard.put(time.monotonic())
        connection.read_until("never", 30)

    def look_again() -> None:  # as it does once before it waits
        outbox.after_taking_nothing = put

    def put() -> None:
        thread = threading.Thread(target=outbox.put, args=([entry(b"<message></message>")],))
        thread.start()
        thread.join(5)

    outbox = Delayed()
    component, _, _ = start(script, outbox=outbox)
    until(lambda: component.online and outbox._flush is not None)
    time.sleep(0.1)
    began = time.monotonic()
    outbox.after_taking_nothing = look_again
    transport = component._transport
    assert transport is not None
    transport.wake()
    assert heard.get(timeout=5) - began < 0.5


def test_the_outbox_is_bounded(start: Start) -> None:
    component, _, _ = start(nothing, outbox_size=2)
    component.outbox.put([entry(b"1")])
    component.outbox.put([entry(b"2")])
    with pytest.raises(OutboxFull):
        component.outbox.put([entry(b"3")])


def test_a_stop_closes_the_stream(start: Start) -> None:
    heard: queue.SimpleQueue[str] = queue.SimpleQueue()

    def script(connection: Connection) -> None:
        connection.accept()
        heard.put(connection.read_until("</stream:stream>"))

    component, _, _ = start(script)
    until(lambda: component.online)
    started = time.monotonic()
    component.stop()
    assert heard.get(timeout=5).endswith("</stream:stream>")
    assert time.monotonic() - started < 2
    assert component.state.state == "stopped"


def test_nothing_follows_the_closing_tag(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
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
        thread.join(5)

    monkeypatch.setattr(transport, "send", send_and_put)
    component.stop()
    assert heard.get(timeout=5) == "</stream:stream>"
    assert len(component.outbox) == 1


def echo_pings(connection: Connection) -> None:
    """As a real server: route back what the component sends to itself, behind what came before it."""
    connection.accept()
    while True:
        text = connection.read_until("</iq>", 30)
        connection.send(text[text.rindex("<iq ") :])


def test_what_the_server_has_processed_is_confirmed(start: Start, tmp_path: Path) -> None:
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
def test_a_stanza_is_given_up_at_the_second_confirmation_behind_it(start: Start, tmp_path: Path, confirmations: int, again: str) -> None:
    """A server that is killed between the two may have had it in memory alone."""
    heard: queue.SimpleQueue[str] = queue.SimpleQueue()

    def script(connection: Connection) -> None:
        connection.accept()
        if server.connections > 1:
            heard.put(connection.read_until("<message>2</message>"))
            connection.read_until("never", 30)
        connection.read_until("<message>1</message>")
        for _ in range(confirmations):
            connection.send(connection.read_until("</iq>"))
        connection.read_until("</iq>") if confirmations < 2 else time.sleep(0.1)

    component, _, server = start(script, Journal(tmp_path / "a.journal"), retry_max=1)
    until(lambda: component.online)
    component.outbox.put([entry(b"<message>1</message>")])
    until(lambda: not component.online)
    component.outbox.put([entry(b"<message>2</message>")])
    assert without_pings(heard.get(timeout=5)) == again


def test_a_stop_waits_for_what_is_under_way(start: Start, tmp_path: Path) -> None:
    journal = Journal(tmp_path / "a.journal")
    component, _, _ = start(echo_pings, journal)
    until(lambda: component.online)
    component.outbox.put([entry(b"<message>%d</message>" % n) for n in range(1000)])
    component.stop()
    assert (len(component.outbox), len(journal)) == (0, 0)


def test_a_stop_waits_no_longer_than_it_should(start: Start) -> None:
    component, _, _ = start(stay)
    until(lambda: component.online)
    component.outbox.put([entry(b"<message/>")])
    started = time.monotonic()
    component.stop()
    assert time.monotonic() - started < 2
    assert len(component.outbox) == 1


def test_what_was_not_confirmed_is_sent_again_in_order_but_no_iq(start: Start, tmp_path: Path) -> None:
    heard: list[str] = []

    def script(connection: Connection) -> None:
        connection.accept()
        heard.extend(without_pings(connection.read_until("</message>")) for _ in range(3))
        if server.connections > 1:
            connection.read_until("never", 30)

    component, _, server = start(script, Journal(tmp_path / "a.journal"))
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


def test_what_was_accepted_outlives_the_process(start: Start, tmp_path: Path) -> None:
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
    assert without_pings(heard.get(timeout=5)) == "<message>1</message><message>2</message><message>3</message>"
