"""What streams of accounts of other servers tell, above a server that does what the test says (accounts-anywhere §7.3)."""

from __future__ import annotations

from collections.abc import Iterator

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
    gateway,
    read,
    until,
)
from xmpp_rest.errors import GatewayError
from xmpp_rest.protocol.stanza import child, make
from xmpp_rest.service.sessions.listening import listeners
from xmpp_rest.service.streams.registry import Stream, StreamEnded


@pytest.fixture
def server() -> ScriptedServer:
    return ScriptedServer()


@pytest.fixture
def process(server: ScriptedServer, driver: Driver) -> Iterator[Process]:
    """Looks into the archive by itself are rare."""
    with gateway(server, driver, poll=3600) as (process,):
        yield process


@pytest.fixture
def polling(server: ScriptedServer, driver: Driver) -> Iterator[Process]:
    with gateway(server, driver) as (process,):
        yield process


def silent(stream: Stream) -> bool:
    return stream.next(0.05) is None


# presence and copies


def test_a_session_is_available_while_somebody_listens(server: ScriptedServer, process: Process, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listeners, "LINGERS", 0.2)
    monkeypatch.setattr(listeners, "LOOK", 0.05)
    assert not process.listeners.is_listened_to(JULIET)
    stream = process.foreign.open(JULIET)
    second = process.foreign.open(JULIET)
    assert server.presences() == ["-1"]
    assert server.copies() == ["enable"]
    assert process.listeners.is_quiet(JULIET)
    until(lambda: server.holds == 2)
    stream.close()
    until(lambda: server.holds == 1)
    assert server.presences() == ["-1"]
    second.close()
    until(lambda: server.holds == 0)
    until(lambda: server.copies() == ["enable", "disable"])
    assert server.presences() == ["-1", "unavailable"]
    assert not process.listeners.is_listened_to(JULIET)
    assert not process.listeners.is_quiet(JULIET)


def test_a_reader_who_comes_back_soon_changes_nothing(server: ScriptedServer, process: Process, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listeners, "LOOK", 0.05)
    for _ in range(3):
        process.foreign.open(JULIET).close()
        until(lambda: process.streams.directory.count(JULIET) == 0)
    assert server.presences() == ["-1"]


def test_presence_may_be_forbidden(server: ScriptedServer, driver: Driver) -> None:
    with gateway(server, driver, presence="never") as (process,):
        stream = process.foreign.open(JULIET)
        server.keep("later")
        assert bodies(stream, 1) == ["later"]
        assert server.presences() == []
        assert not process.listeners.is_quiet(JULIET)


def test_an_own_presence_stands(server: ScriptedServer, process: Process) -> None:
    server.own = 5
    process.listeners.own_changed(JULIET)
    stream = process.foreign.open(JULIET)
    assert server.presences() == []
    server.say("at once")
    assert bodies(stream, 1) == ["at once"]
    server.own = None
    process.listeners.own_changed(JULIET)
    until(lambda: server.presences() == ["-1"])
    server.own = 0
    process.listeners.own_changed(JULIET)
    server.own = None
    process.listeners.own_changed(JULIET)
    until(lambda: server.presences() == ["-1", "-1"])


def test_a_new_session_is_available_as_the_former_one_was(server: ScriptedServer, process: Process) -> None:
    stream = process.foreign.open(JULIET)
    server.keep("meanwhile")
    process.listeners.rebound(JULIET)
    assert server.presences() == ["-1", "-1"]
    assert server.copies() == ["enable", "enable"]
    assert bodies(stream, 1) == ["meanwhile"]
    server.keep("meanwhile too")
    process.listeners.resumed(JULIET)
    assert bodies(stream, 1) == ["meanwhile too"]


# what is told


def test_all_is_told_at_once_while_another_resource_is_available(server: ScriptedServer, process: Process) -> None:
    stream = process.foreign.open(JULIET)
    server.available()
    assert [event.stanza.tag for event in read(stream, 1)] == ["presence"]
    until(lambda: server.answered == 2)  # that it begins at the end, and that nothing was missed before the presence
    server.say("to the session")
    server.say_by_carbon("to the phone")
    events = read(stream, 2)
    assert [event.stanza.findtext("body") for event in events] == ["to the session", "to the phone"]
    assert [event.id for event in events] == ["a0001", "a0002"]
    assert events[1].stanza.get("from") == ROMEO
    assert len(server.queries()) == 2


