"""What is written in a session, and that the server has processed it (accounts-anywhere §7.1)."""

from __future__ import annotations

from collections.abc import Callable
from xml.etree.ElementTree import Element

import pytest

from tests.link.attached import until
from tests.link.c2s.fake_server import FakeServer
from tests.link.c2s.fake_session import FakeSession
from tests.link.c2s.kept import JULIET, STRANGER, Confirmed, Kept, message, outcomes
from xmpp_rest.errors import GatewayError
from xmpp_rest.protocol.element import BadXML
from xmpp_rest.protocol.namespaces import PING
from xmpp_rest.protocol.stanza import child, make, result

Keep = Callable[..., Kept]
PINGED = f"{{{PING}}}ping"


def test_a_refusal_comes_before_the_confirmation(kept: Kept) -> None:
    session = kept.open()
    for n in range(50):
        confirmed = Confirmed(session, message(f"m{n}"))
        assert confirmed.outcome() == ""
        assert kept.events.stanzas[-1].get("id") == f"m{n}"
        assert kept.events.stanzas[-1].get("type") == "error"
        assert confirmed.written == 1
    assert session.waiting == 0
    assert len(kept.events.stanzas) == 50  # and not the answers to the barriers


def test_the_server_sees_no_sender(kept: Kept, fake: FakeServer) -> None:
    session = kept.open()
    original = message("m", from_="mercutio@montague.example/x")
    assert Confirmed(session, original).outcome() == ""
    sent, barrier = fake.received("juliet")
    assert "from" not in sent.attrib
    assert sent.get("to") == STRANGER
    assert original.get("from") == "mercutio@montague.example/x"
    assert (barrier.get("to"), barrier.find(PINGED) is None, barrier.get("from")) == (str(JULIET), False, None)


def test_one_barrier_is_behind_all_that_is_given_with_it(kept: Kept, fake: FakeServer) -> None:
    session = kept.open()
    confirmed = Confirmed(session, *(message(f"m{n}") for n in range(100)))
    assert confirmed.outcome() == ""
    assert [stanza.get("id") for stanza in fake.received("juliet", "message")] == [f"m{n}" for n in range(100)]
    assert len(fake.received("juliet", "iq")) == 1
    assert confirmed.written == 1


def test_barriers_that_wait_behind_each_other_are_written_as_one(kept: Kept, fake: FakeServer) -> None:
    session = kept.open()
    assert Confirmed(session).outcome() == ""
    with fake.frozen():
        waits = [Confirmed(session, *(message(f"{n}-{m}") for m in range(10))) for n in range(40)]
    assert outcomes(waits) == [""] * 40
    assert [stanza.get("id") for stanza in fake.received("juliet", "message")] == [f"{n}-{m}" for n in range(40) for m in range(10)]
    assert len(fake.received("juliet", "iq")) <= 41


def test_nobody_but_the_server_confirms(kept: Kept, fake: FakeServer) -> None:
    """An iq of a stranger that has the id of the barrier, as if it were its answer."""

    def lie(session: FakeSession, stanza: Element) -> bool:
        if stanza.find(PINGED) is None or lies:
            return False
        lies.append(stanza)
        session.send(make("iq", type_="result", id_=stanza.get("id"), from_=STRANGER, to_=str(session.jid)))
        session.send(make("iq", type_="result", id_=stanza.get("id"), from_="no one@x", to_=str(session.jid)))
        session.send(make("iq", type_="set", id_=stanza.get("id"), to_=str(session.jid)))
        return True

    lies: list[Element] = []
    fake.handlers.append(lie)
    session = kept.open()
    confirmed = Confirmed(session, message("m"))
    kept.events.until(lambda: len(kept.events.stanzas) == 4)  # the refusal, and three lies
    assert not confirmed.is_known
    assert session.waiting == 1
    fake.send("juliet", make("iq", type_="error", id_=lies[0].get("id")))
    assert confirmed.outcome() == ""


@pytest.mark.parametrize("answers", [{"from_": None}, {"from_": "juliet@capulet.example"}, {"from_": "capulet.example"}])
def test_the_server_speaks_for_the_account(kept: Kept, fake: FakeServer, answers: dict[str, str | None]) -> None:
    fake.handlers.append(
        lambda session, stanza: (
            stanza.find(PINGED) is not None and (session.send(make("iq", type_="result", id_=stanza.get("id"), **answers)) or True)
        )
    )
    assert Confirmed(kept.open(), message("m")).outcome() == ""


def test_what_nobody_waits_for_is_acknowledged(kept: Kept, fake: FakeServer) -> None:
    session = kept.open()
    for n in range(120):
        session.write(message(f"m{n}"))
    fake.until(lambda: len(fake.received("juliet", "message")) == 120)
    kept.events.until(lambda: len(kept.events.stanzas) == 120)
    session.write(make("presence"))
    fake.until(lambda: fake.received("juliet", "presence"))
    kept.server.send("juliet", message("last", to=None))
    kept.events.until(lambda: kept.events.stanzas[-1].get("id") == "last")
    assert Confirmed(session).outcome() == ""
    assert session.waiting == 0
    assert session.idle < 60


def test_a_single_stanza_is_acknowledged_without_a_barrier(kept: Kept, fake: FakeServer) -> None:
    session = kept.open()
    session.write(message("m"))
    assert session.waiting == 1
    assert session.idle == 0.0
    until(lambda: session.waiting == 0)
    assert fake.received("juliet", "iq") == []


