"""Slow, silent or lingering clients cannot keep the worker's threads, or its accept loop, for themselves."""

from __future__ import annotations

import contextlib
import socket
import time
from pathlib import Path

import pytest

from tests.serving.worker_server import THREADS, Server, answer


def closed(sock: socket.socket, seconds: float = 30) -> bool:
    """Whether the server ends the connection, with or without an answer."""
    sock.settimeout(seconds)
    try:
        while sock.recv(65536):
            pass
    except ConnectionResetError:
        pass
    except TimeoutError:
        return False
    return True


SLOW = {
    "half a head": b"GET / HTTP/1.1\r\nHost: x\r\nX",
    "half a body": b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf",
    "half a chunk": b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n64\r\nhalf",
}


@pytest.mark.parametrize("sent", SLOW.values(), ids=list(SLOW))
def test_slow_clients_hold_no_thread(server: Server, sent: bytes) -> None:
    slow = [server.connect() for _ in range(THREADS)]
    for sock in slow:
        sock.sendall(sent)
    time.sleep(0.1)
    started = time.monotonic()
    assert server.get() == "0"
    assert time.monotonic() - started < 20, "a second; without a deadline it would last until the slow ones leave"
    assert all(closed(sock) for sock in slow)
    for sock in slow:
        sock.close()


def test_slow_request_body_is_cut_off(server: Server) -> None:
    with server.connect() as sock:
        sock.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n")
        started = time.monotonic()
        with contextlib.suppress(OSError):
            while time.monotonic() - started < 40:
                sock.sendall(b"x")
                time.sleep(0.05)
        assert time.monotonic() - started < 20


def test_unread_answer_holds_no_thread(server: Server) -> None:
    """All threads write to clients that do not read: each gives up by itself after IO_SECONDS, and serves the next."""
    slow = [server.connect() for _ in range(THREADS)]
    for sock in slow:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.sendall(b"GET /big HTTP/1.1\r\nHost: x\r\n\r\n")
    for sock in slow:
        assert sock.recv(1) == b"H"  # its thread writes now
    with server.connect() as other:
        other.settimeout(30)  # the clients above never read nor go: without a bound this would last forever
        other.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        answer(other, b"\r\n\r\n0")
    for sock in slow:
        sock.close()


def test_lingering_clients_do_not_stop_the_accept_loop(server: Server) -> None:
    lingering = [server.connect() for _ in range(20)]
    for sock in lingering:
        sock.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        sock.recv(1)
    started = time.monotonic()
    assert server.get() == "0"
    assert time.monotonic() - started < 20, "two seconds for each that lingers would be 40"
    assert all(closed(sock) for sock in lingering)
    for sock in lingering:
        sock.close()


def test_large_request_body(server: Server) -> None:
    for head in (b"Content-Length: 3000000", b"Transfer-Encoding: chunked"):
        body = b"x" * 3_000_000
        if b"chunked" in head:
            body = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
        with server.connect() as sock:
            sock.sendall(b"POST / HTTP/1.1\r\nHost: x\r\n" + head + b"\r\nConnection: close\r\n\r\n" + body)
            assert answer(sock, b"3000000")


def test_keep_alive_after_an_unread_body(server: Server) -> None:
    with server.connect() as sock:
        for _ in range(3):
            sock.sendall(b"POST /refuse HTTP/1.1\r\nHost: x\r\nContent-Length: 2000000\r\n\r\n" + b"x" * 2_000_000)
            assert b" 403 " in answer(sock, b"no")


def test_keep_alive_and_pipelining(server: Server) -> None:
    request = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc"
    with server.connect() as sock:
        for _ in range(50):
            sock.sendall(request)
            answer(sock, b"\r\n\r\n3")
        sock.sendall(request * 20)
        answers = b""
        while answers.count(b"\r\n\r\n3") < 20:
            answers += sock.recv(65536)
        time.sleep(1.5)  # idle between requests for longer than a head may take: it is kept alive all the same
        sock.sendall(request)
        answer(sock, b"\r\n\r\n3")


