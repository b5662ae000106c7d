"""A second gateway on the same storage and domain refuses to start, and the first one ends if it has lost the storage."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import urllib3
from flask import Flask

from drivers import Driver, open_driver
from drivers.lease import NOTE, LeaseTaken
from tests.conftest import DOMAIN, PASSWORD, MakeApp, basic
from tests.raising import raising
from tests.serving.plain_workers import all_begun
from xmpp_rest.cli.gateway import alone
from xmpp_rest.cli.token import token
from xmpp_rest.gateway import storage_lease as keeper
from xmpp_rest.gateway.gateway import Gateway

ROOT = Path(__file__).parents[2]
URL = "/api/status"
ADMIN = basic(f"admin@{DOMAIN}")
TIMEOUT = 60.0


def gateway_of(app: Flask) -> Gateway:
    gateway: Gateway = app.extensions["gateway"]
    return gateway


@pytest.fixture
def shared(tmp_path: Path) -> str:
    return f"sqlite:{tmp_path}/shared.sqlite"


@pytest.mark.parametrize("kind", ["sqlite", "flatfile", "jsonfile"])
def test_two_data_folders_on_one_storage(make_app: MakeApp, tmp_path: Path, kind: str) -> None:
    url = f"{kind}:{tmp_path}/shared"
    first, second = make_app(storage_url=url), make_app(storage_url=url)
    assert first.test_client().get("/rest/version", headers=ADMIN).status_code != 503
    with pytest.raises(LeaseTaken, match=f"another gateway uses this storage for {DOMAIN}: that of {tmp_path}/data0 at "):
        gateway_of(second).start()
    response = second.test_client().get("/rest/version", headers=ADMIN)
    assert (response.status_code, response.headers["Retry-After"]) == (503, "5")
    assert str(tmp_path) not in response.text
    assert "Another gateway uses the storage" in response.text
    gateway_of(first).stop()
    gateway_of(second).start()


def test_another_domain_on_the_same_storage_is_welcome(make_app: MakeApp, shared: str) -> None:
    gateway_of(make_app(storage_url=shared)).start()
    gateway_of(make_app(storage_url=shared, gateway_domain="montague.example")).start()
    with pytest.raises(LeaseTaken, match=rf"for muclight\.{DOMAIN}: "):  # but not with one of the other's domains
        gateway_of(make_app(storage_url=shared, gateway_domain="x.example", gateway_rooms_domain=f"muclight.{DOMAIN}")).start()


def test_processes_of_one_folder_share_it(make_app: MakeApp, shared: str, tmp_path: Path) -> None:
    folder = str(tmp_path / "data")
    first, second = (gateway_of(make_app(storage_url=shared, server_data_dir=folder)) for _ in range(2))
    first.start()
    second.start()
    first.stop()  # the other goes on, so the storage is not free
    with pytest.raises(LeaseTaken):
        gateway_of(make_app(storage_url=shared)).start()


def test_a_copy_of_the_data_folder_is_another_gateway(make_app: MakeApp, shared: str, tmp_path: Path) -> None:
    gateway_of(make_app(storage_url=shared, server_data_dir=str(tmp_path / "data"))).start()
    (tmp_path / "copy").mkdir()
    (tmp_path / "copy" / keeper.NODE).write_bytes((tmp_path / "data" / keeper.NODE).read_bytes())
    with pytest.raises(LeaseTaken):
        gateway_of(make_app(storage_url=shared, server_data_dir=str(tmp_path / "copy"))).start()


def test_the_command_line_of_another_folder_keeps_away(make_app: MakeApp, shared: str, tmp_path: Path) -> None:
    running = gateway_of(make_app(storage_url=shared))
    running.start()
    other = gateway_of(make_app(storage_url=shared))
    with pytest.raises(LeaseTaken), alone(other.settings, offline=True):
        pass
    with alone(running.settings, offline=True):
        pass
    account = f"admin@{DOMAIN}"
    with pytest.raises(LeaseTaken):
        token(other.settings, [account], offline=True)
    assert token(running.settings, [account], offline=True).code == 0


def take_over(storage: Driver) -> None:
    """As another gateway does once the lease has run out."""

    def taken(table: Any) -> Any:
        return {domain: {**entry, "node": "other", "where": "that of /other", "epoch": entry["epoch"] + 1} for domain, entry in table.items()}

    storage.note(NOTE, taken)


def test_one_that_was_suspended_looks_before_it_serves(make_app: MakeApp, monkeypatch: pytest.MonkeyPatch) -> None:
    app = make_app()
    client = app.test_client()
    assert client.get(URL, headers=ADMIN).status_code == 200
    take_over(gateway_of(app).driver)
    now = time.clock_gettime(keeper._CLOCK)
    monkeypatch.setattr(keeper.time, "clock_gettime", lambda _: now + keeper.LIFE + 1)  # type: ignore[attr-defined]
    response = client.post("/api/register", headers=ADMIN, json={"user": "late", "host": DOMAIN, "password": "x"})
    assert response.status_code == 503
    assert not gateway_of(app).driver.load("late", DOMAIN, "accounts")


def test_a_storage_that_cannot_be_reached_is_not_lost(make_app: MakeApp, monkeypatch: pytest.MonkeyPatch) -> None:
    gateway = gateway_of(make_app())
    gateway.start()
    monkeypatch.setattr(type(gateway.driver), "note", raising(OSError("no disk")))
    gateway.parts.lease._look()
    assert not gateway.parts.lease.lost
    assert gateway.incidents.counts() == {"lease-not-renewed": 1}


@contextmanager
def process(tmp_path: Path, folder: str, url: str, port: int, command: list[str] | None = None) -> Iterator[subprocess.Popen[bytes]]:
    values = {"STORAGE_URL": url, "SERVER_DATA_DIR": str(tmp_path / folder), "SERVER_BIND": f"127.0.0.1:{port}"}
    values |= {"GATEWAY_DOMAIN": DOMAIN, "AUTH_ADMIN_PASSWORD": PASSWORD, "AUTH_ITERATIONS": "4096", "SERVER_WORKERS": "1"}
    ini = tmp_path / "empty.ini"
    ini.touch()
    environment = os.environ | {f"XMPP_REST_{key}": value for key, value in values.items()} | {"XMPP_REST_CONFIG": str(ini)}
    with subprocess.Popen(
        command or [sys.executable, str(ROOT / "app.py")],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    ) as running:
        try:
            yield running
        finally:
            crash(running)


def crash(running: subprocess.Popen[bytes]) -> None:
    """Kill all processes of a gateway."""
    with suppress(ProcessLookupError):
        os.killpg(running.pid, signal.SIGKILL)


def until(what: Callable[[], bool]) -> None:
    deadline = time.monotonic() + TIMEOUT
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def status(port: int) -> int:
    try:
        return urllib3.request("GET", f"http://127.0.0.1:{port}/health", retries=False, timeout=5).status
    except urllib3.exceptions.HTTPError:
        return 0


def test_processes_from_start_to_loss(tmp_path: Path, shared: str, free_tcp_port_factory: Callable[[], int]) -> None:
    one, two = free_tcp_port_factory(), free_tcp_port_factory()
    with process(tmp_path, "one", shared, one) as first:
        until(lambda: status(one) == 200)
        with process(tmp_path, "two", shared, two) as second:
            output, _ = second.communicate(timeout=TIMEOUT)
        assert second.returncode == 75
        (line,) = output.decode().splitlines()
        assert line.startswith(f"xmpp-rest: another gateway uses this storage for {DOMAIN}: that of {tmp_path}/one")
        crash(first)
        first.communicate(timeout=TIMEOUT)
    with process(tmp_path, "one", shared, one) as again:  # at once, in the same folder
        until(lambda: status(one) == 200)
        storage = open_driver(shared, tmp_path)
        take_over(storage)
        storage.close()
        output, _ = again.communicate(timeout=TIMEOUT)  # within one renewal, and the answers that are under way
    assert b"the storage is lost, nothing is served any more: another gateway uses this storage" in output
    assert again.returncode in (0, -signal.SIGTERM)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_stop_below_another_server_gives_the_storage_back(
    tmp_path: Path, shared: str, free_tcp_port_factory: Callable[[], int], workers: int
) -> None:
    one, two = free_tcp_port_factory(), free_tcp_port_factory()
    command = [sys.executable, "-m", "gunicorn", "--no-control-socket", "-w", str(workers), "-b", f"127.0.0.1:{one}", "app:create_app()"]
    with process(tmp_path, "one", shared, one, command) as plain:
        until(lambda: status(one) == 200)
        all_begun(plain.pid, workers)
        plain.terminate()
        output, _ = plain.communicate(timeout=TIMEOUT)
    assert (plain.returncode, b"Traceback" in output) == (0, False), output
    with process(tmp_path, "two", shared, two) as other:
        until(lambda: status(two) == 200 or other.poll() is not None)
        assert other.poll() is None, other.communicate()[0]


def test_processes_that_stop_at_once_give_the_storage_back(make_app: MakeApp, shared: str, tmp_path: Path) -> None:
    folder = str(tmp_path / "data")
    gateways = [gateway_of(make_app(storage_url=shared, server_data_dir=folder)) for _ in range(4)]
    for gateway in gateways:
        gateway.start()
    leave = threading.Barrier(len(gateways))

    def stop(gateway: Gateway) -> None:
        leave.wait()
        gateway.stop()

    threads = [threading.Thread(target=stop, args=(gateway,)) for gateway in gateways]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    gateway_of(make_app(storage_url=shared)).start()


def test_a_descriptor_that_another_process_inherited_keeps_nobody_out(make_app: MakeApp) -> None:
    gateway = gateway_of(make_app())
    gateway.start()
    shared = gateway.parts.lease._shared
    assert shared is not None
    inherited = os.dup(shared)
    try:
        gateway.stop()
        with open(gateway.data_dir / keeper.PROCESSES, "rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    finally:
        os.close(inherited)


def test_a_stop_that_fails_gives_the_storage_back(make_app: MakeApp, shared: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process is stopped just as it takes the lead, and another part cannot end."""
    gateway: Gateway = make_app(storage_url=shared).extensions["gateway"]
    gateway.start()
    with monkeypatch.context() as patched:
        patched.setattr(gateway.parts.leader, "end", raising(RuntimeError("not begun")))
        with pytest.raises(RuntimeError, match="not begun"):
            gateway.stop()
    gateway.parts.leader.end()
    other: Gateway = make_app(storage_url=shared).extensions["gateway"]
    other.start()
    other.stop()
