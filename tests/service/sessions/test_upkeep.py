"""What is done for sessions from time to time, and what their events come to."""

from __future__ import annotations

import threading
from typing import Any, cast

import pytest

from tests.link.attached import until
from tests.service.sessions.conftest import MakeScripted
from tests.service.sessions.scripted import GOOD, KEYS, ROMEO, SECONDS, TYBALT, Scripted
from xmpp_rest.incidents import Incidents
from xmpp_rest.link.c2s.failures import STALE_KEYS, LoginFailed
from xmpp_rest.link.c2s.session import ClientSession
from xmpp_rest.protocol.stanza import make
from xmpp_rest.service.sessions.ends import IDLE, WRONG_NOW
from xmpp_rest.service.sessions.holds import SessionHold
from xmpp_rest.service.sessions.observers import SessionObservers
from xmpp_rest.service.sessions.session_observer import SessionObserver
from xmpp_rest.service.sessions.session_table import KeptSession


def kept(scripted: Scripted) -> KeptSession:
    found = scripted.core.table.get(ROMEO)
    assert found is not None
    return found


def hold(scripted: Scripted) -> SessionHold:
    return SessionHold(kept(scripted), scripted.core.lock, scripted.core.clock)


def looked(scripted: Scripted) -> Scripted:
    """It has been looked after the sessions: another look begins as the former one ends."""
    scripted.upkeep._look()
    return scripted


class TestIdle:
    def test_a_session_that_nobody_uses_ends(self, scripted: Scripted) -> None:
        scripted.admit()
        scripted.now += 599
        looked(scripted)
        assert scripted.admit() == "in"
        scripted.now += 599
        assert not looked(scripted).keeper.sessions[0].ends
        scripted.now += 2
        assert looked(scripted).keeper.sessions[0].ends == [(IDLE, False)]
        assert not scripted.core.table
        assert scripted.admit() == "in"

    def test_it_says_that_it_is_unavailable_if_it_was_available(self, scripted: Scripted) -> None:
        scripted.core.tell_presence_by(lambda session: "quiet" if session.bare == ROMEO else "none")
        scripted.admit()
        scripted.now += 601
        assert looked(scripted).keeper.sessions[0].ends == [(IDLE, True)]

    def test_it_is_in_use_while_something_waits_or_was_written_lately(self, scripted: Scripted) -> None:
        scripted.admit()
        session = scripted.keeper.sessions[0]
        scripted.now += 700
        session.waiting = 1
        looked(scripted)
        session.waiting, session.idle = 0, 3
        looked(scripted)
        assert not session.ends
        session.idle = 600
        assert looked(scripted).keeper.sessions[0].ends

    def test_it_is_in_use_while_somebody_waits_for_an_answer(self, scripted: Scripted) -> None:
        waiting = {scripted.begin()()}
        scripted.core.table.in_use_by(lambda: cast(set[Any], waiting))
        scripted.now += 700
        assert not looked(scripted).keeper.sessions[0].ends
        waiting.clear()
        assert looked(scripted).keeper.sessions[0].ends

    def test_it_is_in_use_while_it_is_held(self, scripted: Scripted) -> None:
        scripted.admit()
        held = hold(scripted)
        assert held.session is kept(scripted).session
        scripted.now += 700
        assert not looked(scripted).keeper.sessions[0].ends
        held.release()
        held.release()
        assert kept(scripted).is_idle
        scripted.now += 599
        assert not looked(scripted).keeper.sessions[0].ends
        scripted.now += 2
        assert looked(scripted).keeper.sessions[0].ends

    def test_it_is_looked_for_as_long_as_there_is_one(self, make_scripted: MakeScripted) -> None:
        scripted = make_scripted(idle=0.1)
        scripted.admit()
        scripted.upkeep.wake()
        scripted.upkeep.wake()
        scripted.now += 1
        until(lambda: bool(scripted.keeper.sessions[0].ends))


class TestRecheck:
    def test_the_keys_of_a_session_with_streams_are_checked(self, make_scripted: MakeScripted) -> None:
        scripted = make_scripted(recheck=100)
        scripted.server.says[None] = ""  # it has the keys alone
        scripted.admit()
        held = hold(scripted)
        scripted.now += 101
        looked(scripted)
        until(lambda: kept(scripted).proven == scripted.now)
        assert scripted.server.asked[-1] == ("check", str(ROMEO), None)
        assert scripted.server.credentials[-1].keys == KEYS
        assert scripted.admit() == "in"
        assert len(scripted.server.asked) == 2
        held.release()
        scripted.now += 101
        assert len(looked(scripted).server.asked) == 2  # nobody listens

    def test_refused_keys_end_the_session(self, make_scripted: MakeScripted) -> None:
        scripted = make_scripted(recheck=100)
        scripted.admit()
        hold(scripted)
        scripted.now += 101
        looked(scripted)
        until(lambda: scripted.keeper.sessions[0].ends == [(WRONG_NOW, False)])
        assert scripted.admit() == "wrong"  # the server has said so

    @pytest.mark.parametrize("name", ["unreachable", "stale-keys"])
    def test_the_session_goes_on_if_that_cannot_be_said(self, make_scripted: MakeScripted, name: str) -> None:
        scripted = make_scripted(recheck=100)
        scripted.server.says[None] = name
        scripted.admit()
        hold(scripted)
        scripted.now += 101
        for _ in range(3):
            looked(scripted)
            until(lambda: not scripted.core.queue.under_way)
        assert len(scripted.server.asked) == 2  # the server is left alone, or the keys are of no use
        assert not scripted.keeper.sessions[0].ends
        assert (kept(scripted).keys is None) == (name == "stale-keys")

    def test_without_a_place_it_is_checked_later(self, make_scripted: MakeScripted) -> None:
        scripted = make_scripted(recheck=100, logins=1)
        scripted.server.says[None] = ""
        scripted.admit()
        hold(scripted)
        scripted.server.going.clear()
        others = [scripted.begin(account=TYBALT), scripted.begin("another", TYBALT)]
        scripted.now += 101
        looked(scripted)
        scripted.server.going.set()
        for wait in others:
            wait()
        looked(scripted)
        until(lambda: kept(scripted).proven == scripted.now)


