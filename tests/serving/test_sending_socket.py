"""The worker's socket waits in the kernel, and sends the head of an answer together with its body."""

from __future__ import annotations

import socket
import tempfile
import threading
import time
from collections.abc import Iterator

import pytest

from xmpp_rest.serving.sending_socket import ClientSocket

Pair = tuple[ClientSocket, socket.socket]


@pytest.fixture
def pair() -> Iterator[Pair]:
    accepted, client = socket.socketpair()
    ours = ClientSocket(accepted, patience=0.05, write=0.2)
    client.settimeout(5)
    yield ours, client
    ours.close()
    client.close()


def silent(client: socket.socket) -> bool:
    client.setblocking(False)
    try:
        client.recv(1)
    except BlockingIOError:
        return True
    finally:
        client.settimeout(5)
    return False


def test_socket_sends_head_and_body_together(pair: Pair) -> None:
    ours, client = pair
    ours.hold()
    ours.sendall(b"head\r\n\r\n")
    assert silent(client)
    ours.sendall(b"body")
    assert client.recv(100) == b"head\r\n\r\nbody"
    ours.sendall(b"more")
    assert client.recv(100) == b"more"


def test_socket_flushes_a_head_alone(pair: Pair) -> None:
    ours, client = pair
    ours.hold()
    ours.sendall(b"head")
    ours.flush()
    assert client.recv(100) == b"head"
    ours.flush()
    assert silent(client)


def test_socket_sends_a_file_after_the_head(pair: Pair) -> None:
    ours, client = pair
    ours.hold()
    ours.sendall(b"head ")
    with tempfile.TemporaryFile() as file:
        file.write(b"file")
        file.seek(0)
        ours.sendfile(file)
    data = b""
    while len(data) < 9:
        data += client.recv(100)
    assert data == b"head file"


def test_socket_waits_a_moment_for_the_next_request(pair: Pair) -> None:
    ours, client = pair
    started = time.monotonic()
    assert ours.next_request(100) is None
    assert 0.03 < time.monotonic() - started < 20
    client.sendall(b"GET")
    assert ours.next_request(100) == b"GET"
    client.close()
    assert ours.next_request(100) == b""


def test_socket_waits_for_the_rest_of_a_request(pair: Pair) -> None:
    ours, client = pair
    later = threading.Timer(0.3, client.sendall, (b"late",))
    later.start()
    assert ours.recv(100) == b"late"
    later.join()


def test_socket_shut_down_wakes_the_reader(pair: Pair) -> None:
    ours, _ = pair
    later = threading.Timer(0.3, ours.shutdown, (socket.SHUT_RDWR,))
    later.start()
    assert ours.recv(100) == b""
    later.join()


@pytest.mark.parametrize("timeout", [None, 0.2])
def test_socket_write_timeout(pair: Pair, timeout: float | None) -> None:
    ours, _ = pair
    ours.settimeout(timeout)
    with pytest.raises(ConnectionResetError, match="too long to read"):
        ours.sendall(b"x" * 10_000_000)


def test_socket_read_timeout(pair: Pair) -> None:
    ours, _ = pair
    ours.settimeout(0.1)
    with pytest.raises(ConnectionResetError, match="too long to send"):
        ours.recv(100)


def test_nonblocking_socket_does_not_block(pair: Pair) -> None:
    ours, _ = pair
    ours.setblocking(False)
    with pytest.raises(BlockingIOError):
        ours.recv(100)
    with pytest.raises(BlockingIOError):
        ours.sendall(b"x" * 10_000_000)
