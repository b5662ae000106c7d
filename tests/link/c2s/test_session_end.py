"""The end of a session that somebody wants (accounts-anywhere §5.6), and of the thread."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from tests.link.attached import until
from tests.link.c2s.fake_server import FakeServer
from tests.link.c2s.kept import JULIET, Confirmed, Kept, message, outcomes, sessions_settings
from tests.link.c2s.opening import open_stream
from tests.raising import raising
from xmpp_rest.errors import GatewayError
from xmpp_rest.link.c2s import resuming, session
from xmpp_rest.link.c2s.failures import LoginFailed
from xmpp_rest.protocol.stanza import make

Keep = Callable[..., Kept]


@pytest.mark.parametrize("unavailable", [True, False])
def test_what_waits_is_written_before_the_end(kept: Kept, fake: FakeServer, unavailable: bool) -> None:
    it = kept.open()
    with fake.frozen():
        waits = [Confirmed(it, message(f"m{n}")) for n in range(3)]
        it.write(make("presence", to_="hall@rooms.capulet.example/juliet", type_="unavailable"))
        it.end("idle", unavailable=unavailable)
        it.end("another", unavailable=True)
        with pytest.raises(GatewayError, match="session-lost"):
            it.write(message("late"))
    assert outcomes(waits) == [""] * 3
    kept.events.until_told("idle")
    fake.until(lambda: not fake.sessions)
    assert fake.ended[-1].received[-1].get("type") == "unavailable"
    assert (fake.ended[-1].received[-1].get("to") is None) == unavailable
    until(lambda: len(kept.thread) == 0)


def test_a_server_that_does_not_close_is_not_waited_for(kept: Kept, fake: FakeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "CONFIRMS_WITHIN", 0.1)
    monkeypatch.setattr(session, "CLOSES_WITHIN", 0.1)
    it = kept.open()
    assert Confirmed(it).outcome() == ""
    with fake.frozen():
        lost = Confirmed(it, message("m"))
        it.end("idle", unavailable=False)
        assert lost.outcome() == "session-lost"
        kept.events.until_told("idle")


def test_deadlines_of_a_session_that_has_ended(kept: Kept, fake: FakeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """They pass, and nothing happens."""
    monkeypatch.setattr(session, "CONFIRMS_WITHIN", 0.0)
    monkeypatch.setattr(session, "CLOSES_WITHIN", 0.1)
    it, nurse = kept.open(), kept.open(JULIET._replace(local="nurse"))
    assert Confirmed(it).outcome() == ""
    with fake.frozen():
        it.end("idle", unavailable=False)
        until(lambda: kept.thread.idle(it) > 0)
    until(lambda: len(kept.thread) == 1)
    passed = threading.Event()
    kept.thread.call(lambda: kept.thread.after(0.2, passed.set))
    assert passed.wait(60)
    assert Confirmed(nurse).outcome() == ""
    assert kept.events.told == ["idle"]


def test_a_session_that_is_broken_ends_at_once(kept: Kept, fake: FakeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resuming, "FIRST", 600.0)
    it = kept.open()
    assert Confirmed(it).outcome() == ""
    fake.cut()
    kept.events.until_told("broke")
    lost = Confirmed(it, message("m"))
    it.end("idle", unavailable=True)
    assert lost.outcome() == "session-lost"
    kept.events.until_told("broke", "idle")


@pytest.mark.parametrize("fails", [True, False])
def test_a_session_ends_while_it_is_logged_in_again(kept: Kept, fake: FakeServer, fails: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """The stream that comes too late is closed, and known to nobody."""
    monkeypatch.setattr(resuming, "FIRST", 0.01)
    asked: list[Callable[[object], None]] = []
    monkeypatch.setattr(kept.thread, "log_in_again", lambda *arguments: asked.append(arguments[-1]))
    it = kept.open()
    assert Confirmed(it).outcome() == ""
    fake.cut()
    until(lambda: bool(asked))
    it.end("idle", unavailable=False)
    kept.events.until_told("broke", "idle")
    late = LoginFailed("unreachable", "capulet.example") if fails else open_stream(fake, JULIET._replace(local="nurse"))
    asked[0](late)
    fake.until(lambda: not [each for each in fake.sessions if each.jid.local == "nurse"])
    assert kept.events.told == ["broke", "idle"]


def test_a_login_that_is_answered_twice(kept: Kept, fake: FakeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resuming, "FIRST", 0.01)
    asked: list[Callable[[object], None]] = []
    monkeypatch.setattr(kept.thread, "log_in_again", lambda *arguments: asked.append(arguments[-1]))
    it = kept.open()
    assert Confirmed(it).outcome() == ""
    fake.cut()
    until(lambda: bool(asked))
    asked[0](open_stream(fake, JULIET))
    asked[0](open_stream(fake, JULIET._replace(local="nurse")))
    asked[0](OSError("a mistake"))
    assert Confirmed(it).outcome() == ""
    fake.until(lambda: not [each for each in fake.sessions if each.jid.local == "nurse"])
    assert kept.events.told == ["broke", "rebound"]


def test_a_login_that_cannot_be_begun(kept: Kept, fake: FakeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resuming, "FIRST", 0.01)
    again, attempts = kept.thread.log_in_again, []

    def fail(*arguments: object) -> None:
        attempts.append(arguments)
        if len(attempts) == 1:
            raise RuntimeError("a mistake")
        again(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(kept.thread, "log_in_again", fail)
    it = kept.open()
    assert Confirmed(it).outcome() == ""
    fake.cut()
    assert Confirmed(it, message("m")).outcome() == ""
    assert len(attempts) == 2


def test_the_thread_ends_with_all_sessions(keep: Keep, fake: FakeServer) -> None:
    kept = keep()
    several = [kept.open(), kept.open(JULIET._replace(local="nurse"))]
    waits = [Confirmed(each, message("m")) for each in several]
    kept.thread.stop()
    assert outcomes(waits) == ["", ""]
    assert kept.events.told == ["shutdown", "shutdown"]
    assert "sessions" not in [thread.name for thread in threading.enumerate()]
    with pytest.raises(GatewayError, match="sessions-full"):
        kept.open()
    fake.until(lambda: not fake.sessions)
    done: list[int] = []
    kept.thread.call(lambda: done.append(1))  # as by a login that was under way
    assert done == [1]


def test_without_sessions_there_is_no_thread(keep: Keep) -> None:
    kept = keep()
    assert "sessions" not in [thread.name for thread in threading.enumerate()]
    kept.thread.start()
    kept.thread.start()
    assert [thread.name for thread in threading.enumerate()].count("sessions") == 1
    kept.thread.stop()


def test_the_system_gives_no_thread(kept: Kept, fake: FakeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", raising(RuntimeError("can't start new thread")))
        opened = open_stream(fake, JULIET)
        with pytest.raises(GatewayError, match="sessions-full"):
            kept.thread.adopt(opened, JULIET, fake.settings(), kept.events)
    fake.until(lambda: not fake.sessions)
    assert Confirmed(kept.open()).outcome() == ""


def test_a_stream_that_is_broken_when_it_is_adopted(kept: Kept, fake: FakeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resuming, "FIRST", 0.01)
    opened = open_stream(fake, JULIET)
    opened.socket.close()
    it = kept.thread.adopt(opened, JULIET, fake.settings(), kept.events)
    assert Confirmed(it, message("m")).outcome() == ""
    assert kept.events.told[0] == "broke"


def test_the_system_watches_no_further_socket(kept: Kept, fake: FakeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    nurse = kept.open(JULIET._replace(local="nurse"))
    assert Confirmed(nurse).outcome() == ""
    with monkeypatch.context() as patch:
        patch.setattr(kept.thread._selector, "register", raising(OSError("No space left on device")))
        it = kept.open()
        kept.events.until_told("lost")
    assert it.has_ended
    assert Confirmed(nurse).outcome() == ""


def test_a_round_that_fails_is_followed_by_others(kept: Kept, fake: FakeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    it = kept.open()
    assert Confirmed(it).outcome() == ""
    with monkeypatch.context() as patch:
        patch.setattr(kept.thread._due, "seconds", raising(RuntimeError("a mistake")))
        kept.thread.call(lambda: None)
        until(lambda: kept.thread.incidents.counts().get("sessions", 0) > 0)
    assert Confirmed(it).outcome() == ""


def test_settings_that_change_count_from_then_on(keep: Keep, fake: FakeServer) -> None:
    kept = keep(send_limit=10_000)
    it = kept.open()
    kept.thread.configure(sessions_settings(send_limit=20_000, queue_size=1))
    large = message("x" * 15_000)
    assert Confirmed(it, large).outcome() == ""
