"""A real server process of a test: starts it, waits until its ports answer, stops it, shows its log."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import signal
import socket
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path

LOOPBACK = "127.0.0.1"


def free_port() -> int:
    """A TCP port of the loopback interface that nobody listens on.

    It is none of those that the system gives to clients (from 32768 on): one of these may be taken before the server begins.
    """
    while True:
        port = 10_000 + secrets.randbelow(22_768)
        with socket.socket() as s, contextlib.suppress(OSError):
            s.bind((LOOPBACK, port))
            return port


def answers(port: int) -> bool:
    """Does something accept TCP connections at this loopback port?"""
    with socket.socket() as s:
        s.settimeout(1)
        return s.connect_ex((LOOPBACK, port)) == 0


class NotStarted(Exception):
    """The process ended or stayed silent; the text is the end of its log."""


class Child(ABC):
    """One foreground child process with a folder and a log of its own. Owner: the fixture or test that made it; `stop()` when done."""

    start_timeout = 30.0
    """Seconds that a loaded machine may need until the ports answer."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.output = folder / "output.log"
        self._process: subprocess.Popen[bytes] | None = None

    @abstractmethod
    def command(self) -> list[str]:
        """The program and its arguments; it must stay in the foreground."""

    def environment(self) -> Mapping[str, str]:
        """What is added to the environment."""
        return {}

    @abstractmethod
    def ready(self) -> bool:
        """Is it there for its clients?"""

    @property
    def running(self) -> bool:
        """Was it started, and has it neither ended nor been stopped?"""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """The process id of the running child."""
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Start and wait until `ready()`. Raises NotStarted."""
        self.begin()
        deadline = time.monotonic() + self.start_timeout
        while not self.ready():
            if not self.running or time.monotonic() > deadline:
                self.kill()
                raise NotStarted(f"{type(self).__name__}:\n{self.tail()}")
            time.sleep(0.05)

    def begin(self) -> None:
        """Start, and wait for nothing."""
        assert not self.running
        with self.output.open("ab") as out:
            self._process = subprocess.Popen(
                die_with_us(self.command()),
                env={**os.environ, **self.environment()},
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # so that kill() reaches its children too
            )

    def stop(self, timeout: float = 15.0) -> None:
        """End it politely (SIGTERM), and after `timeout` seconds not."""
        self._end(signal.SIGTERM, timeout)

    def kill(self) -> None:
        """End it and its children at once (SIGKILL): no goodbyes on its connections."""
        if self.running:
            os.killpg(self.pid, signal.SIGKILL)
        self._end(signal.SIGKILL, 10.0)

    def _end(self, sign: signal.Signals, timeout: float) -> None:
        if self._process is None:
            return
        if self._process.poll() is None:
            self._process.send_signal(sign)
        try:
            self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(10)
        self._process = None

    def logs(self) -> list[Path]:
        """The files that the process writes its log to."""
        return [self.output]

    def log(self) -> str:
        """The whole log so far."""
        return "".join(f.read_text("utf-8", "replace") for f in self.logs() if f.exists())

    def tail(self, lines: int = 40) -> str:
        """The end of the log."""
        return "\n".join(self.log().splitlines()[-lines:])


def die_with_us(command: list[str]) -> list[str]:
    """The command, arranged so that the kernel ends it should the test run be killed before any `stop()`."""
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", "KILL", "--", *command] if setpriv else command
