"""A stream ends cleanly whatever the server does, and reconnects without a storm (XEP-0114; RFC 6120 §4.9)."""

from __future__ import annotations

import queue
import time

import pytest

from tests.link.attached import Start, entry, nothing, stay, until
from tests.link.fake_server import ERROR, Connection, Script
from xmpp_rest.link.transport import MAX_TAG
from xmpp_rest.protocol.element import serialise


def test_component_login_and_both_directions(start: Start) -> None:
    heard: queue.SimpleQueue[str] = queue.SimpleQueue()

    def script(connection: Connection) -> None:
        connection.accept()
        connection.send("<message from='a@b' to='bot@gateway.example'><body>one</body></message> \n <presence from='a@b'/>")
        heard.put(connection.read_until("</message>"))
        connection.read_until("never", 30)

    component, recorder, _ = start(script)
    component.outbox.put([entry(b"<message><body>queued before the stream was up</body></message>")])
    assert serialise(recorder.stanzas.get(timeout=30)) == "<message from='a@b' to='bot@gateway.example'><body>one</body></message>"
    assert recorder.stanzas.get(timeout=30).tag == "presence"
    assert heard.get(timeout=30) == "<message><body>queued before the stream was up</body></message>"
    assert component.online


def test_login_in_pieces(start: Start) -> None:
    """The tags of the login are taken as soon as they are there, in however many reads they come."""

    def script(connection: Connection) -> None:
        whole = connection.send

        def send(text: str | bytes) -> None:
            for at in range(0, len(text), 10):
                whole(text[at : at + 10])
                time.sleep(0.01)  # else the kernel makes one segment of them

        connection.send = send  # type: ignore[method-assign]
        connection.accept()
        connection.send("<message/>")
        connection.read_until("never", 30)

    _, recorder, _ = start(script)
    assert recorder.stanzas.get(timeout=30).tag == "message"


def test_login_with_a_tag_without_end(start: Start) -> None:
    def script(connection: Connection) -> None:
        connection.send("<stream:stream from='" + "x" * MAX_TAG)
        connection.read_until("never", 30)

    component, _, _ = start(script)
    until(lambda: component.state.state == "waiting")
    assert component.state.reason == "bad-xml"


def test_stanzas_after_the_handshake_in_pieces(start: Start) -> None:
    """What shares a segment with <handshake/> must neither be lost nor answered by xmpppy."""

    def script(connection: Connection) -> None:
        connection.open()
        connection.read_until("</handshake>")
        for piece in ("<handshake/><iq type='get' id='1' fr", "om='a' to='b'><ping xmlns='urn:xm", "pp:ping'/></iq><message/>"):
            connection.send(piece)
            time.sleep(0.02)
        connection.read_until("never", 30)

    _, recorder, _ = start(script)
    assert serialise(recorder.stanzas.get(timeout=30)) == "<iq type='get' id='1' from='a' to='b'><ping xmlns='urn:xmpp:ping'/></iq>"
    assert recorder.stanzas.get(timeout=30).tag == "message"


def refuse(condition: str) -> Script:
    def script(connection: Connection) -> None:
        connection.open()
        connection.read_until("</handshake>")
        connection.send(ERROR.format(condition))

    return script


def unknown_host(connection: Connection) -> None:
    connection.open()
    connection.send(ERROR.format("host-unknown"))


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
    "a condition of its own": (after_login(ERROR.format("evil-3")), "undefined-condition"),
    "one of its own at the login": (refuse("evil-3"), "undefined-condition"),
    "a condition of RFC 6120": (after_login(ERROR.format("policy-violation")), "policy-violation"),
    "broken XML": (after_login("<message><body></message>"), "bad-xml"),
    "processing instruction": (after_login("<?x y?>"), "bad-xml"),
    "comment": (after_login("<!-- x -->"), "bad-xml"),
    "broken after a bound": (after_login("<message>" + "<x>" * 70 + "</message>"), "bad-xml"),
    "comment after a bound": (after_login("<message>" + "<x>" * 70 + "<!-- x -->"), "bad-xml"),
    "document type": (after_login("<!DOCTYPE x>"), "bad-xml"),
    "undefined entity": (after_login("<message><body>&nbsp;</body></message>"), "bad-xml"),
}


@pytest.mark.parametrize(("script", "reason"), ENDS.values(), ids=list(ENDS))
def test_reason_of_every_end_of_a_stream(start: Start, script: Script, reason: str) -> None:
    component, _, server = start(script, login_timeout=0.4 if reason == "login-timeout" else 30, stanza_size_limit=50_000)
    until(lambda: component.state.state == "waiting")
    assert component.state.reason == reason
    assert component.state.retry_at is not None
    assert server.connections == 1


def test_reconnect_after_a_refused_login_is_slow(start: Start) -> None:
    component, _, server = start(refuse("not-authorized"))
    until(lambda: component.state.state == "waiting")
    time.sleep(1.5)
    assert server.connections == 1, "a refusal waits for seconds: somebody has to change a configuration"


def test_reconnect_sends_what_was_not_written(start: Start) -> None:
    heard: queue.SimpleQueue[str] = queue.SimpleQueue()

    def script(connection: Connection) -> None:
        connection.accept()
        if connection.number > 1:
            heard.put(connection.read_until("</message>"))
            connection.read_until("never", 30)

    component, recorder, _ = start(script)
    assert [recorder.changes.get(timeout=30) for _ in range(2)] == [True, False]
    component.outbox.put([entry(b"<message>kept</message>")])
    assert heard.get(timeout=30) == "<message>kept</message>"
    assert component.state.accepted == 2


def test_keepalive_without_an_answer_ends_the_stream(start: Start) -> None:
    component, _, _ = start(stay, keepalive=1.0)
    until(lambda: component.state.state == "waiting")
    assert component.state.reason == "silent"


def test_keepalive_with_an_answer_keeps_the_stream(start: Start) -> None:
    pings: queue.SimpleQueue[str] = queue.SimpleQueue()

    def script(connection: Connection) -> None:
        connection.accept()
        while True:
            ping = connection.read_until("</iq>", 30)
            pings.put(ping)
            connection.send(ping)

    component, recorder, _ = start(script, keepalive=1.0)
    ping = pings.get(timeout=30)
    assert "from='gateway.example' to='gateway.example'" in ping
    pings.get(timeout=30)
    assert component.online
    assert recorder.stanzas.empty(), "its own ping is nobody else's business"
