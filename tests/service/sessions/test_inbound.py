"""What comes in by sessions (accounts-anywhere §7.1): who is answered, in which order, and what a flood costs."""

from __future__ import annotations

import threading
from collections.abc import Callable
from xml.etree.ElementTree import Element

import pytest

from tests.foreign_app import MONTAGUE, ROMEO, ForeignApp, foreign_app, make_foreign_app, montague_folder
from tests.link.attached import until
from xmpp_rest.gateway.gateway import Gateway
from xmpp_rest.incidents import Incidents
from xmpp_rest.link.account_streams import session_lost
from xmpp_rest.link.c2s.session import ClientSession
from xmpp_rest.link.router import NOT_MINE, Unhandled
from xmpp_rest.metrics.counts import Counts
from xmpp_rest.protocol.jid import JID
from xmpp_rest.protocol.stanza import make
from xmpp_rest.service.sessions import inbound
from xmpp_rest.service.sessions.inbound import SessionInbound
from xmpp_rest.service.sessions.own_presence import OwnPresences

__all__ = ["foreign_app", "make_foreign_app", "montague_folder"]

STRANGER = "tybalt@capulet.example/street"
NOTHING = "<iq type='get' id='{id}' from='{sender}' to='{to}'>{payload}</iq>"


def answer_to(app: ForeignApp, payload: str, sender: str = STRANGER, kind: str = "get") -> Element:
    """What the session answers to an iq."""
    jid = app.log_in()
    identifier = f"q{len(app.server.received('romeo'))}"
    from_ = f"from='{sender}'" if sender else ""
    app.server.send("romeo", f"<iq type='{kind}' id='{identifier}' {from_} to='{jid}'>{payload}</iq>")
    return app.server.until(lambda: [iq for iq in app.server.received("romeo", "iq") if iq.get("id") == identifier])[0]


def condition(answer: Element) -> str:
    error = answer.find("error")
    return "" if error is None else error[0].tag.partition("}")[2]


class TestAnswers:
    @pytest.mark.parametrize(
        ("payload", "told"),
        [
            ("<ping xmlns='urn:xmpp:ping'/>", None),
            ("<query xmlns='jabber:iq:version'/>", "xmpp-rest"),
            ("<query xmlns='http://jabber.org/protocol/disco#info'/>", "bot"),
        ],
    )
    def test_as_the_gateway_itself(self, foreign_app: ForeignApp, payload: str, told: str | None) -> None:
        answer = answer_to(foreign_app, payload)
        assert (answer.get("type"), answer.get("to")) == ("result", STRANGER)
        texts = {text for element in answer.iter() for text in (element.text, element.get("type"))}
        assert told is None or told in texts

    @pytest.mark.parametrize("kind", ["get", "set"])
    def test_everything_else_is_refused(self, foreign_app: ForeignApp, kind: str) -> None:
        answer = answer_to(foreign_app, "<query xmlns='jabber:iq:private'/>", kind=kind)
        assert (answer.get("type"), condition(answer)) == ("error", "service-unavailable")

    @pytest.mark.parametrize(("sender", "kind"), [("", "result"), (str(ROMEO), "result"), (STRANGER, "error"), (f"{ROMEO}/phone", "error")])
    def test_changes_of_the_roster_count_from_the_account_alone(self, foreign_app: ForeignApp, sender: str, kind: str) -> None:
        push = f"<query xmlns='jabber:iq:roster'><item jid='benvolio@{MONTAGUE}' subscription='both'/></query>"
        assert answer_to(foreign_app, push, sender, "set").get("type") == kind

    def test_nothing_else_is_answered(self, foreign_app: ForeignApp) -> None:
        jid = foreign_app.log_in()
        before = len(foreign_app.server.received("romeo"))
        for stanza in (
            f"<message from='{STRANGER}' to='{jid}' id='m'><body>A plague</body></message>",
            f"<message from='@@' to='{jid}'><body>A plague</body></message>",
            f"<presence from='{STRANGER}' to='{jid}' type='subscribe'/>",
            f"<iq type='result' id='unknown' from='{STRANGER}' to='{jid}'/>",
            f"<iq type='error' id='unknown' to='{jid}'/>",
            "<other xmlns='urn:example'/>",
        ):
            foreign_app.server.send("romeo", stanza)
        assert condition(answer_to(foreign_app, "<query xmlns='jabber:iq:private'/>")) == "service-unavailable"
        assert len(foreign_app.server.received("romeo", "message")) == 0
        kinds = [each.get("type") for each in foreign_app.server.received("romeo")[before:]]
        assert kinds.count("error") == 1


def raising(error: Exception) -> Callable[..., None]:
    def fail(*_: object) -> None:
        raise error

    return fail


