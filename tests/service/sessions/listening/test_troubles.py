"""Nothing that an account's server sends, or does not send, ends the streams of others, or keeps a reader waiting."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any
from xml.etree.ElementTree import Element

import pytest

from drivers import Driver
from tests.service.sessions.listening.scripted import (
    JULIET,
    ROMEO,
    SESSION,
    Process,
    ScriptedServer,
    ScriptedSession,
    bodies,
    carbon,
    gateway,
    read,
    until,
)
from xmpp_rest.errors import GatewayError
from xmpp_rest.protocol.jid import JID
from xmpp_rest.protocol.stanza import child, make
from xmpp_rest.service.sessions.listening import account_listening, archive_tail, foreign_streams, listeners, stream_places
from xmpp_rest.service.streams.registry import StreamEnded


@pytest.fixture
def server() -> ScriptedServer:
    return ScriptedServer()


@pytest.fixture
def process(server: ScriptedServer, driver: Driver) -> Iterator[Process]:
    with gateway(server, driver) as (process,):
        yield process


@pytest.fixture
def polling(server: ScriptedServer, driver: Driver) -> Iterator[Process]:
    with gateway(server, driver) as (process,):
        yield process


def fails(*_: Any, **__: Any) -> Any:
    raise RuntimeError("a fault")


def test_what_comes_faster_than_it_is_told_is_read_from_the_archive(
    server: ScriptedServer, process: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = process.foreign.open(JULIET)
    monkeypatch.setattr(account_listening, "MOST_WAITING", -1)
    server.say("one")
    assert bodies(stream, 1) == ["one"]
    assert process.incidents.counts()["listening-full"] == 1


def test_who_is_available_is_forgotten_where_stanzas_are_dropped(
    server: ScriptedServer, polling: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The phone has gone perhaps: the archive tells what the server does not."""
    stream = polling.foreign.open(JULIET)
    server.available()
    read(stream, 1)
    with monkeypatch.context() as patched:
        patched.setattr(account_listening, "MOST_WAITING", -1)
        server.available(kind="unavailable")
    server.keep("to nobody")
    assert bodies(stream, 1) == ["to nobody"]
    server.keep("to nobody either")
    assert bodies(stream, 1) == ["to nobody either"]