def test_idle_keep_alive_holds_no_thread(tmp_path: Path) -> None:
    server = Server(tmp_path, "--keep-alive", "60")
    held = [server.connect() for _ in range(THREADS * 2)]
    for sock in held:
        sock.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        answer(sock, b"\r\n\r\n0")
    started = time.monotonic()
    assert server.get() == "0"
    assert time.monotonic() - started < 20
    for sock in held:
        sock.close()
    server.stop()
    server.log.close()


def test_graceful_shutdown_ends_streams(tmp_path: Path) -> None:
    server = Server(tmp_path, "--graceful-timeout", "60")
    with server.connect() as sock:
        sock.sendall(b"GET /stream HTTP/1.1\r\nHost: x\r\n\r\n")
        begun = b""
        while b"tick" not in begun:
            begun += sock.recv(65536)
        assert server.stop() < 30, "the graceful timeout is a minute"
        rest = b""
        while data := sock.recv(65536):
            rest += data
        assert b"end\n" in rest
    server.log.close()


SECURE = b"GET /seen HTTP/1.1\r\nHost: x\r\nX-Forwarded-Proto: https\r\n\r\n"


def test_scheme_of_each_request(server: Server) -> None:
    with server.connect() as sock:
        for sent, end in ((SECURE, b"https -"), (SECURE, b"https -"), (SECURE.replace(b"https", b"http"), b"http -")):
            sock.sendall(sent)
            answer(sock, b"\r\n\r\n" + end)
        for number in (b"1", b"2"):  # the same length, but not the same
            sock.sendall(b"GET /seen HTTP/1.1\r\nHost: x\r\nX-Number: " + number + b"\r\n\r\n")
            answer(sock, b"\r\n\r\nhttp " + number)


def test_gunicorn_settings_hold_for_every_request(tmp_path: Path) -> None:
    server = Server(tmp_path, "--limit-request-fields", "20", "--forwarded-allow-ips", "192.0.2.1")
    with server.connect() as sock:
        for _ in range(2):
            sock.sendall(SECURE)
            answer(sock, b"\r\n\r\nhttp -")
        sock.sendall(b"GET / HTTP/1.1\r\n" + b"X-A: b\r\n" * 21 + b"\r\n")
        assert b" 431 " in sock.recv(65536)
    server.stop()
    server.log.close()


def test_loop_survives_an_exception(tmp_path: Path) -> None:
    server = Server(tmp_path)
    slow: list[socket.socket] = []
    try:
        with server.connect() as sock:
            sock.sendall(b"POST /fail-in-the-loop HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            assert answer(sock, b"planned")
        slow += [server.connect() for _ in range(THREADS)]
        for sock in slow:
            sock.sendall(SLOW["half a head"])
        assert all(closed(sock) for sock in slow)  # the deadlines of others are kept
        assert "no such thing" in server.output()
    finally:
        for sock in slow:
            sock.close()
        server.stop()
        server.log.close()


def test_clients_that_leave_with_half_a_head(server: Server) -> None:
    took = []
    for _ in range(5):
        left = [server.connect() for _ in range(50)]
        for sock in left:
            sock.sendall(SLOW["half a head"])
            sock.shutdown(socket.SHUT_WR)
        begun = time.monotonic()
        assert all(closed(sock, 30) for sock in left)
        took.append(time.monotonic() - begun)
        for sock in left:
            sock.close()
    assert min(took) < 1, "the deadline of a head ends them after more than a second"


def test_worker_without_descriptors_waits_and_goes_on(tmp_path: Path) -> None:
    server = Server(tmp_path, files=48)
    crowd: list[socket.socket] = []
    try:
        for _ in range(3):
            crowd += [server.connect() for _ in range(100)]
            for sock in crowd:
                sock.sendall(SLOW["half a head"])
            deadline = time.monotonic() + 30
            while "RLIMIT_NOFILE" not in server.output() and time.monotonic() < deadline:
                time.sleep(0.05)
            while crowd:
                crowd.pop().close()
            assert server.get() == "0"
        log = server.output()
        assert log.count("RLIMIT_NOFILE") == 1
        assert log.count("Booting worker") == 1
        assert "Traceback" not in log
    finally:
        for sock in crowd:
            sock.close()
        server.stop()
        server.log.close()
