"""/api/sse: events, their recipients and their form (client-api §8)."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator

import pytest
from flask import Flask
from flask.testing import FlaskClient

from drivers import StorageError
from tests.api.client.calls import JULIET, NURSE, ROMEO, call, history, send
from tests.api.client.reader import Reader
from tests.conftest import DOMAIN, MakeApp, basic, register_users
from tests.raising import raising
from xmpp_rest.gateway.gateway import Gateway
from xmpp_rest.protocol.jid import parse_jid
from xmpp_rest.protocol.parse import parse_text

ROOM = f"book-club@muclight.{DOMAIN}"
LIGHT = "urn:xmpp:muclight:0"
MARKERS = "urn:xmpp:chat-markers:0"
Open = Callable[..., Reader]


@pytest.fixture
def make_users(make_app: MakeApp) -> Callable[..., Flask]:
    def make(**settings: str) -> Flask:
        app = make_app(**({"streams_heartbeat": "0.1"} | settings))
        register_users(app)
        return app

    return make


@pytest.fixture
def app(make_users: Callable[..., Flask]) -> Flask:
    return make_users()


@pytest.fixture
def listen(client: FlaskClient) -> Iterator[Open]:
    readers: list[Reader] = []

    def listen(as_: str = JULIET, path: str = "/api/sse", **headers: str) -> Reader:
        readers.append(Reader(client, as_, path, **headers))
        return readers[-1]

    yield listen
    for reader in readers:
        reader.close()


def deliver(gateway: Gateway, text: str) -> None:
    stanza = parse_text(text)
    gateway.parts.router.deliver(stanza, parse_jid(stanza.attrib["from"]), parse_jid(stanza.attrib["to"]))


def is_first(client: FlaskClient, to: str, *readers: Reader) -> bool:
    """Is what is sent to this account now the next event of each of these streams? Then there was no other one before."""
    identifier = send(client, to, "now", as_=NURSE if to == JULIET else JULIET)
    return [reader.next().data["id"] for reader in readers] == [identifier] * len(readers)


# opening


def test_the_head_of_the_answer(listen: Open) -> None:
    reader = listen()
    fields = reader.response.headers
    assert fields["Content-Type"] == "text/event-stream"
    assert fields["Cache-Control"] == "no-cache"
    assert fields["X-Accel-Buffering"] == "no"
    assert "Content-Length" not in fields
    assert reader.first.startswith(b":")


@pytest.mark.parametrize("accept", ["text/event-stream", "application/json", "image/png", "nonsense"])
def test_accept_is_not_looked_at(listen: Open, accept: str) -> None:
    assert listen(Accept=accept).response.status_code == 200


def test_a_stream_needs_credentials(client: FlaskClient) -> None:
    response = client.get("/api/sse")
    assert (response.status_code, response.data) == (401, b"")
    assert "Content-Type" not in response.headers


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_other_methods_are_not_allowed(client: FlaskClient, method: str) -> None:
    response = call(client, method, "/api/sse")
    assert (response.status_code, response.headers["Allow"]) == (405, "OPTIONS, GET")


def test_the_query_and_a_last_event_id_count_for_nothing(client: FlaskClient, listen: Open) -> None:
    send(client, JULIET, "missed", as_=NURSE)
    reader = listen(path="/api/sse?kuropatwa", **{"Last-Event-ID": "7"})
    send(client, JULIET, "now", as_=NURSE)
    received = reader.next()
    assert (received.id, received.data["body"]) == ("1", "now")


# one to one


def test_a_message_and_the_history_say_the_same(client: FlaskClient, listen: Open) -> None:
    reader = listen()
    identifier = send(client, JULIET, "two\nlines 🍎", as_=NURSE, thread="t", parent="p", properties={"a": "1"})
    received = reader.next()
    (item,) = history(client)
    assert (received.id, received.name) == ("1", "message")
    stamp = received.data.pop("timestamp")
    assert (stamp // 1000, len(str(stamp))) == (item.pop("timestamp"), 16)
    assert received.data == item
    assert item["id"] == identifier


def test_milliseconds_if_set(make_users: Callable[..., Flask]) -> None:
    client = make_users(client_sse_timestamp_unit="ms").test_client()
    reader = Reader(client, JULIET)
    send(client, JULIET, "hi", as_=NURSE)
    assert reader.next().data["timestamp"] == history(client)[0]["timestamp"]
    reader.close()


def test_ids_count_from_1_on_each_connection(client: FlaskClient, listen: Open) -> None:
    first = listen()
    send(client, JULIET, "a", as_=NURSE)
    second = listen()
    send(client, JULIET, "b", as_=NURSE)
    assert [(e.id, e.data["body"]) for e in (first.next(), first.next())] == [("1", "a"), ("2", "b")]
    assert (second.next().id) == "1"


def test_all_streams_of_the_recipient_and_none_of_the_sender(client: FlaskClient, listen: Open) -> None:
    hers, hers_too, nurses = listen(), listen(), listen(NURSE)
    send(client, JULIET, "hi", as_=NURSE)
    assert hers.next().data == hers_too.next().data
    assert is_first(client, NURSE, nurses)


def test_a_message_to_oneself_comes_once(client: FlaskClient, listen: Open) -> None:
    reader = listen()
    send(client, JULIET, "note")
    assert reader.next().data["body"] == "note"
    assert is_first(client, JULIET, reader)


def test_only_what_was_sent_later(client: FlaskClient, listen: Open) -> None:
    send(client, JULIET, "before", as_=NURSE)
    assert is_first(client, JULIET, listen())


def test_the_order_is_that_of_sending(client: FlaskClient, listen: Open) -> None:
    reader = listen()
    for n in range(50):
        send(client, JULIET, str(n), as_=NURSE)
    assert [reader.next().data["body"] for _ in range(50)] == [str(n) for n in range(50)]


@pytest.mark.parametrize(
    "text",
    [
        f"<presence from='{ROMEO}' to='{JULIET}'/>",
        f"<message from='{ROMEO}' to='{JULIET}' type='headline'><body>news</body></message>",
        f"<message from='{ROMEO}' to='{JULIET}' type='error'><body>hi</body><error type='cancel'/></message>",
        f"<message from='{ROMEO}' to='{JULIET}'><body>untyped</body></message>",
        f"<message from='{ROMEO}' to='{JULIET}' type='normal'><body>normal</body></message>",
        f"<message from='{ROMEO}' to='{JULIET}' type='chat'><composing xmlns='http://jabber.org/protocol/chatstates'/></message>",
        f"<message from='{ROOM}' to='{JULIET}' type='groupchat'><x xmlns='{LIGHT}#configuration'><roomname>x</roomname></x><body/></message>",
        f"<message from='{ROOM}' to='{JULIET}' type='groupchat'><x xmlns='{LIGHT}#affiliations'><version>1</version></x><body/></message>",
        f"<message from='{ROOM}' to='{JULIET}' type='groupchat'><subject>x</subject></message>",
        f"<iq from='{ROMEO}' to='{JULIET}' type='get' id='1'><ping xmlns='urn:xmpp:ping'/></iq>",
    ],
)
def test_what_is_not_reported_does_not_disturb(client: FlaskClient, gateway: Gateway, listen: Open, text: str) -> None:
    reader = listen()
    deliver(gateway, text)
    send(client, JULIET, "hi", as_=NURSE)
    received = reader.next()
    assert (received.id, received.data["body"]) == ("1", "hi")


def test_what_is_not_archived_is_reported(gateway: Gateway, listen: Open) -> None:
    reader = listen()
    deliver(gateway, f"<message from='{ROMEO}/x' to='{JULIET}/y' type='chat' id='m'><body>psst</body><no-store xmlns='urn:xmpp:hints'/></message>")
    data = reader.next().data
    assert {key: data[key] for key in ("from", "to", "id", "body")} == {"from": ROMEO, "to": JULIET, "id": "m", "body": "psst"}


# rooms


def test_what_is_said_in_a_room(gateway: Gateway, listen: Open) -> None:
    reader = listen()
    said = f"<body>chapter four?</body><markable xmlns='{MARKERS}'/>"
    deliver(gateway, f"<message from='{ROOM}/{JULIET}' to='{JULIET}' type='groupchat' id='m1'>{said}</message>")
    received = reader.next()
    assert (received.name, len(str(received.data.pop("timestamp")))) == ("room.message", 16)
    assert received.data == {"type": "message", "room": "book-club", "from": JULIET, "id": "m1", "body": "chapter four?", "markable": True}


def test_a_marker_in_a_room(gateway: Gateway, listen: Open) -> None:
    reader = listen()
    deliver(
        gateway, f"<message from='{ROOM}/{NURSE}' to='{JULIET}' type='groupchat' id='m2'><displayed xmlns='{MARKERS}' id='m1'/></message>"
    )
    data = reader.next().data
    assert data["chat_marker"] == {"type": "displayed", "id": "m1"}
    assert "body" not in data


def affiliations(*rows: tuple[str, str]) -> str:
    users = "".join(f"<user affiliation='{affiliation}'>{jid}</user>" for jid, affiliation in rows)
    changes = f"<x xmlns='{LIGHT}#affiliations'><version>v7</version>{users}</x>"
    return f"<message from='{ROOM}' to='{JULIET}' type='groupchat' id='m3'>{changes}<body/></message>"


def test_a_changed_affiliation(gateway: Gateway, listen: Open) -> None:
    reader = listen()
    deliver(gateway, affiliations((JULIET, "none")))
    data = reader.next().data
    assert isinstance(data.pop("timestamp"), int)
    assert data == {"type": "affiliation", "room": "book-club", "from": ROOM, "id": "m3", "user": JULIET, "affiliation": "none"}


def test_a_change_of_two(gateway: Gateway, listen: Open) -> None:
    reader = listen()
    deliver(gateway, affiliations((NURSE, "none"), (JULIET, "owner")))
    data = reader.next().data
    assert (data["user"], data["affiliation"]) == (JULIET, "owner")
    assert data["changes"] == [{"user": NURSE, "affiliation": "none"}, {"user": JULIET, "affiliation": "owner"}]


# how long it lasts


def test_heartbeats(listen: Open) -> None:
    reader = listen()
    for _ in range(3):
        reader.heartbeat()


def test_what_is_closed_makes_room(make_users: Callable[..., Flask]) -> None:
    app = make_users(streams_per_account="2", streams_total="3")
    client, gateway = app.test_client(), app.extensions["gateway"]
    for _ in range(5):
        readers = [Reader(client, JULIET), Reader(client, JULIET)]
        full = call(client, "GET", "/api/sse")
        assert (full.status_code, gateway.parts.streams.count) == (503, 2)
        assert int(full.headers["Retry-After"]) > 0
        assert "streams" in full.get_json()
        readers.append(Reader(client, NURSE))
        assert call(client, "GET", "/api/sse", as_=NURSE).status_code == 503, "the total"
        for reader in readers:
            reader.close()
        assert gateway.parts.streams.count == 0
    assert call(client, "GET", "/api/messages").status_code == 200


def test_a_slow_reader_is_told_and_dropped(make_users: Callable[..., Flask]) -> None:
    client = make_users(streams_queue_size="3").test_client()
    reader = Reader(client, JULIET)
    for n in range(5):
        send(client, JULIET, str(n), as_=NURSE)
    assert [reader.next().data["body"] for _ in range(3)] == ["0", "1", "2"]
    assert b"too slow" in next(reader.blocks)
    with pytest.raises(StopIteration):
        next(reader.blocks)
    assert [m["body"] for m in history(client)] == ["0", "1", "2", "3", "4"]
    reader.close()


def test_streams_end_with_the_gateway(app: Flask, gateway: Gateway, listen: Open) -> None:
    reader = listen()
    gateway.parts.streams.stop()
    assert b"stops" in next(reader.blocks)
    with pytest.raises(StopIteration):
        next(reader.blocks)
    assert app.test_client().get("/api/sse", headers=basic(JULIET)).status_code == 503


# resuming


def test_resuming_brings_what_was_missed_and_then_what_comes(client: FlaskClient, listen: Open) -> None:
    send(client, JULIET, "before", as_=NURSE)
    reader = listen(path="/api/sse?resume")
    send(client, JULIET, "1", as_=NURSE)
    first = reader.next()
    reader.close()
    for n in range(2, 6):
        send(client, JULIET, str(n), as_=NURSE)
        send(client, NURSE, "what she says herself is not reported")
    reader = listen(path="/api/sse?resume", **{"Last-Event-ID": first.id})
    missed = [reader.next() for _ in range(4)]
    send(client, JULIET, "6", as_=NURSE)
    missed.append(reader.next())
    assert [e.data["body"] for e in (first, *missed)] == ["1", "2", "3", "4", "5", "6"]
    assert len({e.id for e in (first, *missed)}) == 6
    assert is_first(client, JULIET, reader)
    assert listen(path=f"/api/sse?resume={missed[-2].id}").next() == missed[-1]


def test_resuming_behind_what_is_not_archived(client: FlaskClient, gateway: Gateway, listen: Open) -> None:
    reader = listen(path="/api/sse?resume")
    said = f"<message from='{ROOM}/{NURSE}' to='{JULIET}' type='groupchat' id='m1'><body>hi</body></message>"
    deliver(gateway, said)
    deliver(gateway, said)
    first, second = reader.next(), reader.next()
    assert first.id != second.id
    send(client, JULIET, "kept", as_=NURSE)
    for event in (first, second):
        resumed = listen(path="/api/sse?resume", **{"Last-Event-ID": event.id})
        assert resumed.next().data["body"] == "kept"
    kept = reader.next()
    assert is_first(client, JULIET, resumed, reader)
    deliver(gateway, said)
    resumed = listen(path="/api/sse?resume", **{"Last-Event-ID": reader.next().id})
    assert is_first(client, JULIET, resumed)
    assert kept.data["body"] == "kept"


@pytest.mark.parametrize("last", ["7", "nonsense", "~", "x~1", "a\x7fb", "9" * 2000])
def test_an_unknown_event_begins_with_what_comes_now(client: FlaskClient, listen: Open, last: str) -> None:
    send(client, JULIET, "before", as_=NURSE)
    reader = listen(path="/api/sse?resume", **{"Last-Event-ID": last})
    assert b"unknown" in next(reader.blocks)
    send(client, JULIET, "now", as_=NURSE)
    assert reader.next().data["body"] == "now"


def test_a_long_absence(client: FlaskClient, gateway: Gateway, listen: Open) -> None:
    reader = listen(path="/api/sse?resume")
    send(client, JULIET, "first", as_=NURSE)
    first = reader.next()
    for n in range(450):
        text = f"<message from='{ROMEO}' to='{JULIET}' type='chat' id='{n}'><body>{n}</body></message>"
        gateway.driver.archive_append("juliet", DOMAIN, "archive", text, when=time.time(), with_=ROMEO)
    reader = listen(path="/api/sse?resume", **{"Last-Event-ID": first.id})
    assert [reader.next().data["body"] for _ in range(450)] == [str(n) for n in range(450)]
    assert is_first(client, JULIET, reader)


def test_a_storage_that_fails_ends_the_replay_in_words(
    client: FlaskClient, gateway: Gateway, listen: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = listen(path="/api/sse?resume")
    send(client, JULIET, "first", as_=NURSE)
    resumed = listen(path="/api/sse?resume", **{"Last-Event-ID": reader.next().id})
    monkeypatch.setattr(gateway.driver, "archive_find", raising(StorageError("the disk is gone")))
    assert b"the disk is gone" in next(resumed.blocks)
    with pytest.raises(StopIteration):
        next(resumed.blocks)


def test_xml_beside_the_json(client: FlaskClient, gateway: Gateway, listen: Open) -> None:
    reader = listen(path="/api/sse?xml")
    deliver(gateway, f"<message from='{ROMEO}' to='{JULIET}' type='chat' id='m'><body>hi</body><x xmlns='some:thing'/></message>")
    stanza = parse_text(reader.next().data["xml"])
    assert (stanza.get("id"), stanza.find("{some:thing}x") is not None) == ("m", True)


def test_data_is_one_line_of_json(client: FlaskClient, listen: Open) -> None:
    reader = listen()
    send(client, JULIET, "a\nb\r\nc\u2028d", as_=NURSE)
    block = next(reader.blocks).decode()
    assert block.count("\n") == 4
    assert json.loads(block.split("data: ")[1])["body"] == "a\nb\r\nc\u2028d"


@pytest.mark.parametrize("domain", ["montague.example", f"conference.{DOMAIN}"])
def test_a_room_of_another_domain_is_shown_as_what_it_is(gateway: Gateway, listen: Open, domain: str) -> None:
    """It may have the id of one of the gateway's own."""
    reader = listen()
    room = ROOM.partition("@")[0]
    deliver(gateway, f"<message from='{room}@{domain}/{NURSE}' to='{JULIET}' type='groupchat' id='m1'><body>trust me</body></message>")
    received = reader.next()
    assert received.name == "message"
    assert "room" not in received.data
    assert (received.data["from"], received.data["type"], received.data["body"]) == (f"{room}@{domain}/{NURSE}", "groupchat", "trust me")
