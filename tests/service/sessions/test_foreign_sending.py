"""Sending by sessions: what waits holds no thread, what is refused keeps nothing, and settings that change (accounts-anywhere §7.1)."""

from __future__ import annotations

import threading
from typing import Any
from xml.etree.ElementTree import Element

import pytest
from werkzeug.datastructures import Headers
from werkzeug.test import EnvironBuilder, run_wsgi_app

from tests.foreign_app import MONTAGUE, ROMEO, ForeignApp, MakeForeignApp, foreign_app, make_foreign_app, montague_folder
from tests.link.attached import until
from tests.link.c2s.fake_session import FakeSession
from tests.link.c2s.settings import sessions
from tests.threads.scheduler import OneThread
from xmpp_rest.errors import GatewayError
from xmpp_rest.protocol.jid import JID, parse_jid
from xmpp_rest.protocol.stanza import make
from xmpp_rest.service.messages.batch import OutboundMessage
from xmpp_rest.service.sessions.handover import GivenStanzas
from xmpp_rest.threads.waits import Wait

__all__ = ["foreign_app", "make_foreign_app", "montague_folder"]

BENVOLIO = parse_jid(f"benvolio@{MONTAGUE}")


def message(app: ForeignApp, to: JID = BENVOLIO, identifier: str = "m") -> OutboundMessage:
    jid = app.log_in()
    return OutboundMessage(make("message", make("body"), from_=str(jid), to_=str(to), id_=identifier), jid, to)


class Posts:
    """Messages, each sent by a task; the statuses of their answers as these come."""

    def __init__(self, app: ForeignApp, **headers: str) -> None:
        self._app = app
        self._headers = app.auth() | headers
        self.statuses: list[int] = []

    def __call__(self) -> None:
        stanza = {"to": str(BENVOLIO), "body": "Hark"}
        environ = EnvironBuilder("/rest", method="POST", json=stanza, headers=Headers(self._headers)).get_environ()
        _, status, _ = run_wsgi_app(self._app.app, environ)
        self.statuses.append(int(status[:3]))


class TestWaiting:
    def test_hundreds_hold_no_thread(self, foreign_app: ForeignApp) -> None:
        foreign_app.log_in()
        scheduler, post, before = OneThread(), Posts(foreign_app), threading.active_count()
        threads: list[int] = []

        def check() -> None:
            until(lambda: scheduler.runner.parked == 300)
            threads.append(threading.active_count())
            foreign_app.server.thaw()

        foreign_app.server.freeze()
        scheduler.run(*[post] * 300, lambda: threading.Thread(target=check, daemon=True).start())
        assert post.statuses == [202] * 300
        assert threads[0] <= before + 10
        assert foreign_app.gateway.parts.waits.count == 0

    def test_without_tasks_those_of_one_account_are_bounded(self, make_foreign_app: MakeForeignApp) -> None:
        app = make_foreign_app(server_waits_per_account="1", sessions_confirm_timeout="30")
        outgoing, sending, done = message(app), app.gateway.parts.foreign_sending, list[Element | None]()
        app.server.freeze()
        first = threading.Thread(target=lambda: done.append(sending.send(*outgoing[:3])))
        first.start()
        until(lambda: app.gateway.parts.waits.count == 1)
        refused: list[object] = []

        def send_more() -> None:
            refused.extend(sending.send_many([outgoing]))
            refused.extend(sending.begin_many([outgoing])())
            try:
                sending.send(*outgoing[:3])
            except GatewayError as e:
                refused.append(e)

        second = threading.Thread(target=send_more)  # the test itself runs as a task
        second.start()
        second.join(60)
        assert [getattr(error, "name", "") for error in refused] == ["waits-full"] * 3
        app.server.thaw()
        first.join(60)
        assert done == [None]

    def test_tasks_are_bounded_all_together(self, foreign_app: ForeignApp, monkeypatch: pytest.MonkeyPatch) -> None:
        foreign_app.log_in()
        scheduler, post = OneThread(), Posts(foreign_app)
        monkeypatch.setattr("xmpp_rest.threads.waits.PARKED", 0)
        scheduler.run(post)
        assert post.statuses == [503]

    def test_waits_of_any_length_are_bounded_per_account(self, make_foreign_app: MakeForeignApp) -> None:
        app = make_foreign_app(server_waits_per_account="2")
        app.log_in()
        scheduler, post = OneThread(), Posts(app, Prefer="wait=60")

        def thaw() -> None:
            until(lambda: post.statuses == [503])
            app.server.thaw()

        app.server.freeze()
        scheduler.run(*[post] * 3, lambda: threading.Thread(target=thaw, daemon=True).start())
        assert post.statuses == [503, 202, 202]

    def test_another_confirm_timeout(self, foreign_app: ForeignApp) -> None:
        outgoing = message(foreign_app)
        sending = foreign_app.gateway.parts.foreign_sending
        sending.configure(sessions(confirm_timeout=0.1))
        with foreign_app.server.frozen():
            assert sending.send(*outgoing[:3]) is None
            assert sending.outcome(ROMEO, "m") is not None