def test_what_the_server_does_not_tell_is_in_the_archive(server: ScriptedServer, process: Process) -> None:
    stream = process.foreign.open(JULIET)
    server.keep("to the account")  # as ejabberd does, where no other resource is available
    server.say("to the session")
    events = read(stream, 2)
    assert [event.stanza.findtext("body") for event in events] == ["to the account", "to the session"]
    assert [event.id for event in events] == ["a0001", "a0002"]
    assert silent(stream)


def test_the_archive_is_looked_into_now_and_then(server: ScriptedServer, polling: Process) -> None:
    stream = polling.foreign.open(JULIET)
    server.keep("one")
    assert bodies(stream, 1) == ["one"]
    for number in range(250):
        server.keep(str(number))
    assert bodies(stream, 250) == [str(number) for number in range(250)]


def test_the_archive_is_not_read_while_the_server_tells_all(server: ScriptedServer, polling: Process) -> None:
    stream = polling.foreign.open(JULIET)
    server.available()
    read(stream, 1)
    until(lambda: polling.streams.of(JULIET))
    server.say("one")
    assert bodies(stream, 1) == ["one"]
    before = len(server.queries())
    server.available(kind="unavailable")
    read(stream, 1)
    until(lambda: len(server.queries()) > before)
    server.keep("two")
    assert bodies(stream, 1) == ["two"]


def test_without_copies_the_archive_is_the_truth(server: ScriptedServer, process: Process) -> None:
    server.carbons = False
    stream = process.foreign.open(JULIET)
    server.available()
    read(stream, 1)
    server.keep("to the phone")
    server.say("to the session")
    assert bodies(stream, 2) == ["to the phone", "to the session"]


def test_what_the_account_has_sent_is_told_to_nobody(server: ScriptedServer, process: Process) -> None:
    stream = process.foreign.open(JULIET)
    server.keep("by the phone", sender=f"{JULIET}/phone", to=ROMEO)
    server.say_by_carbon("by the phone too", sender=f"{JULIET}/phone", to=ROMEO, direction="sent")
    server.say("to her")
    assert bodies(stream, 1) == ["to her"]
    assert silent(stream)


def test_a_copy_counts_only_if_it_is_from_the_account_itself(server: ScriptedServer, process: Process) -> None:
    server.has_archive = False
    stream = process.foreign.open(JULIET)
    server.say_by_carbon("forged", outer="tybalt@capulet.example/x")  # CVE-2017-5589
    server.say_by_carbon("forged too", outer=str(SESSION))
    server.say_by_carbon("true")
    assert bodies(stream, 1) == ["true"]


def test_a_message_to_oneself_is_told_once(server: ScriptedServer, process: Process) -> None:
    stream = process.foreign.open(JULIET)
    note = {"sender": f"{JULIET}/phone", "to": str(JULIET)}
    server.keep("note", **note)
    server.say("note", **note)
    server.say("end")
    events = read(stream, 2)
    assert [event.stanza.findtext("body") for event in events] == ["note", "end"]
    again = process.foreign.open(JULIET, after=events[0].id)  # the other copy comes after it
    assert bodies(again, 1) == ["end"]


def test_ids_that_others_have_put_in_do_not_count(server: ScriptedServer, process: Process) -> None:
    stream = process.foreign.open(JULIET)
    server.available()
    read(stream, 1)
    sid = "{urn:xmpp:sid:0}stanza-id"
    for ids in (["romeo@montague.example"], [str(JULIET), str(JULIET)]):
        message = make("message", *(child(sid, by=by, id="forged") for by in ids), from_=ROMEO, to_=str(JULIET), type_="chat")
        server.deliver(message)
    server.deliver(make("message", child(sid, by=str(JULIET), id="two\nlines"), from_=ROMEO, to_=str(JULIET), type_="chat"))
    assert [event.id for event in read(stream, 3)] == ["", "", ""]