class TestRelogin:
    def begin(self, scripted: Scripted) -> Any:
        outcome: list[Any] = []
        there = threading.Event()

        def done(result: object) -> None:
            outcome.append(result)
            there.set()

        scripted.relogins(ROMEO, scripted.login, KEYS, None, done)
        assert there.wait(SECONDS)
        return outcome[0]

    def test_by_the_latest_keys_and_with_the_same_resource(self, scripted: Scripted) -> None:
        session = scripted.begin()()
        newer = KEYS._replace(salt=b"pepper")
        kept(scripted).prove(b"another", newer, scripted.now)
        scripted.server.says[None] = ""
        assert self.begin(scripted).jid == session
        assert scripted.server.credentials[-1].keys == newer

    def test_keys_that_are_of_no_use_any_more_are_not_tried(self, scripted: Scripted) -> None:
        scripted.admit()
        kept(scripted).forget_keys()
        failed = self.begin(scripted)
        assert isinstance(failed, LoginFailed)
        assert failed.name == STALE_KEYS
        assert [asked[2] for asked in scripted.server.asked] == [GOOD]

    def test_what_the_server_says_is_told_and_counted(self, scripted: Scripted) -> None:
        scripted.admit()
        failed = self.begin(scripted)
        assert isinstance(failed, LoginFailed)
        assert failed.name == "wrong-password"
        assert scripted.core.wrong.of_domains() == {"montague.example": 1}
        assert scripted.admit() == "in"  # by the proof, until the session is told to end

    def test_a_server_in_trouble_is_not_asked(self, scripted: Scripted) -> None:
        scripted.admit()
        scripted.server.says[None] = "unreachable"
        assert self.begin(scripted).name == "unreachable"
        assert self.begin(scripted).name == "unreachable"
        assert len(scripted.server.asked) == 2

    def test_of_a_session_that_was_ended(self, scripted: Scripted) -> None:
        assert self.begin(scripted).name == "session-lost"

    def test_a_mistake_of_ours(self, scripted: Scripted) -> None:
        scripted.admit()
        scripted.server.raises = RuntimeError("a mistake")
        assert self.begin(scripted).name == "internal"


class TestEvents:
    def test_what_becomes_of_a_broken_session_is_counted(self, scripted: Scripted, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level("INFO")
        scripted.admit()
        session, upkeep = kept(scripted).session, scripted.upkeep
        upkeep.broke(session)
        upkeep.resumed(session)
        upkeep.broke(session)
        upkeep.rebound(session)
        upkeep.broke(session)
        upkeep.ended(session, "lost")
        assert scripted.counts.resumes == ["resumed", "rebound", "failed"]
        assert not scripted.core.table
        upkeep.ended(session, "again")
        assert scripted.counts.resumes[3:] == []
        for line in ("session-broke account=romeo@", "session-resumed", "session-rebound", "session-end"):
            assert line in caplog.text

    def test_a_session_with_streams_is_worth_resuming(self, scripted: Scripted) -> None:
        scripted.admit()
        session = kept(scripted).session
        assert not scripted.upkeep.is_worth_resuming(session)
        held = hold(scripted)
        assert scripted.upkeep.is_worth_resuming(session)
        held.release()
        assert not scripted.upkeep.is_worth_resuming(session)

    def test_all_observers_are_told_whatever_one_of_them_raises(self) -> None:
        told: list[str] = []

        class Broken(SessionObserver):
            def received(self, session: ClientSession, stanza: Any, size: int) -> None:
                raise RuntimeError("a mistake")

            def is_worth_resuming(self, session: ClientSession) -> bool:
                raise RuntimeError("a mistake")

        class Noting(SessionObserver):
            def received(self, session: ClientSession, stanza: Any, size: int) -> None:
                told.append(f"{stanza.tag} of {size}")

            def is_worth_resuming(self, session: ClientSession) -> bool:
                return True

            def broke(self, session: ClientSession) -> None:
                told.append("broke")

            def resumed(self, session: ClientSession) -> None:
                told.append("resumed")

            def rebound(self, session: ClientSession) -> None:
                told.append("rebound")

            def ended(self, session: ClientSession, reason: str) -> None:
                told.append(reason)

        incidents = Incidents()
        observers, session = SessionObservers(incidents), cast(ClientSession, None)
        observers.subscribe(Broken())
        assert not observers.is_worth_resuming(session)
        observers.subscribe(Noting())
        assert observers.is_worth_resuming(session)
        observers.received(session, make("message"), 12)
        observers.broke(session)
        observers.resumed(session)
        observers.rebound(session)
        observers.ended(session, "over")
        assert told == ["message of 12", "broke", "resumed", "rebound", "over"]
        assert incidents.counts() == {"session-event": 3}
