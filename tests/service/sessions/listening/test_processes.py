"""Streams of accounts of other servers in a process that does not have their sessions."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from drivers import Driver
from tests.service.sessions.listening.scripted import JULIET, ROMEO, Process, ScriptedServer, bodies, gateway, read, until
from xmpp_rest.errors import GatewayError
from xmpp_rest.protocol.stanza import child, make
from xmpp_rest.service.streams.registry import StreamEnded


@pytest.fixture
def server() -> ScriptedServer:
    return ScriptedServer()


@pytest.fixture
def processes(server: ScriptedServer, driver: Driver) -> Iterator[list[Process]]:
    with gateway(server, driver, processes=3) as processes:
        yield processes


def test_a_stream_may_be_in_any_process(server: ScriptedServer, processes: list[Process]) -> None:
    streams = [process.foreign.open(JULIET) for process in processes]
    assert server.presences() == ["-1"]
    until(lambda: server.holds == 3)
    server.say("one")
    server.keep("two")
    assert [bodies(stream, 2) for stream in streams] == [["one", "two"]] * 3
    headline = make("message", child("body", "all"), from_=ROMEO, to_=str(JULIET), type_="headline")
    server.deliver(headline)
    assert [bodies(stream, 1) for stream in streams] == [["all"]] * 3
    streams[0].close()
    streams[1].close()
    until(lambda: server.holds == 1)


def test_a_reader_resumes_in_another_process(server: ScriptedServer, processes: list[Process]) -> None:
    for number in range(250):
        server.keep(str(number))
    stream = processes[2].foreign.open(JULIET, after="a0010")
    server.say("live")
    events = read(stream, 241)
    assert [event.stanza.findtext("body") for event in events] == [*map(str, range(10, 250)), "live"]
    assert [event.id for event in events] == [f"a{number:04}" for number in range(11, 252)]


def test_the_other_copy_of_a_note_is_known_in_another_process(server: ScriptedServer, processes: list[Process]) -> None:
    for _ in range(2):
        server.keep("note", sender=f"{JULIET}/phone")
    server.keep("end")
    assert bodies(processes[1].foreign.open(JULIET, after="a0001"), 1) == ["end"]


def test_an_unknown_id_is_told_to_another_process(server: ScriptedServer, processes: list[Process]) -> None:
    with pytest.raises(GatewayError) as refused:
        processes[1].foreign.open(JULIET, after="a0001")
    assert refused.value.name == "event-unknown"
    assert processes[1].streams.count == 0


def test_a_page_that_fails_ends_the_stream_in_another_process(server: ScriptedServer, processes: list[Process]) -> None:
    for body in ("one", "two"):
        server.keep(body)
    stream = processes[1].foreign.open(JULIET, after="a0001")
    server.refusing = "internal-server-error"
    with pytest.raises(StreamEnded, match="archive has refused"):
        read(stream, 1)


def test_a_page_that_cannot_be_asked_for_ends_the_stream(server: ScriptedServer, processes: list[Process]) -> None:
    for body in ("one", "two"):
        server.keep(body)
    stream = processes[1].foreign.open(JULIET, after="a0001")
    server.is_up = False
    processes[0].listeners.ended(JULIET, server.session, "the session is over")
    with pytest.raises(StreamEnded, match="session"):
        read(stream, 1)


def test_streams_in_all_processes_end_with_the_session(server: ScriptedServer, processes: list[Process]) -> None:
    streams = [process.foreign.open(JULIET) for process in processes]
    processes[0].listeners.ended(JULIET, server.session, "the session was replaced by another login")
    for stream in streams:
        with pytest.raises(StreamEnded, match="replaced by another login"):
            read(stream, 1)


def test_streams_end_when_another_process_leads(server: ScriptedServer, processes: list[Process]) -> None:
    """The sessions are gone, also for the process that leads from now on."""
    streams = [process.foreign.open(JULIET) for process in processes[1:]]
    server.say("one")
    assert [bodies(stream, 1) for stream in streams] == [["one"]] * 2
    processes[0].remote.stop()
    for stream in streams:
        with pytest.raises(StreamEnded, match="another process leads"):
            read(stream, 1)