def test_what_is_dropped_without_an_archive_ends_the_streams(
    server: ScriptedServer, process: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.lists_archive = False
    stream = process.foreign.open(JULIET)
    monkeypatch.setattr(account_listening, "MOST_WAITING", -1)
    server.say("one")
    with pytest.raises(StreamEnded, match="more came at once"):
        read(stream, 1)


def test_streams_of_one_account_ask_a_few_questions_at_once(server: ScriptedServer, process: Process) -> None:
    server.keep("one")
    stream = process.foreign.open(JULIET)
    server.frozen = []
    places: list[Any] = []
    for _ in range(500):
        process.listeners.place(JULIET, None, places.append)
    process.listeners.resumed(JULIET)
    until(lambda: len(server.frozen or ()) == account_listening.MOST_ASKED)
    server.thaw()
    until(lambda: len(places) == 500)
    assert {place.last for place in places} == {"a0001"}
    server.say("two")
    assert bodies(stream, 1) == ["two"]


def test_who_listens_as_the_last_one_is_forgotten_is_heard_after_him(
    server: ScriptedServer, process: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listeners, "LINGERS", 0.0)
    monkeypatch.setattr(listeners, "LOOK", 0.05)
    send, opened = server.send, []
    again = threading.Thread(target=lambda: opened.append(process.foreign.open(JULIET)))

    def send_late(sender: JID, stanza: Element) -> None:
        if stanza.get("type") == "unavailable" and not again.ident:
            again.start()
            again.join(0.5)  # it has to wait
        send(sender, stanza)

    monkeypatch.setattr(server, "send", send_late)
    process.foreign.open(JULIET).close()
    until(lambda: "unavailable" in server.presences())
    again.join(60)
    assert opened
    until(lambda: server.presences() == ["-1", "unavailable", "-1"])


def test_a_session_that_ends_as_somebody_begins_to_listen(server: ScriptedServer, process: Process) -> None:
    server.session.has_ended = True
    with pytest.raises(GatewayError) as lost:
        process.foreign.open(JULIET)
    assert lost.value.name == "session-lost"
    assert not process.listeners.is_listened_to(JULIET)
    assert server.holds == 0
    server.session = ScriptedSession()
    stream = process.foreign.open(JULIET)
    server.say("one")
    assert bodies(stream, 1) == ["one"]


def test_what_a_server_does_not_copy_is_found_after_a_while(server: ScriptedServer, process: Process) -> None:
    """As a message that comes while another resource leaves, or that is private (XEP-0280 §6.2)."""
    stream = process.foreign.open(JULIET)
    server.available()
    read(stream, 1)
    until(lambda: server.answered == 2)
    server.say("first")
    server.keep("missed")
    rest = [str(number) for number in range(archive_tail.MOST_AHEAD)]
    for body in rest:
        server.say(body)
    assert sorted(filter(None, bodies(stream, len(rest) + 2))) == sorted(["first", "missed", *rest])
    assert stream.next(0.05) is None


def test_messages_that_come_while_the_archive_fails_are_told_once(server: ScriptedServer, process: Process) -> None:
    stream = process.foreign.open(JULIET)
    server.available()
    read(stream, 1)
    until(lambda: server.answered == 2)
    server.refusing = "internal-server-error"
    said = [str(number) for number in range(3 * archive_tail.MOST_UNSURE)]
    for body in said:
        server.say(body)
    server.refusing = ""
    process.listeners.resumed(JULIET)
    server.say("last")
    assert sorted(filter(None, bodies(stream, len(said) + 1))) == sorted([*said, "last"])
    assert stream.next(0.05) is None


def test_a_fault_costs_one_stanza(server: ScriptedServer, process: Process, monkeypatch: pytest.MonkeyPatch) -> None:
    server.lists_archive = False
    stream = process.foreign.open(JULIET)
    with monkeypatch.context() as patched:
        patched.setattr(account_listening, "read_heard", fails)
        server.say("one")
        until(lambda: process.incidents.counts().get("listening"))
    server.say("two")
    assert bodies(stream, 1) == ["two"]


def test_a_fault_in_a_page_ends_its_stream(server: ScriptedServer, process: Process, monkeypatch: pytest.MonkeyPatch) -> None:
    for body in ("one", "two"):
        server.keep(body)
    stream = process.foreign.open(JULIET, after="a0001")
    monkeypatch.setattr(stream_places, "event_of", fails)
    with pytest.raises(StreamEnded, match="could not be read"):
        read(stream, 1)


def test_a_page_that_cannot_be_carried_ends_its_stream(server: ScriptedServer, driver: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    with gateway(server, driver, processes=2) as (leader, follower):
        for body in ("one", "two"):
            server.keep(body)
        stream = follower.foreign.open(JULIET, after="a0001")
        publish, calls = leader.remote.publish, [fails]
        monkeypatch.setattr(leader.remote, "publish", lambda *given, **named: (calls.pop() if calls else publish)(*given, **named))
        with pytest.raises(StreamEnded, match="could not be read"):
            read(stream, 1)
        assert leader.incidents.counts()["stream-untold"] == 1
        calls.append(fails)
        leader.listeners.ended(JULIET, server.session, "the session is over")
        until(lambda: leader.incidents.counts()["stream-untold"] == 2)


def test_a_fault_while_it_is_looked_at_costs_nothing(server: ScriptedServer, process: Process, monkeypatch: pytest.MonkeyPatch) -> None:
    stream = process.foreign.open(JULIET)
    with monkeypatch.context() as patched:
        patched.setattr(process.listeners, "_count", fails)
        until(lambda: process.incidents.counts().get("listening"))
    server.keep("one")
    assert bodies(stream, 1) == ["one"]


def test_a_session_that_breaks_off(server: ScriptedServer, process: Process, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listeners, "LINGERS", 0.0)
    stream = process.foreign.open(JULIET)
    server.is_up = False
    with pytest.raises(GatewayError) as lost:
        process.foreign.open(JULIET)
    assert lost.value.name == "session-lost"
    process.listeners.rebound(JULIET)
    until(lambda: not process.listeners.is_quiet(JULIET))
    server.keep("meanwhile")
    server.is_up = True
    process.listeners.rebound(JULIET)
    assert bodies(stream, 1) == ["meanwhile"]
    server.is_up = False
    stream.close()
    until(lambda: not process.listeners.is_listened_to(JULIET))


def test_the_archive_is_read_after_a_break(server: ScriptedServer, process: Process) -> None:
    stream = process.foreign.open(JULIET)
    server.available()
    read(stream, 1)
    server.keep("meanwhile")
    process.listeners.resumed(JULIET)
    assert bodies(stream, 1) == ["meanwhile"]


def test_a_server_that_says_nothing(server: ScriptedServer, process: Process, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(foreign_streams, "PATIENCE", 0.1)
    server.frozen = []
    with pytest.raises(GatewayError) as late:
        process.foreign.open(JULIET)
    assert late.value.name == "iq-timeout"
    with pytest.raises(GatewayError) as gone:
        process.foreign.open(JULIET, gone=lambda: True)
    assert gone.value.name == "client-gone"
    assert process.streams.count == 0
    server.thaw()


def test_copies_and_times_that_say_nothing(server: ScriptedServer, process: Process) -> None:
    server.lists_archive = False
    stream = process.foreign.open(JULIET)
    empty = carbon(make("message"), str(JULIET), "received")
    empty[0].clear()
    server.deliver(empty)
    delay = child("{urn:xmpp:delay}delay", **{"from": "capulet.example", "stamp": "long ago"})
    server.deliver(make("message", child("body", "one"), delay, from_=ROMEO, to_=str(SESSION), type_="headline"))
    (event,) = read(stream, 1)
    assert (event.stanza.findtext("body"), event.when > 1_600_000_000) == ("one", True)


def test_a_hundred_resources_are_remembered(server: ScriptedServer, process: Process) -> None:
    stream = process.foreign.open(JULIET)
    for number in range(110):
        server.available(f"phone {number}", -1)
    server.available("one too many", 5)
    server.deliver(make("presence", child("priority", "high"), from_=f"{JULIET}/phone 0", to_=str(SESSION)))
    server.deliver(make("presence", from_=f"{JULIET}/phone 0", to_=str(SESSION), type_="error"))
    read(stream, 113)
    server.available("phone 0", 0, "unavailable")
    read(stream, 1)
    server.keep("by the archive")
    assert bodies(stream, 1) == ["by the archive"]


def test_a_long_message_does_not_wait_for_the_archive(server: ScriptedServer, process: Process) -> None:
    stream = process.foreign.open(JULIET)
    server.frozen = []

    def say(body: str) -> Element:
        message = make("message", child("body", body), from_=ROMEO, to_=str(SESSION), type_="chat")
        server.deliver(message)
        return message

    say("x" * 400_000)
    (event,) = read(stream, 1)
    assert len(event.stanza.findtext("body") or "") == 400_000
    server.thaw()
