"""What event streams of accounts of other servers tell, on the servers that have the accounts (accounts-anywhere §7.3)."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from itertools import count

import pytest
import urllib3
from urllib3.util import make_headers

from .conftest import running
from .foreign_reader import ForeignReader
from .gateway import Gateway
from .proxy import Proxy
from .test_counted import owner_of
from .tls_servers import FOREIGN, ForeignUser, TLSServer
from .users import EventLoop
from .xmppserver import PASSWORD

ROMEO = f"romeo@{FOREIGN}"
NUMBERS = count(1)


def body(text: str) -> str:
    """A text that no other test has said."""
    return f"{text} {next(NUMBERS)}"


@pytest.fixture(scope="module")
def way(tls_server: TLSServer) -> Iterator[Proxy]:
    """The way of the module's gateways to the server."""
    yield from running(Proxy(tls_server.direct_port))


@pytest.fixture(scope="module")
def gateways(tls_server: TLSServer, way: Proxy, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Gateway]]:
    """The module's gateways, by the settings of their sessions; each logs in with a resource of its own."""
    started: dict[str, Gateway] = {}

    def of(workers: int = 1, **sessions: object) -> Gateway:
        key = str((workers, sessions))
        if key not in started:
            sections: dict[str, dict[str, object]] = {
                "link": {"kind": "none"},
                "server": {"workers": workers},
                "login.montague": dict(tls_server.login_settings(port=way.port)),
                "sessions": {"poll": 1, "retry_max": 1, **sessions},
            }
            gateway = started[key] = Gateway(tmp_path_factory.mktemp("gateway"), 1, sections)
            gateway.start()
        return started[key]

    yield of
    for gateway in started.values():
        gateway.stop()


@pytest.fixture
def readers() -> Iterator[Callable[..., ForeignReader]]:
    """Streams of romeo, which are closed in the end."""
    opened: list[ForeignReader] = []

    def listen(gateway: Gateway, path: str = "/rest/stream", last: str = "") -> ForeignReader:
        opened.append(ForeignReader(gateway.port, ROMEO, path, last=last))
        return opened[-1]

    yield listen
    for reader in opened:
        reader.close()


@pytest.fixture
def benvolio(event_loop_thread: EventLoop, tls_server: TLSServer) -> Iterator[ForeignUser]:
    user = ForeignUser(event_loop_thread, tls_server, "benvolio")
    user.connect()
    yield user
    user.close()


@pytest.fixture
def phones(event_loop_thread: EventLoop, tls_server: TLSServer) -> Iterator[Callable[..., ForeignUser]]:
    """Other resources of romeo, which go in the end."""
    opened: list[ForeignUser] = []

    def log_in(resource: str = "phone", priority: int = 0) -> ForeignUser:
        phone = ForeignUser(event_loop_thread, tls_server, "romeo", resource, priority=priority)
        opened.append(phone)
        phone.connect()
        phone.iq(phone.bare, "<ping xmlns='urn:xmpp:ping'/>")  # after its presence
        return phone

    yield log_in
    for phone in opened:
        phone.close()


def session(gateway: Gateway, method: str = "GET") -> urllib3.BaseHTTPResponse:
    return gateway.http.request(method, "/rest/session", headers=make_headers(basic_auth=f"{ROMEO}:{PASSWORD}"))


def jid(gateway: Gateway) -> str:
    """The full address of the gateway's session."""
    found: str = session(gateway).json()["jid"]
    return found


def post(gateway: Gateway, xml: str) -> None:
    headers = make_headers(basic_auth=f"{ROMEO}:{PASSWORD}") | {"Content-Type": "application/xmpp+xml"}
    answer = gateway.http.request("POST", "/rest", body=xml, headers=headers)
    assert answer.status == 202, (answer.status, answer.data)


def test_alone_it_is_told_by_the_archive_or_a_copy(
    gateways: Callable[..., Gateway], readers: Callable[..., ForeignReader], benvolio: ForeignUser
) -> None:
    gateway = gateways()
    reader = readers(gateway)
    first, second, third = body("to the account"), body("to the session"), body("to the account again")
    benvolio.send_message(ROMEO, first)
    benvolio.send_message(jid(gateway), second)
    benvolio.send_message(ROMEO, third)
    reader.wait(first, second, third)
    assert reader.bodies == [first, second, third]
    assert len({event.id for event in reader.events if event.name == "message"}) == 3
    assert session(gateway).json()["presence"] == "quiet"


