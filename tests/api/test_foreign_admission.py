"""Accounts of other servers at the door, by HTTP (accounts-anywhere §5): one process, and two."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from flask import Flask

from tests.conftest import PASSWORD, MakeApp, basic, register_users
from tests.foreign_app import (
    MONTAGUE,
    PASSWORDS,
    ROMEO,
    ForeignApp,
    MakeForeignApp,
    foreign_app,
    login_settings,
    make_foreign_app,
    montague_folder,
)
from tests.link.attached import until
from tests.link.c2s.fake_server import FakeServer
from xmpp_rest.protocol.jid import JID
from xmpp_rest.protocol.namespaces import MAM
from xmpp_rest.service.sessions.foreign_accounts import Entrance, ForeignAccounts

__all__ = ["foreign_app", "make_foreign_app", "montague_folder"]

Pair = tuple[ForeignApp, ForeignApp]


@contextmanager
def processes(number: int, make_app: MakeApp, montague_folder: Path, folder: Path) -> Iterator[list[ForeignApp]]:
    """So many, the first of which leads, in front of the same server."""
    with ExitStack() as stack:
        server = stack.enter_context(FakeServer(montague_folder, PASSWORDS, MONTAGUE))
        settings = login_settings(server) | {"server_data_dir": str(folder), "metrics_enabled": "yes"}
        apps: list[Flask] = [make_app(**settings) for _ in range(number)]
        register_users(apps[0])
        started = [ForeignApp(app, server) for app in apps]
        for each in started:
            each.gateway.start()
            stack.callback(each.gateway.stop)
        yield started


@pytest.fixture
def pair_of_processes(make_app: MakeApp, montague_folder: Path, tmp_path: Path) -> Iterator[Pair]:
    """The leader and its follower."""
    with processes(2, make_app, montague_folder, tmp_path / "both") as (leader, follower):
        yield leader, follower


def statuses(app: ForeignApp, passwords: list[str | None], user: str = "romeo") -> list[int]:
    return [app.ask("GET", "/rest/session", user, password=password).status_code for password in passwords]


def idle(app: ForeignApp) -> None:
    """The server has acknowledged all that the session of romeo has sent."""

    def is_idle() -> bool:
        view = app.gateway.parts.session_views.of(ROMEO)
        return view is not None and not view.waiting

    until(is_idle)


def test_any_process_lets_in_by_the_session_of_the_leader(pair_of_processes: Pair) -> None:
    leader, follower = pair_of_processes
    leader.server.features.append(MAM)
    session = follower.log_in()
    assert leader.log_in() == session
    assert follower.ask("GET", "/rest/session").get_json()["archive"] is True
    assert follower.log_in() == session
    assert leader.server.logins == ["romeo"]
    assert statuses(follower, ["wrong", "wrong", None]) == [403, 403, 200]
    assert statuses(leader, ["wrong"]) == [403]
    assert leader.server.refused == 1
    assert statuses(follower, ["unbecoming\ncontrol"]) == [403]
    assert follower.ask("DELETE", "/rest/session").status_code == 204
    leader.server.until(lambda: not leader.server.sessions)


def test_a_follower_hears_of_sessions_that_end_and_of_new_passwords(pair_of_processes: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    leader, follower = pair_of_processes
    monkeypatch.setattr("xmpp_rest.service.sessions.known_sessions.SECONDS", 1000.0)
    asked: list[JID] = []
    enter = ForeignAccounts.enter

    def noted(self: ForeignAccounts, account: JID, proof: str, address: str) -> Entrance:
        asked.append(account)
        return enter(self, account, proof, address)

    monkeypatch.setattr(ForeignAccounts, "enter", noted)
    for _ in range(3):
        follower.log_in()
    assert len(asked) == 1
    assert leader.ask("DELETE", "/rest/session").status_code == 204
    until(lambda: statuses(follower, [None]) == [200] and len(leader.server.logins) == 2)
    leader.server.accounts["romeo"] = "another"
    assert statuses(leader, ["another"]) == [200]
    until(lambda: statuses(follower, [None]) == [403])
    leader.server.end("romeo", "conflict")
    until(lambda: statuses(follower, ["another"]) == [200] and len(leader.server.logins) >= 3)


def test_a_follower_is_told_why_there_is_no_way_in(pair_of_processes: Pair) -> None:
    _, follower = pair_of_processes
    follower.server.refuses = True
    for _ in range(2):
        answer = follower.ask("GET", "/rest/session")
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
        assert answer.get_json()["error"]["text"] == f"The server of {MONTAGUE} cannot be reached; try again later"
    assert follower.server.connections == 1


def test_requests_of_all_processes_share_one_login(pair_of_processes: Pair) -> None:
    leader, follower = pair_of_processes
    found: list[JID] = []
    with leader.server.frozen():
        threads = [threading.Thread(target=lambda app=app: found.append(app.log_in())) for app in (leader, follower) * 3]
        for thread in threads:
            thread.start()
        until(lambda: leader.server.connections == 1)
    for thread in threads:
        thread.join(60)
    assert len(found) == 6
    assert len(set(found)) == 1
    assert leader.server.logins == ["romeo"]


def test_the_next_leader_logs_in_again_and_streams_of_the_former_end(pair_of_processes: Pair) -> None:
    leader, follower = pair_of_processes
    session = follower.log_in()
    assert follower.gateway.parts.foreign_accounts.still_good(ROMEO, PASSWORDS["romeo"])
    assert not follower.gateway.parts.foreign_accounts.still_good(ROMEO, "wrong")
    assert not follower.gateway.parts.foreign_accounts.still_good(ROMEO, "\0")
    leader.gateway.stop()
    until(lambda: follower.gateway.parts.remote.group.is_leader)
    assert not follower.gateway.parts.foreign_accounts.still_good(ROMEO, PASSWORDS["romeo"])
    assert follower.log_in() == session
    assert follower.gateway.parts.foreign_accounts.still_good(ROMEO, PASSWORDS["romeo"])
    assert leader.server.logins == ["romeo"] * 2


def test_who_follows_the_next_leader_knows_passwords_by_its_key(make_app: MakeApp, montague_folder: Path, tmp_path: Path) -> None:
    with processes(3, make_app, montague_folder, tmp_path / "all") as (leader, *others):
        for app in (leader, *others):
            app.log_in()
        leader.gateway.stop()
        until(lambda: any(app.gateway.parts.remote.group.is_leader for app in others))
        for app in others:
            app.log_in()
        assert [app.gateway.parts.foreign_accounts.still_good(ROMEO, PASSWORDS["romeo"]) for app in others] == [True, True]
        assert leader.server.logins == ["romeo"] * 2


def test_figures(pair_of_processes: Pair) -> None:
    leader, follower = pair_of_processes
    follower.log_in()
    statuses(follower, ["wrong", "wrong"])

    def told() -> str:
        return leader.client.get("/metrics").text

    until(lambda: f'xmpp_rest_sessions{{domain="{MONTAGUE}"}} 1' in told())
    for line in (
        f'xmpp_rest_logins_total{{domain="{MONTAGUE}",result="ok"}} 1',
        f'xmpp_rest_logins_total{{domain="{MONTAGUE}",result="wrong"}} 1',
        'xmpp_rest_session_refused_total{reason="known-wrong"} 1',
    ):
        assert line in told()


class TestLimits:
    def test_too_many_wrong_passwords(self, make_foreign_app: MakeForeignApp) -> None:
        app = make_foreign_app(sessions_failures_account="2", auth_failures="1000", auth_admins="nurse@capulet.example")
        assert statuses(app, ["a", "b"]) == [403, 403]
        answer = app.ask("GET", "/rest/session", password="c")
        assert answer.status_code == 429
        assert 3500 < int(answer.headers["Retry-After"]) <= 3600
        assert answer.get_json()["error"]["text"] == "Too many wrong credentials; try again later"
        assert app.server.refused == 2
        for n in range(3):
            app.ask("GET", "/rest/session", "benvolio", password=f"{n}")
        assert app.server.refused == 4

    def test_an_administrator_lets_an_address_off(self, make_foreign_app: MakeForeignApp) -> None:
        app = make_foreign_app(sessions_failures_address="1", auth_admins="nurse@capulet.example")
        assert statuses(app, ["a"]) + statuses(app, ["b"], "benvolio") == [403, 429]
        answer = app.client.post("/api/unban_ip", json={"address": "127.0.0.1"}, headers=basic("nurse@capulet.example", PASSWORD))
        assert answer.status_code == 200
        assert statuses(app, ["b"], "benvolio") == [403]

    def test_a_silent_server_takes_a_few_places_and_hosted_accounts_do_not_notice(self, make_foreign_app: MakeForeignApp) -> None:
        app = make_foreign_app(sessions_logins="4", sessions_login_timeout="60")
        answers: list[tuple[int, str]] = []

        def ask(number: int) -> None:
            headers = basic(f"capulet{number}@{MONTAGUE}", "a guess")
            answer = app.app.test_client().get("/rest/session", headers=headers)
            answers.append((answer.status_code, answer.get_json()["error"]["text"]))

        threads = [threading.Thread(target=ask, args=(number,)) for number in range(10)]
        with app.server.frozen():
            for thread in threads:
                thread.start()
            until(lambda: len(answers) == 6)  # two are asked about, and two wait
            assert set(answers) == {(503, "As many sessions are open as there may be; try again later")}
            until(lambda: app.server.connections == 2)
            stanza = {"kind": "message", "to": "juliet@capulet.example", "body": "Good night, good night!"}
            assert app.client.post("/rest", json=stanza, headers=basic("juliet")).status_code == 202
            assert app.server.connections == 2
        for thread in threads:
            thread.join(60)
        assert answers[6:] == [(403, "Credentials not accepted")] * 4

    def test_idle_sessions_end(self, make_foreign_app: MakeForeignApp) -> None:
        app = make_foreign_app(sessions_idle="0.1")
        app.log_in()
        app.server.until(lambda: not app.server.sessions)
        until(lambda: app.gateway.parts.session_views.of(ROMEO) is None)

    def test_one_session_goes_for_another_one(self, make_foreign_app: MakeForeignApp) -> None:
        app = make_foreign_app(sessions_total="1")
        app.log_in()
        answer = app.ask("GET", "/rest/session", "benvolio")
        if answer.status_code == 503:  # what the first one has asked is not acknowledged yet
            assert answer.get_json()["error"]["text"] == "As many sessions are open as there may be; try again later"
            idle(app)
        app.log_in("benvolio")
        app.server.until(lambda: [session.jid.local for session in app.server.sessions] == ["benvolio"])

    def test_a_password_is_proven_anew(self, make_foreign_app: MakeForeignApp) -> None:
        app = make_foreign_app(sessions_recheck="0.1")
        session = app.log_in()
        proven = app.gateway.parts.session_views.of(ROMEO)
        assert proven is not None

        def is_newer() -> bool:
            assert app.log_in() == session
            view = app.gateway.parts.session_views.of(ROMEO)
            return view is not None and view.proven > proven.proven

        until(is_newer)
        app.server.accounts["romeo"] = "a rose by any other name"
        until(lambda: statuses(app, [None]) == [403])
        app.server.until(lambda: not app.server.sessions)
        assert statuses(app, ["a rose by any other name"]) == [200]


class TestEnds:
    def test_a_conflict_ends_the_session_and_the_next_request_logs_in(self, foreign_app: ForeignApp) -> None:
        foreign_app.log_in()
        foreign_app.server.end("romeo", "conflict", "Replaced by new connection")
        until(lambda: foreign_app.gateway.parts.session_views.of(ROMEO) is None)
        foreign_app.log_in()
        assert foreign_app.server.logins == ["romeo"] * 2

    def test_a_cut_session_without_anything_to_resume_ends(self, foreign_app: ForeignApp) -> None:
        foreign_app.log_in()
        idle(foreign_app)
        foreign_app.server.cut()
        until(lambda: foreign_app.gateway.parts.session_views.of(ROMEO) is None)
        foreign_app.log_in()

    def test_all_are_closed_at_the_end(self, foreign_app: ForeignApp) -> None:
        foreign_app.log_in()
        foreign_app.log_in("benvolio")
        foreign_app.gateway.stop()
        foreign_app.server.until(lambda: not foreign_app.server.sessions)
