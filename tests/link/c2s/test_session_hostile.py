"""Servers that send nonsense to a session, count wrongly, or fall silent (accounts-anywhere §5.7, §10)."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from tests.link.attached import until
from tests.link.c2s.fake_server import FakeServer
from tests.link.c2s.kept import Confirmed, Kept, message, sent
from xmpp_rest.link.c2s import resuming, session_stream
from xmpp_rest.protocol.namespaces import PING
from xmpp_rest.protocol.stanza import child, make

Keep = Callable[..., Kept]


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Attempts follow each other within a moment."""
    monkeypatch.setattr(resuming, "FIRST", 0.02)


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        ("<message><body>" + "x" * 20_000, "stanza-too-big"),
        ("<message></iq>", "bad-xml"),
        ("<!-- who is there? -->", "bad-xml"),
        ("<stream:error><conflict xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>", "conflict"),
    ],
)
def test_what_ends_a_session_and_would_end_the_next_stream(keep: Keep, fake: FakeServer, raw: str, reason: str) -> None:
    kept = keep(stanza_size_limit=10_000)
    session = kept.open()
    nurse = kept.open(session.account._replace(local="nurse"))
    assert Confirmed(session).outcome() == ""
    fake.call(lambda: fake.session("juliet").send_raw(raw))
    kept.events.until_told("broke", reason)
    assert kept.logins == []
    assert Confirmed(nurse).outcome() == ""


@pytest.mark.parametrize("h", ["1000", "-1", "x", "", "9" * 30])
def test_a_server_that_acknowledges_what_was_not_sent(kept: Kept, fake: FakeServer, h: str) -> None:
    """Its counts are not relied on any more: the next stream is bound."""
    session = kept.open()
    assert Confirmed(session, message("m1")).outcome() == ""
    fake.call(lambda: fake.session("juliet").send_raw(f"<a xmlns='urn:xmpp:sm:3' h='{h}'/>"))
    kept.events.until_told("broke", "rebound")
    assert kept.logins == [None]
    assert Confirmed(session, message("m2")).outcome() == ""


@pytest.mark.parametrize("change", [1000, -1])
def test_a_server_that_resumes_with_a_wrong_count(kept: Kept, fake: FakeServer, change: int) -> None:
    session = kept.open()
    assert Confirmed(session, message("m1")).outcome() == ""

    def miscount() -> None:
        fake.session("juliet").handled += change

    with fake.frozen():
        fake.call(miscount)
        fake.cut()
    assert Confirmed(session, message("m2")).outcome() == ""
    kept.events.until_told("broke", "rebound")
    assert [resumption is not None for resumption in kept.logins] == [True, False]


@pytest.mark.parametrize("management", [True, False])
def test_silence(keep: Keep, fake: FakeServer, management: bool) -> None:
    """The server is tried after so long, and the session goes on; if it does not answer for as long again, it broke."""
    fake.management = management
    kept = keep(keepalive=1)
    session = kept.open()
    assert Confirmed(session).outcome() == ""
    fake.until(lambda: fake.tried >= 2)
    assert kept.events.told == []
    with fake.frozen():
        kept.events.until(lambda: kept.events.told == ["broke"])
    assert Confirmed(session, message("m")).outcome() == ""


def test_a_server_that_is_asked_and_says_nothing(keep: Keep, fake: FakeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session_stream, "ASK_AFTER", 0.1)
    kept = keep(keepalive=0.5)
    fake.acknowledges = False
    session = kept.open()
    session.write(message("m", to=None, type="groupchat"))
    kept.events.until(lambda: "broke" in kept.events.told)
    fake.acknowledges = True
    until(lambda: session.waiting == 0)
    assert set(sent(fake)) == {"m"}


def test_silence_of_a_session_that_is_held_is_its_own(keep: Keep, fake: FakeServer) -> None:
    kept = keep(keepalive=0.5)
    session = kept.open()
    assert Confirmed(session).outcome() == ""
    session.hold(True)
    fake.send("juliet", message("m", to=None))
    nurse = kept.open(session.account._replace(local="nurse"))
    fake.until(lambda: fake.tried >= 3)
    assert kept.events.told == []
    session.hold(False)
    kept.events.until(lambda: [stanza.get("id") for stanza in kept.events.stanzas] == ["m"])
    assert Confirmed(nurse).outcome() == ""


