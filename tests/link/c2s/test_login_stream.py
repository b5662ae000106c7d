"""How a login reads and writes, and what becomes of a connection that breaks under it."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator

import pytest

from tests.authority import Authority
from tests.link.c2s.hostile import DOMAIN, PROCEED, STARTTLS, HostileServer, Peer
from xmpp_rest.link.c2s.failures import LoginFailed
from xmpp_rest.link.c2s.login_stream import LoginStream
from xmpp_rest.link.c2s.login_time import LoginTime
from xmpp_rest.link.c2s.tls import TlsContexts, encrypted

MUCH = "x" * (8 << 20)


def some_time(seconds: float = 60) -> LoginTime:
    return LoginTime(DOMAIN, seconds, lambda: False)


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    """The client's one, which does not block, and the server's."""
    client, server = socket.socketpair()
    client.setblocking(False)
    with client, server:
        yield client, server


def test_what_the_server_does_not_take_at_once(ends: tuple[socket.socket, socket.socket]) -> None:
    client, server = ends
    received: list[bytes] = []

    def read() -> None:
        while data := server.recv(1 << 20):
            received.append(data)

    thread = threading.Thread(target=read)
    thread.start()
    with LoginStream(client, some_time()) as stream:
        stream.write(MUCH)
    thread.join(60)
    assert b"".join(received).decode() == f"{MUCH}</stream:stream>"


def test_what_the_server_never_takes(ends: tuple[socket.socket, socket.socket]) -> None:
    with LoginStream(ends[0], some_time(0.3)) as stream, pytest.raises(LoginFailed, match="nothing within"):
        stream.write(MUCH)


def test_a_server_that_is_gone(ends: tuple[socket.socket, socket.socket]) -> None:
    client, server = ends
    server.close()
    with LoginStream(client, some_time()) as stream, pytest.raises(LoginFailed, match="unreachable"):
        stream.write("x")


def reset(peer: Peer) -> None:
    """Break the connection off so that the client is told."""
    peer.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


@pytest.mark.parametrize("tls", ["direct", "starttls"])
def test_a_connection_that_is_reset(hostile: HostileServer, tls: str) -> None:
    assert hostile.failure(reset, tls).name == "unreachable"


def test_a_connection_that_is_reset_in_place_of_tls(hostile: HostileServer) -> None:
    def script(peer: Peer) -> None:
        peer.open(STARTTLS)
        peer.read("/>")
        peer.send(PROCEED)
        peer.sock.recv(1)  # of the handshake
        reset(peer)

    assert hostile.failure(script, "starttls").name == "unreachable"


def test_a_name_that_no_certificate_can_have(hostile: HostileServer, ends: tuple[socket.socket, socket.socket]) -> None:
    context = TlsContexts().of(hostile.login(), direct=True)
    with pytest.raises(LoginFailed, match="unreachable"):
        encrypted(ends[0], context, "", some_time())


def test_no_descriptor_is_left(hostile: HostileServer, monkeypatch: pytest.MonkeyPatch) -> None:
    def none(*args: object) -> object:
        raise OSError(24, "Too many open files")

    with monkeypatch.context() as patch:
        patch.setattr(socket, "socket", none)
        failed = hostile.failure(Peer.until_closed)
    assert (failed.name, failed.detail) == ("unreachable", f"127.0.0.1:{hostile.port}: Too many open files")


def test_one_context_for_a_section_until_it_changes(hostile: HostileServer, c2s_authority: Authority) -> None:
    contexts = TlsContexts()
    context = contexts.of(hostile.login(), direct=True)
    assert contexts.of(hostile.login(), direct=True) is context
    assert contexts.of(hostile.login(), direct=False) is not context
    assert contexts.of(hostile.login(port=5223), direct=True) is not context
    changed = contexts.of(hostile.login(), direct=True)
    contexts.forget()  # the file may be another one
    assert contexts.of(hostile.login(), direct=True) is not changed
