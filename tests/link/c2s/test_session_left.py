"""A session that one process leaves, and another one goes on with, as its server sees it (many-machines §9)."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest

from tests.link.attached import until
from tests.link.c2s.fake_server import FakeServer
from tests.link.c2s.kept import JULIET, SECONDS, Confirmed, Kept, message, outcomes, sent
from xmpp_rest.errors import GatewayError
from xmpp_rest.link.c2s import acknowledgements, resuming
from xmpp_rest.link.c2s.failures import LoginFailed
from xmpp_rest.link.c2s.left_session import LeftSession
from xmpp_rest.link.c2s.session import ClientSession
from xmpp_rest.protocol.namespaces import PING, STREAM_MANAGEMENT
from xmpp_rest.protocol.stanza import child, make
from xmpp_rest.threads.future import OneShot

Keep = Callable[..., Kept]


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Attempts follow each other within a moment."""
    monkeypatch.setattr(resuming, "FIRST", 0.02)


@pytest.fixture
def other(fake: FakeServer) -> Iterator[Kept]:
    """The sessions of the next process."""
    kept = Kept(fake)
    yield kept
    kept.close()


def standing(session: ClientSession) -> LeftSession | None:
    """What it leaves; `let_go` is to be called."""
    got: OneShot[list[LeftSession | None]] = OneShot()
    session.leave(lambda left: got.give([left]))
    [left] = got.wait(SECONDS) or pytest.fail("nothing was left")
    return left


def left_by(session: ClientSession, reason: str = "") -> LeftSession | None:
    left = standing(session)
    session.let_go(reason)
    return left


def go_on(other: Kept, left: LeftSession) -> ClientSession:
    session = other.thread.go_on(left, JULIET, other.server.settings(), other.events)
    session.connect(left.handled)
    return session


def moved(session: ClientSession, other: Kept) -> ClientSession:
    left = left_by(session)
    assert left is not None
    return go_on(other, left)


def test_another_process_resumes_it(kept: Kept, other: Kept, fake: FakeServer) -> None:
    first = kept.open()
    assert Confirmed(first, message("m1")).outcome() == ""
    fake.send("juliet", message("i1", to=None))
    kept.events.until(lambda: kept.events.stanzas)
    left = left_by(first)
    assert left is not None
    assert kept.events.told == []
    fake.until(lambda: fake.session("juliet").stream is None)
    fake.send("juliet", message("i2", to=None))
    other.events.worth = False  # nobody has come back yet
    second = go_on(other, left)
    other.events.until_told("resumed")
    assert Confirmed(second, message("m2")).outcome() == ""
    assert (second.jid, second.since, second.tls) == (first.jid, first.since, first.tls)
    assert [stanza.get("id") for stanza in other.events.stanzas] == ["i2", "m2"]  # m2 has come back
    assert sent(fake) == ["m1", "m2"]
    assert (fake.resumes, len(fake.sessions)) == (1, 1)
    assert first.has_ended
    assert not len(kept.thread)


def test_what_nobody_waits_for_goes_on_and_what_somebody_waits_for_is_lost_to_him(kept: Kept, other: Kept, fake: FakeServer) -> None:
    first = kept.open()
    assert Confirmed(first).outcome() == ""
    with fake.frozen():
        waits = Confirmed(first, message("m1"))
        until(lambda: waits.written == 1)
        first.write(message("m2"))
        until(lambda: first._outbox.queue.unacknowledged == 1)
        left = left_by(first)
        assert waits.outcome() == "session-lost"
        assert left is not None
        assert [(stanza.number, stanza.kind) for stanza in left.queue.stanzas] == [(left.queue.written, "message")]
        fake.cut()
    second = go_on(other, left)
    assert Confirmed(second, message("m3")).outcome() == ""
    assert sent(fake) == ["m2", "m3"]
    until(lambda: second.waiting == 0)