def test_without_acknowledgements_of_the_server(kept: Kept, fake: FakeServer) -> None:
    fake.management = False
    session = kept.open()
    session.write(message("m1"))
    assert Confirmed(session, message("m2")).outcome() == ""
    assert session.waiting == 0


def test_as_many_stanzas_wait_as_may(keep: Keep, fake: FakeServer) -> None:
    session = keep(queue_size=3).open()
    with fake.frozen():
        first = Confirmed(session, message("m1"), message("m2"))
        with pytest.raises(GatewayError, match="outbox-share"):
            Confirmed(session, message("m3"), message("m4"))
        session.write(message("m5"))
        with pytest.raises(GatewayError, match="outbox-share"):
            session.write(message("m6"))
        assert session.waiting == 3
    assert first.outcome() == ""
    assert Confirmed(session, message("m7")).outcome() == ""
    assert [stanza.get("id") for stanza in fake.received("juliet", "message")] == ["m1", "m2", "m5", "m7"]


def test_as_many_bytes_wait_as_may(keep: Keep, fake: FakeServer) -> None:
    session = keep(send_limit=3 << 20).open()
    large = make("message", child("body", "x" * (2_500_000)), to_=STRANGER)
    with fake.frozen():
        waits = [Confirmed(session, large), Confirmed(session, large)]
        with pytest.raises(GatewayError, match="outbox-share"):
            Confirmed(session, message("m"))
    assert outcomes(waits) == ["", ""]
    assert Confirmed(session, message("m")).outcome() == ""


def test_what_is_too_large_or_no_xml_is_refused_alone(keep: Keep, fake: FakeServer) -> None:
    session = keep(send_limit=10_000).open()
    with pytest.raises(GatewayError, match="stanza-too-big: The stanza is larger than 10000 bytes"):
        Confirmed(session, message("m1"), make("message", child("body", "x" * 10_000)))
    with pytest.raises(BadXML):
        session.write(make("message", child("body", "\0")))
    assert session.waiting == 0
    assert Confirmed(session, message("m2")).outcome() == ""
    assert [stanza.get("id") for stanza in fake.received("juliet", "message")] == ["m2"]


def test_received_stanzas_are_acknowledged_every_50_and_when_asked(kept: Kept, fake: FakeServer) -> None:
    session = kept.open()
    assert Confirmed(session).outcome() == ""
    for n in range(49):
        fake.send("juliet", message(f"m{n}", to=None))
    kept.events.until(lambda: len(kept.events.stanzas) == 49)
    fake.call(lambda: fake.session("juliet").send_raw("<r xmlns='urn:xmpp:sm:3'/>"))
    assert Confirmed(session).outcome() == ""
    until(lambda: fake.call(lambda: fake.session("juliet").unacknowledged) <= 1)  # the answer to the last barrier
    for n in range(50):
        fake.send("juliet", message(f"m{n}", to=None))
    kept.events.until(lambda: len(kept.events.stanzas) == 99)
    assert Confirmed(session).outcome() == ""
    until(lambda: fake.call(lambda: fake.session("juliet").unacknowledged) <= 3)


def test_what_the_owner_does_wrong_costs_nobody_anything(kept: Kept, fake: FakeServer) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("a mistake")

    juliet, nurse = kept.open(), kept.open(JULIET._replace(local="nurse"))
    kept.events.on_received = fail
    juliet.confirm([message("m1")], fail, fail)
    kept.thread.call(fail)
    kept.thread.call(lambda: kept.thread.after(0, fail))
    assert outcomes([Confirmed(juliet, message("m2")), Confirmed(nurse, message("m3"))]) == ["", ""]
    assert kept.events.told == []
    assert kept.thread.incidents.counts()["session"] >= 3


def test_a_session_that_is_held_makes_its_server_wait(kept: Kept, fake: FakeServer) -> None:
    session = kept.open()
    assert Confirmed(session).outcome() == ""
    session.hold(True)
    confirmed = Confirmed(session, message("m"))
    fake.until(lambda: len(fake.received("juliet", "iq")) == 2)
    assert Confirmed(kept.open(JULIET._replace(local="nurse"))).outcome() == ""  # the thread has had its turn
    assert not confirmed.is_known
    session.hold(False)
    assert confirmed.outcome() == ""


def test_an_iq_and_its_answer(kept: Kept, fake: FakeServer) -> None:
    fake.handlers.append(lambda session, stanza: stanza.get("id") == "q" and (session.send(result(stanza)) or True))
    session = kept.open()
    session.write(make("iq", child("{x}query"), type_="get", id_="q", to_=STRANGER))
    kept.events.until(lambda: len(kept.events.stanzas) == 1)
    assert (kept.events.stanzas[0].get("type"), kept.events.stanzas[0].get("id")) == ("result", "q")


def test_what_is_known_of_a_session(kept: Kept) -> None:
    session = kept.open()
    assert repr(session) == "<session of juliet@capulet.example/xmpp-rest>"
    assert str(session.jid) == "juliet@capulet.example/xmpp-rest"
    assert session.server == f"127.0.0.1:{kept.server.direct_port}"
    assert session.tls == "TLSv1.3"
    assert session.number == 1
    assert session.resumable
    assert Confirmed(session).outcome() == ""
    assert session.is_up
    assert not session.has_ended
    assert kept.thread.idle(session) < 60
    assert len(kept.thread) == 1
