"""What becomes of a session whose connection breaks (accounts-anywhere §5.6, §5.7)."""

from __future__ import annotations

from collections.abc import Callable
from xml.etree.ElementTree import Element

import pytest

from tests.link.attached import until
from tests.link.c2s.fake_server import FakeServer
from tests.link.c2s.fake_session import FakeSession
from tests.link.c2s.kept import Confirmed, Kept, message, outcomes, sent
from xmpp_rest.errors import GatewayError
from xmpp_rest.link.c2s import resuming
from xmpp_rest.link.c2s.failures import LoginFailed
from xmpp_rest.link.c2s.resuming import Attempts
from xmpp_rest.protocol.namespaces import PING
from xmpp_rest.protocol.stanza import child, make

Keep = Callable[..., Kept]
DOMAIN = "capulet.example"


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Attempts follow each other within a moment."""
    monkeypatch.setattr(resuming, "FIRST", 0.02)


def test_a_stream_that_broke_is_resumed(kept: Kept, fake: FakeServer) -> None:
    session = kept.open()
    assert Confirmed(session, message("m1")).outcome() == ""
    with fake.frozen():
        lost = [Confirmed(session, message("m2")), Confirmed(session, message("m3"))]
        until(lambda: lost[1].written == 1)
        fake.cut()
    assert outcomes(lost) == ["", ""]
    kept.events.until_told("broke", "resumed")
    assert sent(fake) == ["m1", "m2", "m3"]
    assert fake.resumes == 1
    assert session.number == 1
    assert session.waiting == 0
    assert [resumption is not None for resumption in kept.logins] == [True]


def test_what_the_server_has_is_not_written_again(kept: Kept, fake: FakeServer) -> None:
    """It had processed it, but its answer was lost with the connection."""
    session = kept.open()
    assert Confirmed(session).outcome() == ""
    fake.handlers.append(lambda session, stanza: stanza.get("id") == "m2" and session.stream is not None and session.stream.cut())
    confirmed = Confirmed(session, message("m1"), message("m2"))
    session.write(message("m3"))
    assert confirmed.outcome() == ""
    assert Confirmed(session).outcome() == ""
    assert sent(fake) == ["m1", "m2", "m3"]
    assert fake.resumes == 1
    assert [stanza.get("id") for stanza in kept.events.stanzas] == ["m1", "m2", "m3"]


def test_what_came_meanwhile_is_received_once(kept: Kept, fake: FakeServer) -> None:
    session = kept.open()
    assert Confirmed(session).outcome() == ""
    for n in range(3):
        fake.send("juliet", message(f"m{n}", to=None))
    kept.events.until(lambda: len(kept.events.stanzas) == 3)
    fake.refuses = True
    fake.cut()
    fake.until(lambda: fake.session("juliet").stream is None)
    fake.send("juliet", message("m3", to=None))
    fake.refuses = False
    kept.events.until(lambda: len(kept.events.stanzas) == 4)
    assert Confirmed(session).outcome() == ""
    assert [stanza.get("id") for stanza in kept.events.stanzas] == ["m0", "m1", "m2", "m3"]


def test_a_session_that_is_new_to_its_server(kept: Kept, fake: FakeServer) -> None:
    """Presence comes first, then what was not confirmed, in its order; what is only worth something now is dropped."""
    session = kept.open()
    kept.events.on_rebound = lambda session: session.write(make("presence", id_="p2"))
    with fake.frozen():
        lost = [
            Confirmed(session, message("m1")),
            Confirmed(session, make("presence", id_="p1", to_="nurse@capulet.example", type_="subscribe")),
        ]
        session.write(message("m2"))
        session.write(make("iq", child("{x}query"), type_="get", id_="q1"))
        session.write(make("presence", id_="p0"))
        lost += [Confirmed(session, message("m3"))]
        until(lambda: lost[-1].written == 1)
        fake.restart()
        session.write(make("iq", child("{x}query"), type_="get", id_="q2"))
        lost += [Confirmed(session, message("m4"))]
    assert outcomes(lost) == [""] * 4
    kept.events.until_told("broke", "rebound")
    [bound] = fake.sessions
    assert [stanza.get("id") for stanza in bound.received if stanza.find(f"{{{PING}}}ping") is None] == ["p2", "m1", "p1", "m2", "m3", "m4"]
    assert session.number == 2
    until(lambda: session.waiting == 0)


def test_a_resumption_that_the_server_does_not_know(kept: Kept, fake: FakeServer) -> None:
    """What was confirmed before is not sent again, nor what was acknowledged."""
    session = kept.open()
    assert Confirmed(session, message("m1")).outcome() == ""
    session.write(message("m2"))
    until(lambda: session.waiting == 0)
    fake.restart()
    kept.events.until_told("broke", "rebound")
    assert Confirmed(session, message("m3")).outcome() == ""
    assert sent(fake) == ["m3"]  # of the new one


@pytest.mark.parametrize("management", [True, False])
def test_without_acknowledgements_the_next_stream_is_bound(kept: Kept, fake: FakeServer, management: bool) -> None:
    fake.management = False
    session = kept.open()
    fake.management = management
    with fake.frozen():
        lost = Confirmed(session, message("m1"))
        until(lambda: lost.written == 1)
        fake.cut()
    assert lost.outcome() == ""
    kept.events.until_told("broke", "rebound")
    assert kept.logins == [None]
    session.write(message("m2"))
    until(lambda: session.waiting == 0)


def test_nothing_is_lost_or_out_of_order_over_many_breaks(kept: Kept, fake: FakeServer) -> None:
    """The connection breaks at some messages, and at one of these the server forgets the session as well."""
    seen: list[str | None] = []

    def take(session: FakeSession, stanza: Element) -> bool:
        if stanza.tag != "message":
            return False
        identifier = stanza.get("id", "")
        is_first = identifier not in seen
        seen.append(identifier)
        if is_first and identifier in ("37", "77", "117", "157", "197") and session.stream is not None:
            session.management = "" if identifier == "77" else session.management
            session.stream.cut()
        return True

    fake.handlers.append(take)
    session = kept.open()
    waits = [Confirmed(session, message(f"{n}"), message(f"{n}+")) for n in range(200)]
    assert outcomes(waits) == [""] * 200
    assert list(dict.fromkeys(seen)) == [name for n in range(200) for name in (f"{n}", f"{n}+")]
    assert (kept.events.told.count("resumed"), kept.events.told.count("rebound")) == (4, 1)
    assert session.waiting == 0


def test_nothing_waits_for_the_session(kept: Kept, fake: FakeServer) -> None:
    kept.events.worth = False
    session = kept.open()
    assert Confirmed(session).outcome() == ""
    fake.cut()
    kept.events.until_told("broke", "broken")
    assert kept.logins == []
    assert session.has_ended
    assert not session.is_up
    assert len(kept.thread) == 0
    with pytest.raises(GatewayError, match="session-lost: The session at capulet.example broke off; try again"):
        session.write(message("m"))
    session.end("idle", unavailable=True)
    assert kept.events.told == ["broke", "broken"]


def test_after_plain_there_are_no_keys(kept: Kept, fake: FakeServer) -> None:
    kept.keys = None
    session = kept.open()
    assert not session.resumable
    with fake.frozen():
        lost = Confirmed(session, message("m1"), message("m2"))
        until(lambda: lost.written == 1)
        fake.cut()
        assert lost.outcome() == "session-lost"
    kept.events.until_told("broke", "lost")
    assert kept.logins == []


@pytest.mark.parametrize("condition", ["conflict", "not-authorized"])
def test_stream_errors_that_end_the_session(kept: Kept, fake: FakeServer, condition: str) -> None:
    session = kept.open()
    assert Confirmed(session).outcome() == ""
    fake.handlers.append(
        lambda session, stanza: stanza.get("id") == "m" and session.stream is not None and (session.stream.end(condition) or True)
    )
    assert Confirmed(session, message("m")).outcome() == "session-lost"
    kept.events.until_told("broke", condition)
    assert kept.logins == []


@pytest.mark.parametrize("condition", ["", "reset", "policy-violation", "system-shutdown"])
def test_other_ends_are_as_a_broken_network(kept: Kept, fake: FakeServer, condition: str) -> None:
    session = kept.open()
    assert Confirmed(session).outcome() == ""
    fake.end("juliet", condition, "Password changed")
    kept.events.until(lambda: len(kept.events.told) == 2)
    assert kept.events.told[0] == "broke"
    assert Confirmed(session, message("m")).outcome() == ""


def test_another_login_takes_the_place(kept: Kept, fake: FakeServer) -> None:
    session = kept.open()
    assert Confirmed(session).outcome() == ""
    other = kept.open()
    kept.events.until_told("broke", "conflict")
    assert session.has_ended
    assert Confirmed(other).outcome() == ""


@pytest.mark.parametrize(
    ("name", "reason"), [("wrong-password", "not-authorized"), ("account-disabled", "not-authorized"), ("stale-keys", "lost")]
)
def test_the_keys_are_of_no_use_any_more(kept: Kept, fake: FakeServer, name: str, reason: str) -> None:
    session = kept.open()
    kept.login_failures = [LoginFailed(name, DOMAIN)]
    with fake.frozen():
        lost = Confirmed(session, message("m1"))
        fake.cut()
        assert lost.outcome() == "session-lost"
    kept.events.until_told("broke", reason)
    assert len(kept.logins) == 1


def test_attempts_go_on_as_long_as_something_waits(kept: Kept, fake: FakeServer) -> None:
    session = kept.open()
    assert Confirmed(session).outcome() == ""
    kept.login_failures = [
        LoginFailed("unreachable", DOMAIN),
        GatewayError("sessions-full", retry_after=0.01),
        OSError("a mistake"),
        LoginFailed("impostor", DOMAIN),
    ]
    fake.cut()
    assert Confirmed(session, message("m")).outcome() == ""
    assert len(kept.logins) == 5
    assert kept.events.told == ["broke", "resumed"]


def test_pauses_grow_unless_it_is_others_that_log_in_just_then() -> None:
    attempts = Attempts()
    assert max(attempts.pause(300, GatewayError("sessions-full")) for _ in range(20)) <= resuming.FIRST
    assert max(attempts.pause(300, LoginFailed("unreachable", DOMAIN)) for _ in range(20)) > 100
    assert attempts.pause(300, GatewayError("sessions-full")) <= resuming.FIRST
    assert attempts.pause(300, GatewayError("sessions-full", retry_after=7)) == 7


def test_attempts_end_when_nothing_waits_any_more(keep: Keep, fake: FakeServer) -> None:
    """A stanza is worth it as long as a session may be idle."""
    kept = keep(idle=0.5)
    kept.events.worth = False
    session = kept.open()
    kept.login_failures = [LoginFailed("unreachable", DOMAIN) for _ in range(1000)]
    with fake.frozen():
        lost = Confirmed(session, message("m1"))
        until(lambda: lost.written == 1)
        fake.cut()
        assert lost.outcome() == "session-lost"
    kept.events.until_told("broke", "broken")
    assert 1 <= len(kept.logins) < 1000


def test_a_stanza_that_ends_each_stream_is_given_up(kept: Kept, fake: FakeServer) -> None:
    fake.handlers.append(
        lambda session, stanza: (
            stanza.get("id") == "poison" and session.stream is not None and (session.stream.end("policy-violation") or True)
        )
    )
    session = kept.open()
    fake.handlers.append(lambda session, stanza: fake.forget(session))
    assert Confirmed(session, message("poison")).outcome() == "session-lost"
    assert kept.events.told[-1] == "lost"
    assert len(kept.logins) == resuming.FLAPS