def test_a_broken_session_goes_on_elsewhere(kept: Kept, other: Kept, fake: FakeServer) -> None:
    first = kept.open()
    assert Confirmed(first).outcome() == ""
    fake.send("juliet", message("i1", to=None))
    kept.events.until(lambda: kept.events.stanzas)
    fake.refuses = True
    fake.cut()
    kept.events.until_told("broke")
    first.write(message("m1"))
    left = left_by(first)
    fake.refuses = False
    assert left is not None
    assert (left.handled, [stanza.number for stanza in left.queue.stanzas]) == (2, [0])
    second = go_on(other, left)
    assert Confirmed(second).outcome() == ""
    assert sent(fake) == ["m1"]
    assert [stanza.get("id") for stanza in other.events.stanzas] == ["m1"]  # it has come back


def test_a_server_that_has_forgotten_it_gets_a_new_one(kept: Kept, other: Kept, fake: FakeServer) -> None:
    first = kept.open()
    assert Confirmed(first, message("m1")).outcome() == ""
    left = left_by(first)
    assert left is not None
    fake.restart()
    other.events.on_rebound = lambda session: session.write(make("presence", id_="p1"))
    second = go_on(other, left)
    other.events.until_told("rebound")
    assert Confirmed(second, message("m2")).outcome() == ""
    [bound] = fake.sessions
    assert [stanza.get("id") for stanza in bound.received if stanza.find(f"{{{PING}}}ping") is None] == ["p1", "m2"]


def test_counts_that_the_server_did_not_make_are_not_gone_on_with(kept: Kept, other: Kept, fake: FakeServer) -> None:
    first = kept.open()
    assert Confirmed(first, message("m1"), message("m2")).outcome() == ""
    left = left_by(first)
    assert left is not None
    second = go_on(other, left._replace(queue=left.queue._replace(written=1, acknowledged=1)))
    other.events.until_told("rebound")
    assert Confirmed(second, message("m3")).outcome() == ""


def test_without_acknowledgements_the_next_process_binds(kept: Kept, other: Kept, fake: FakeServer) -> None:
    fake.management = False
    first = kept.open()
    assert Confirmed(first, message("m1")).outcome() == ""
    second = moved(first, other)
    other.events.until_told("rebound")
    assert Confirmed(second).outcome() == ""
    fake.until(lambda: len(fake.sessions) == 1)
    assert fake.resumes == 0


def test_without_keys_it_stays(kept: Kept, fake: FakeServer) -> None:
    kept.keys = None
    session = kept.open()
    assert left_by(session) is None
    assert Confirmed(session, message("m1")).outcome() == ""
    assert kept.events.told == []


def test_one_that_ends_is_not_left(kept: Kept) -> None:
    session = kept.open()
    assert Confirmed(session).outcome() == ""
    session.end("logout", unavailable=False)
    assert left_by(session) is None
    kept.events.until_told("logout")


def test_nothing_is_read_or_written_until_it_is_let_go(kept: Kept, other: Kept, fake: FakeServer) -> None:
    first = kept.open()
    assert Confirmed(first).outcome() == ""
    got: OneShot[list[LeftSession | None]] = OneShot()

    def write_and_leave() -> None:
        first.write(message("m1"))
        first._leave(lambda left: got.give([left]))

    kept.thread.call(write_and_leave)  # which serves it next
    [left] = got.wait(SECONDS) or pytest.fail("nothing was left")
    assert left is not None
    assert [stanza.number for stanza in left.queue.stanzas] == [0]
    with pytest.raises(GatewayError, match="session-lost"):
        first.write(message("m2"))
    fake.send("juliet", message("i1", to=None))
    served = threading.Event()
    first.hold(False)  # it would be served now
    kept.thread.call(lambda: kept.thread.after(0.2, served.set))
    assert served.wait(SECONDS)
    assert (kept.events.stanzas, kept.events.told, sent(fake)) == ([], [], [])
    first.let_go()
    fake.until(lambda: fake.session("juliet").stream is None)
    second = go_on(other, left)
    assert Confirmed(second).outcome() == ""
    assert [stanza.get("id") for stanza in other.events.stanzas] == ["i1", "m1"]  # m1 has come back
    assert sent(fake) == ["m1"]


