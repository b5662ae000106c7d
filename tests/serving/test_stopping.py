"""A worker that is told to stop completes what is under way, or ends at once, as the signal says."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.live.gateway import ROOT
from tests.serving.load import until
from tests.serving.worker_server import THREADS, Server, answer

GET = "GET {} HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    servers = []

    def start(*options: str) -> Server:
        servers.append(Server(tmp_path, *options))
        return servers[-1]

    yield start
    for server in servers:
        server.process.kill()
        server.process.wait()
        server.log.close()


def begin(server: Server, request: str | bytes) -> socket.socket:
    sock = server.connect()
    sock.sendall(request.encode() if isinstance(request, str) else request)
    return sock


def rest(sock: socket.socket) -> bytes:
    """All that comes up to the end of the connection, which must come."""
    data = b""
    while piece := sock.recv(65536):
        data += piece
    sock.close()
    return data


def is_refused(server: Server) -> bool:
    """Whether nobody listens any more."""
    try:
        server.connect().close()
    except ConnectionError:
        return True
    return False


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_graceful_stop_completes_what_is_under_way(start: Callable[..., Server]) -> None:
    server = start("--keep-alive", "10")
    parked = begin(server, GET.format("/park/1"))
    blocked = begin(server, GET.format("/block/1"))
    offloaded = begin(server, GET.format("/offload/1"))
    generated = begin(server, GET.format("/generate"))
    pushed = begin(server, GET.format("/pushed/slow"))
    upload = begin(server, b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 6\r\n\r\nabc")
    kept = begin(server, GET.format("/"))
    answer(kept, b"\r\n\r\n0")
    half = begin(server, "GET / HTTP/1.1\r\nHo")
    generated_begun = answer(generated, b"line 0\n\r\n")
    pushed_begun = answer(pushed, b"tick 0\n\r\n")
    server.process.send_signal(signal.SIGTERM)
    until(lambda: is_refused(server), "the port is closed")  # so the worker knows
    upload.sendall(b"def")
    kept.sendall(GET.format("/").encode())
    half.sendall(b"st: x\r\n\r\n")
    assert rest(parked).endswith(b"\r\n\r\nparked")
    assert rest(blocked).endswith(b"\r\n\r\nblocked")
    assert rest(offloaded).endswith(b"\r\n\r\noffloaded")
    assert (generated_begun + rest(generated)).endswith(b"line 19\n\r\n0\r\n\r\n")
    assert (pushed_begun + rest(pushed)).endswith(b"tick 19\n\r\n0\r\n\r\n")
    for sock, body in ((upload, b"6"), (kept, b"0"), (half, b"0")):
        last = rest(sock)
        assert last.startswith(b"HTTP/1.1 200 OK\r\n")
        assert b"\r\nConnection: close\r\n" in last
        assert last.endswith(b"\r\n\r\n" + body)
    assert server.process.wait(30) == 0
    log = server.output()
    assert "Traceback" not in log
    assert "was sent" not in log


def test_graceful_stop_is_bounded(start: Callable[..., Server]) -> None:
    server = start("--graceful-timeout", "2")
    held = [begin(server, GET.format(path)) for path in ("/park/60", "/block/60", "/offload/60", "/compute/60")]
    held.append(flood := begin(server, GET.format("/pushed/flood")))
    flood.recv(1)
    assert server.stop() < 30, "what is held takes a minute"
    assert server.process.returncode == 0
    log = server.output()
    assert "Worker exiting" in log, "before gunicorn kills it"
    assert not {"SIGSEGV", "SIGABRT"} & set(re.findall(r"SIG\w+", log)), "a thread that goes on must not crash the process as it ends"
    for sock in held:
        sock.close()


def test_idle_connections_do_not_delay_a_stop(start: Callable[..., Server]) -> None:
    server = start("--keep-alive", "60", "--graceful-timeout", "60")
    kept, fresh = begin(server, GET.format("/")), server.connect()
    answer(kept, b"\r\n\r\n0")
    assert server.stop() < 30, "two seconds and a bit; otherwise a minute"
    assert rest(kept) == rest(fresh) == b""


@pytest.mark.parametrize("name", ["SIGQUIT", "SIGINT"])
def test_quick_stop_waits_for_nothing(start: Callable[..., Server], tmp_path: Path, name: str) -> None:
    hooks = tmp_path / "hooks.py"
    hooks.write_text("def worker_int(worker): worker.log.info('the hook for a quick stop')\n")
    server = start("--graceful-timeout", "60", "-c", str(hooks))
    pid = int(server.get("/pid"))
    held = [begin(server, GET.format(path)) for path in ("/park/60", "/block/60", "/offload/60", "/stream")]
    answer(held[-1], b"tick\n\r\n")
    begun = time.monotonic()
    server.process.send_signal(signal.Signals[name])
    server.process.wait(60)
    assert time.monotonic() - begun < 30, "the graceful timeout is a minute"
    assert not alive(pid)
    log = server.output()
    assert "the hook for a quick stop" in log
    assert "Traceback" not in log
    for sock in held:
        sock.close()


def test_orphaned_worker_ends(start: Callable[..., Server]) -> None:
    server = start()
    pid = int(server.get("/pid"))
    parked = begin(server, GET.format("/park/3"))
    server.process.kill()
    assert rest(parked).endswith(b"\r\n\r\nparked")
    until(lambda: not alive(pid), "the worker ends")
    assert is_refused(server)
    assert "Parent changed" in server.output()


@pytest.mark.parametrize("path", ["/hang-the-main-thread", "/hang-the-loop"])
def test_worker_that_hangs_is_replaced(start: Callable[..., Server], tmp_path: Path, path: str) -> None:
    hooks = tmp_path / "hooks.py"
    hooks.write_text("def worker_abort(worker): worker.log.info('the hook for an abort')\n")
    server = start("--timeout", "2", "-c", str(hooks))
    pid = server.get("/pid")
    with begin(server, f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n") as sock:
        answer(sock, b"planned")
    until(lambda: "WORKER TIMEOUT" in server.output(), "gunicorn sees no sign of life")
    assert server.get("/pid") != pid
    assert "the hook for an abort" in server.output()
    server.stop()


@pytest.mark.parametrize("path", ["/block/60", "/compute/60"])
def test_worker_all_of_whose_threads_are_taken_is_replaced(start: Callable[..., Server], path: str) -> None:
    server = start("--timeout", "8")
    pid = server.get("/pid")
    taken = [begin(server, f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n") for _ in range(THREADS + 1)]
    until(lambda: f"no request is served: all {THREADS} threads block or compute" in server.output(), "the log says so")
    until(lambda: "WORKER TIMEOUT" in server.output(), "nobody is served")
    assert server.get("/pid") != pid
    for sock in taken:
        sock.close()
    server.stop()


def test_worker_that_never_shows_life_is_replaced(start: Callable[..., Server], tmp_path: Path) -> None:
    hooks = tmp_path / "hooks.py"
    hooks.write_text("from xmpp_rest.serving.loop import Loop\ndef post_fork(server, worker): Loop.lives = lambda self: False\n")
    server = start("--timeout", "2", "-c", str(hooks))
    until(lambda: "WORKER TIMEOUT" in server.output(), "gunicorn sees no sign of life")
    server.stop()


def test_stop_while_signals_crowd_in(start: Callable[..., Server]) -> None:
    """A handler that runs while the main thread is just about to wait must not wait for it."""
    server = start()
    pid = int(server.get("/pid"))
    for _ in range(2000):
        os.kill(pid, signal.SIGWINCH)
    with server.connect() as sock:
        for n in range(300):
            sock.sendall(GET.format("/").encode())
            answer(sock, b"\r\n\r\n0")
            os.kill(pid, signal.SIGUSR1 if n % 2 else signal.SIGWINCH)
    assert server.stop() < 30
    assert server.process.returncode == 0


def test_leaving_does_what_is_to_be_done_at_the_exit() -> None:
    program = "import atexit; from xmpp_rest.serving.leaving import leave_at_exit; atexit.register(print, 'done'); leave_at_exit(3); print('begun')"
    ran = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert (ran.returncode, ran.stdout) == (3, "begun\ndone\n")
