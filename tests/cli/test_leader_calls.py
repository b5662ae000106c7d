"""What the leader does for the command line, over the socket in the data folder."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import DOMAIN, PASSWORD
from xmpp_rest.cli import listeners
from xmpp_rest.cli.leader_calls import LeaderCalls
from xmpp_rest.cli.listeners import LocalListener
from xmpp_rest.errors import GatewayError
from xmpp_rest.gateway.gateway import Gateway
from xmpp_rest.processes.calls import LeaderClient
from xmpp_rest.processes.group import End
from xmpp_rest.protocol.jid import parse_jid
from xmpp_rest.protocol.stanza import child, make
from xmpp_rest.service.messages.batch import OutboundMessage, OutboundMessages
from xmpp_rest.service.streams.stream import Event
from xmpp_rest.threads.waits import Wait

ADMIN, JULIET = parse_jid(f"admin@{DOMAIN}"), parse_jid(f"juliet@{DOMAIN}")


@pytest.fixture
def leader(config: Path, gateway: Gateway) -> Iterator[LeaderClient]:
    gateway.parts.accounts.register(JULIET, PASSWORD)
    client = LeaderClient(config.parent / "data")
    yield client
    client.close()


def say(gateway: Gateway, text: str, type_: str = "chat") -> None:
    message = make("message", child("body", text), type_=type_, id_=text, from_=str(ADMIN), to_=str(JULIET))
    assert gateway.parts.sending.send(message, ADMIN, JULIET) is None


def told(leader: LeaderClient, name: str, seconds: float = 10) -> dict[str, Any]:
    answer: dict[str, Any] = leader.call(LeaderCalls.events, name=name, wait=Wait(seconds))
    return answer


def bodies(answer: dict[str, Any]) -> list[str | None]:
    return [Event.from_json(values).stanza.findtext("body") for values in answer["events"]]


def test_sending(leader: LeaderClient) -> None:
    def outgoing(to: str) -> OutboundMessage:
        message = make("message", child("body", "Hi"), id_="m", from_=str(ADMIN), to_=to)
        return OutboundMessage(message, ADMIN, parse_jid(to))

    stanzas = OutboundMessages(map(outgoing, (str(JULIET), f"nobody@{DOMAIN}", "admin")))
    accepted, refused, unsendable = leader.call(LeaderCalls.send_many, stanzas=stanzas)
    assert (accepted, refused.get("type")) == (None, "error")
    assert isinstance(unsendable, GatewayError)
    assert unsendable.name == "bad-recipient"


def test_an_iq(leader: LeaderClient) -> None:
    iq = make("iq", child("{urn:xmpp:ping}ping"), type_="get", id_="p", from_=str(ADMIN), to_=DOMAIN)
    (answer,) = leader.call(LeaderCalls.ask, iq=iq, wait=Wait(5))
    assert answer.get("type") == "result"


def test_events_come_as_they_happen_and_from_the_archive(leader: LeaderClient, gateway: Gateway) -> None:
    name = leader.call(LeaderCalls.listen, account=JULIET, after="")
    assert gateway.parts.streams.count == 1
    assert told(leader, name, 0) == {"events": [], "ended": ""}
    threading.Timer(0.05, say, (gateway, "one")).start()
    first = told(leader, name)
    assert bodies(first) == ["one"]
    say(gateway, "two", "headline")  # which is not archived
    say(gateway, "three")
    later = told(leader, name)
    assert bodies(later) == ["two", "three"]
    assert later["events"][0][0].startswith(first["events"][0][0] + "~")
    again = leader.call(LeaderCalls.listen, account=JULIET, after=first["events"][0][0])
    assert bodies(told(leader, again)) == ["three"]


def test_the_leader_itself_can_read_them_too(gateway: Gateway) -> None:
    gateway.parts.accounts.register(JULIET, PASSWORD)
    calls = LeaderCalls(gateway)
    name = calls.listen(JULIET, "")
    assert calls.events(name, Wait(0)) == {"events": [], "ended": ""}
    say(gateway, "one")
    assert bodies(calls.events(name, Wait(10))) == ["one"]
    with pytest.raises(GatewayError, match="Nobody waits"):
        calls.events(name, Wait(10, lambda: True))
    assert gateway.parts.streams.count == 0


def test_a_reader_that_goes_while_it_waits_keeps_no_stream(
    config: Path, leader: LeaderClient, gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    other, next_events = LeaderClient(config.parent / "data"), LocalListener.next

    def next_and_leave(*given: Any) -> End:
        end = next_events(*given)
        other.close()
        return end

    monkeypatch.setattr(LocalListener, "next", next_and_leave)
    name = other.call(LeaderCalls.listen, account=JULIET, after="")
    closed = closing_of(gateway)
    with pytest.raises((ConnectionError, OSError)):
        told(other, name, 90)
    assert closed.wait(60)
    assert_ended(leader, gateway, name)


def test_a_reader_that_goes_between_two_calls_keeps_no_stream_for_long(
    config: Path, leader: LeaderClient, gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert listeners.IDLE == 120
    monkeypatch.setattr(listeners, "IDLE", 0.01)
    closed = closing_of(gateway)
    other = LeaderClient(config.parent / "data")
    name = other.call(LeaderCalls.listen, account=JULIET, after="")
    other.close()
    assert closed.wait(60)
    assert_ended(leader, gateway, name)


def closing_of(gateway: Gateway) -> threading.Event:
    """Is set once a stream is closed."""
    closed = threading.Event()
    gateway.parts.streams._events.stream_closed.subscribe(lambda _: closed.set())
    return closed


def assert_ended(leader: LeaderClient, gateway: Gateway, name: str) -> None:
    assert gateway.parts.streams.count == 0
    with pytest.raises(GatewayError, match="has ended"):
        told(leader, name)


def test_an_end_is_told(leader: LeaderClient, gateway: Gateway) -> None:
    name = leader.call(LeaderCalls.listen, account=JULIET, after="")
    say(gateway, "last")
    gateway.parts.streams.restart("the streams begin again")
    answer = told(leader, name)
    if not answer["ended"]:
        assert bodies(answer) == ["last"]
        answer = told(leader, name)
    assert answer["ended"] == "the streams begin again"
    assert gateway.parts.streams.count == 0


@pytest.mark.parametrize(("account", "after", "error"), [(f"nobody@{DOMAIN}", "", "account-unknown"), (str(JULIET), "nothing", "event-unknown"), (str(JULIET), 5000 * "x", "event-unknown")])
def test_nothing_to_listen_to(leader: LeaderClient, account: str, after: str, error: str) -> None:
    with pytest.raises(GatewayError) as raised:
        leader.call(LeaderCalls.listen, account=parse_jid(account), after=after)
    assert raised.value.name == error


def test_figures(leader: LeaderClient) -> None:
    leader.call(LeaderCalls.listen, account=JULIET, after="")
    figures = leader.call(LeaderCalls.figures)
    assert (figures["domain"], figures["processes"], figures["streams"], figures["ready"], figures["reasons"]) == (DOMAIN, 1, 1, True, [])
    assert figures["outbox"] == {"stanzas": 0, "limit": figures["outbox"]["limit"]}
    assert figures["uptime"] >= 0
