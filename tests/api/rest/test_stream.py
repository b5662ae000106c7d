"""`GET /rest/stream` over a real socket: every stanza once, in order, through slow readers and broken connections."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Iterator

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.serving import BaseWSGIServer, make_server

from tests.conftest import DOMAIN, TOKEN, basic
from xmpp_rest.api.eventsource import EventSource
from xmpp_rest.gateway.gateway import Gateway
from xmpp_rest.protocol.jid import parse_jid
from xmpp_rest.protocol.parse import parse_text


@pytest.fixture
def server(app: Flask) -> Iterator[BaseWSGIServer]:
    server = make_server("127.0.0.1", 0, app, threaded=True)
    server.daemon_threads = True  # type: ignore[attr-defined]
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    yield server
    app.extensions["gateway"].parts.streams.stop()
    server.shutdown()
    server.server_close()


class Reader:
    """A client of server-sent events."""

    def __init__(self, server: BaseWSGIServer, query: str = "", headers: dict[str, str] | None = None, **more: str) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
        self.connection.request("GET", f"/rest/stream{query}", headers=(headers or basic("nurse")) | {k.replace("_", "-"): v for k, v in more.items()})
        self.response = self.connection.getresponse()

    def event(self) -> dict[str, str]:
        """The fields of the next event; comments are passed over."""
        fields: dict[str, str] = {}
        while True:
            line = self.response.readline().decode().rstrip("\n")
            if not line and "data" in fields:
                return fields
            name, colon, value = line.partition(": ")
            if name == "data" and "data" in fields:
                fields["data"] += f"\n{value}"
            elif name and colon:
                fields[name] = value

    def close(self) -> None:
        self.connection.close()
        self.response.close()


def say(client: FlaskClient, body: str, to: str = f"nurse@{DOMAIN}", **fields: str) -> None:
    response = client.post("/rest", json={"to": to, "body": body} | fields, headers=basic("juliet"))
    assert response.status_code == 202


def bodies(reader: Reader, count: int) -> list[str]:
    return [json.loads(reader.event()["data"])["body"] for _ in range(count)]


def test_stanzas_as_they_come(server: BaseWSGIServer, client: FlaskClient) -> None:
    reader = Reader(server)
    assert (reader.response.status, reader.response.headers["Content-Type"]) == (200, "text/event-stream")
    say(client, "Peter!")
    event = reader.event()
    assert event["event"] == "message"
    stanza = json.loads(event["data"])
    assert (stanza["kind"], stanza["from"], stanza["body"]) == ("message", f"juliet@{DOMAIN}", "Peter!")
    assert event["id"]
    reader.close()


def test_xml_on_request(server: BaseWSGIServer, client: FlaskClient) -> None:
    reader = Reader(server, "?format=xml")
    say(client, "a\nb")
    event = reader.event()
    assert event["event"] == "message"
    reader.close()
    stanza = parse_text(event["data"])
    assert (stanza.tag, stanza.findtext("body")) == ("message", "a\nb")


def test_what_is_not_archived_comes_too(server: BaseWSGIServer, gateway: Gateway) -> None:
    reader = Reader(server)
    nurse, romeo = parse_jid(f"nurse@{DOMAIN}"), parse_jid("romeo@montague.example")
    for text in ("<message type='headline'><body>x</body></message>", "<message type='error' id='1'/>", "<presence type='unavailable'/>"):
        stanza = parse_text(text)
        stanza.set("from", str(romeo))
        stanza.set("to", str(nurse))
        gateway.parts.router.deliver(stanza, romeo, nurse)
    assert json.loads(reader.event()["data"])["type"] == "headline"
    assert json.loads(reader.event()["data"])["type"] == "error"
    reader.close()


def test_ones_own_messages_do_not_come_back(server: BaseWSGIServer, client: FlaskClient) -> None:
    reader = Reader(server, headers=basic("juliet"))
    say(client, "to the nurse")
    say(client, "to myself", to=f"juliet@{DOMAIN}")
    assert bodies(reader, 1) == ["to myself"]
    reader.close()


def test_a_reader_that_reconnects_misses_nothing_and_hears_nothing_twice(server: BaseWSGIServer, client: FlaskClient) -> None:
    sent = [f"message {n}" for n in range(60)]
    sender = threading.Thread(target=lambda: [say(client.application.test_client(), body) for body in sent])
    reader = Reader(server)
    sender.start()
    heard: list[str] = []
    while len(heard) < 60:
        for _ in range(7):
            event = reader.event()
            heard.append(json.loads(event["data"])["body"])
            if len(heard) == 60:
                break
        last = event["id"]
        reader.close()
        reader = Reader(server, Last_Event_ID=last)
    sender.join()
    reader.close()
    assert heard == sent


def test_resume_by_query(server: BaseWSGIServer, client: FlaskClient) -> None:
    reader = Reader(server)
    say(client, "one")
    last = reader.event()["id"]
    reader.close()
    say(client, "two")
    again = Reader(server, f"?after={last}")
    assert bodies(again, 1) == ["two"]
    again.close()


def test_an_unknown_event_id_says_so_and_goes_on(server: BaseWSGIServer, client: FlaskClient) -> None:
    reader = Reader(server, Last_Event_ID="no-such-id")
    assert b": the event to resume after is unknown" in b"".join(reader.response.readline() for _ in range(3))
    say(client, "now")
    assert bodies(reader, 1) == ["now"]
    reader.close()


def test_a_broken_json_container_breaks_no_stream(server: BaseWSGIServer, client: FlaskClient) -> None:
    reader = Reader(server)
    xml = f"<message to='nurse@{DOMAIN}'><body>x</body><payload xmlns='urn:xmpp:json-msg:0' datatype='y'>{{</payload></message>"
    assert client.post("/rest", data=xml, headers=basic("juliet") | {"Content-Type": "application/xmpp+xml"}).status_code == 202
    assert reader.event()["event"] == "unmappable"
    say(client, "next")
    assert bodies(reader, 1) == ["next"]
    reader.close()


def test_who_may_listen(client: FlaskClient, server: BaseWSGIServer) -> None:
    assert client.get("/rest/stream").status_code == 401
    assert client.get("/rest/stream", headers=basic("nurse", "wrong")).status_code == 403
    component = {"Authorization": TOKEN}
    assert client.get("/rest/stream", headers=component).status_code == 422
    assert client.get("/rest/stream?of=nobody", headers=component).status_code == 422
    assert client.get("/rest/stream?format=yaml", headers=basic("nurse")).status_code == 400
    other = client.get(f"/rest/stream?of=juliet@{DOMAIN}", headers=basic("nurse"))
    assert (other.status_code, other.get_json()["error"]["condition"]) == (403, "forbidden")
    Reader(server, f"?of=nurse@{DOMAIN}").close()
    reader = Reader(server, f"?of=nurse@{DOMAIN}", headers=component)
    say(client, "heard")
    assert bodies(reader, 1) == ["heard"]
    reader.close()


def test_streams_are_bounded(make_app: object) -> None:
    app: Flask = make_app(streams_per_account="1", server_threads="8")  # type: ignore[operator]
    client = app.test_client()
    first = client.get("/rest/stream", headers=basic("admin"), buffered=False)
    second = client.get("/rest/stream", headers=basic("admin"))
    assert (first.status_code, second.status_code) == (200, 503)
    assert int(second.headers["Retry-After"]) > 0
    first.close()


def end_of(reader: Reader) -> str:
    """The last comment of a stream that is over."""
    return reader.response.read().decode().strip().rsplit("\n\n", 1)[-1]


def test_a_stream_ends_with_the_token_it_was_opened_with(server: BaseWSGIServer, gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(EventSource, "RECHECK", 0.05)
    nurse = parse_jid(f"nurse@{DOMAIN}")
    kept, revoked = (gateway.parts.tokens.issue(nurse, ["sasl_auth"], 60) for _ in range(2))
    brief = gateway.parts.tokens.issue(nurse, ["sasl_auth"], 2)
    readers = [Reader(server, headers={"Authorization": f"Bearer {token}"}) for token in (kept, revoked, brief)]
    gateway.parts.tokens.revoke(revoked)
    assert [end_of(reader) for reader in readers[1:]] == [": the credentials are no longer good"] * 2
    gateway.parts.streams.stop()
    assert end_of(readers[0]) == ": the gateway stops"


def test_a_stream_ends_when_the_password_is_changed(server: BaseWSGIServer, gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(EventSource, "RECHECK", 0.05)
    reader = Reader(server)
    gateway.parts.accounts.set_password(parse_jid(f"nurse@{DOMAIN}"), "another")
    assert end_of(reader) == ": the credentials are no longer good"
