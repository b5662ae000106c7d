"""Servers that break off, keep silent, talk without end, or send something else than a stream, at each step of a login (accounts-anywhere §6)."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Callable

import pytest

from tests.link.c2s.hostile import BIND, HEADER, PROCEED, SASL, STARTTLS, HostileServer, Peer, mechanisms
from tests.link.c2s.settings import sessions

Step = Callable[[Peer], object]
SHORT = sessions(login_timeout=0.5)


def plain(peer: Peer) -> None:
    """In front of everything."""


def greeted(peer: Peer) -> None:
    """With STARTTLS under way."""
    peer.open(STARTTLS)
    peer.read("/>")


def encrypted(peer: Peer) -> None:
    peer.encrypt()


def offered(peer: Peer) -> None:
    peer.encrypt()
    peer.open(mechanisms("SCRAM-SHA-1"))


def proven(peer: Peer) -> None:
    offered(peer)
    peer.say("success", peer.scram())


def bound(peer: Peer) -> None:
    peer.log_in(f"{BIND}<sm xmlns='urn:xmpp:sm:3'/>")
    peer.bind()


STEPS: list[tuple[str, Step]] = [
    ("starttls", plain), ("starttls", greeted), ("direct", encrypted), ("direct", offered), ("direct", proven), ("direct", Peer.log_in), ("direct", bound),
]  # fmt: skip
AT_EACH_STEP = pytest.mark.parametrize(("tls", "step"), STEPS, ids=[step.__name__ for _, step in STEPS])


@AT_EACH_STEP
def test_it_breaks_off(hostile: HostileServer, tls: str, step: Step) -> None:
    assert hostile.failure(step, tls).name == "unreachable"


@AT_EACH_STEP
def test_it_keeps_silent(hostile: HostileServer, tls: str, step: Step) -> None:
    failed = hostile.failure(lambda peer: (step(peer), peer.until_closed()), tls, settings=SHORT)
    assert failed.name == "unreachable"
    assert "nothing within" in failed.detail
    assert failed.to_error().retry_after is not None


@AT_EACH_STEP
def test_it_sends_a_byte_now_and_then(hostile: HostileServer, tls: str, step: Step) -> None:
    def script(peer: Peer) -> None:
        step(peer)
        for byte in HEADER * 100:
            peer.send(byte)
            time.sleep(0.01)

    began = time.monotonic()
    assert hostile.failure(script, tls, settings=SHORT).name == "unreachable"
    assert time.monotonic() - began < 15


@AT_EACH_STEP
def test_it_is_given_up(hostile: HostileServer, tls: str, step: Step) -> None:
    reached: list[bool] = []

    def script(peer: Peer) -> None:
        step(peer)
        reached.append(True)
        peer.until_closed()

    failed = hostile.failure(script, tls, stop=lambda: bool(reached))
    assert (failed.name, failed.to_error().name) == ("stopped", "link-down")


ERRORS = [
    ("host-unknown", "no-server", 502),
    ("see-other-host", "no-server", 502),
    ("resource-constraint", "login-later", 503),
    ("policy-violation", "login-later", 503),
    ("not-authorized", "unreachable", 503),
    ("system-shutdown", "unreachable", 503),
    ("nothing-that-is-known", "unreachable", 503),
]


@pytest.mark.parametrize(("condition", "name", "status"), ERRORS)
@pytest.mark.parametrize(("tls", "step"), [("starttls", plain), ("direct", encrypted), ("direct", offered), ("direct", proven)])
def test_it_ends_the_stream_with_an_error(hostile: HostileServer, tls: str, step: Step, condition: str, name: str, status: int) -> None:
    def script(peer: Peer) -> None:
        step(peer)
        if step in (plain, encrypted, proven):
            peer.send(HEADER)
        error = f"<{condition} xmlns='urn:ietf:params:xml:ns:xmpp-streams'>evil.example:5222</{condition}>"
        peer.send(f"<stream:error>{error}</stream:error></stream:stream>")
        peer.until_closed()

    failed = hostile.failure(script, tls)
    hostile.close()
    error = failed.to_error()
    assert (failed.name, error.row.status) == (name, status)
    assert "evil" not in error.text
    assert len(hostile.peers) == 1


NO_STREAMS = {
    "doctype": "<!DOCTYPE lol [<!ENTITY a 'a'><!ENTITY b '&a;&a;'>]>" + HEADER[21:],
    "comment": "<!-- -->" + HEADER[21:],
    "instruction": "<?php x?>" + HEADER[21:],
    "html": "<html>",
    "http": "HTTP/1.1 400 Bad Request\r\n\r\n<html>",
    "namespace": HEADER.replace("jabber:client", "jabber:server"),
    "no-namespace": HEADER.replace("xmlns='jabber:client'", ""),
    "undeclared": "<stream:stream xmlns='jabber:client'>",
    "long-namespace": HEADER.replace("xmlns=", f"xmlns:long='{'x' * 5000}' xmlns=") + "<stream:features/>",
    "features": HEADER + "<message/>",
    "features-doctype": HEADER + "<!DOCTYPE x>",
    "closed": HEADER + "</stream:stream>",
    "mismatch": HEADER + "<stream:features></features>",
    "deep": HEADER + "<stream:features>" + "<a>" * 70 + "</a>" * 70 + "</stream:features>",
}


@pytest.mark.parametrize("text", NO_STREAMS.values(), ids=NO_STREAMS)
@pytest.mark.parametrize(("tls", "step"), [("starttls", plain), ("direct", encrypted), ("direct", proven)])
def test_it_sends_what_is_no_stream(hostile: HostileServer, tls: str, step: Step, text: str) -> None:
    assert hostile.failure(lambda peer: (step(peer), peer.send(text), peer.until_closed()), tls).name == "unreachable"


def test_a_server_from_before_features(hostile: HostileServer) -> None:
    text = HEADER.replace(" version='1.0' xmlns", " xmlns")
    assert hostile.failure(lambda peer: (peer.send(text), peer.until_closed()), "starttls").name == "no-tls"


@pytest.mark.parametrize("prefix", ["s", "stream", "ß"])
def test_any_prefix_is_good(hostile: HostileServer, prefix: str) -> None:
    def script(peer: Peer) -> None:
        peer.encrypt()
        names = f"xmlns='jabber:client' xmlns:{prefix}='http://etherx.jabber.org/streams' xmlns:q='a&apos;&quot;&amp;&lt;b'"
        peer.send(f"<{prefix}:stream version='1.0' {names}><{prefix}:features><q:x/>{mechanisms('PLAIN')}</{prefix}:features>")
        peer.read("</auth>")
        peer.send(f"<failure xmlns='{SASL}'><not-authorized/></failure>")

    assert hostile.failure(script).name == "wrong-password"


@pytest.mark.parametrize(
    "endless",
    [" " * 65536, "<a>" + "x" * 65536, "<a " + "x" * 65536, "<message/>" * 6000, "<" * 65536, "<a>" * 20000],
    ids=["spaces", "text", "tag", "stanzas", "brackets", "depth"],
)
@pytest.mark.parametrize(("tls", "step"), [("starttls", plain), ("direct", encrypted), ("direct", offered), ("direct", bound)])
def test_it_talks_without_end(hostile: HostileServer, tls: str, step: Step, endless: str) -> None:
    sent = 0

    def script(peer: Peer) -> None:
        nonlocal sent
        step(peer)
        if step in (plain, encrypted):
            peer.send(HEADER + "<stream:features>")
        peer.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65536)
        while sent < 1 << 28:
            peer.send(endless)
            sent += len(endless)

    failed = hostile.failure(script, tls)
    hostile.close()
    assert failed.name in ("unreachable", "no-login")
    assert sent < 1 << 25  # what fits between the two


def test_features_in_pieces_of_one_byte(hostile: HostileServer) -> None:
    def script(peer: Peer) -> None:
        peer.encrypt()
        for byte in f"{HEADER}<stream:features>{mechanisms('PLAIN')}</stream:features>":
            peer.send(byte)
        peer.read("</auth>")
        for byte in f"<failure xmlns='{SASL}'><not-authorized/></failure>":
            peer.send(byte)

    assert hostile.failure(script).name == "wrong-password"


def test_nobody_listens(hostile: HostileServer) -> None:
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as listener:
        port = listener.getsockname()[1]
    hostile.port, kept = port, hostile.port
    failed = hostile.failure(Peer.until_closed)
    hostile.port = kept
    assert (failed.name, failed.to_error().text) == ("unreachable", "The server of montague.example cannot be reached; try again later")
    assert f"127.0.0.1:{port}: Connection refused" in failed.detail


def test_a_proceed_that_is_none(hostile: HostileServer) -> None:
    failed = hostile.failure(
        lambda peer: (greeted(peer), peer.send(PROCEED.replace("xmpp-tls", "xmpp-x")), peer.until_closed()), "starttls"
    )
    assert failed.name == "no-tls"
