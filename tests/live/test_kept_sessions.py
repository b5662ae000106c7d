"""Kept sessions at Prosody and ejabberd: confirmation, breaks, restarts, another login (accounts-anywhere §5.6, §5.7, §7.1)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.link.attached import until
from tests.link.c2s.kept import Confirmed, KeptEvents, message, outcomes
from xmpp_rest.protocol.namespaces import PING
from xmpp_rest.protocol.stanza import child, make

from .kept_sessions import LiveSessions
from .proxy import Proxy
from .tls_servers import FOREIGN, TLSServer
from .xmppserver import PASSWORD

MakeSessions = Callable[..., LiveSessions]
NOBODY = f"nobody@{FOREIGN}"


@pytest.fixture
def relay(tls_server: TLSServer) -> Iterator[Proxy]:
    proxy = Proxy(tls_server.direct_port)
    proxy.start()
    yield proxy
    proxy.stop()


@pytest.fixture
def keep(tls_server: TLSServer, relay: Proxy) -> Iterator[MakeSessions]:
    made: list[LiveSessions] = []

    def make(proxy: Proxy | None = relay, **settings: Any) -> LiveSessions:
        made.append(LiveSessions(tls_server, proxy, **settings))
        return made[-1]

    yield make
    for sessions in made:
        sessions.close()


def listener(sessions: LiveSessions, user: str) -> KeptEvents:
    """What an account of this server receives, by a session that is available."""
    events = KeptEvents()
    events.on_rebound = lambda session: session.write(make("presence"))
    assert Confirmed(sessions.open(user, events, "balcony"), make("presence")).outcome() == ""
    return events


def heard(events: KeptEvents, of_test: str) -> list[str]:
    """The ids of messages that begin so: an account also gets what was sent to it while nobody listened."""
    return [id_ for stanza in events.stanzas if stanza.tag == "message" and (id_ := stanza.get("id", "")).startswith(of_test)]


def test_a_refusal_comes_before_the_confirmation(keep: MakeSessions) -> None:
    events = KeptEvents()
    session = keep().open("romeo", events)
    for n in range(50):
        assert Confirmed(session, message(f"m{n}", NOBODY)).outcome() == ""
        assert (events.stanzas[-1].get("id"), events.stanzas[-1].get("type")) == (f"m{n}", "error")
    assert len(events.stanzas) == 50
    assert session.waiting == 0
    assert session.resumable


def test_messages_in_order_and_iqs(keep: MakeSessions) -> None:
    sessions, events = keep(), KeptEvents()
    juliet = listener(sessions, "juliet")
    session = sessions.open("romeo", events)
    waits = [Confirmed(session, *(message(f"order{n}-{m}", f"juliet@{FOREIGN}") for m in range(20))) for n in range(20)]
    session.write(make("iq", child(f"{{{PING}}}ping"), type_="get", id_="q", to_=FOREIGN))
    assert outcomes(waits) == [""] * 20
    juliet.until(lambda: heard(juliet, "order") == [f"order{n}-{m}" for n in range(20) for m in range(20)])
    events.until(lambda: any(stanza.get("id") == "q" for stanza in events.stanzas))


def test_a_cut_session_is_resumed(keep: MakeSessions, relay: Proxy) -> None:
    """What the network has swallowed arrives once, and so does what came meanwhile."""
    sessions, events, others = keep(), KeptEvents(), keep(None)
    juliet = listener(others, "juliet")
    session = sessions.open("romeo", events)
    assert Confirmed(session, message("cut0", f"juliet@{FOREIGN}")).outcome() == ""
    relay.swallow = True
    lost = [Confirmed(session, message("cut1", f"juliet@{FOREIGN}")), Confirmed(session, message("cut2", f"juliet@{FOREIGN}"))]
    until(lambda: lost[1].written == 1)
    assert Confirmed(others.open("benvolio", KeptEvents()), message("b", str(session.jid))).outcome() == ""
    relay.cut()
    relay.swallow = False
    assert outcomes(lost) == ["", ""]
    events.until_told("broke", "resumed")
    juliet.until(lambda: heard(juliet, "cut") == ["cut0", "cut1", "cut2"])
    events.until(lambda: heard(events, "b") == ["b"])
    assert Confirmed(session, message("cut3", f"juliet@{FOREIGN}")).outcome() == ""
    juliet.until(lambda: heard(juliet, "cut") == ["cut0", "cut1", "cut2", "cut3"])
    assert heard(events, "b") == ["b"]


def test_a_server_that_falls_silent(keep: MakeSessions, relay: Proxy) -> None:
    sessions, events = keep(keepalive=1), KeptEvents()
    session = sessions.open("romeo", events)
    assert Confirmed(session).outcome() == ""
    relay.swallow = True
    events.until_told("broke")
    relay.swallow = False
    assert Confirmed(session, message("m", NOBODY)).outcome() == ""
    assert events.told == ["broke", "resumed"]


def test_another_login_of_the_same_resource(keep: MakeSessions) -> None:
    sessions, events, others = keep(), KeptEvents(), KeptEvents()
    session = sessions.open("romeo", events)
    assert Confirmed(session).outcome() == ""
    other = sessions.open("romeo", others)
    events.until_told("broke", "conflict")
    assert session.has_ended
    assert Confirmed(other, message("m", NOBODY)).outcome() == ""
    assert sessions.attempts == 0


def test_a_polite_end(keep: MakeSessions) -> None:
    """The server sees the account go, and resumes nothing."""
    sessions, events = keep(), KeptEvents()
    session = sessions.open("romeo", events)
    watcher = KeptEvents()
    assert Confirmed(sessions.open("romeo", watcher, "orchard"), make("presence")).outcome() == ""
    assert Confirmed(session, make("presence")).outcome() == ""
    confirmed = Confirmed(session, message("m", NOBODY))
    session.end("idle", unavailable=True)
    assert confirmed.outcome() == ""
    events.until_told("idle")
    watcher.until(lambda: any(stanza.get("from") == str(session.jid) and stanza.get("type") == "unavailable" for stanza in watcher.stanzas))


def test_the_server_restarts(keep: MakeSessions, tls_server: TLSServer) -> None:
    """The session is bound again, and all that was not confirmed arrives, in order."""
    sessions, events = keep(), KeptEvents()
    juliet = listener(keep(None), "juliet")
    session = sessions.open("romeo", events)
    events.on_rebound = lambda session: session.write(make("presence"))
    assert Confirmed(session, message("restart0", f"juliet@{FOREIGN}")).outcome() == ""
    juliet.until(lambda: heard(juliet, "restart") == ["restart0"])
    tls_server.stop()
    events.until_told("broke")
    lost = [Confirmed(session, message(f"restart{n}", f"juliet@{FOREIGN}")) for n in range(1, 4)]
    tls_server.start()
    assert outcomes(lost) == [""] * 3
    events.until(lambda: events.told[-1] == "rebound")
    juliet.until(lambda: juliet.told[-1] == "rebound")
    juliet.until(
        lambda: (
            sorted(set(heard(juliet, "restart")), key=heard(juliet, "restart").index) == ["restart0", "restart1", "restart2", "restart3"]
        )
    )
    assert session.number == 2


def test_the_password_is_changed(keep: MakeSessions, relay: Proxy, tls_server: TLSServer) -> None:
    """The keys are tried once, after a break; then the session has ended."""
    sessions, events = keep(), KeptEvents()
    session = sessions.open("mercutio", events)
    assert Confirmed(session).outcome() == ""
    relay.up = False
    relay.cut()
    events.until_told("broke")
    tls_server.set_password("mercutio", "another")
    try:
        lost = Confirmed(session, message("m", NOBODY))
        relay.up = True
        assert lost.outcome() == "session-lost"
        events.until(lambda: events.told[-1] in ("not-authorized", "lost"))
    finally:
        tls_server.set_password("mercutio", PASSWORD)
