"""The speed of /data: GET, PUT and POST on each storage driver, and on Prosody's mod_data_access beside them.

    python bench/data.py [--seconds 3] [--clients 8] [--drivers sqlite,flatfile] [--postgres postgres://…]
    PROSODY_PLUGINS=/path/to/prosody-modules python bench/data.py

Each server is a process of its own on loopback, as people run it: the gateway by `python app.py` with its defaults, Prosody with its
internal storage and hashed passwords, which is its default. All of them get the same requests over connections that are kept open,
with credentials in each, and each write is of something new. What the gateway has answered is on the disk (fsync); Prosody leaves that to
the system.
"""

from __future__ import annotations

import argparse
import base64
import itertools
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
HOST, PASSWORD = "capulet.example", "R0m30-forever"
USER = f"admin@{HOST}"
WHO = "Authorization: Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
DOCUMENT = '{{"theme":"dark","zoom":1.5,"folders":["inbox","sent"],"name":"Juliet","n":"{:012}"}}'
PROSODY_CONFIG = """
run_as_root = true
pidfile = "{folder}/prosody.pid"
data_path = "{folder}/data"
certificates = "{folder}"
plugin_paths = {{ "{plugins}" }}
log = {{ error = "{folder}/prosody.log" }}
http_ports = {{ {port} }}
http_interfaces = {{ "127.0.0.1" }}
https_ports = {{}}
c2s_ports = {{}}
c2s_direct_tls_ports = {{}}
s2s_ports = {{}}
modules_enabled = {{ "data_access" }}
modules_disabled = {{ "s2s", "tls" }}
authentication = "internal_hashed"
http_default_host = "{host}"
VirtualHost "{host}"
"""


class Measured(NamedTuple):
    """Requests a second, and milliseconds that half and 99 of 100 of them took at most."""

    rate: float
    median: float
    p99: float


STORES = {"GET": "settings", "PUT": "settings", "POST": "wishes"}


def request(method: str, n: int) -> bytes:
    """The bytes of a request; the body of a write has `n` in it."""
    body = "" if method == "GET" else DOCUMENT.format(n)
    kind = f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n" if body else ""
    return f"{method} /data/{STORES[method]} HTTP/1.1\r\nHost: {HOST}\r\n{WHO}\r\n{kind}\r\n{body}".encode()


def exchange(connection: socket.socket, sent: bytes) -> int:
    """Send a request and read its whole answer; the status. No HTTP library: it would be most of what is measured."""
    connection.sendall(sent)
    data = b""
    while b"\r\n\r\n" not in data:
        data += _more(connection)
    head, _, body = data.partition(b"\r\n\r\n")
    length = next((int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")), 0)
    while len(body) < length:
        body += _more(connection)
    return int(head[9:12])


def _more(connection: socket.socket) -> bytes:
    return connection.recv(1 << 18) or sys.exit("the server hung up")


def measure(port: int, method: str, clients: int, seconds: float) -> Measured:
    """Ask as fast as the answers come, over `clients` connections at once."""
    times: list[float] = []
    numbers = itertools.count()
    stop = time.monotonic() + seconds

    def client() -> None:
        with socket.create_connection(("127.0.0.1", port)) as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            while (start := time.monotonic()) < stop:
                status = exchange(connection, request(method, next(numbers)))
                if status not in (200, 201):
                    sys.exit(f"status {status}")
                times.append(time.monotonic() - start)

    threads = [threading.Thread(target=client) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    times.sort()
    return Measured(len(times) / seconds, times[len(times) // 2] * 1000, times[len(times) * 99 // 100] * 1000)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port: int = listening.getsockname()[1]
        return port


@contextmanager
def running(command: list[str], environment: dict[str, str], port: int, folder: Path) -> Iterator[int]:
    """A server, from when its port answers; ended with everything it has started."""
    with (folder / "output").open("w") as output:
        process = subprocess.Popen(command, env=os.environ | environment, stdout=output, stderr=output)
    try:
        _wait(port, process, folder)
        yield port
    finally:
        process.terminate()
        process.wait(30)


def _wait(port: int, process: subprocess.Popen[bytes], folder: Path) -> None:
    for _ in range(300):
        if process.poll() is not None:
            sys.exit((folder / "output").read_text())
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except ConnectionRefusedError:
            time.sleep(0.1)
        else:
            return
    sys.exit("the server does not answer")


@contextmanager
def gateway(folder: Path, url: str) -> Iterator[int]:
    port = free_port()
    settings = {
        "SERVER_BIND": f"127.0.0.1:{port}",
        "SERVER_DATA_DIR": str(folder / "data"),
        "SERVER_LOG_LEVEL": "warning",
        "GATEWAY_DOMAIN": HOST,
        "AUTH_ADMIN_PASSWORD": PASSWORD,
        "STORAGE_URL": url,
    }
    (folder / "wsgi.ini").touch()
    command = [sys.executable, str(ROOT / "app.py"), "--config", str(folder / "wsgi.ini")]
    with running(command, {f"XMPP_REST_{k}": v for k, v in settings.items()}, port, folder):
        yield port


@contextmanager
def prosody(folder: Path, plugins: str) -> Iterator[int]:
    port = free_port()
    (folder / "prosody.cfg.lua").write_text(PROSODY_CONFIG.format(folder=folder, plugins=plugins, port=port, host=HOST))
    accounts = folder / "data" / HOST.replace(".", "%2e") / "accounts"
    accounts.mkdir(parents=True)
    (accounts / "admin.dat").write_text(f'return {{\n\t["password"] = "{PASSWORD}";\n}};\n')
    environment = {"LUA_INIT": "unpack = unpack or table.unpack"}  # the module was written for Lua 5.1
    with running(["prosody", "--config", str(folder / "prosody.cfg.lua"), "-F"], environment, port, folder):
        yield port


def report(name: str, port: int, clients: int, seconds: float) -> None:
    with socket.create_connection(("127.0.0.1", port)) as connection:
        for warm_up in ("PUT", "GET"):
            exchange(connection, request(warm_up, 0))
    for verb in STORES:
        rate, median, p99 = measure(port, verb, clients, seconds)
        print(f"{name:24}{verb:6}{rate:9.0f}{median:11.2f}{p99:10.2f}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=3, help="for each verb")
    parser.add_argument("--clients", type=int, default=8, help="connections at once")
    parser.add_argument("--drivers", default="sqlite,flatfile,jsonfile")
    parser.add_argument("--postgres", metavar="URL", help="measure that storage too; its tables get a few rows of capulet.example")
    options = parser.parse_args()
    urls = {name: f"{name}:storage" for name in options.drivers.split(",")} | ({"postgres": options.postgres} if options.postgres else {})
    print(f"{'':24}{'':6}{'req/s':>9}{'median ms':>11}{'p99 ms':>10}")
    for name, url in urls.items():
        with tempfile.TemporaryDirectory() as folder, gateway(Path(folder), url) as port:
            report(f"gateway, {name}", port, options.clients, options.seconds)
    plugins = os.environ.get("PROSODY_PLUGINS", "")
    if not plugins or not shutil.which("prosody"):
        print("set PROSODY_PLUGINS to a copy of prosody-modules, and install prosody, to measure mod_data_access too")
        return
    with tempfile.TemporaryDirectory() as folder, prosody(Path(folder), plugins) as port:
        report("Prosody, internal", port, options.clients, options.seconds)


if __name__ == "__main__":
    main()