def test_a_message_that_the_archive_has_not_is_told_without_an_id(server: ScriptedServer, process: Process) -> None:
    stream = process.foreign.open(JULIET)
    server.deliver(make("message", child("body", "off the record"), from_=ROMEO, to_=str(SESSION), type_="chat"))
    server.deliver(make("message", child("body", "all"), from_="capulet.example", to_=str(SESSION), type_="headline"))
    server.deliver(make("message", child("{http://jabber.org/protocol/chatstates}composing"), from_=ROMEO, to_=str(SESSION), type_="chat"))
    events = read(stream, 3)
    assert {event.stanza.findtext("body") for event in events} == {"off the record", "all", None}
    assert [event.id for event in events] == ["", "", ""]


def test_a_message_that_the_archive_has_late_is_told_once(server: ScriptedServer, process: Process) -> None:
    stream = process.foreign.open(JULIET)
    message = server.keep("late")
    late = server.archive.pop()
    server.deliver(message)
    (event,) = read(stream, 1)
    assert (event.stanza.findtext("body"), event.id) == ("late", "")
    server.archive.append(late)
    server.say("next")
    (event,) = read(stream, 1)
    assert (event.stanza.findtext("body"), event.id) == ("next", "a0002")


@pytest.mark.parametrize("has_id", [True, False])
def test_a_look_may_be_faster_than_the_message(server: ScriptedServer, process: Process, has_id: bool) -> None:
    stream = process.foreign.open(JULIET)
    message = server.keep("one")
    process.listeners.resumed(JULIET)
    assert [event.id for event in read(stream, 1)] == ["a0001"]
    server.deliver(message if has_id else server.archive[0][1])
    server.say("two")
    assert [event.id for event in read(stream, 1)] == ["a0002"]
    assert silent(stream)


def test_what_comes_during_a_look_is_told_by_the_next_one(server: ScriptedServer, process: Process) -> None:
    stream = process.foreign.open(JULIET)
    server.available()
    read(stream, 1)
    until(lambda: server.answered == 2)
    server.frozen = []
    process.listeners.resumed(JULIET)
    until(lambda: server.frozen)
    server.say("one")
    server.say("two")
    assert silent(stream)
    server.thaw()
    assert bodies(stream, 2) == ["one", "two"]


def test_what_comes_late_is_not_told_again(server: ScriptedServer, process: Process) -> None:
    """COMPAT ejabberd: what is kept for the offline account goes to the first resource that is available, and copies of it to the others."""
    late = server.keep("kept")
    late.append(child("{urn:xmpp:delay}delay", **{"from": "capulet.example", "stamp": "2026-11-21T23:05:07Z"}))
    stream = process.foreign.open(JULIET)
    server.available()
    read(stream, 1)
    server.say("new")
    server.deliver(late)
    server.say("newer")
    assert bodies(stream, 2) == ["new", "newer"]
    assert silent(stream)


def test_many_that_come_during_a_look_are_told_once(server: ScriptedServer, process: Process) -> None:
    stream = process.foreign.open(JULIET)
    server.frozen = []
    for number in range(150):
        server.say(str(number))
    for number in range(150):
        server.deliver(make("message", child("body", f"off the record {number}"), from_=ROMEO, to_=str(SESSION), type_="chat"))
    read(stream, 50)  # those for which there is no room
    server.thaw()
    events = read(stream, 250)
    told = [event.stanza.findtext("body") for event in events if event.id]
    assert told == [str(number) for number in range(150)]
    assert silent(stream)


def test_the_time_is_when_the_server_got_it(server: ScriptedServer, process: Process) -> None:
    stream = process.foreign.open(JULIET)
    delay = {"from": "capulet.example", "stamp": "2026-11-21T23:05:07Z"}
    server.deliver(make("message", child("{urn:xmpp:delay}delay", **delay), from_=ROMEO, to_=str(SESSION), type_="headline"))
    assert [event.when for event in read(stream, 1)] == [1795302307.0]


