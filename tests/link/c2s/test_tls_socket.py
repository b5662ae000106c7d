"""TLS of which each call takes a bounded time, whatever the peer sends."""

from __future__ import annotations

import socket
import ssl
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest

from tests.authority import Authority
from tests.link.c2s.hostile import DOMAIN, HostileServer, Peer
from xmpp_rest.link.c2s import tls_socket
from xmpp_rest.link.c2s.tls_socket import CHUNK, CHUNKS, PIECE, TlsSocket

Serve = Callable[[ssl.SSLSocket], object]


class CountedSocket(socket.socket):
    """Knows how much was read from it."""

    read = 0

    def recv(self, size: int, flags: int = 0, /) -> bytes:
        data = super().recv(size, flags)
        self.read += len(data)
        return data


@contextmanager
def connected(authority: Authority, serve: Serve, tickets: int = 2) -> Iterator[tuple[TlsSocket, CountedSocket]]:
    """A connection behind its handshake, and the socket below it; `serve` has the other end."""
    theirs, ours = socket.socketpair()
    for each in theirs, ours:
        each.settimeout(60)
    raw = CountedSocket(fileno=ours.detach())
    context = authority.issue(DOMAIN).context()
    context.num_tickets = tickets

    def run() -> None:
        with suppress(OSError), context.wrap_socket(theirs, server_side=True) as peer:  # the client may have had enough
            serve(peer)
            peer.settimeout(60)
            while peer.recv(65536):
                pass

    peer = threading.Thread(target=run, daemon=True)
    peer.start()
    raw.settimeout(60)
    it = TlsSocket(raw, ssl.create_default_context(cafile=authority.ca_file), DOMAIN)
    try:
        finish(it.do_handshake)
        yield it, raw
    finally:
        with suppress(OSError):
            it.unwrap()
        it.close()
        peer.join(60)
    assert not peer.is_alive()


def finish(act: Callable[[], object]) -> object:
    """What this returns, on a socket that blocks."""
    while True:
        try:
            return act()
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            pass


def read(it: TlsSocket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        more = finish(lambda: it.recv(65536))
        assert isinstance(more, bytes)
        assert more
        data += more
    return data


def test_bytes_of_any_number_arrive(c2s_authority: Authority) -> None:
    """Records and sockets are smaller."""
    sent, answer = b"wherefore" * 100_000, b"art thou" * 100_000
    heard: list[bytes] = []

    def serve(peer: ssl.SSLSocket) -> None:
        while sum(map(len, heard)) < len(sent):
            heard.append(peer.recv(65536))
        peer.sendall(answer)

    with connected(c2s_authority, serve) as (it, raw):
        raw.setblocking(False)
        assert finish(lambda: it.send(sent)) == len(sent)
        raw.settimeout(60)
        assert read(it, len(answer)) == answer
    assert b"".join(heard) == sent


def test_what_is_not_taken_is_to_be_sent_again(c2s_authority: Authority) -> None:
    goes = threading.Event()
    with connected(c2s_authority, lambda peer: goes.wait(60)) as (it, raw):
        raw.setblocking(False)
        large = bytes(8 << 20)
        for _ in range(3):
            with pytest.raises(ssl.SSLWantWriteError):
                it.send(large)
        goes.set()
        assert finish(lambda: it.send(large)) == len(large)
        raw.settimeout(60)


def test_a_peer_that_sends_nothing_but_tls(c2s_authority: Authority) -> None:
    """Some 250 bytes for each ticket of a session, as it may send as long as it likes. Others have their turn all the time."""
    with connected(c2s_authority, lambda peer: None, tickets=2000) as (it, raw):
        calls = 0
        raw.read = 0
        with pytest.raises(OSError, match="TLS that carries nothing"):  # noqa: PT012
            while True:
                before = raw.read
                with pytest.raises(ssl.SSLWantReadError):  # noqa: PT012
                    try:
                        it.recv(65536)
                    finally:
                        assert raw.read - before <= CHUNK * CHUNKS
                calls += 1
        assert calls > 1
        assert raw.read <= tls_socket.MOST_OF_TLS + CHUNK


def test_a_login_at_a_server_that_sends_nothing_but_tls(hostile: HostileServer) -> None:
    def script(peer: Peer) -> None:
        peer.encrypt(num_tickets=5000)
        peer.until_closed()

    failed = hostile.failure(script)
    assert failed.name == "unreachable"
    assert "TLS that carries nothing" in failed.detail


def test_the_end(c2s_authority: Authority) -> None:
    def serve(peer: ssl.SSLSocket) -> None:
        peer.sendall(b"good night")
        peer.unwrap()

    with connected(c2s_authority, serve) as (it, _):
        assert read(it, 10) == b"good night"
        assert it.recv(1) == b""


def test_a_peer_that_does_not_read_what_tls_answers(c2s_authority: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tls_socket, "MOST_UNREAD", -1)
    with connected(c2s_authority, lambda peer: peer.sendall(b"good night")) as (it, _), pytest.raises(OSError, match="not read"):
        finish(lambda: it.recv(PIECE))


def test_nothing_is_kept_of_a_connection_that_is_closed(c2s_authority: Authority) -> None:
    """TLS takes most of what a session does, and who closes one may keep it for a while."""
    with connected(c2s_authority, lambda peer: peer.sendall(b"good night")) as (it, _):
        assert finish(lambda: it.recv(4)) == b"good"
        assert it._made is not None
        made = weakref.ref(it._made)
        it.close()
        assert made() is None
        for act in lambda: it.recv(4), lambda: it.send(b"farewell"), it.do_handshake:
            with pytest.raises(OSError, match="Bad file descriptor|it is closed"):
                act()