def test_one_that_no_other_process_goes_on_with_ends_as_any_other(kept: Kept, fake: FakeServer) -> None:
    session = kept.open()
    assert Confirmed(session).outcome() == ""
    with fake.frozen():
        waits = Confirmed(session, message("m1"))
        session.write(message("m2"))
        assert left_by(session, "stopping") is not None
    assert waits.outcome() == ""
    kept.events.until_told("stopping")
    fake.until(lambda: not fake.sessions)
    [ended] = fake.ended
    said = [stanza.get("id") or stanza.get("type") for stanza in ended.received if stanza.tag != "iq"]
    assert said == ["m1", "m2", "unavailable"]
    until(lambda: not len(kept.thread))


def test_a_broken_one_that_no_other_process_goes_on_with_ends_at_once(kept: Kept, fake: FakeServer) -> None:
    session = kept.open()
    assert Confirmed(session).outcome() == ""
    fake.refuses = True
    fake.cut()
    kept.events.until_told("broke")
    assert left_by(session, "stopping") is not None
    kept.events.until_told("broke", "stopping")
    until(lambda: not len(kept.thread))


@pytest.mark.parametrize("reason", ["", "stopping"])
def test_a_connection_that_comes_too_late_ends_the_session_only_if_nobody_goes_on_with_it(kept: Kept, fake: FakeServer, reason: str) -> None:
    session = kept.open()
    assert Confirmed(session).outcome() == ""
    with fake.frozen():
        fake.cut()
        kept.events.until_told("broke")
        until(lambda: len(kept.logins) == 1)
        assert left_by(session, reason) is not None
    until(lambda: fake.resumes == 1)
    if reason:
        fake.until(lambda: not fake.sessions)
    else:
        fake.until(lambda: fake.session("juliet").stream is None)


def test_what_the_server_was_told_is_known(kept: Kept, fake: FakeServer) -> None:
    session = kept.open()
    assert Confirmed(session).outcome() == ""
    for number in range(2):
        fake.send("juliet", message(f"i{number}", to=None))
    fake.call(lambda: fake.session("juliet").send_raw(f"<r xmlns='{STREAM_MANAGEMENT}'/>"))
    until(lambda: fake.session("juliet").unacknowledged == 0)
    fake.send("juliet", message("i2", to=None))
    kept.events.until(lambda: len(kept.events.stanzas) == 3)
    left = left_by(session)
    assert left is not None
    assert (left.handled, left.said) == (4, 3)  # with the answer to the first question


def test_a_bounded_number_of_stanzas_goes_on(
    kept: Kept, fake: FakeServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(acknowledgements, "MOST_LEFT", 3)
    session = kept.open()
    assert Confirmed(session).outcome() == ""
    with fake.frozen():
        for number in range(5):
            session.write(message(f"m{number}"))
        left = left_by(session)
    assert left is not None
    assert ["m0" in left.queue.stanzas[0].text, len(left.queue.stanzas)] == [True, 3]
    assert f"{JULIET}: 2 stanzas that its server may not have are not handed over" in caplog.text
    monkeypatch.setattr(acknowledgements, "MOST_LEFT_BYTES", 10)
    other = kept.open()
    with fake.frozen():
        other.write(make("presence", child("status", "long")))
        left = left_by(other)
    assert left is not None
    assert left.queue.stanzas == ()


def test_nobody_comes_back(kept: Kept, other: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not tried forever."""
    monkeypatch.setattr("xmpp_rest.link.c2s.reconnecting.WANTED", 0.2)
    first = kept.open()
    assert Confirmed(first).outcome() == ""
    left = left_by(first)
    assert left is not None
    other.events.worth = False
    other.login_failures += [LoginFailed("unreachable", JULIET.domain)] * 1000
    go_on(other, left)
    other.events.until_told("broken")


def test_several_cross_together(kept: Kept, other: Kept, fake: FakeServer) -> None:
    first = kept.open()
    assert outcomes([Confirmed(first, message(f"m{n}")) for n in range(70)]) == [""] * 70
    second = moved(moved(first, other), kept)  # before it is resumed
    kept.events.until_told("resumed")
    assert outcomes([Confirmed(second, message(f"n{n}")) for n in range(70)]) == [""] * 70
    assert sent(fake) == [f"m{n}" for n in range(70)] + [f"n{n}" for n in range(70)]
    assert len(fake.sessions) == 1