# without an archive


def test_without_an_archive_events_have_no_ids(server: ScriptedServer, process: Process) -> None:
    server.lists_archive = False
    stream = process.foreign.open(JULIET)
    server.say("one")
    (event,) = read(stream, 1)
    assert (event.stanza.findtext("body"), event.id) == ("one", "")
    assert server.queries() == []
    with pytest.raises(GatewayError, match="unknown"):
        process.foreign.open(JULIET, after="a0001")


def test_an_archive_that_is_listed_and_refuses_is_none(server: ScriptedServer, process: Process) -> None:
    server.has_archive = False
    stream = process.foreign.open(JULIET)
    server.say("one")
    assert [event.id for event in read(stream, 1)] == [""]


def test_an_archive_whose_ids_cannot_be_told_is_none(server: ScriptedServer, process: Process) -> None:
    server.keep("old", identifier="two\nlines")
    stream = process.foreign.open(JULIET)
    server.say("one")
    assert [event.id for event in read(stream, 1)] == [""]


# resuming


def test_a_stream_begins_now(server: ScriptedServer, polling: Process) -> None:
    server.keep("before")
    stream = polling.foreign.open(JULIET)
    server.keep("after")
    assert bodies(stream, 1) == ["after"]


def test_a_reader_resumes_after_the_last_event(server: ScriptedServer, process: Process) -> None:
    for number in range(250):
        server.keep(str(number))
    stream = process.foreign.open(JULIET, after="a0010")
    server.say("live")
    assert bodies(stream, 241) == [*map(str, range(10, 250)), "live"]
    again = process.foreign.open(JULIET, after="a0250")
    assert bodies(again, 1) == ["live"]
    assert silent(stream)


def test_what_comes_while_pages_are_read_is_told_once(server: ScriptedServer, process: Process) -> None:
    for number in range(150):
        server.keep(str(number))
    stream = process.foreign.open(JULIET, after="a0001")
    server.available()
    server.frozen = []
    assert stream.next(0.2) is None
    server.say("one")
    server.thaw()
    server.say("two")
    events = read(stream, 152)
    told = [event.stanza.findtext("body") for event in events if event.stanza.tag == "message"]
    assert told == [*map(str, range(1, 150)), "one", "two"]


@pytest.mark.parametrize("after", ["a9999", "x\ny", "", "a0001~1"])
def test_an_unknown_id(server: ScriptedServer, process: Process, after: str) -> None:
    server.keep("one")
    with pytest.raises(GatewayError) as refused:
        process.foreign.open(JULIET, after=after)
    assert refused.value.name == "event-unknown"
    assert process.streams.count == 0


def test_an_unknown_id_where_the_server_would_not_say_so(server: ScriptedServer, process: Process) -> None:
    """COMPAT Prosody 13: behind such an id there is nothing."""
    server.takes_any = True
    server.keep("one")
    with pytest.raises(GatewayError) as refused:
        process.foreign.open(JULIET, after="a9999")
    assert refused.value.name == "event-unknown"


@pytest.mark.parametrize("after", ["a0001", "1600000000000099", "9" * 200, "²"])
def test_an_unknown_id_where_the_server_would_ignore_it(server: ScriptedServer, process: Process, after: str) -> None:
    """COMPAT ejabberd: it would begin at the start."""
    server.extended, server.numbered = False, True
    server.keep("one")
    with pytest.raises(GatewayError) as refused:
        process.foreign.open(JULIET, after=after)
    assert refused.value.name == "event-unknown"


def test_a_number_that_is_in_the_archive(server: ScriptedServer, process: Process) -> None:
    server.extended, server.numbered = False, True
    for body in ("one", "two"):
        server.keep(body)
    assert bodies(process.foreign.open(JULIET, after="1600000000000001"), 1) == ["two"]


def test_a_server_that_begins_at_the_start_is_not_believed(server: ScriptedServer, process: Process) -> None:
    server.extended, server.numbered = False, True
    for body in ("one", "two", "three"):
        server.keep(body)
    del server.archive[1]
    stream = process.foreign.open(JULIET, after="1600000000000002")
    with pytest.raises(StreamEnded, match="have been removed"):
        read(stream, 1)


