"""The cost of messages, history and events of the client API: `python bench/client.py [--streams 200] [--archived 1000000]`

A gateway of its own on loopback, SQLite, one process. Client and gateway share the machine's processors.
"""

from __future__ import annotations

import argparse
import base64
import http.client
import json
import os
import socket
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from xmpp_rest.application import build  # noqa: E402
from xmpp_rest.config.load import load_settings  # noqa: E402

DOMAIN, PASSWORD = "capulet.example", "R0m30-forever"
USERS = ("juliet", "nurse", "peter", "laurence")
BASE = 1_600_000_000  # Unix time of the first archived message


class Client:
    """One kept-alive connection of one user."""

    def __init__(self, port: int, user: str) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        coded = base64.b64encode(f"{user}@{DOMAIN}:{PASSWORD}".encode()).decode()
        self.headers = {"Authorization": f"Basic {coded}", "Content-Type": "application/json"}

    def __call__(self, method: str, path: str, body: Any = None) -> Any:
        self.connection.request(method, path, None if body is None else json.dumps(body), self.headers)
        response = self.connection.getresponse()
        data = response.read()
        if response.status != 200:
            raise SystemExit(f"{method} {path}: {response.status} {data!r}")
        return json.loads(data)

    def events(self) -> Iterator[dict[str, Any]]:
        self.connection.request("GET", "/api/sse", headers=self.headers)
        response = self.connection.getresponse()
        while line := response.readline():
            if line.startswith(b"data: "):
                yield json.loads(line[6:])


def percentiles(seconds: list[float]) -> str:
    ordered = sorted(seconds)
    return f"p50 {statistics.median(ordered) * 1e3:7.2f} ms   p99 {ordered[int(len(ordered) * 0.99)] * 1e3:7.2f} ms"


def show(name: str, text: str) -> None:
    print(f"  {name:<44} {text}")


def timed(call: Callable[[], Any], repeats: int) -> list[float]:
    taken = []
    for _ in range(repeats):
        began = time.perf_counter()
        call()
        taken.append(time.perf_counter() - began)
    return taken


def throughput(name: str, port: int, call: Callable[[Client], Any], connections: int = 8, each: int = 150) -> None:
    clients = [Client(port, "juliet") for _ in range(connections)]
    with ThreadPoolExecutor(connections) as pool:
        began = time.perf_counter()
        list(pool.map(lambda client: [call(client) for _ in range(each)], clients))
        show(name, f"{connections * each / (time.perf_counter() - began):10,.0f} per second")


def say(client: Client) -> None:
    client("POST", "/api/messages", {"to": f"nurse@{DOMAIN}", "body": "Hie you to church; I must another way"})


def latency(port: int, streams: int, messages: int) -> None:
    """From the POST's begin to the event, on each of so many streams that peter has open."""
    heard: list[float] = []
    ready = threading.Barrier(streams + 1)

    def listen() -> None:
        events = Client(port, "peter").events()
        ready.wait()
        heard.extend(-(float(next(events)["body"]) - time.perf_counter()) for _ in range(messages))

    threads = [threading.Thread(target=listen) for _ in range(streams)]
    for thread in threads:
        thread.start()
    ready.wait()
    time.sleep(1)
    client = Client(port, "juliet")
    for _ in range(messages):
        client("POST", "/api/messages", {"to": f"peter@{DOMAIN}", "body": str(time.perf_counter())})
        time.sleep(0.002 * streams)
    for thread in threads:
        thread.join()
    show(f"POST to event, {streams} stream(s)", percentiles(heard))
    if streams > 1:
        show("GET a page while they are open", percentiles(timed(lambda: client("GET", "/api/messages?limit=1"), 200)))


INSERT = 'INSERT INTO prosodyarchive ("host", "user", "store", "key", "when", "with", "type", "value") VALUES (?, ?, ?, ?, ?, ?, ?, ?)'
TEXT = "<message from='p%d@x.example' to='laurence@capulet.example' id='m%d' type='chat'><body>message %d</body></message>"


def fill(data: Path, numbers: range) -> None:
    """Archive messages for laurence, one every ten seconds, with a hundred partners."""
    database = sqlite3.connect(data / "gateway.sqlite")
    owner = (DOMAIN, "laurence", "archive")
    rows = ((*owner, f"k{n}", BASE + 10 * n, f"p{n % 100}@x.example", "xml", TEXT % (n % 100, n, n)) for n in numbers)
    database.executemany(INSERT, rows)
    database.commit()
    database.close()


def pages(port: int, count: int) -> None:
    client = Client(port, "laurence")
    middle = (BASE + 5 * count) * 1000
    client("GET", f"/api/messages?before={middle}")  # the first one reads the whole archive
    for name, path in (
        ("the newest 50", "/api/messages"),
        ("50 with one of a hundred", "/api/messages/p7@x.example"),
        ("50 out of the middle", f"/api/messages?before={middle}"),
        ("50 out of the middle with one", f"/api/messages/p7@x.example?before={middle}"),
        ("the newest 500", "/api/messages?limit=500"),
    ):
        show(f"{name}, of {count:,}", percentiles(timed(partial(client, "GET", path), 100)))


def serve(data: Path, streams: int) -> tuple[int, subprocess.Popen[bytes]]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    values = {
        "server_data_dir": str(data),
        "server_bind": f"127.0.0.1:{port}",
        "server_threads": str(2 * streams + 16),
        "server_log_level": "warning",
        "gateway_domain": DOMAIN,
        "auth_admin_password": PASSWORD,
        "streams_total": str(streams),
        "streams_per_account": str(streams),
    }
    environ = {f"XMPP_REST_{name.upper()}": value for name, value in values.items()}
    gateway = build(load_settings(None, environ)).extensions["gateway"]
    for user in USERS:
        gateway.parts.accounts.register(gateway.parts.accounts.address(user, DOMAIN), PASSWORD)
    gateway.stop()
    process = subprocess.Popen([sys.executable, "-m", "xmpp_rest", "serve"], cwd=ROOT, env=os.environ | environ)
    for _ in range(200):
        try:
            Client(port, "juliet")("GET", "/api/messages")
            break
        except OSError:
            time.sleep(0.1)
    return port, process


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--streams", type=int, default=200)
    parser.add_argument("--archived", type=int, default=1_000_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder)
        port, process = serve(data, options.streams)
        try:
            client = Client(port, "juliet")
            show("POST a message, one connection", percentiles(timed(lambda: say(client), 300)))
            show("GET a page of 50, one connection", percentiles(timed(lambda: client("GET", "/api/messages"), 300)))
            throughput("POST a message, 8 connections", port, say)
            throughput("GET a page of 50, 8 connections", port, lambda c: c("GET", "/api/messages"))
            throughput("GET a page of 1, 8 connections", port, lambda c: c("GET", "/api/messages?limit=1"))
            latency(port, 1, 200)
            latency(port, options.streams, 20)
            for numbers in (range(1_000), range(1_000, options.archived)):
                fill(data, numbers)
                pages(port, numbers.stop)
        finally:
            process.terminate()
            process.wait()


if __name__ == "__main__":
    main()