def test_an_own_presence_that_cannot_be_repeated(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    presences, session = OwnPresences(), Scripted()
    presences.sent(make("presence"), session)  # type: ignore[arg-type]
    monkeypatch.setattr(session, "write", raising(session_lost(ROMEO)))
    presences.rebound(session)  # type: ignore[arg-type]
    assert f"the presence of {ROMEO} is not repeated" in caplog.text


class Scripted:
    """A session that notes what is done with it."""

    def __init__(self, account: JID = ROMEO) -> None:
        self.account = account
        self.jid = account.at("xmpp-rest")
        self.holds: list[bool] = []
        self.written: list[Element] = []
        self.has_ended = False
        self.number = 1
        self.received = 0

    def hold(self, holds: bool) -> None:
        self.holds.append(holds)

    def write(self, stanza: Element) -> None:
        self.written.append(stanza)


class Handlers:
    """One handler, which waits until it may go on."""

    def __init__(self) -> None:
        self.may_go = threading.Event()
        self.seen: list[str] = []

    def handle(self, stanza: Element, sender: JID, to: JID) -> Element | Unhandled | None:
        self.may_go.wait(60)
        self.seen.append(stanza.get("id", ""))
        if stanza.get("id") == "bad":
            raise RuntimeError("a mistake")
        return NOT_MINE


@pytest.fixture
def handlers() -> Handlers:
    return Handlers()


@pytest.fixture
def taking(gateway: Gateway, handlers: Handlers) -> SessionInbound:
    return SessionInbound(gateway.parts.router, (handlers.handle,), Incidents(), Counts(()))


def receive(taking: SessionInbound, session: Scripted, identifier: str, size: int = 10, tag: str = "message") -> None:
    stanza = make(tag, id_=identifier, type_="get" if tag == "iq" else None, from_=STRANGER)
    taking.received(session, stanza, size)  # type: ignore[arg-type]


class TestBounds:
    def test_what_comes_faster_than_it_is_handled_waits_at_the_server(
        self, taking: SessionInbound, handlers: Handlers, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(inbound, "SHARE", 10_000)
        session, other = Scripted(), Scripted(ROMEO._replace(local="benvolio"))
        for n in range(30):
            receive(taking, session, str(n))
        assert session.holds == [True]
        receive(taking, other, "o")
        assert other.holds == []
        handlers.may_go.set()
        until(lambda: session.holds == [True, False])
        until(lambda: len(handlers.seen) == 31)
        assert [each for each in handlers.seen if each != "o"] == [str(n) for n in range(30)]
        taking.stop()

    def test_all_accounts_together_are_bounded(self, taking: SessionInbound, handlers: Handlers, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(inbound, "MOST", 50_000)
        sessions = [Scripted(ROMEO._replace(local=f"user{n}")) for n in range(10)]
        for session in sessions:
            receive(taking, session, "x", 10_000)
        assert [session.holds for session in sessions] == [[]] * 5 + [[True]] * 5
        handlers.may_go.set()
        until(lambda: [session.holds for session in sessions] == [[]] * 5 + [[True, False]] * 5)
        taking.stop()

    def test_a_mistake_costs_one_stanza(self, taking: SessionInbound, handlers: Handlers) -> None:
        session = Scripted()
        handlers.may_go.set()
        receive(taking, session, "bad", tag="iq")
        receive(taking, session, "good", tag="iq")
        until(lambda: len(session.written) == 2)
        assert [(each.get("id"), condition(each)) for each in session.written] == [
            ("bad", "internal-server-error"),
            ("good", "service-unavailable"),
        ]
        taking.stop()

    def test_a_session_that_takes_no_answer(self, taking: SessionInbound, handlers: Handlers, monkeypatch: pytest.MonkeyPatch) -> None:
        session = Scripted()
        handlers.may_go.set()
        monkeypatch.setattr(session, "write", ClientSession.write)  # without a stanza: it raises
        receive(taking, session, "1", tag="iq")
        receive(taking, session, "2", tag="iq")
        until(lambda: handlers.seen == ["1", "2"])
        taking.stop()

    def test_a_session_that_has_ended_meanwhile(self, taking: SessionInbound, handlers: Handlers, monkeypatch: pytest.MonkeyPatch) -> None:
        session = Scripted()
        handlers.may_go.set()
        monkeypatch.setattr(session, "write", raising(session_lost(ROMEO)))
        receive(taking, session, "1", tag="iq")
        until(lambda: handlers.seen == ["1"])
        taking.stop()

    def test_an_observer_that_fails_costs_one_stanza(
        self,
        taking: SessionInbound,
        handlers: Handlers,
        gateway: Gateway,
        monkeypatch: pytest.MonkeyPatch,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        handlers.may_go.set()
        with monkeypatch.context() as patched:
            patched.setattr(gateway.parts.router, "resolve", raising(RuntimeError("a mistake")))
            receive(taking, Scripted(), "1")
        receive(taking, Scripted(), "2")
        until(lambda: handlers.seen == ["2"])
        assert f"session of {ROMEO}: a stanza could not be handled" in caplog.text
        taking.stop()

    def test_what_was_given_away_is_not_begun_any_more(self, taking: SessionInbound, handlers: Handlers) -> None:
        session, other = Scripted(), Scripted(ROMEO._replace(local="benvolio"))
        for n in range(3):
            session.received = 10 + n
            receive(taking, session, str(n))
        receive(taking, other, "o")
        until(lambda: taking._pool is not None and taking._pool.waiting < 4)
        came = taking.give_away(session)  # type: ignore[arg-type]
        assert [(each.stream, each.before, each.stanza.get("id")) for each in came] == [(1, 10, "0"), (1, 11, "1"), (1, 12, "2")]
        handlers.may_go.set()
        until(lambda: taking.is_idle(session) and taking.is_idle(other))  # type: ignore[arg-type]
        assert handlers.seen == ["0", "o"]  # the first one was under way
        assert taking.give_away(session) == []  # type: ignore[arg-type]
        taking.stop()

    def test_what_another_process_has_given_away_comes_first(self, taking: SessionInbound, handlers: Handlers) -> None:
        session = Scripted()
        taking.take_over(session, make("message", id_="1", from_=STRANGER))  # type: ignore[arg-type]
        receive(taking, session, "2")
        assert [each.stream for each in taking.give_away(session)] == [0, 1]  # type: ignore[arg-type]
        taking._given_away.clear()
        handlers.may_go.set()
        until(lambda: handlers.seen == ["1", "2"])
        taking.stop()

    def test_nothing_is_taken_after_the_end(self, taking: SessionInbound, handlers: Handlers) -> None:
        taking.stop()
        receive(taking, Scripted(), "x")
        assert handlers.seen == []