def test_a_place_that_is_removed_ends_the_streams(server: ScriptedServer, process: Process) -> None:
    server.keep("one")
    stream = process.foreign.open(JULIET)
    server.archive.clear()
    server.keep("two")
    server.archive[0] = ("b1", server.archive[0][1])
    server.say("three")
    with pytest.raises(StreamEnded, match="have been removed"):
        read(stream, 1)
    assert silent(process.foreign.open(JULIET))


def test_an_id_of_another_form_is_taken_as_it_is(server: ScriptedServer, process: Process) -> None:
    server.keep("one", identifier="x~1")
    server.keep("two")
    assert bodies(process.foreign.open(JULIET, after="x~1"), 1) == ["two"]


def test_an_empty_archive_is_read_from_its_start(server: ScriptedServer, process: Process) -> None:
    stream = process.foreign.open(JULIET)
    server.say("first")
    assert [event.id for event in read(stream, 1)] == ["a0001"]


def test_long_messages_come_in_short_pages(server: ScriptedServer, process: Process) -> None:
    for number in range(5):
        server.keep(f"{number}{'x' * 400_000}")
    stream = process.foreign.open(JULIET, after="a0001")
    assert [(body or "")[0] for body in bodies(stream, 4)] == ["1", "2", "3", "4"]


# what fails


def test_an_archive_that_fails_is_read_later(server: ScriptedServer, polling: Process) -> None:
    stream = polling.foreign.open(JULIET)
    server.refusing = "internal-server-error"
    server.say("told without")
    (event,) = read(stream, 1)
    assert (event.stanza.findtext("body"), event.id) == ("told without", "")
    server.keep("kept")
    server.refusing = ""
    (event,) = read(stream, 1)
    assert (event.stanza.findtext("body"), event.id) == ("kept", "a0002")
    assert polling.incidents.counts()["archive-unread"] >= 1


def test_a_page_that_fails_ends_the_stream(server: ScriptedServer, process: Process) -> None:
    for body in ("one", "two"):
        server.keep(body)
    stream = process.foreign.open(JULIET, after="a0001")
    server.refusing = "internal-server-error"
    with pytest.raises(StreamEnded, match="archive has refused"):
        read(stream, 1)


def test_a_place_that_is_not_found_is_told(server: ScriptedServer, process: Process) -> None:
    server.refusing = "internal-server-error"
    with pytest.raises(GatewayError, match="archive has refused"):
        process.foreign.open(JULIET)
    server.refusing = ""
    server.is_up = False
    with pytest.raises(GatewayError) as lost:
        process.foreign.open(JULIET._replace(local="nurse"))
    assert lost.value.name == "session-lost"
    assert process.streams.count == 0


def test_streams_end_with_the_session(server: ScriptedServer, process: Process) -> None:
    stream = process.foreign.open(JULIET)
    server.own = 0
    process.listeners.own_changed(JULIET)
    process.listeners.ended(JULIET, server.session, "the session was replaced by another login")
    with pytest.raises(StreamEnded, match="replaced by another login"):
        read(stream, 1)
    assert server.holds == 0
    server.own, former, server.session = None, server.session, ScriptedSession()
    again = process.foreign.open(JULIET)
    process.listeners.ended(JULIET, former, "that of another session")
    server.say("one")
    assert bodies(again, 1) == ["one"]
    assert server.presences() == ["-1", "-1"]


def test_nobody_hears_what_is_told_to_nobody(server: ScriptedServer, process: Process) -> None:
    message = make("message", from_=ROMEO, to_=str(JULIET))
    assert not process.listeners.received(JULIET, message)
    stream = process.foreign.open(JULIET)
    assert not process.listeners.received(JULIET, make("iq", from_=ROMEO, to_=str(JULIET), type_="get"))
    assert process.listeners.received(JULIET, make("presence", from_=str(SESSION), to_=str(SESSION)))
    assert process.listeners.received(JULIET, message)
    assert [event.stanza.tag for event in read(stream, 1)] == ["message"]