class TestRefused:
    def test_a_key_whose_message_was_not_sent_may_be_used_again(self, make_foreign_app: MakeForeignApp) -> None:
        app, key = make_foreign_app(sessions_send_limit="10000"), {"Idempotency-Key": "k"}
        stanza: dict[str, Any] = {"to": str(BENVOLIO), "body": "x" * 10_000}
        for _ in range(2):
            answer = app.ask("POST", "/rest", json=stanza, headers=key)
            assert (answer.status_code, "Idempotent-Replayed" in answer.headers) == (413, False)

    def test_presences_that_are_not_the_own_one(self, foreign_app: ForeignApp) -> None:
        for stanza in ({"kind": "presence", "type": "subscribe"}, {"kind": "presence", "to": str(BENVOLIO), "type": "unavailable"}):
            assert foreign_app.ask("POST", "/rest", json=stanza).status_code in (200, 202)
        assert foreign_app.ask("GET", "/rest/session").get_json()["presence"] == "none"

    def test_what_the_server_says_of_the_own_presence(self, foreign_app: ForeignApp) -> None:
        def refuse(session: FakeSession, stanza: Element) -> bool:
            if stanza.tag == "presence":
                session.send(f"<presence id='{stanza.get('id')}' to='{session.jid}' type='error'><error type='cancel'/></presence>")
            return stanza.tag == "presence"

        foreign_app.server.handlers.append(refuse)
        answer = foreign_app.ask("POST", "/rest", json={"kind": "presence"})
        assert (answer.status_code, answer.get_json()["type"]) == (200, "error")

    def test_a_late_word_that_all_is_well(self, foreign_app: ForeignApp) -> None:
        """What is not known yet is not refused, as long as the session is up."""
        outgoing = message(foreign_app)
        given = GivenStanzas([outgoing])
        session = foreign_app.gateway.parts.foreign_accounts.session(ROMEO)
        given.taken(session)
        outcomes = foreign_app.gateway.parts.foreign_sending._handovers._outcomes
        assert given.results(outcomes) == [None]
        session.end("test", unavailable=False)
        (result,) = given.results(outcomes)
        assert isinstance(result, GatewayError)
        given.ended(None)
        assert given.results(outcomes) == [None]


def test_what_is_not_noticed_is_not_sent_again(foreign_app: ForeignApp) -> None:
    def fail(session: JID, room: JID) -> None:
        raise RuntimeError("a mistake")

    foreign_app.gateway.parts.router.accounts.on_left(fail)
    foreign_app.log_in()
    leave = {"kind": "presence", "type": "unavailable", "to": f"verona@{MONTAGUE}/r"}
    assert foreign_app.ask("POST", "/rest", json=leave).status_code == 202
    assert len(foreign_app.server.received("romeo", "presence")) == 1


class TestStreams:
    """The router's way to sessions."""

    def test_of_one_session(self, foreign_app: ForeignApp) -> None:
        routes = foreign_app.gateway.parts.router.accounts
        assert (routes.has(ROMEO), routes.stream(ROMEO)) == (False, 0)
        with pytest.raises(GatewayError, match="session-lost"):
            routes.jid(ROMEO)
        jid = foreign_app.log_in()
        number = routes.stream(ROMEO)
        assert (routes.has(ROMEO), routes.jid(ROMEO), routes.stream(jid)) == (True, jid, number)
        assert foreign_app.gateway.parts.router.stream_of(jid) == number > 0
        assert routes.stream(ROMEO.at("elsewhere")) == 0

    def test_a_stanza_for_one_stream_alone(self, foreign_app: ForeignApp) -> None:
        jid, router = foreign_app.log_in(), foreign_app.gateway.parts.router
        stanza = make("message", make("body"), from_=str(jid), to_=str(BENVOLIO), id_="m")
        with pytest.raises(GatewayError, match="session-lost"):
            router.send_bound(stanza, "", "", router.stream_of(jid) + 1)
        router.send_bound(stanza, "", "", router.stream_of(jid))
        foreign_app.server.until(lambda: foreign_app.server.received("romeo", "message"))

    def test_who_listens_for_changes_and_fails_harms_nobody(self, foreign_app: ForeignApp) -> None:
        def fail(session: JID, stream: int) -> None:
            raise RuntimeError("a mistake")

        seen: list[tuple[JID, int]] = []
        routes = foreign_app.gateway.parts.router.accounts
        routes.on_stream(fail)
        routes.on_stream(lambda session, stream: seen.append((session, stream)))
        jid = foreign_app.log_in()
        foreign_app.ask("DELETE", "/rest/session")
        until(lambda: seen == [(jid, 0)])

    def test_an_iq_of_an_account_without_a_session(self, foreign_app: ForeignApp) -> None:
        with pytest.raises(GatewayError, match="session-lost"):
            foreign_app.gateway.parts.router.ask(make("iq", make("x"), type_="get", from_=str(ROMEO), id_="i"), Wait(1))