def test_a_stanza_beyond_a_bound_is_skipped(kept: Kept, fake: FakeServer) -> None:
    """It counts as received, and who asks something is told."""
    session = kept.open()
    deep = "<x>" * 100 + "</x>" * 100
    fake.send("juliet", f"<message id='m1'>{deep}</message>")
    fake.send("juliet", f"<iq type='get' id='q1' from='romeo@montague.example/x'>{deep}</iq>")
    fake.send("juliet", message("m2", to=None))
    kept.events.until(lambda: len(kept.events.stanzas) == 1)
    fake.until(lambda: sent(fake, "iq")[:1] == ["q1"])
    [answer] = fake.received("juliet", "iq")
    assert (answer.get("type"), answer.get("to")) == ("error", "romeo@montague.example/x")
    fake.call(lambda: fake.session("juliet").send_raw("<r xmlns='urn:xmpp:sm:3'/>"))
    assert Confirmed(session).outcome() == ""
    until(lambda: fake.call(lambda: fake.session("juliet").unacknowledged) <= 1)


@pytest.mark.parametrize("barrier", [True, False])
def test_a_server_that_is_there_and_never_answers(keep: Keep, fake: FakeServer, barrier: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it is asked it does not say, but other things all the time: its account does not wait forever."""
    monkeypatch.setattr(session_stream, "ASK_AFTER", 0.01)
    fake.acknowledges = False
    fake.handlers.append(lambda session, stanza: stanza.find(f"{{{PING}}}ping") is not None)
    kept = keep(keepalive=1, idle=1)
    session = kept.open()
    nurse = kept.open(session.account._replace(local="nurse"))
    fake.until(lambda: len(fake.sessions) == 2)
    stop = threading.Event()

    def talk() -> None:
        while not stop.wait(0.05):
            fake.call(lambda: [each.send_raw(" ") for each in fake.sessions])

    talking = threading.Thread(target=talk, daemon=True)
    talking.start()
    try:
        if barrier:
            assert Confirmed(session, message("m")).outcome() == "session-lost"
        else:
            session.write(message("m"))
        kept.events.until(lambda: len(kept.events.told) == 2)
    finally:
        stop.set()
        talking.join()
    assert kept.events.told == ["broke", "unanswered"]
    assert not nurse.has_ended
    assert kept.logins == []


def test_a_server_that_asks_and_does_not_read(keep: Keep, fake: FakeServer) -> None:
    """All its questions get one answer, when it takes it."""
    kept = keep(send_limit=1 << 30)
    session = kept.open()
    assert Confirmed(session).outcome() == ""
    with fake.frozen():
        large = Confirmed(session, make("message", child("body", "x" * (12 << 20)), to_="nurse@capulet.example"))
        for _ in range(1000):
            fake.call(lambda: fake.session("juliet").send_raw("<r xmlns='urn:xmpp:sm:3'/>"))
        fake.send("juliet", message("last", to=None))
        kept.events.until(lambda: any(stanza.get("id") == "last" for stanza in kept.events.stanzas))
    assert large.outcome() == ""
    until(lambda: fake.call(lambda: fake.session("juliet").answers) > 0)
    assert fake.call(lambda: fake.session("juliet").answers) < 100


def test_requests_beyond_a_bound_of_a_server_that_does_not_read(keep: Keep, fake: FakeServer) -> None:
    """There is no room for all the answers, and nothing is wrong with that."""
    kept = keep(queue_size=10, send_limit=1 << 30)
    session = kept.open()
    assert Confirmed(session).outcome() == ""
    with fake.frozen():
        large = Confirmed(session, make("message", child("body", "x" * (12 << 20)), to_="nurse@capulet.example"))
        for n in range(30):
            fake.send("juliet", f"<iq type='get' id='q{n}' from='romeo@montague.example/x'>{'<x>' * 100}{'</x>' * 100}</iq>")
        fake.send("juliet", message("last", to=None))
        kept.events.until(lambda: any(stanza.get("id") == "last" for stanza in kept.events.stanzas))
    assert large.outcome() == ""
    assert "session" not in kept.thread.incidents.counts()
    assert Confirmed(session).outcome() == ""