def test_with_another_resource_it_is_told_at_once(
    gateways: Callable[..., Gateway], readers: Callable[..., ForeignReader], benvolio: ForeignUser, phones: Callable[..., ForeignUser]
) -> None:
    gateway = gateways(poll=600)
    reader = readers(gateway)
    phone = phones()
    reader.until(lambda: any('"phone"' in event.data or "/phone" in event.data for event in reader.events if event.name == "presence"))
    to_all, to_session, to_phone, by_phone = body("to the account"), body("to the session"), body("to the phone"), body("by the phone")
    benvolio.send_message(ROMEO, to_all)
    phone.wait_message(to_all)
    benvolio.send_message(jid(gateway), to_session)
    benvolio.send_message(f"{ROMEO}/phone", to_phone)
    phone.wait_message(to_phone)
    phone.send_message(benvolio.bare, by_phone)
    benvolio.wait_message(by_phone)
    last = body("the last")
    benvolio.send_message(ROMEO, last)
    reader.wait(to_all, to_session, to_phone, last)
    assert reader.bodies == [to_all, to_session, to_phone, last], reader.events


def test_messages_for_the_person_stay_for_the_person(
    gateways: Callable[..., Gateway], readers: Callable[..., ForeignReader], benvolio: ForeignUser, phones: Callable[..., ForeignUser]
) -> None:
    """What is kept for the offline account is not taken away by a session that listens."""
    said = body("while she is away")
    reader = readers(gateways())
    benvolio.send_message(ROMEO, said)
    reader.wait(said)
    phones().wait_message(said)


def test_an_own_presence_gets_all(
    gateways: Callable[..., Gateway], readers: Callable[..., ForeignReader], benvolio: ForeignUser, phones: Callable[..., ForeignUser]
) -> None:
    gateway = gateways(poll=600)
    reader = readers(gateway)
    post(gateway, "<presence/>")
    assert session(gateway).json()["presence"] == "own"
    alone, headline, beside = body("alone"), body("news"), body("beside another one")
    benvolio.send_message(ROMEO, alone)
    benvolio.send_message(ROMEO, headline, "headline")
    reader.wait(alone, headline)
    phone = phones()
    benvolio.send_message(ROMEO, beside)
    phone.wait_message(beside)
    reader.wait(beside)
    assert reader.bodies.count(beside) == 1
    post(gateway, "<presence type='unavailable'/>")
    assert session(gateway).json()["presence"] in ("quiet", "none")


def test_without_presence_it_is_told_by_the_archive(
    gateways: Callable[..., Gateway], readers: Callable[..., ForeignReader], benvolio: ForeignUser, phones: Callable[..., ForeignUser]
) -> None:
    gateway = gateways(presence="never")
    reader = readers(gateway)
    alone, to_session, beside = body("alone"), body("to the session"), body("beside another one")
    benvolio.send_message(ROMEO, alone)
    benvolio.send_message(jid(gateway), to_session)
    reader.wait(alone, to_session)
    phones()
    benvolio.send_message(ROMEO, beside)
    reader.wait(beside)
    assert reader.bodies == [alone, to_session, beside]
    assert session(gateway).json()["presence"] == "none"


def test_a_note_to_oneself_is_told_once(
    gateways: Callable[..., Gateway], readers: Callable[..., ForeignReader], benvolio: ForeignUser, phones: Callable[..., ForeignUser]
) -> None:
    gateway = gateways()
    reader = readers(gateway)
    note, end = body("a note"), body("the end")
    phones().send_message(ROMEO, note)
    reader.wait(note)
    benvolio.send_message(ROMEO, end)
    reader.wait(end)
    assert reader.bodies == [note, end]
    (noted,) = [event for event in reader.events if note in event.data]
    again = readers(gateway, last=noted.id)
    again.wait(end)
    assert again.bodies == [end]


def test_the_client_api_tells_the_same(
    gateways: Callable[..., Gateway], readers: Callable[..., ForeignReader], benvolio: ForeignUser
) -> None:
    gateway = gateways()
    reader = readers(gateway, "/api/sse?resume")
    first, second = body("one"), body("two")
    benvolio.send_message(ROMEO, first)
    benvolio.send_message(ROMEO, second)
    reader.wait(first, second)
    assert [(message["from"], message["to"]) for message in reader.told] == [(benvolio.bare, ROMEO)] * 2
    again = readers(gateway, "/api/sse?resume", last=reader.events[0].id)
    again.wait(second)
    assert again.bodies == [second]


