"""The gateway as a service: a process of its own that tells a datagram socket how it goes, as it tells systemd."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

from tests.live.child import LOOPBACK, free_port
from tests.serving.load import until

ROOT = Path(__file__).parents[2]
WATCHDOG = 1.0  # seconds


class Service:
    """`xmpp-rest run` with two processes, the settings `more` (lines of an ini file), and NOTIFY_SOCKET. It is told to stop at the end."""

    def __init__(self, folder: Path, address: str, more: str = "", **environ: str) -> None:
        self.folder = folder
        self.port = free_port()
        self.config = folder / "wsgi.ini"
        self.config.write_text(f"[server]\nbind = {self.port}, unix:http.sock\nworkers = 2\n{more}")
        self._heard: list[str] = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(address.replace("@", "\0", 1))
        self._socket.settimeout(0.05)
        self._log = (folder / "log").open("a")
        variables = {k: v for k, v in os.environ.items() if not k.startswith("XMPP_REST_")} | environ
        variables |= {"NOTIFY_SOCKET": address, "WATCHDOG_USEC": f"{WATCHDOG * 1e6:.0f}"}
        command = [sys.executable, "-m", "xmpp_rest", "--config", str(self.config), "run"]
        self.process = subprocess.Popen(command, stderr=self._log, cwd=ROOT, env=variables)

    def end(self) -> None:
        if self.process.poll() is None:
            workers = self.workers()
            self.process.kill()
            self.process.wait()
            for pid in workers:
                with contextlib.suppress(ProcessLookupError):  # without their parent they end by themselves
                    os.kill(pid, signal.SIGKILL)
        self._log.close()
        self._socket.close()

    def log(self) -> str:
        return (self.folder / "log").read_text()

    def workers(self) -> list[int]:
        """The processes that serve."""
        return [int(pid) for pid in Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()]

    def heard(self) -> list[str]:
        """All messages so far."""
        while True:
            try:
                self._heard.append(self._socket.recv(4096).decode())
            except TimeoutError:
                return self._heard

    def count(self, line: str) -> int:
        """How many messages had this line."""
        return sum(line in message.split("\n") for message in self.heard())

    def wait(self, line: str, count: int = 1) -> None:
        """Wait until as many messages with this line have come."""
        until(lambda: self.count(line) >= count or self.process.poll() is not None, line, found=lambda: (self._heard, self.log()))
        assert self.count(line) >= count, self.log()

    def status(self) -> str:
        """The latest line of the status."""
        lines = [line for message in self.heard() for line in message.split("\n") if line.startswith("STATUS=")]
        return lines[-1].removeprefix("STATUS=") if lines else ""

    def connection(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection(LOOPBACK, self.port, timeout=30)


def ask(connection: http.client.HTTPConnection, path: str) -> tuple[int, dict[str, object]]:
    connection.request("GET", path)
    answer = connection.getresponse()
    return answer.status, json.loads(answer.read())


def silence(service: Service, line: str, seconds: float) -> bool:
    """Whether no message with this line comes for so long."""
    before, until_ = service.count(line), time.monotonic() + seconds
    while time.monotonic() < until_:
        if service.count(line) > before:
            return False
    return True
