"""A stanza beyond a bound costs itself alone, and whatever a handler does, the stream and the next stanza go on."""

from __future__ import annotations

import logging
import threading
import tracemalloc
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from xml.etree.ElementTree import Element

import pytest
from flask import Flask

from tests.conftest import DOMAIN
from tests.link.network import Network, attached
from xmpp_rest.gateway.gateway import Gateway
from xmpp_rest.link.inbound_queue import MAX_BYTES
from xmpp_rest.link.router import NOT_MINE, Unhandled
from xmpp_rest.link.stream import RENEW, StanzaStream
from xmpp_rest.protocol.element import serialise
from xmpp_rest.protocol.jid import JID, parse_jid
from xmpp_rest.protocol.stanza import child, make
from xmpp_rest.threads.waits import Wait

FROM = "tybalt@verona.example/street"
TO = f"admin@{DOMAIN}"
ERRORS = "{urn:ietf:params:xml:ns:xmpp-stanzas}"
LIMIT = 60_000  # bytes
INNOCENT = f"<message type='chat' id='innocent' from='{FROM}' to='nobody@{DOMAIN}'><body>hello</body></message>"

BEYOND = {  # what stands in the stanza
    "depth": "<a xmlns='d:e'>" + "<a>" * 67 + "</a>" * 68,
    "very deep": "<a>" * 20_000 + "</a>" * 20_000,
    "attributes": "<a xmlns='d:e' " + " ".join(f"a{n}=''" for n in range(5_000)) + "/>",
    "attributes with prefixes": "<a " + " ".join(f"xmlns:p{n}='u:{n}' p{n}:a=''" for n in range(100)) + "/>",
    "text": "<body>" + "x" * LIMIT + "</body>",
    "escaped text": "<body>" + "&apos;" * (LIMIT // 6) + "</body>",
    "one attribute": f"<a b='{'&gt;' * (LIMIT // 4)}'/>",
    "children": "<a/>" * (LIMIT // 4),
    "a name": f"<{'n' * 2_000}/>",
    "a name of an attribute": f"<a {'n' * 2_000}=''/>",
    "a namespace": f"<a xmlns='{'n' * 2_000}'/>",
    "the namespace of xml": "<xml:a/>",
}


@pytest.fixture
def gateway(make_app: Callable[..., Flask], network: Network) -> Iterator[Gateway]:
    gateway = attached(make_app, network, link_stanza_size_limit=str(LIMIT))
    yield gateway
    gateway.stop()  # before the network


def condition(stanza: Element) -> str:
    error = stanza.find("error")
    assert error is not None
    return error[0].tag.removeprefix(ERRORS)


def same_stream(gateway: Gateway) -> bool:
    streams = gateway.parts.leader.status()
    return bool(streams) and all(s["state"] == "online" and s["accepted"] == 1 for s in streams)


@pytest.mark.parametrize("inner", BEYOND.values(), ids=list(BEYOND))
def test_a_stanza_beyond_a_bound_costs_itself_alone(gateway: Gateway, network: Network, inner: str) -> None:
    """The bytes come with other stanzas, before and after it."""
    big = f"<message type='chat' id='big' from='{FROM}' to='{TO}'>{inner}</message>"
    network.send(INNOCENT + big + INNOCENT, DOMAIN)
    answers = [network.next() for _ in range(3)]
    assert [(a.get("id"), condition(a)) for a in answers] == [
        ("innocent", "service-unavailable"),
        ("big", "policy-violation"),
        ("innocent", "service-unavailable"),
    ]
    assert all(a.get("type") == "error" and a.get("to") == FROM for a in answers)
    assert gateway.incidents.counts()["stanza-skipped"] == 1
    assert same_stream(gateway)


DUE = [
    ("message", "", True),
    ("message", "type='normal'", True),
    ("message", "type='error'", False),
    ("message", "type='groupchat'", False),
    ("iq", "type='get'", True),
    ("iq", "type='set'", True),
    ("iq", "type='result'", False),
    ("iq", "type='error'", False),
    ("presence", "", False),
    ("presence", "type='unavailable'", False),
    ("presence", "type='subscribe'", True),
    ("presence", "type='error'", False),
    ("elsewhere", "", False),
]


@pytest.mark.parametrize(("kind", "attributes", "due"), DUE)
def test_skipped_stanza_is_answered_where_due(gateway: Gateway, network: Network, kind: str, attributes: str, due: bool) -> None:
    network.send(f"<{kind} {attributes} id='big' from='{FROM}' to='{TO}'>{BEYOND['depth']}</{kind}>", DOMAIN)
    answers = network.silent(DOMAIN, TO)
    assert [(a.tag, a.get("id"), condition(a)) for a in answers] == ([(kind, "big", "policy-violation")] if due else [])
    assert same_stream(gateway)


def test_skipped_presence_to_a_room_is_answered(gateway: Gateway, network: Network) -> None:
    service = f"conference.{DOMAIN}"
    network.send(f"<presence id='j' from='{FROM}' to='hall@{service}/t'>{BEYOND['depth']}</presence>", service)
    answer = network.next()
    assert (answer.tag, answer.get("from"), condition(answer)) == ("presence", f"hall@{service}/t", "policy-violation")


def test_skipped_answer_ends_the_wait(gateway: Gateway, network: Network) -> None:
    iq = make("iq", child("{urn:xmpp:ping}ping"), type_="get", id_="q1", from_=TO, to_="verona.example")
    with ThreadPoolExecutor(1) as pool:
        asking = pool.submit(gateway.parts.router.ask, iq, Wait(10))
        assert network.next().get("id") == "q1"
        network.send(f"<iq type='result' id='q1' from='verona.example' to='{TO}'>{BEYOND['depth']}</iq>", DOMAIN)
        told, _ = asking.result(30)
    assert (told.get("type"), told.get("from"), condition(told)) == ("error", "verona.example", "policy-violation")


def test_skipped_stanzas_are_logged_once_a_minute(gateway: Gateway, network: Network, caplog: pytest.LogCaptureFixture) -> None:
    big = f"<message from='{FROM}' to='{TO}'>{BEYOND['depth']}</message>"
    with caplog.at_level(logging.WARNING):
        network.send(big * 100, DOMAIN)
        assert len(network.silent(DOMAIN, TO)) == 100
    assert gateway.incidents.counts()["stanza-skipped"] == 100
    assert sum("skipped" in r.getMessage() for r in caplog.records) == 1


STRANGE = {
    "unknown": f"<notice from='{FROM}' to='{TO}'/>",
    "unknown namespace": f"<message xmlns='urn:x' from='{FROM}' to='{TO}'/>",
    "no addresses": "<message><body>x</body></message>",
    "no sender": f"<iq type='get' to='{TO}'><ping xmlns='urn:xmpp:ping'/></iq>",
    "malformed sender": f"<iq type='get' from='@' to='{TO}'><ping xmlns='urn:xmpp:ping'/></iq>",
    "elsewhere": f"<message from='{FROM}' to='a@elsewhere.example'><body>x</body></message>",
}


def test_stanza_for_nobody_is_dropped(gateway: Gateway, network: Network) -> None:
    network.send("".join(STRANGE.values()), DOMAIN)
    assert network.silent(DOMAIN, TO) == []
    assert gateway.incidents.counts()["stanza-dropped"] == len(STRANGE)
    assert same_stream(gateway)


def test_malformed_address_is_answered(gateway: Gateway, network: Network) -> None:
    network.send(f"<iq type='get' id='i' from='{FROM}' to='@{DOMAIN}'><ping xmlns='urn:xmpp:ping'/></iq>", DOMAIN)
    answer = network.next()
    assert (answer.get("id"), answer.get("from"), condition(answer)) == ("i", DOMAIN, "jid-malformed")


def test_namespace_declarations_are_not_attributes(gateway: Gateway, network: Network) -> None:
    """And 64 elements inside each other, 64 attributes, are not too much."""
    declared = " ".join(f"xmlns:p{n}='u:{n}'" for n in range(500))
    many = " ".join(f"a{n}=''" for n in range(64))
    deep = "<a>" * 62 + "</a>" * 62
    for inner in (f"<a {declared}/>", f"<a {many}/>", f"<a>{deep}</a>", "<body>" + "x" * (LIMIT - 1000) + "</body>"):
        network.send(f"<message type='chat' id='m' from='{FROM}' to='nobody@{DOMAIN}'>{inner}</message>", DOMAIN)
        assert condition(network.next()) == "service-unavailable"
    assert gateway.incidents.counts() == {}


# -- handlers

FORGED = {
    "message": f"<message type='chat' from='%s' to='{TO}'><body>forged</body></message>",
    "to oneself": f"<message type='chat' from='%s' to='{TO}' id='x'><body>forged</body></message>",
    "iq": f"<iq type='set' from='%s' to='{TO}'><query xmlns='jabber:iq:roster'><item jid='a@b'/></query></iq>",
    "presence": f"<presence from='%s' to='{TO}' type='subscribe'/>",
}
SENDERS = (TO, f"{TO}/phone", DOMAIN, f"conference.{DOMAIN}", f"room@muclight.{DOMAIN}/{TO}")


@pytest.mark.parametrize("sender", SENDERS)
@pytest.mark.parametrize("stanza", FORGED.values(), ids=list(FORGED))
def test_forged_hosted_sender_is_dropped(gateway: Gateway, network: Network, stanza: str, sender: str) -> None:
    heard: list[str] = []
    gateway.parts.router._observers.append(lambda stanza, _, __: heard.append(serialise(stanza)))
    network.send(stanza % sender, DOMAIN)
    assert network.silent(DOMAIN, TO) == []
    assert [text for text in heard if "prober" not in text] == []
    assert gateway.incidents.counts().get("stanza-forged", 0) == (0 if "iq" in stanza and sender == TO else 1)


@pytest.mark.parametrize("where", ["observer", "handler"])
def test_exception_in_a_handler_costs_one_stanza(gateway: Gateway, network: Network, where: str) -> None:
    """A request is answered; who observes after the one that fails hears of the stanza all the same."""

    def fail(stanza: Element, sender: JID | None, to: JID) -> Unhandled:
        if stanza.get("id") == "bad":
            raise RuntimeError("unforeseen")
        return NOT_MINE

    heard: list[str] = []
    if where == "observer":
        gateway.parts.router._observers.append(fail)
    else:
        gateway.parts.router._handlers[DOMAIN].insert(0, fail)
    gateway.parts.router._observers.append(lambda stanza, _, __: heard.append(stanza.tag) if stanza.get("id") == "bad" else None)
    wanted = "internal-server-error" if where == "handler" else "service-unavailable"
    for kind, due in (("iq type='get'", True), ("message", True), ("presence", False)):
        name = kind.partition(" ")[0]
        network.send(f"<{kind} id='bad' from='{FROM}' to='nobody@{DOMAIN}'><x xmlns='u:x'/></{name}>", DOMAIN)
        answers = network.silent(DOMAIN, TO)
        assert [(a.tag, condition(a)) for a in answers] == ([(name, wanted)] if due else [])
    assert heard == ["iq", "message", "presence"]
    assert same_stream(gateway)


def test_answer_that_is_not_xml(gateway: Gateway, network: Network) -> None:
    answer = make("iq", child("{}x"), type_="result", id_="bad", from_=TO, to_=FROM)
    gateway.parts.router._handlers[DOMAIN].insert(0, lambda stanza, sender, to: answer if stanza.get("id") == "bad" else NOT_MINE)
    network.send(f"<iq type='get' id='bad' from='{FROM}' to='{TO}'><x xmlns='u:x'/></iq>", DOMAIN)
    told = network.next()
    assert (told.get("id"), condition(told)) == ("bad", "internal-server-error")
    assert network.silent(DOMAIN, TO) == []


# -- memory


@pytest.mark.parametrize("size", [1000, 65_536, 10 * RENEW])
def test_stream_parser_memory_is_bounded(size: int) -> None:
    """Expat keeps each name that it has seen: it is replaced at the beginning of a stanza, wherever the chunks end."""
    one = "<message id='{0}'><n{0}>{1}</n{0}></message>\n"
    data = "".join(one.format(n, "x" * 5_000) for n in range(2 * RENEW // 5_000)).encode()
    seen: list[str] = []
    stream = StanzaStream(lambda stanza, size: seen.append(stanza.attrib["id"]), 1_000_000, lambda head, why: None)
    parser = stream._parser
    for start in range(0, len(data), size):
        stream.Parse(data[start : start + size])
    assert seen == [str(n) for n in range(2 * RENEW // 5_000)]
    assert stream._parser is not parser


@pytest.mark.parametrize(
    ("length", "size"), [(100, 1), (100, 30), (60_000, 1_000), (60_000, 20_000), (60_000, 50_000), (100_000, 20_000), (100_000, 50_000)]
)
def test_a_stanza_is_taken_as_soon_as_its_last_byte_has_come(length: int, size: int) -> None:
    """Expat from 2.6 on would wait for more after a tag that comes in several reads, and nothing else need ever come."""
    seen: list[str] = []
    stream = StanzaStream(lambda stanza, size: seen.append(stanza.attrib["id"]), 1_000_000, lambda head, why: None)
    data = f"<iq id='1' x='{'x' * length}'/>".encode()
    for start in range(0, len(data), size):
        assert seen == []
        stream.Parse(data[start : start + size])
    assert seen == ["1"]


def test_stream_parser_keeps_nothing_of_a_skipped_stanza() -> None:
    skipped: list[tuple[str, str]] = []
    stream = StanzaStream(lambda stanza, size: None, 100_000, lambda head, why: skipped.append((serialise(head), why)))
    piece = b"<body a='b'>" + b"x" * 60_000 + b"</body>"
    stream.Parse(b"<message id='m'>" + piece * 3)
    tracemalloc.start()
    for _ in range(1_000):
        stream.Parse(piece)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    stream.Parse(b"</message>")
    assert peak < 1_000_000
    assert skipped == [("<message id='m'/>", "more than 100000 bytes")]


def test_inbound_queue_is_bounded_in_bytes(make_app: Callable[..., Flask], network: Network) -> None:
    """What waits for the gateway is bounded by its bytes as well: the link is read no further meanwhile, and nothing is lost."""
    gateway = attached(make_app, network)
    busy, seen = threading.Event(), threading.Semaphore(0)
    gateway.parts.router._handlers[DOMAIN].insert(0, lambda stanza, sender, to: NOT_MINE if busy.wait(30) else None)
    gateway.parts.router._observers.append(lambda stanza, sender, to: seen.release())
    big = f"<message type='chat' id='m' from='{FROM}' to='nobody@{DOMAIN}'><body>{'x' * 1_000_000}</body></message>"
    count = 2 * MAX_BYTES // len(big)
    with ThreadPoolExecutor(1) as pool:
        sending = pool.submit(network.send, big * count, DOMAIN)
        for _ in range(MAX_BYTES // len(big)):
            assert seen.acquire(timeout=30)
        assert not [n for n in range(3) if seen.acquire(timeout=0.5)][1:]
        busy.set()
        sending.result(30)
        assert [condition(network.next(20)) for _ in range(count)] == ["service-unavailable"] * count
    gateway.stop()


def test_archived_message_too_large_for_a_stanza(make_app: Callable[..., Flask], network: Network) -> None:
    """Written again it may be larger than what was received. It is passed over, and the rest of the page comes."""
    gateway = attached(make_app, network, link_send_limit="10000")
    service = f"conference.{DOMAIN}"
    room = parse_jid(f"hall@{service}")
    assert gateway.parts.conference
    gateway.parts.conference.create("hall", {"mam": "true"}, [["tybalt@verona.example", "owner"]], [])
    for n, text in enumerate(("one", "x" * 20_000, "three")):
        gateway.parts.archive.keep(room, f"<message type='groupchat' from='{room}/t'><body>{text}</body></message>", 1000.0 + n, room)
    network.send(f"<iq type='set' id='mam' from='{FROM}' to='{room}'><query xmlns='urn:xmpp:mam:2' queryid='q'/></iq>", service)
    results = [network.next() for _ in range(3)]
    assert [r.tag for r in results] == ["message", "message", "iq"]
    assert [r.findtext(".//{*}body") for r in results[:2]] == ["one", "three"]
    assert results[2].get("type") == "result"
    gateway.stop()
