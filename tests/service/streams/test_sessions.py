"""Sessions, offline messages, broadcasts and jobs over all processes of a gateway."""

from __future__ import annotations

import logging
import time
from xml.etree.ElementTree import Element

import pytest

from tests.conftest import DOMAIN
from tests.link.fake import attach
from xmpp_rest.errors import GatewayError
from xmpp_rest.gateway.gateway import Gateway
from xmpp_rest.protocol.jid import parse_jid
from xmpp_rest.protocol.namespaces import XML
from xmpp_rest.protocol.stanza import child, make
from xmpp_rest.service.streams.registry import StreamEnded
from xmpp_rest.threads.waits import Wait

JULIET, NURSE = parse_jid(f"juliet@{DOMAIN}"), parse_jid(f"nurse@{DOMAIN}")


@pytest.mark.parametrize("there", [0, 1])
@pytest.mark.parametrize("asked", [0, 1])
def test_a_stream_is_seen_and_ended_everywhere(pair: tuple[Gateway, Gateway], there: int, asked: int) -> None:
    stream = pair[there].parts.streams.open(JULIET, peer=("192.0.2.1", 7))
    (session,) = pair[asked].parts.online.all()
    assert (session.jid, session.ip, session.port) == (JULIET._replace(resource=stream.resource), "192.0.2.1", 7)
    assert pair[asked].parts.sessions.kick([session], "enough") == 1
    with pytest.raises(StreamEnded, match="enough"):
        stream.next(30)
    assert [gateway.parts.online.all() for gateway in pair] == [[], []]


def test_a_stream_of_a_peer_counts_as_being_online(pair: tuple[Gateway, Gateway]) -> None:
    owner, peer = pair
    stream = peer.parts.streams.open(JULIET)
    assert owner.parts.online.is_online(JULIET)
    owner.parts.sending.post(message(), NURSE, JULIET)
    assert owner.parts.offline.count(JULIET) == 0
    stream.close()
    peer.parts.sending.post(message(), NURSE, JULIET)
    assert owner.parts.offline.count(JULIET) == 1
    peer.parts.streams.open(JULIET)
    assert owner.parts.offline.count(JULIET) == 0


def message():  # type: ignore[no-untyped-def]
    return make("message", child("body", "x"), type_="chat", id_="1", from_=str(NURSE), to_=str(JULIET))


@pytest.mark.parametrize("asked", [0, 1])
def test_a_broadcast_reaches_every_process(pair: tuple[Gateway, Gateway], asked: int) -> None:
    heard: list[str] = []
    for name, gateway in zip(("owner", "peer"), pair, strict=True):
        gateway.parts.remote.on_broadcast("note", lambda name=name: heard.append(name))
    pair[asked].parts.remote.broadcast("note")
    end = time.monotonic() + 30
    while set(heard) != {"owner", "peer"} and time.monotonic() < end:
        time.sleep(0.01)
    assert set(heard) == {"owner", "peer"}


def test_levels_of_the_log(pair: tuple[Gateway, Gateway]) -> None:
    """Of all areas that have none of their own."""
    logger = logging.getLogger("xmpp_rest")
    before = logger.level
    try:
        pair[1].parts.remote.broadcast("log_level", level=logging.ERROR)
        assert logger.level == logging.ERROR
        assert not logging.getLogger("xmpp_rest.storage").isEnabledFor(logging.WARNING)
    finally:
        logger.setLevel(before)


def test_from_afar_through_a_peer(pair: tuple[Gateway, Gateway]) -> None:
    romeo = parse_jid("romeo@montague.example/orchard")
    stanza = make("message", child("body", "x"), type_="chat", id_="1", from_=str(romeo), to_=str(JULIET))
    assert pair[1].parts.sending.receive(stanza, romeo, JULIET) is None
    assert pair[0].parts.offline.count(JULIET) == 1


def test_a_job_is_known_everywhere(pair: tuple[Gateway, Gateway]) -> None:
    owner, peer = pair
    left = [2, 1]
    owner.parts.jobs.start("tidy", lambda: left.pop(0) if left else 0, 0.01)
    owner.parts.jobs.wait()
    progress = peer.parts.jobs.progress("tidy")
    assert progress is not None
    assert (progress.state, progress.done) == ("done", 3)


@pytest.mark.parametrize("asked", [0, 1])
def test_an_answer_that_cannot_be_written_ends_nothing(pair: tuple[Gateway, Gateway], asked: int) -> None:
    """The parser of the stream takes more than may be written: an element in the namespace of the prefix `xml`, say."""
    owner, romeo = pair[0], parse_jid("romeo@montague.example/orchard")

    def answer(domain: str, iq: Element) -> None:
        strange = make("iq", Element(f"{{{XML}}}strange"), type_="result", id_=iq.get("id"), from_=str(romeo), to_=iq.get("from"))
        assert owner.parts.router.resolve(strange, romeo, parse_jid(iq.attrib["from"]))

    attach(owner.parts.router, answer)
    iq = make("iq", child("{urn:xmpp:ping}ping"), type_="get", id_="1", from_=str(JULIET), to_=str(romeo))
    if asked:
        with pytest.raises(GatewayError, match="internal"):
            pair[asked].parts.sending.ask(iq, Wait(5))
    else:
        assert pair[asked].parts.sending.ask(iq, Wait(5))[0].get("type") == "result"
