"""Can slow, silent or lingering clients keep the worker's threads, or its accept loop, to themselves?"""

from __future__ import annotations

import contextlib
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

APP = """
import time
from flask import Flask, Response, request
from xmpp_rest.http import worker
worker.HEAD_SECONDS = worker.BODY_SECONDS = worker.IO_SECONDS = 1.0

app = Flask(__name__)
ended = []

@app.route("/", methods=["GET", "POST"])
def root():
    return str(len(request.get_data()))

@app.route("/refuse", methods=["POST"])
def refuse():
    return "no", 403

@app.route("/big")
def big():
    return b"x" * 50_000_000

@app.route("/stream")
def stream():
    def ticks():
        while not ended:
            yield b"tick\\n"
            time.sleep(0.05)
        yield b"end\\n"
    return Response(ticks())

app.extensions["ending"] = (lambda: ended.append(True),)
"""
THREADS = 4


class Server:
    """gunicorn with our worker, one process of THREADS threads."""

    def __init__(self, folder: Path) -> None:
        (folder / "slowapp.py").write_text(APP)
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port: int = free.getsockname()[1]
        self.log = (folder / "log").open("w+")
        root = Path(__file__).parents[2]
        command = [sys.executable, "-m", "gunicorn", "-k", "xmpp_rest.http.worker.Worker", "--threads", str(THREADS), "--no-control-socket"]
        command += ["-b", f"127.0.0.1:{self.port}", "--graceful-timeout", "10", "--pythonpath", f"{folder},{root}", "slowapp:app"]
        self.process = subprocess.Popen(command, stdout=self.log, stderr=self.log, cwd=root)
        deadline = time.monotonic() + 15
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError):
                assert self.get() == "0"
                return
            time.sleep(0.05)
        raise AssertionError(self.output())

    def output(self) -> str:
        self.log.seek(0)
        return self.log.read()

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), 10)

    def get(self, path: str = "/") -> str:
        with self.connect() as sock:
            sock.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
            answer = b""
            while data := sock.recv(65536):
                answer += data
        return answer.partition(b"\r\n\r\n")[2].decode()

    def stop(self) -> float:
        """Seconds that a graceful stop took."""
        started = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(20)
        return time.monotonic() - started


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("worker"))
    yield server
    if server.process.poll() is None:
        server.stop()
    text = server.output()
    server.log.close()
    assert "Traceback" not in text, text


def answer(sock: socket.socket, end: bytes) -> bytes:
    """What comes, up to `end`: head and body travel separately."""
    data = b""
    while not data.endswith(end):
        data += sock.recv(65536)
    return data


def closed(sock: socket.socket, seconds: float = 4) -> bool:
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
def test_slow_clients_give_their_threads_back(server: Server, sent: bytes) -> None:
    slow = [server.connect() for _ in range(THREADS)]
    for sock in slow:
        sock.sendall(sent)
    time.sleep(0.1)
    started = time.monotonic()
    assert server.get() == "0"
    assert time.monotonic() - started < 3
    assert all(closed(sock) for sock in slow)
    for sock in slow:
        sock.close()


def test_a_body_drop_by_drop_is_cut_off(server: Server) -> None:
    with server.connect() as sock:
        sock.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n")
        started = time.monotonic()
        with contextlib.suppress(OSError):
            while time.monotonic() - started < 5:
                sock.sendall(b"x")
                time.sleep(0.05)
        assert time.monotonic() - started < 4


def test_an_unread_answer_gives_its_thread_back(server: Server) -> None:
    slow = [server.connect() for _ in range(THREADS)]
    for sock in slow:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.sendall(b"GET /big HTTP/1.1\r\nHost: x\r\n\r\n")
    time.sleep(0.1)
    started = time.monotonic()
    assert server.get() == "0"
    assert time.monotonic() - started < 4
    for sock in slow:
        sock.close()


def test_lingering_clients_do_not_stop_the_accept_loop(server: Server) -> None:
    lingering = [server.connect() for _ in range(20)]
    for sock in lingering:
        sock.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        sock.recv(1)
    started = time.monotonic()
    assert server.get() == "0"
    assert time.monotonic() - started < 1
    assert all(closed(sock) for sock in lingering)
    for sock in lingering:
        sock.close()


def test_a_large_body_comes_whole(server: Server) -> None:
    for head in (b"Content-Length: 3000000", b"Transfer-Encoding: chunked"):
        body = b"x" * 3_000_000
        if b"chunked" in head:
            body = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
        with server.connect() as sock:
            sock.sendall(b"POST / HTTP/1.1\r\nHost: x\r\n" + head + b"\r\nConnection: close\r\n\r\n" + body)
            assert answer(sock, b"3000000")


def test_a_connection_outlives_a_body_that_nobody_reads(server: Server) -> None:
    with server.connect() as sock:
        for _ in range(3):
            sock.sendall(b"POST /refuse HTTP/1.1\r\nHost: x\r\nContent-Length: 2000000\r\n\r\n" + b"x" * 2_000_000)
            assert b" 403 " in answer(sock, b"no")


def test_requests_one_after_the_other_and_pipelined(server: Server) -> None:
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


def test_a_kept_alive_connection_does_not_hold_its_thread_when_others_wait(server: Server) -> None:
    held = [server.connect() for _ in range(THREADS * 2)]
    for sock in held:
        sock.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        answer(sock, b"\r\n\r\n0")
    started = time.monotonic()
    assert server.get() == "0"
    assert time.monotonic() - started < 1
    for sock in held:
        sock.close()


def test_streams_end_when_the_server_stops(tmp_path: Path) -> None:
    server = Server(tmp_path)
    with server.connect() as sock:
        sock.sendall(b"GET /stream HTTP/1.1\r\nHost: x\r\n\r\n")
        time.sleep(0.2)
        assert b"tick" in sock.recv(65536)
        assert server.stop() < 5
        rest = b""
        while data := sock.recv(65536):
            rest += data
        assert b"end\n" in rest
    server.log.close()
