"""Reading topics: polls, streams over a real socket, and who may (hooks §13.3)."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.serving import BaseWSGIServer, make_server

from drivers import StorageError
from tests.api.ntfy.conftest import make_hook
from tests.api.ntfy.test_publish import JULIET, NURSE, bearer, code, in_query
from tests.api.out import Pushed
from tests.conftest import DOMAIN, MakeApp, register_users
from xmpp_rest.gateway.gateway import Gateway


def poll(client: FlaskClient, topic: str, query: str = "", kind: str = "json", **how: Any) -> list[dict[str, Any]]:
    answer = client.get(f"/ntfy/{topic}/{kind}?poll=1{query}", **how)
    assert answer.status_code == 200, answer.data
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    return [json.loads(line) for line in answer.text.splitlines()]


def say(client: FlaskClient, body: str, to: str = "nurse") -> None:
    assert client.post("/rest", json={"to": f"{to}@{DOMAIN}", "body": body}, headers=JULIET).status_code == 202


def texts(messages: list[dict[str, Any]]) -> list[str]:
    return [message["message"] for message in messages]


def test_what_a_hook_has_said_in_any_format_can_be_read(client: FlaskClient, token: str) -> None:
    first = client.post(f"/ntfy/{token}", data="one", headers={"Title": "T", "Priority": "4", "Tags": "fire,web1"}).get_json()
    assert client.post(f"/hooks/{token}", json={"message": "two", "title": "U"}).status_code == 200
    messages = poll(client, token)
    assert messages[0] == first
    assert (messages[1]["message"], messages[1]["title"], messages[1]["event"]) == ("two", "U", "message")
    for query, found in {
        "&since=all": ["one", "two"], "&since=none": [], "&since=latest": ["two"], f"&since={first['id']}": ["two"], "&since=10m": ["one", "two"],
        "&priority=high": ["one"], "&tags=fire,web1": ["one"], "&title=U": ["two"], "&message=one": ["one"], f"&id={first['id']}": ["one"],
        f"&since={int(time.time()) + 100}": [],
    }.items():  # fmt: skip
        assert texts(poll(client, token, query)) == found, query
    assert poll(client, "ops", headers=JULIET)[0] == first | {"topic": "ops"}
    assert texts(poll(client, "ops", headers={"X-Poll": "1", **bearer(token)})) == ["one", "two"]


def test_server_sent_events(client: FlaskClient, token: str) -> None:
    message = client.post(f"/ntfy/{token}", data="one").get_json()
    answer = client.get(f"/ntfy/{token}/sse?po=1")
    assert answer.headers["Content-Type"] == "text/event-stream; charset=utf-8"
    assert answer.text.startswith("data: {")
    assert answer.text.endswith("}\n\n")
    assert json.loads(answer.text.removeprefix("data: ")) == message


def test_what_waits_for_its_time(client: FlaskClient, token: str) -> None:
    answer = client.post(f"/ntfy/{token}", data="later", headers={"Delay": "1h"}).get_json()
    assert answer["time"] - time.time() > 3500
    assert poll(client, token) == []
    (message,) = poll(client, token, "&scheduled=1")
    assert message == answer


def test_an_account_reads_what_it_has_received(client: FlaskClient) -> None:
    for body in ("one", "two", "three"):
        say(client, body)
    messages = poll(client, "nurse", headers=NURSE)
    assert texts(messages) == ["one", "two", "three"]
    assert {message["title"] for message in messages} == {f"juliet@{DOMAIN}"}
    assert len({message["id"] for message in messages}) == 3
    for query, found in {
        f"&since={messages[0]['id']}": ["two", "three"], "&since=latest": ["three"], "&since=none": [], "&since=1h": ["one", "two", "three"],
        "&since=zzzzzzzzzzzz": ["one", "two", "three"], f"&id={messages[1]['id']}": ["two"], f"&since={int(time.time()) + 100}": [],
    }.items():  # fmt: skip
        assert texts(poll(client, "nurse", query, headers=NURSE)) == found, query
    assert poll(client, "juliet", headers=JULIET) == []  # what it sent itself


@pytest.mark.parametrize("kind", ["json", "sse", "auth"])
def test_who_may_read(client: FlaskClient, token: str, kind: str) -> None:
    for topic, credentials, expected in (
        ("nurse", JULIET, (403, 40301)),
        ("romeo%40montague.example", JULIET, (403, 40301)),
        ("nurse", {}, (403, 40301)),
        ("nobody", JULIET, (404, 40401)),
        ("ops", NURSE, (404, 40401)),
        ("ops", bearer("hk_" + "x" * 27), (401, 40101)),
        ("ops,nurse", JULIET, (404, 40401)),
        ("a!", JULIET, (400, 40009)),
    ):
        assert code(client.get(f"/ntfy/{topic}/{kind}?poll=1", headers=credentials)) == expected
    for topic, credentials in (("nurse", NURSE), ("ops", JULIET), ("ops", bearer(token)), (token, {})):
        answer = client.get(f"/ntfy/{topic}/{kind}?poll=1", headers=credentials)
        assert answer.status_code == 200
        if kind == "auth":
            assert answer.get_json() == {"success": True}
    assert client.get(f"/ntfy/nurse/{kind}?poll=1&auth={in_query(NURSE)}").status_code == 200


@pytest.mark.parametrize("since", ["-1", "-999999999999999999", "999999999999999999", "999999999d", "-999999999d", "0s", "1.5h", "-5m"])
def test_any_time_is_one_for_every_topic(client: FlaskClient, token: str, since: str) -> None:
    client.post(f"/ntfy/{token}", data="one")
    found = texts(poll(client, token, f"&since={since}"))
    assert texts(poll(client, "nurse", f"&since={since}", headers=NURSE)) == found
    assert found == ([] if since in {"999999999999999999", "-999999999d", "-5m"} else ["one"])


@pytest.mark.parametrize("path", ["/ntfy", "/ntfy/", "/ntfy/v1/health", "/ntfy/nurse", "/ntfy/nurse/publish", "/ntfy/nurse/auth", "/ntfy/nurse/raw", "/ntfy/a/b/c"])
def test_no_answer_may_be_kept_or_taken_for_another_type(client: FlaskClient, path: str) -> None:
    for method in ("GET", "HEAD", "POST", "DELETE", "OPTIONS"):
        answer = client.open(path, method=method)
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Access-Control-Allow-Origin"] == "*"


@pytest.mark.parametrize(("query", "number"), [("since=yesterday", 40008), ("priority=9", 40007)])
def test_what_is_refused(client: FlaskClient, token: str, query: str, number: int) -> None:
    assert code(client.get(f"/ntfy/{token}/json?poll=1&{query}")) == (400, number)


def test_health(client: FlaskClient, gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = client.get("/ntfy/v1/health")
    assert (answer.status_code, answer.get_json()) == (200, {"healthy": True})
    assert client.head("/ntfy/v1/health").status_code == 200

    def fail() -> None:
        raise StorageError("gone")

    monkeypatch.setattr(gateway.driver, "check", fail)
    answer = client.get("/ntfy/v1/health")
    assert (answer.status_code, answer.get_json()) == (503, {"healthy": False})
    assert "Retry-After" in answer.headers


def test_a_storage_that_fails(client: FlaskClient, gateway: Gateway, token: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> Iterator[Any]:
        raise StorageError("gone")

    client.get(f"/ntfy/{token}/json?poll=1")
    monkeypatch.setattr(gateway.driver, "archive_find", fail)
    answer = client.get(f"/ntfy/{token}/json?poll=1")
    assert code(answer) == (503, 50301)
    assert "Retry-After" in answer.headers


@pytest.fixture
def server(app: Flask) -> Iterator[BaseWSGIServer]:
    yield from serve(app)


def serve(app: Flask) -> Iterator[BaseWSGIServer]:
    server = make_server("127.0.0.1", 0, app, threaded=True)
    server.daemon_threads = True  # type: ignore[attr-defined]
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    yield server
    app.extensions["gateway"].parts.streams.stop()
    server.shutdown()
    server.server_close()


class Listener:
    """A client of a stream of lines."""

    def __init__(self, server: BaseWSGIServer, path: str, headers: dict[str, str] | None = None) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
        self.connection.request("GET", f"/ntfy/{path}", headers=headers or {})
        self.response = self.connection.getresponse()

    def line(self) -> str:
        return self.response.readline().decode().rstrip("\n")

    def next(self) -> dict[str, Any]:
        event: dict[str, Any] = json.loads(self.line())
        return event

    def close(self) -> None:
        self.connection.close()
        self.response.close()


def test_a_stream_of_a_hook(server: BaseWSGIServer, client: FlaskClient, token: str) -> None:
    client.post(f"/ntfy/{token}", data="before")
    listener = Listener(server, f"{token}/json?since=all")
    assert listener.response.headers["Content-Type"] == "application/x-ndjson; charset=utf-8"
    assert listener.response.headers["Access-Control-Allow-Origin"] == "*"
    opened = listener.next()
    assert (opened["event"], opened["topic"]) == ("open", token)
    assert listener.next()["message"] == "before"
    message = client.post(f"/ntfy/{token}", data="after", headers={"Tags": "a"}).get_json()
    assert listener.next() == message
    listener.close()


def test_a_stream_of_events_with_a_filter(server: BaseWSGIServer, client: FlaskClient, token: str) -> None:
    listener = Listener(server, "ops/sse?tags=b", JULIET)
    assert listener.line() == "event: open"
    assert json.loads(listener.line().removeprefix("data: "))["event"] == "open"
    assert listener.line() == ""
    for tag in ("a", "b"):
        client.post(f"/ntfy/{token}", data=tag, headers={"Tags": tag})
    assert json.loads(listener.line().removeprefix("data: "))["message"] == "b"
    listener.close()


@pytest.mark.parametrize(("since", "before"), [("", []), ("?since=all", ["one", "two"]), ("?since=latest", ["two"])])
def test_a_stream_of_an_account(server: BaseWSGIServer, client: FlaskClient, since: str, before: list[str]) -> None:
    say(client, "one")
    say(client, "two")
    listener = Listener(server, f"nurse/json{since}", NURSE)
    assert listener.next()["event"] == "open"
    assert [listener.next()["message"] for _ in before] == before
    say(client, "three")
    message = listener.next()
    assert (message["message"], message["title"], message["topic"]) == ("three", f"juliet@{DOMAIN}", "nurse")
    assert message == poll(client, "nurse", "&since=latest", headers=NURSE)[0]
    listener.close()


def test_streams_are_bounded_and_hooks_are_nobody_s_sessions(make_app: MakeApp) -> None:
    app = register_users(make_app(streams_per_account="1"))
    gateway: Gateway = app.extensions["gateway"]
    token = make_hook(gateway)
    for server in serve(app):
        listener = Listener(server, f"{token}/json")
        assert listener.next()["event"] == "open"
        assert gateway.parts.streams.count_by_api() == {"hooks": 1}
        assert gateway.parts.online.all() == []
        answer = app.test_client().get(f"/ntfy/{token}/json")
        assert code(answer) == (503, 50301)
        assert "Retry-After" in answer.headers
        listener.close()


def test_silence_is_broken(monkeypatch: pytest.MonkeyPatch, server: BaseWSGIServer, token: str) -> None:
    monkeypatch.setattr("xmpp_rest.api.ntfy.read.KEEPALIVE", 0.2)
    listener = Listener(server, f"{token}/json")
    assert [listener.next()["event"] for _ in range(3)] == ["open", "keepalive", "keepalive"]
    listener.close()


def test_a_hook_that_is_removed_ends_its_streams(server: BaseWSGIServer, gateway: Gateway, token: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("xmpp_rest.api.eventsource.EventSource.RECHECK", 0.05)
    listener = Listener(server, f"{token}/json")
    assert listener.next()["event"] == "open"
    hook = gateway.parts.hooks.by_token(token)
    assert hook is not None
    gateway.parts.hooks.remove(hook)
    assert listener.line() == ""
    listener.close()


@pytest.mark.parametrize("kind", ["json", "sse"])
def test_a_stream_that_says_nothing_of_its_end_ends_at_once(app: Flask, gateway: Gateway, token: str, kind: str) -> None:
    """Not with the next keepalive: what is published until then would be lost to its reader."""
    streams = [Pushed(app, f"/ntfy/{token}/{kind}", {}), Pushed(app, f"/ntfy/nurse/{kind}", NURSE)]
    assert not any(stream.out.closed for stream in streams)
    gateway.parts.streams.restart("another process leads now")
    assert all(stream.out.closed for stream in streams)
    assert gateway.parts.streams.count == 0


def test_a_scheduled_message_that_is_withdrawn(client: FlaskClient, gateway: Gateway, token: str) -> None:
    client.post(f"/ntfy/{token}", data="later", headers={"Delay": "1h"})
    assert texts(poll(client, token, "&scheduled=1")) == ["later"]
    (waiting,) = client.get("/rest/scheduled", headers=JULIET).get_json()["scheduled"]
    assert client.delete(f"/rest/scheduled/{waiting['id']}", headers=JULIET).status_code == 204
    assert poll(client, token, "&scheduled=1") == []


def test_who_listens_hears_of_a_scheduled_message_when_it_is_sent(server: BaseWSGIServer, client: FlaskClient, gateway: Gateway, token: str) -> None:
    listener = Listener(server, f"{token}/json")
    assert listener.next()["event"] == "open"
    answer = client.post(f"/hooks/{token}", data="soon", headers={"Send-At": "1s"})
    assert answer.status_code == 202
    message = listener.next()
    assert message["message"] == "soon"
    assert message["id"] == poll(client, token)[0]["id"]
    listener.close()