def test_resuming_brings_what_came_meanwhile(
    gateways: Callable[..., Gateway], readers: Callable[..., ForeignReader], benvolio: ForeignUser
) -> None:
    gateway = gateways()
    reader = readers(gateway)
    first = body("before")
    benvolio.send_message(ROMEO, first)
    reader.wait(first)
    reader.close()
    many = [body("meanwhile") for _ in range(120)]
    for text in many:
        benvolio.send_message(ROMEO, text)
    again = readers(gateway, last=reader.last)
    again.wait(*many)
    assert again.bodies == many
    assert session(gateway, "DELETE").status == 204  # its end is that of the stream, which tells what to resume after
    again.until(lambda: again.ended)
    after = body("after")
    benvolio.send_message(ROMEO, after)
    third = readers(gateway, last=again.last)
    third.wait(after)
    assert third.bodies == [after]


@pytest.mark.parametrize("last", ["nobody-knows", "99999999999999999999", "1"])
def test_an_unknown_id_replays_nothing(
    gateways: Callable[..., Gateway], readers: Callable[..., ForeignReader], benvolio: ForeignUser, last: str, tls_server: TLSServer
) -> None:
    gateway = gateways()
    if last == "1" and tls_server.name == "ejabberd":
        pytest.skip("a number is a time there: all of the archive comes after this one")
    reader = readers(gateway, last=last)
    now = body("now")
    benvolio.send_message(ROMEO, now)
    reader.wait(now)
    assert reader.bodies == [now]
    assert any("unknown" in comment for comment in reader.comments)


def test_nothing_is_missed_over_a_cut(
    gateways: Callable[..., Gateway], readers: Callable[..., ForeignReader], benvolio: ForeignUser, way: Proxy
) -> None:
    gateway = gateways()
    reader = readers(gateway)
    told = []
    for round_ in range(3):
        for where in (ROMEO, jid(gateway)):
            told.append(body(f"round {round_}"))
            benvolio.send_message(where, told[-1])
        way.cut()
        told.append(body("after the cut"))
        benvolio.send_message(ROMEO, told[-1])
    reader.wait(*told)
    assert sorted(reader.bodies) == sorted(told)


def test_nothing_is_missed_over_a_restart_of_the_server(
    gateways: Callable[..., Gateway], readers: Callable[..., ForeignReader], tls_server: TLSServer, event_loop_thread: EventLoop
) -> None:
    gateway = gateways()
    reader = readers(gateway)
    told: list[str] = []

    def say() -> None:
        user = ForeignUser(event_loop_thread, tls_server, "benvolio")
        user.connect()
        told.append(body("by benvolio"))
        user.send_message(ROMEO, told[-1])
        user.iq(user.bare, "<ping xmlns='urn:xmpp:ping'/>")
        user.close()

    say()
    reader.wait(*told)
    tls_server.stop()
    tls_server.start()
    say()
    reader.until(lambda: reader.ended or set(told) <= set(reader.bodies))
    if reader.ended:
        reader = readers(gateway, last=reader.last)
        reader.wait(told[-1])
    say()
    reader.wait(told[-1])


def test_a_login_elsewhere_with_the_same_resource_ends_the_streams(
    gateways: Callable[..., Gateway], readers: Callable[..., ForeignReader], phones: Callable[..., ForeignUser], benvolio: ForeignUser
) -> None:
    gateway = gateways()
    reader = readers(gateway)
    said = body("before")
    benvolio.send_message(ROMEO, said)
    reader.wait(said)
    phones(jid(gateway).partition("/")[2])
    reader.until(lambda: reader.ended)
    assert reader.comments[-1] == "the session was replaced by another login"
    meanwhile = body("meanwhile")
    benvolio.send_message(ROMEO, meanwhile)
    again = readers(gateway, last=reader.last)
    again.wait(meanwhile)


def test_nothing_is_missed_when_another_process_leads(
    gateways: Callable[..., Gateway], readers: Callable[..., ForeignReader], benvolio: ForeignUser
) -> None:
    gateway = gateways(workers=2)
    streams = [readers(gateway) for _ in range(4)]
    told = [body("before")]
    benvolio.send_message(ROMEO, told[0])
    for reader in streams:
        reader.wait(told[0])
    os.kill(owner_of(gateway), signal.SIGKILL)
    for _ in range(3):
        told.append(body("meanwhile"))
        benvolio.send_message(ROMEO, told[-1])
    for reader in streams:
        reader.until(lambda reader=reader: reader.ended)  # type: ignore[misc]
    again = [readers(gateway, last=reader.last) for reader in streams]
    for reader in again:
        reader.wait(*told[1:])
        assert reader.bodies == told[1:]
