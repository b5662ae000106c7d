"""Event streams as bodies that publishers write: as those that wait in a thread, without one (api/pushed_events.py)."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable, Iterator

import pytest
from flask import Flask
from flask.testing import FlaskClient

from drivers import EVERY_ITEM, ArchiveItem, ArchiveQuery, StorageError
from tests.api.client.calls import JULIET, NURSE, send
from tests.api.out import FakeOut, Pushed
from tests.conftest import DOMAIN, TOKEN, MakeApp, basic, register_users
from tests.raising import raising
from xmpp_rest.api.eventsource import EventSource
from xmpp_rest.api.pushed_events import PENDING, PIECE
from xmpp_rest.gateway.gateway import Gateway
from xmpp_rest.protocol.jid import parse_jid
from xmpp_rest.service.streams.registry import LEADER_CHANGED
from xmpp_rest.service.streams.stream import PAGE

Open = Callable[..., Pushed]
OPENED = ("/api/sse?resume", "/rest/stream")


@pytest.fixture
def listen(app: Flask) -> Iterator[Open]:
    opened: list[Pushed] = []

    def listen(path: str = "/api/sse", as_: str = JULIET, bound: int = 1 << 16, **headers: str) -> Pushed:
        opened.append(Pushed(app, path, basic(as_) | {name.replace("_", "-"): value for name, value in headers.items()}, bound))
        assert opened[-1].response.status_code == 200, opened[-1].response.text
        return opened[-1]

    yield listen
    for each in opened:
        each.gone()


def bodies(blocks: list[bytes]) -> list[str]:
    return [json.loads(block.split(b"data: ")[1])["body"] for block in blocks if not block.startswith(b":")]


def id_of(block: bytes) -> str:
    found = re.match(rb"id: (.*)\n", block)
    assert found
    return found[1].decode()


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)


def test_the_answer_is_the_same_as_with_a_thread(app: Flask, listen: Open) -> None:
    pushed = listen()
    threaded = app.test_client().get("/api/sse", headers=basic(JULIET), buffered=False)
    heads = [{name: value for name, value in response.headers if name != "X-Request-Id"} for response in (pushed.response, threaded)]
    assert heads[0] == heads[1]
    assert pushed.response.data == b""
    threaded.close()


@pytest.mark.parametrize("path", OPENED)
def test_an_event_is_written_by_its_publisher(client: FlaskClient, listen: Open, path: str) -> None:
    pushed = listen(path)
    send(client, JULIET, "hi", as_=NURSE)
    assert bodies(pushed.out.blocks) == ["hi"], "before the sender has its answer"
    assert pushed.out.threads == {threading.current_thread()}


def test_no_stream_takes_a_thread_or_a_place_of_one(make_app: MakeApp) -> None:
    app = register_users(make_app(server_threads="4", streams_total="200", streams_per_account="200"))
    gateway: Gateway = app.extensions["gateway"]
    Pushed(app, "/api/sse", basic(JULIET)).gone()  # with it begin the threads that all share
    before = threading.active_count()
    streams = [Pushed(app, "/api/sse", basic(JULIET)) for _ in range(100)]
    assert threading.active_count() <= before
    assert (gateway.parts.streams.count, gateway.parts.waits.count) == (100, 0)
    send(app.test_client(), JULIET, "all", as_=NURSE)
    assert [bodies(stream.out.blocks) for stream in streams] == [["all"]] * 100
    assert {id_of(stream.out.blocks[0]) for stream in streams} == {"1"}
    for stream in streams:
        stream.gone()
    assert gateway.parts.streams.count == 0


@pytest.mark.parametrize("path", ["/api/sse", "/rest/stream", "/rest/stream?format=xml"])
def test_the_text_of_an_event_is_made_once(client: FlaskClient, listen: Open, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []
    for module in ("xmpp_rest.api.client.events", "xmpp_rest.api.rest.stream"):
        event = __import__(module, fromlist=["event"]).event

        def counting(data: str, event: Callable[..., bytes] = event, **more: str) -> bytes:
            made.append(data)
            return event(data, **more)

        monkeypatch.setattr(f"{module}.event", counting)
    streams = [listen(path) for _ in range(5)]
    send(client, JULIET, "hi", as_=NURSE)
    assert len({bytes(stream.out.blocks[0]) for stream in streams}) == 1
    assert len(made) == 1


def test_readers_of_other_forms_have_other_texts(client: FlaskClient, listen: Open) -> None:
    paths = ("/api/sse", "/api/sse?xml", "/rest/stream", "/rest/stream?format=xml")
    streams = [listen(path) for path in paths]
    send(client, JULIET, "hi", as_=NURSE)
    assert len({bytes(stream.out.blocks[0].split(b"data: ")[1]) for stream in streams}) == len(paths)


@pytest.mark.parametrize("path", OPENED)
@pytest.mark.parametrize("count", [1, PAGE, 2 * PAGE + 7])
def test_what_was_missed_comes_first_and_once(client: FlaskClient, gateway: Gateway, listen: Open, path: str, count: int) -> None:
    first = listen(path)
    send(client, JULIET, "first", as_=NURSE)
    last = id_of(first.out.blocks[0])
    for n in range(count):
        text = f"<message from='{NURSE}' to='{JULIET}' type='chat' id='{n}'><body>{n}</body></message>"
        gateway.driver.archive_append("juliet", DOMAIN, "archive", text, when=time.time(), with_=NURSE)
    resumed = listen(path, Last_Event_ID=last)
    send(client, JULIET, "live", as_=NURSE)
    assert bodies(resumed.out.until(count + 1)) == [*map(str, range(count)), "live"]
    send(client, JULIET, "later", as_=NURSE)
    assert bodies(resumed.out.until(count + 2))[-1] == "later"
    assert threading.current_thread() not in resumed.out.threads or len(resumed.out.threads) > 1


def test_nothing_is_lost_or_doubled_while_others_speak(app: Flask, client: FlaskClient, listen: Open) -> None:
    """Readers come, resume and leave while four threads send; each sees a stretch of what the archive has."""
    probe = listen("/api/sse?resume")
    send(client, JULIET, "begin", as_=NURSE)
    last = id_of(probe.out.blocks[0])

    def speak(name: int) -> None:
        mine = app.test_client()
        for n in range(40):
            send(mine, JULIET, f"{name}:{n}", as_=NURSE)

    threads = [threading.Thread(target=speak, args=(name,)) for name in range(4)]
    for thread in threads:
        thread.start()
    seen: list[str] = []
    while len(seen) < 160:
        reader = listen("/api/sse?resume", Last_Event_ID=last)
        blocks = reader.out.until(min(7, 160 - len(seen)))
        reader.gone()
        seen += bodies(blocks)
        last = id_of(blocks[-1])
    for thread in threads:
        thread.join()
    assert seen == bodies(probe.out.blocks)[1:]
    assert len(set(seen)) == 160


def test_an_unknown_event_says_so(client: FlaskClient, listen: Open) -> None:
    resumed = listen("/api/sse?resume", Last_Event_ID="nonsense")
    send(client, JULIET, "now", as_=NURSE)
    assert b"unknown" in resumed.out.blocks[0]
    assert bodies(resumed.out.blocks) == ["now"]


def test_a_storage_that_fails_ends_the_replay_in_words(
    client: FlaskClient, gateway: Gateway, listen: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = listen("/api/sse?resume")
    send(client, JULIET, "first", as_=NURSE)
    page = gateway.driver.archive_find

    def failing(user: str, host: str, store: str, query: ArchiveQuery = EVERY_ITEM) -> Iterator[ArchiveItem]:
        if query.after:  # not when the stream opens
            raise StorageError("the disk is gone")
        return page(user, host, store, query)

    monkeypatch.setattr(gateway.driver, "archive_find", failing)
    resumed = listen("/api/sse?resume", Last_Event_ID=id_of(first.out.blocks[0]))
    assert b"the disk is gone" in resumed.out.end()


# slow readers


def test_what_a_slow_reader_did_not_take_comes_later_and_in_order(client: FlaskClient, listen: Open) -> None:
    pushed = listen("/api/sse?resume", bound=1000)
    pushed.out.slow = True
    for n in range(20):
        send(client, JULIET, f"{n} {'x' * 100}", as_=NURSE)
    assert pushed.out.refused
    assert len(pushed.out.blocks) < 20
    pushed.out.hurry()
    assert [body.split()[0] for body in bodies(pushed.out.until(20))] == [str(n) for n in range(20)]


def test_an_event_that_is_larger_than_the_buffer(client: FlaskClient, listen: Open) -> None:
    pushed = listen(bound=20_000)
    pushed.out.slow = True
    send(client, JULIET, "x" * 200_000, as_=NURSE)
    send(client, JULIET, "next", as_=NURSE)
    while len(pushed.out.blocks) < 2:
        pushed.out.drain()
    assert bodies(pushed.out.blocks) == ["x" * 200_000, "next"]


def test_a_reader_that_is_too_slow_is_told_behind_what_waits(make_app: MakeApp) -> None:
    app = register_users(make_app(streams_queue_size="3"))
    client, streams = app.test_client(), app.extensions["gateway"].parts.streams
    pushed = Pushed(app, "/api/sse?resume", basic(JULIET), PIECE, slow=True)
    pushed.out.pending = PIECE
    for n in range(6):
        send(client, JULIET, str(n), as_=NURSE)
    assert pushed.out.blocks == []
    pushed.out.hurry()
    assert b"too slow" in pushed.out.end()
    assert bodies(pushed.out.blocks) == ["0", "1", "2", "3"], "one that was about to be written, and those that waited behind it"
    assert streams.count == 0


def test_what_waits_in_the_server_is_bounded(client: FlaskClient, listen: Open) -> None:
    """Whatever the server would take: with thousands of slow readers that would be all memory."""
    pushed = listen(bound=100 << 20)
    pushed.out.slow = True
    for n in range(20):
        send(client, JULIET, f"{n} {'x' * 10_000}", as_=NURSE)
    assert pushed.out.pending <= PENDING + PIECE
    pushed.out.hurry()
    assert [body.split()[0] for body in bodies(pushed.out.until(20))] == [str(n) for n in range(20)]


def test_a_slow_reader_is_in_nobodys_way(client: FlaskClient, listen: Open) -> None:
    slow, other = listen(bound=100), listen()
    slow.out.slow = True
    began = time.monotonic()
    for n in range(20):
        send(client, JULIET, str(n), as_=NURSE)
    assert bodies(other.out.blocks) == [str(n) for n in range(20)]
    assert time.monotonic() - began < 30


def test_the_replay_waits_for_the_reader_without_a_thread(client: FlaskClient, gateway: Gateway, listen: Open) -> None:
    first = listen("/api/sse?resume")
    send(client, JULIET, "first", as_=NURSE)
    for n in range(300):
        text = f"<message from='{NURSE}' to='{JULIET}' type='chat' id='{n}'><body>{n}</body></message>"
        gateway.driver.archive_append("juliet", DOMAIN, "archive", text, when=time.time(), with_=NURSE)
    last = id_of(first.out.blocks[0])
    stuck = [Pushed(client.application, "/api/sse?resume", basic(JULIET) | {"Last-Event-ID": last}, 2000, slow=True) for _ in range(6)]
    until(lambda: all(each.out.refused for each in stuck))
    quick = listen("/api/sse?resume", Last_Event_ID=last)
    assert len(quick.out.until(300)) == 300, "though more readers than the pool has threads take nothing"
    for each in stuck:
        each.out.hurry()
    for each in stuck:
        assert bodies(each.out.until(300)) == [str(n) for n in range(300)]
        each.gone()


# how long it lasts


def test_heartbeats_after_silence_only(make_app: MakeApp) -> None:
    app = register_users(make_app(streams_heartbeat="0.2"))
    began = time.monotonic()
    pushed = Pushed(app, "/api/sse", basic(JULIET))
    assert pushed.out.until(3) == [b": ok"] * 3
    assert time.monotonic() - began >= 0.6
    pushed.gone()
    heard = len(pushed.out.blocks)
    other = Pushed(app, "/api/sse", basic(JULIET))
    other.out.until(2)
    assert len(pushed.out.blocks) == heard, "none for who has left"
    other.gone()


def test_who_leaves_makes_room_at_once(make_app: MakeApp) -> None:
    app = register_users(make_app(streams_per_account="2", streams_total="3"))
    for _ in range(3):
        streams = [Pushed(app, "/api/sse", basic(JULIET)) for _ in range(2)]
        assert Pushed(app, "/api/sse", basic(JULIET)).response.status_code == 503
        streams.append(Pushed(app, "/api/sse", basic(NURSE)))
        assert Pushed(app, "/api/sse", basic(NURSE)).response.status_code == 503
        for stream in streams:
            stream.gone()
        assert app.extensions["gateway"].parts.streams.count == 0


def test_streams_end_with_the_gateway(app: Flask, gateway: Gateway, listen: Open) -> None:
    pushed = listen()
    gateway.parts.streams.stop()
    assert pushed.out.closed
    assert b"stops" in pushed.out.blocks[-1]
    assert Pushed(app, "/api/sse", basic(JULIET)).response.status_code == 503


def test_streams_end_when_another_process_leads(gateway: Gateway, listen: Open) -> None:
    streams = [listen() for _ in range(3)]
    gateway.parts.streams._leader_changed(False)
    assert {stream.out.end() for stream in streams} == {f": {LEADER_CHANGED}".encode()}
    assert gateway.parts.streams.count == 0


@pytest.mark.parametrize("path", OPENED)
def test_a_stream_ends_with_the_credentials(gateway: Gateway, listen: Open, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(EventSource, "RECHECK", 0.05)
    streams = [listen(path) for _ in range(2)]
    other = listen(path, as_=NURSE)
    gateway.parts.accounts.set_password(parse_jid(f"juliet@{DOMAIN}"), "another")
    assert [stream.out.end() for stream in streams] == [b": the credentials are no longer good"] * 2
    assert not other.out.closed


def test_the_same_credentials_are_looked_at_once_for_all(gateway: Gateway, listen: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(EventSource, "RECHECK", 0.3)
    looks: list[str | None] = []
    still_valid = type(gateway.parts.authenticator).still_valid

    def counting(self: object, field: str | None, policy: object) -> bool:
        looks.append(field)
        return still_valid(self, field, policy)  # type: ignore[arg-type]

    monkeypatch.setattr(type(gateway.parts.authenticator), "still_valid", counting)
    began = time.monotonic()
    for who in (JULIET, NURSE):
        for _ in range(8):
            listen(as_=who)
    until(lambda: len(looks) >= 6)
    assert len(looks) <= 2 * ((time.monotonic() - began) / 0.3 + 1)


def test_a_storage_that_cannot_say_who_is_admitted_ends_streams_in_words(gateway: Gateway, listen: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(EventSource, "RECHECK", 0.05)
    monkeypatch.setattr(type(gateway.parts.authenticator), "still_valid", raising(StorageError("the disk is gone")))
    assert b"the disk is gone" in listen().out.end()


def test_a_stream_that_fails_ends_alone(client: FlaskClient, gateway: Gateway, listen: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    before, broken, after = (listen() for _ in range(3))
    monkeypatch.setattr(broken.out, "write", raising(RuntimeError("boom")))
    send(client, JULIET, "hi", as_=NURSE)
    assert bodies(before.out.blocks) == bodies(after.out.blocks) == ["hi"]
    assert broken.out.closed
    assert gateway.parts.streams.count == 2


def test_with_the_component_token(app: Flask, client: FlaskClient) -> None:
    pushed = Pushed(app, f"/rest/stream?of={JULIET}", {"Authorization": TOKEN})
    send(client, JULIET, "hi", as_=NURSE)
    assert bodies(pushed.out.blocks) == ["hi"]
    pushed.gone()


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "POST"])
def test_nothing_is_pushed_but_for_a_get(app: Flask, gateway: Gateway, method: str) -> None:
    pushed = Pushed(app, "/api/sse", basic(JULIET), method=method)
    assert (pushed.bodies, gateway.parts.streams.count) == ([], 0)


def test_a_body_that_never_begins(gateway: Gateway, app: Flask) -> None:
    """The client leaves before the head is sent."""
    pushed = Pushed(app, "/api/sse", basic(JULIET), begins=False)
    assert gateway.parts.streams.count == 1
    pushed.gone()
    assert gateway.parts.streams.count == 0


def test_how_long_a_client_may_take_nothing_is_told(make_app: MakeApp) -> None:
    pushed = Pushed(register_users(make_app(streams_write_timeout="7")), "/api/sse", basic(JULIET))
    assert pushed.patience == [7]
    pushed.gone()


def test_the_fake_bounds_what_is_pending() -> None:
    out = FakeOut(10)
    out.slow = True
    assert [out.write(b"x" * 6), out.write(b"x" * 6)] == [True, False]
