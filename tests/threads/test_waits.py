"""Bounds on waiting requests: of one account at most half as many as threads; all together at most three quarters of the threads, or 10,000 tasks."""

from __future__ import annotations

import base64
import json
import os
import re
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from http.client import HTTPResponse
from pathlib import Path

import pytest

from tests.gateway.test_storage_lost import workers as worker_processes
from tests.link.attached import echo_pings, until
from tests.link.fake_server import SECRET, Connection, FakeServer
from tests.live.child import LOOPBACK
from tests.live.gateway import PASSWORD, Gateway
from tests.live.xmppserver import GATEWAY
from xmpp_rest.errors import GatewayError
from xmpp_rest.threads.future import OneShot
from xmpp_rest.threads.waits import Waits

GTHREAD, OWN_LOOP = "gthread", "xmpp_rest.serving.worker.Worker"
THREADS = 8
MOST, OWN = 6, 4  # of them that may wait, and for one account
NOBODY = "nobody@silent.example"
Make = Callable[..., Gateway]
Asking = Callable[..., socket.socket]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    """Starts a gateway whose server answers no iq but those to oneself."""
    server = FakeServer(echo_pings)
    made: list[Gateway] = []

    def start(workers: int = 1, worker_class: str = OWN_LOOP, **sections: dict[str, object]) -> Gateway:
        settings: dict[str, dict[str, object]] = {
            "server": {"threads": THREADS, "workers": workers, "worker_class": worker_class},
            "gateway": {"domain": GATEWAY, "rooms_domain": "", "conference_domain": ""},
            "link": {"secret": SECRET},
        }
        gateway = Gateway(tmp_path, server.port, settings | sections)
        made.append(gateway)
        gateway.start()
        gateway.wait_state("online")
        for user in ("juliet", "romeo"):
            gateway.register(user)
        return gateway

    yield start
    for gateway in made:
        gateway.stop()
    server.close()


