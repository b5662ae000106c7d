"""What processes may ask of the sessions of the leader, and how long they wait."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from drivers import StorageError
from tests.conftest import DOMAIN, OpenDriver
from tests.service.sessions.scripted import GOOD, HERE, ROMEO, SECONDS, TYBALT, WRONG, Scripted
from xmpp_rest.auth.foreign_door import WrongPassword
from xmpp_rest.auth.sealing import KeyedSeal, NoSeal
from xmpp_rest.auth.shared_keys import SharedKeys
from xmpp_rest.errors import GatewayError
from xmpp_rest.incidents import Incidents
from xmpp_rest.processes.election import LocalGroup
from xmpp_rest.processes.remote import Remote
from xmpp_rest.protocol.jid import JID
from xmpp_rest.service.sessions.foreign_accounts import Entrance, ForeignAccounts
from xmpp_rest.service.sessions.known_sessions import KnownSessions
from xmpp_rest.service.sessions.password_carriage import PasswordCarriage
from xmpp_rest.service.sessions.process_key import ProcessKey
from xmpp_rest.service.sessions.session_views import SessionViews
from xmpp_rest.threads.future import OneShot
from xmpp_rest.threads.waits import Wait, Waits


@pytest.fixture
def remote(tmp_path: Path) -> Iterator[Remote]:
    remote = Remote(LocalGroup(tmp_path), Waits(8), StorageError)
    yield remote
    remote.stop()


@pytest.fixture
def accounts(scripted: Scripted, remote: Remote) -> ForeignAccounts:
    return accounts_with(PasswordCarriage(NoSeal(), Incidents()), scripted, remote)


def accounts_with(carriage: PasswordCarriage, scripted: Scripted, remote: Remote) -> ForeignAccounts:
    known = KnownSessions(scripted.core, remote)
    key = ProcessKey(scripted.core, carriage, remote)
    return ForeignAccounts(scripted.core, scripted.admissions, scripted.logins, scripted.upkeep, known, carriage, key, Waits(8), remote)


def deferred(accounts: ForeignAccounts, password: str, seconds: float = SECONDS) -> tuple[OneShot[Any], Any]:
    """As the leader does it for a follower: what is answered, and what ends the wait."""
    answer: OneShot[Any] = OneShot()

    def reply(result: object) -> None:
        answer.give(result)

    return answer, accounts._log_in_deferred(reply, ROMEO, password, HERE, Wait(seconds))


def test_who_is_let_in_has_a_session(accounts: ForeignAccounts) -> None:
    with pytest.raises(GatewayError, match="The session at montague.example broke off"):
        accounts.session(ROMEO)
    assert not accounts.has(ROMEO)
    session = accounts.admit(ROMEO, GOOD, HERE)
    assert accounts.session(session).jid == session
    assert accounts.has(session)
    assert accounts.still_good(ROMEO, GOOD)
    assert not accounts.still_good(ROMEO, WRONG)
    assert not accounts.still_good(TYBALT, GOOD)
    with pytest.raises(WrongPassword):
        accounts.admit(ROMEO, WRONG, HERE)


def test_a_sealed_password_lets_its_own_account_in_alone(
    scripted: Scripted, remote: Remote, open_driver: OpenDriver, tmp_path: Path
) -> None:
    seal = KeyedSeal(SharedKeys(open_driver("sqlite:x.sqlite", tmp_path), DOMAIN), "component")
    carriage = PasswordCarriage(seal, Incidents())
    accounts = accounts_with(carriage, scripted, remote)
    of_tybalt = carriage.put_in(GOOD, str(TYBALT))
    for sealed in (of_tybalt, accounts._key.of_leader()):
        with pytest.raises(GatewayError, match="do not understand each other"):
            deferred(accounts, sealed)
        with pytest.raises(GatewayError, match="do not understand each other"):
            accounts.log_in(ROMEO, sealed, HERE, Wait(SECONDS))
    assert not scripted.server.asked
    session = accounts.admit(ROMEO, GOOD, HERE)
    assert len(scripted.server.asked) == 1
    answer, _ = deferred(accounts, carriage.put_in(GOOD, str(ROMEO)))
    assert answer.wait(SECONDS) == Entrance(session)


def test_what_is_kept_of_a_refusal_holds_no_frame_of_a_request(accounts: ForeignAccounts, scripted: Scripted) -> None:
    """An exception keeps the frames through which it is raised, and in these is the password (accounts-anywhere §4.4)."""
    scripted.server.says[GOOD] = "account-disabled"
    for _ in range(3):
        with pytest.raises(GatewayError, match="has disabled this account"):
            accounts.admit(ROMEO, GOOD, HERE)
    assert len(scripted.server.asked) == 1
    kept = scripted.admit()
    assert kept == "account-disabled"
    known = scripted.begin()()
    assert isinstance(known, GatewayError)
    assert known.__traceback__ is None
    assert known.__context__ is None


class TestKnown:
    @pytest.fixture
    def known(self, scripted: Scripted, remote: Remote, monkeypatch: pytest.MonkeyPatch) -> KnownSessions:
        """In a process that does not lead."""
        monkeypatch.setattr(remote, "follows", lambda: True)
        monkeypatch.setattr(remote, "listen", lambda: 1)
        return KnownSessions(scripted.core, remote)

    def test_it_is_remembered_until_it_changes(self, known: KnownSessions) -> None:
        assert known.asked(ROMEO, b"proof", lambda: TYBALT) == TYBALT
        assert known.get(ROMEO, b"proof") == TYBALT
        assert known.get(ROMEO, b"other") is None
        known._hear(str(ROMEO))
        assert known.get(ROMEO, b"proof") is None

    def test_what_changes_while_the_leader_is_asked_is_not_remembered(self, known: KnownSessions) -> None:
        def ask() -> JID:
            known._hear(str(TYBALT))
            return TYBALT

        assert known.asked(ROMEO, b"proof", ask) == TYBALT
        assert known.get(ROMEO, b"proof") is None

    def test_wrong_passwords_are_not_remembered(self, known: KnownSessions) -> None:
        assert known.asked(ROMEO, b"proof", lambda: None) is None
        assert known.get(ROMEO, b"proof") is None

    def test_nothing_is_while_the_leader_tells_nothing(self, known: KnownSessions, remote: Remote, monkeypatch: pytest.MonkeyPatch) -> None:
        def down() -> int:
            raise GatewayError("link-down")

        monkeypatch.setattr(remote, "listen", down)
        assert known.asked(ROMEO, b"proof", lambda: TYBALT) == TYBALT
        assert known.get(ROMEO, b"proof") is None

    def test_the_places_are_bounded(self, known: KnownSessions, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("xmpp_rest.service.sessions.known_sessions.PLACES", 2)
        for name in ("a", "b", "c"):
            known.asked(JID(name, "capulet.example", ""), b"proof", lambda: TYBALT)
        assert known.get(JID("a", "capulet.example", ""), b"proof") is None
        assert known.get(JID("c", "capulet.example", ""), b"proof") == TYBALT


def test_a_stream_holds_it_open(accounts: ForeignAccounts, scripted: Scripted, remote: Remote) -> None:
    accounts.admit(ROMEO, GOOD, HERE)
    views = SessionViews(scripted.core, scripted.logins, remote)
    hold = accounts.hold(ROMEO)
    view = views.of(ROMEO)
    assert view is not None
    assert (view.streams, view.presence) == (1, "none")
    hold.release()
    view = views.of(ROMEO)
    assert view is not None
    assert view.streams == 0
    assert views.of(TYBALT) is None
    assert not views.end(TYBALT, "administrator")


def test_sessions_are_counted_while_settings_change(accounts: ForeignAccounts, scripted: Scripted, remote: Remote) -> None:
    accounts.admit(ROMEO, GOOD, HERE)
    views = SessionViews(scripted.core, scripted.logins, remote)
    assert views.own_counts() == {"montague.example": 1, "capulet.example": 0}
    scripted.core.configure(type(scripted.core.domains)({}, ()), scripted.core.settings)  # its sessions are about to be ended
    assert views.own_counts() == {}


def test_a_follower_gets_the_outcome(accounts: ForeignAccounts) -> None:
    answer, _ = deferred(accounts, GOOD)
    entrance = answer.wait(SECONDS)
    assert isinstance(entrance, Entrance)
    assert entrance.session is not None
    answer, _ = deferred(accounts, WRONG)
    assert answer.wait(SECONDS) == Entrance(None)


def test_a_follower_gets_the_reason(accounts: ForeignAccounts, scripted: Scripted) -> None:
    scripted.server.says[GOOD] = "no-login"
    answer, _ = deferred(accounts, GOOD)
    error = answer.wait(SECONDS)
    assert isinstance(error, GatewayError)
    assert error.name == "no-login"


def test_nobody_waits_longer_than_he_may(accounts: ForeignAccounts, scripted: Scripted) -> None:
    scripted.server.going.clear()
    answer, _ = deferred(accounts, GOOD, 0.1)
    error = answer.wait(SECONDS)
    assert isinstance(error, GatewayError)
    assert error.name == "unreachable"
    with pytest.raises(GatewayError, match="cannot be reached"):
        accounts.log_in(ROMEO, GOOD, HERE, Wait(0.1))
    answer, end = deferred(accounts, GOOD)
    end()  # its client has gone
    end()
    assert isinstance(answer.wait(SECONDS), GatewayError)
    scripted.server.going.set()
    assert scripted.admit() == "in"
