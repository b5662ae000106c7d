"""Workers come and go under load: no request fails, but those of a worker that was killed."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.serving.load import load, until
from tests.serving.worker_server import Server


@contextlib.contextmanager
def serving(folder: Path, *options: str, processes: int = 1) -> Iterator[Server]:
    """A server, once it has begun all processes: gunicorn pauses after each, while the first one serves already. What a test tells it
    meanwhile is done when the rest have begun, which are old ones by then.
    """
    server = Server(folder, "--workers", str(processes), *options)
    try:
        until(lambda: len(workers(server)) == processes, f"{processes} workers", found=server.output)
        yield server
        assert server.stop() < 30
        assert "Traceback" not in server.output()
    finally:
        server.process.kill()
        server.process.wait()
        server.log.close()


def workers(server: Server) -> set[int]:
    """The processes that the server has begun and not ended, as its log has them."""
    log = server.output()
    begun = {int(line.rpartition(" ")[2]) for line in log.splitlines() if "Booting worker" in line}
    return {pid for pid in begun if f"Worker exiting (pid: {pid})" not in log and f"(pid:{pid}) was sent" not in log}


def reload_twice(folder: Path, *options: str) -> list[str]:
    """What failed meanwhile."""
    with serving(folder, *options, processes=2) as server, load(server.port) as clients:
        for _ in range(2):
            before = workers(server)
            server.process.send_signal(signal.SIGHUP)
            until(lambda before=before: not workers(server) & before and len(workers(server)) == 2, "new workers", found=server.output)  # type: ignore[misc]
            clients.until_only(workers(server))
    return clients.failures


@pytest.mark.parametrize("options", [(), ("--preload",)], ids=["plain", "preload"])
def test_reload(tmp_path: Path, options: tuple[str, ...]) -> None:
    assert reload_twice(tmp_path, *options) == []


def test_reload_where_each_worker_has_a_socket_of_its_own(tmp_path: Path) -> None:
    """gunicorn tells the old workers to stop as soon as it has forked the new ones, which open their sockets only then: where the old ones
    are faster, nobody listens for a moment, and a client is refused. One that the kernel has connected to a socket between the last look of
    its worker and the close is reset, before its request was read. Other failures there are none.
    """
    failures = reload_twice(tmp_path, "--reuse-port")
    assert [failure for failure in failures if not failure.startswith(("ConnectionRefusedError(", "ConnectionResetError("))] == []


def test_more_and_fewer_workers(tmp_path: Path) -> None:
    with serving(tmp_path) as server, load(server.port) as clients:
        (first,) = workers(server)
        server.process.send_signal(signal.SIGTTIN)
        until(lambda: len(workers(server)) == 2, "another worker")
        clients.until_only(workers(server))
        server.process.send_signal(signal.SIGTTOU)
        until(lambda: len(workers(server)) == 1, "one worker again")
        clients.until_only(workers(server))
        assert first not in workers(server)
    assert clients.failures == []


def test_workers_that_serve_so_many_requests(tmp_path: Path) -> None:
    with serving(tmp_path, "--max-requests", "40", "--max-requests-jitter", "20", processes=2) as server:
        with load(server.port) as clients:
            until(lambda: len(set(clients.pids)) >= 5, "five workers")
            clients.until(50)
        assert clients.failures == []
        assert "Autorestarting worker" in server.output()


def test_worker_that_is_killed(tmp_path: Path) -> None:
    with serving(tmp_path, processes=2) as server, load(server.port) as clients:
        clients.until_only(workers(server))
        lost = min(workers(server))
        os.kill(lost, signal.SIGKILL)
        until(lambda: lost not in workers(server), "gunicorn sees it")
        until(lambda: len(workers(server)) == 2, "another one")
        clients.until_only(workers(server))  # by now every client has noticed
        failed = len(clients.failures)
        assert failed <= 4, "one for each client at most"
        clients.until(100)
        assert len(clients.failures) == failed


def test_new_program_in_place_of_the_old(tmp_path: Path) -> None:
    pids = tmp_path / "pid"
    with serving(tmp_path, "--pid", str(pids)) as server, load(server.port) as clients:
        old = workers(server)
        server.process.send_signal(signal.SIGUSR2)
        until(lambda: bool(workers(server) - old), "the other master's worker")
        until(Path(f"{pids}.2").exists, "its process id")
        new = int(Path(f"{pids}.2").read_text())
        try:
            server.stop()
            clients.until_only(workers(server))
            assert server.get("/ppid") == str(new)
            assert clients.failures == []
        finally:
            os.kill(new, signal.SIGQUIT)