def basic(user: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{user}@{GATEWAY}:{PASSWORD}".encode()).decode()}


@pytest.fixture
def asking() -> Iterator[Asking]:
    """Makes connections whose request waits, 60 seconds if it may; that for `health` does not."""
    with ExitStack() as connections:

        def ask(gateway: Gateway, user: str, what: str = "get") -> socket.socket:
            fields, body, target = "Prosody-Rest-Timeout: 60", "", "GET /health" if what == "health" else f"GET /rest/version/{NOBODY}"
            if what == "post":
                body, target = json.dumps({"ping": True, "to": NOBODY}), "POST /rest"
            elif "message" in what:
                text = "?" * (20_000 if what == "long message" else 1)
                body, fields, target = json.dumps({"body": text, "to": NOBODY}), "Prefer: wait=60", "POST /rest"
            fields += f"\r\nContent-Type: application/json\r\nContent-Length: {len(body)}" if body else ""
            head = f"{target} HTTP/1.1\r\nHost: x\r\nAuthorization: {basic(user)['Authorization']}\r\n{fields}\r\n\r\n"
            connection = connections.enter_context(socket.create_connection((LOOPBACK, gateway.port), timeout=30))
            connection.sendall((head + body).encode())
            return connection

        yield ask


def answered(connection: socket.socket) -> HTTPResponse:
    response = HTTPResponse(connection)
    response.begin()
    return response


def has_answer(connection: socket.socket) -> bool:
    connection.setblocking(False)
    try:
        return bool(connection.recv(1, socket.MSG_PEEK))
    except BlockingIOError:
        return False
    finally:
        connection.settimeout(30)


def waiting(connections: list[socket.socket], most: int) -> tuple[list[socket.socket], list[HTTPResponse]]:
    """At most so many that have no answer, and the answers of the others."""

    def still() -> list[socket.socket]:
        return [connection for connection in connections if not has_answer(connection)]

    until(lambda: len(still()) <= most)
    left = still()
    return left, [answered(connection) for connection in connections if connection not in left]


def quickly(gateway: Gateway, sender: str = "romeo") -> None:
    """Whatever does not wait is served at once."""
    for _ in range(10):
        started = time.monotonic()
        assert gateway.http.request("GET", "/health").status == 200
        gateway.send(f"<message to='{NOBODY}' type='chat'><body>hi</body></message>", sender)
        assert time.monotonic() - started < 20, "what waits does so for 60 s"


@pytest.mark.parametrize("what", ["get", "post"])
def test_waits_are_bounded_per_account_and_together(make: Make, asking: Asking, what: str) -> None:
    gateway = make(worker_class=GTHREAD)
    still, refused = waiting([asking(gateway, "juliet", what) for _ in range(2 * THREADS)], OWN)
    assert len(still) == OWN
    assert {(r.status, r.headers["Retry-After"]) for r in refused} == {(503, "5")}
    assert b"waits_per_account" in refused[0].read()
    quickly(gateway)
    others, refused = waiting([asking(gateway, "romeo", what) for _ in range(2 * THREADS)], MOST - OWN)
    assert len(others) == MOST - OWN
    assert {r.status for r in refused} == {503}
    quickly(gateway)


@pytest.mark.parametrize("what", ["get", "post"])
def test_tasks_are_bounded_per_account(make: Make, asking: Asking, what: str) -> None:
    gateway = make()
    still, refused = waiting([asking(gateway, "juliet", what) for _ in range(2 * THREADS)], OWN)
    assert len(still) == OWN
    assert {(r.status, r.headers["Retry-After"]) for r in refused} == {(503, "5")}
    assert b"waits_per_account" in refused[0].read()
    others, refused = waiting([asking(gateway, "romeo", what) for _ in range(2 * THREADS)], OWN)
    assert len(others) == OWN
    quickly(gateway)
    assert gateway.status()["waits"] == {"count": 2 * OWN, "most": 10_000}


@pytest.mark.parametrize("worker_class", [GTHREAD, OWN_LOOP])
def test_the_wait_of_a_disconnected_client_ends(make: Make, asking: Asking, worker_class: str) -> None:
    gateway = make(worker_class=worker_class)
    for _ in range(3):
        connections = [asking(gateway, "juliet") for _ in range(OWN)]
        until(lambda: gateway.status()["waits"]["count"] == OWN)
        for connection in connections:
            connection.close()
        until(lambda: gateway.status()["waits"]["count"] == 0)


def test_a_message_beyond_the_bound_of_waits_is_refused(make: Make, asking: Asking) -> None:
    """The server does confirm messages here; what waits are iqs."""
    gateway = make()
    waiting([asking(gateway, "juliet") for _ in range(OWN)], OWN)
    until(lambda: gateway.status()["waits"]["count"] == OWN)
    refused = answered(asking(gateway, "juliet", "message"))
    assert (refused.status, refused.headers["Retry-After"]) == (503, "5")
    assert "Stanza-Id" not in refused.headers
    assert answered(asking(gateway, "romeo", "message")).status == 202


def test_streams_and_waits_share_the_threads(make: Make, asking: Asking) -> None:
    gateway = make(worker_class=GTHREAD)
    streams = [gateway.http.request("GET", "/rest/stream", headers=basic("romeo"), preload_content=False) for _ in range(3)]
    assert [s.status for s in streams] == [200] * 3
    still, _ = waiting([asking(gateway, "juliet") for _ in range(THREADS)], MOST - 3)
    assert len(still) == MOST - 3
    quickly(gateway)
    full = gateway.http.request("GET", "/rest/stream", headers=basic("romeo"))
    assert (full.status, full.headers["Retry-After"]) == (503, "5")
    for stream in streams:
        stream.close()


@pytest.mark.parametrize(("worker_class", "in_one"), [(GTHREAD, MOST), (OWN_LOOP, 2 * OWN)])
def test_waits_of_several_processes(make: Make, asking: Asking, worker_class: str, in_one: int) -> None:
    """Half of the requests wait in the leader, half in the follower; one that ends leaves nothing in either."""
    gateway = make(workers=2, worker_class=worker_class, rest={"iq_waiting": 2 * in_one})
    counts: list[int] = []
    until(lambda: b"\nxmpp_rest_processes 2" in gateway.http.request("GET", "/metrics").data)
    for _ in range(4):  # how many connections each gets is not promised
        still, refused = waiting([asking(gateway, user) for user in ("juliet", "romeo") for _ in range(2 * THREADS)], 2 * in_one)
        counts.append(len(still))
        assert {r.status for r in refused} == {503}
        quickly(gateway)
        for connection in still:
            connection.close()
        until(lambda: all(gateway.status()["waits"]["count"] == 0 for _ in range(8)))
    assert in_one < max(counts) <= 2 * in_one


@pytest.mark.parametrize("worker_class", [GTHREAD, OWN_LOOP])
def test_calls_to_a_stopped_leader_do_not_take_all_threads(make: Make, asking: Asking, worker_class: str) -> None:
    """Calls of another process wait, but not in all threads."""
    gateway = make(workers=2, worker_class=worker_class)
    lock = Path(gateway.folder / "data" / "owner.lock").stat().st_ino
    owner = next(int(line.split()[4]) for line in Path("/proc/locks").read_text().splitlines() if f":{lock} " in line)
    os.kill(owner, signal.SIGSTOP)
    try:
        for _ in range(6 * THREADS):
            asking(gateway, "romeo", "long message")  # more than the kernel takes
        asked = [asking(gateway, "romeo", "health") for _ in range(20)]  # some are with the process that was stopped
        until(lambda: sum(has_answer(connection) for connection in asked) >= 3)
    finally:
        os.kill(owner, signal.SIGCONT)


class Withholding:
    """The script of a server that answers the iqs of others all at once, when it is told to; those to oneself immediately."""

    def __init__(self) -> None:
        self.withheld: list[str] = []
        self._connection: Connection | None = None

    def __call__(self, connection: Connection) -> None:
        connection.accept()
        self._connection = connection
        while True:
            iq = _last_iq(connection.read_until("</iq>"))
            attributes = dict(re.findall(r"(id|from|to)='([^']*)'", iq.partition(">")[0]))
            if attributes["from"] == attributes["to"]:
                connection.send(iq)
            else:
                self.withheld.append("<iq type='result' id='{id}' from='{to}' to='{from}'/>".format(**attributes))

    def answer(self) -> None:
        assert self._connection is not None
        self._connection.send("".join(self.withheld))


def _last_iq(text: str) -> str:
    return text[text.rindex("<iq ") :]


@pytest.mark.parametrize("workers", [1, 2])
def test_a_thousand_iqs_hold_a_few_threads(tmp_path: Path, asking: Asking, workers: int) -> None:
    script = Withholding()
    server = FakeServer(script)
    settings: dict[str, dict[str, object]] = {
        "server": {"threads": THREADS, "workers": workers, "waits_per_account": 1024},
        "gateway": {"domain": GATEWAY, "rooms_domain": "", "conference_domain": ""},
        "link": {"secret": SECRET},
        "rest": {"iq_waiting": 2000},
    }
    gateway = Gateway(tmp_path, server.port, settings)
    try:
        gateway.start()
        gateway.wait_state("online")
        gateway.register("juliet")
        connections = [asking(gateway, "juliet", "post") for _ in range(1000)]
        until(lambda: len(script.withheld) == 1000)
        quickly(gateway, "juliet")
        processes = worker_processes(gateway)
        assert len(processes) == workers
        assert all(len(list(Path(f"/proc/{pid}/task").iterdir())) <= 10 + 2 * THREADS for pid in processes)
        script.answer()
        assert {answered(connection).status for connection in connections} == {200}
        until(lambda: all(gateway.status()["waits"]["count"] == 0 for _ in range(8)))
    finally:
        gateway.stop()
        server.close()


def test_calls_leave_a_thread_and_give_theirs_back() -> None:
    waits = Waits(4)
    entered, leave = threading.Semaphore(0), threading.Event()
    done: list[bool] = []

    def call() -> None:
        try:
            with waits.calling():
                entered.release()
                leave.wait(30)
                done.append(True)
        except GatewayError as e:
            done.append(e.name != "waits-full")

    threads = [threading.Thread(target=call) for _ in range(5)]
    for thread in threads:
        thread.start()
    assert all(entered.acquire(timeout=30) for _ in range(3))
    until(lambda: len(done) == 2)
    assert done == [False, False]
    leave.set()
    for thread in threads:
        thread.join(30)
    assert done.count(True) == 3
    with waits.calling():
        pass


def test_a_wait_checks_whether_its_client_is_connected() -> None:
    looks = iter([False, True])
    started = time.monotonic()
    assert OneShot[str]().wait(30, lambda: next(looks)) is None
    assert time.monotonic() - started < 15
