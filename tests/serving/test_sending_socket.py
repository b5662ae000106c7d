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


def test_the_head_waits_for_the_body(pair: Pair) -> None:
    ours, client = pair
    ours.hold()
    ours.sendall(b"head\r\n\r\n")
    assert silent(client)
    ours.sendall(b"body")
    assert client.recv(100) == b"head\r\n\r\nbody"
    ours.sendall(b"more")
    assert client.recv(100) == b"more"


def test_a_head_alone_goes_with_the_flush(pair: Pair) -> None:
    ours, client = pair
    ours.hold()
    ours.sendall(b"head")
    ours.flush()
    assert client.recv(100) == b"head"
    ours.flush()
    assert silent(client)


def test_a_file_follows_the_head(pair: Pair) -> None:
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


def test_the_next_request_is_waited_for_a_moment(pair: Pair) -> None:
    ours, client = pair
    started = time.monotonic()
    assert ours.next_request(100) is None
    assert 0.03 < time.monotonic() - started < 2
    client.sendall(b"GET")
    assert ours.next_request(100) == b"GET"
    client.close()
    assert ours.next_request(100) == b""


def test_a_request_that_has_begun_is_waited_for(pair: Pair) -> None:
    ours, client = pair
    later = threading.Timer(0.3, client.sendall, (b"late",))
    later.start()
    assert ours.recv(100) == b"late"
    later.join()


def test_a_deadline_wakes_who_waits(pair: Pair) -> None:
    ours, _ = pair
    later = threading.Timer(0.3, ours.shutdown, (socket.SHUT_RDWR,))
    later.start()
    assert ours.recv(100) == b""
    later.join()


@pytest.mark.parametrize("timeout", [None, 0.2])
def test_who_does_not_read_is_gone(pair: Pair, timeout: float | None) -> None:
    ours, _ = pair
    ours.settimeout(timeout)
    with pytest.raises(ConnectionResetError, match="too long to read"):
        ours.sendall(b"x" * 10_000_000)


def test_who_does_not_send_within_a_timeout_is_gone(pair: Pair) -> None:
    ours, _ = pair
    ours.settimeout(0.1)
    with pytest.raises(ConnectionResetError, match="too long to send"):
        ours.recv(100)


def test_a_socket_that_must_not_block_does_not(pair: Pair) -> None:
    ours, _ = pair
    ours.setblocking(False)
    with pytest.raises(BlockingIOError):
        ours.recv(100)
    with pytest.raises(BlockingIOError):
        ours.sendall(b"x" * 10_000_000)
