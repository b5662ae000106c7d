"""What a setting, or a change of the code, costs a request: gateways side by side, each asked for a second in turn, again and again.

    python bench/in_turn.py [--rounds 24] [--seconds 1] [--path /health | --message] FOLDER[,SETTING=VALUE…] …

Each FOLDER is a checkout with its `.venv`; a SETTING is named as in the environment, without XMPP_REST_:
`.,SERVER_ACCESS_LOG=off,METRICS_ENABLED=no`. All log to a file, and have one worker unless SERVER_WORKERS says otherwise. With
`--message` the request sends a message, as XML and with the fixed token, over a link to a server that throws it away (`bench/sink.py`).
Two processes of the same code may differ by more than what is looked for; `bench/observing.py` knows no such difference.

Printed is the processor time of the workers for each request, in µs: the mean of the quarter of rounds in which it was least, which others
on the machine have disturbed least, and the median of the differences to the first one, round by round.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from statistics import mean, median
from tempfile import TemporaryDirectory
from urllib.request import Request, urlopen

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench.load import SCRIPT
from bench.sink import Sink

CONNECTIONS = 16
PATIENCE = 60.0  # seconds for a gateway to start
PASSWORD = "I-am-no-pilot"
CONFIG = """
[server]
bind = 127.0.0.1:{port}
workers = 1
[gateway]
domain = capulet.example
[auth]
admin_password = {password}
[rest]
credentials = Bearer hand-in-glove
"""
LINK = """
[link]
kind = component
host = 127.0.0.1
port = {port}
secret = s
"""
MESSAGE = '<message to="friar@montague.example" type="chat"><body>wisely and slow; they stumble that run fast %n</body></message>'
POSTED = ("POST", "/rest", MESSAGE, "Content-Type", "application/xmpp+xml", "Authorization", "Bearer hand-in-glove")
ANSWERED = re.compile(r"^RESULT (\d+) \d+ \d+ \d+ (\d+) ", re.MULTILINE)  # and how many badly


class Gateway:
    """A gateway that runs. `link`: the port of the server that it is a component of; 0: of none."""

    def __init__(self, folder: Path, words: str, link: int = 0, program: Sequence[str] = ("app.py",)) -> None:
        """`words`: the folder of its code, and its settings; `program`: what runs it, in the folder of its code."""
        code, *settings = words.split(",")
        with socket.create_server(("127.0.0.1", 0)) as free:
            self._port: int = free.getsockname()[1]
        config = folder / "wsgi.ini"
        config.write_text(CONFIG.format(port=self._port, password=PASSWORD) + (LINK.format(port=link) if link else ""))
        given = dict(setting.split("=", 1) for setting in settings)
        self._workers = int(given.get("SERVER_WORKERS", "1"))
        environ = os.environ | {f"XMPP_REST_{name}": value for name, value in given.items()}
        command = [str(Path(code).absolute() / ".venv/bin/python"), *program, "--config", str(config)]
        with (folder / "log").open("w") as log:
            self._process = subprocess.Popen(command, cwd=code, env=environ, stdout=subprocess.DEVNULL, stderr=log)
        self._clocks: tuple[int, ...] = ()

    def wait(self) -> None:
        """Wait until all its workers serve, and its link is up."""
        until = time.monotonic() + PATIENCE
        while not self._is_ready():
            if time.monotonic() > until:
                raise TimeoutError("the gateway does not start")
            time.sleep(0.1)
        workers = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text().split()
        self._clocks = tuple(~int(worker) << 3 | 2 for worker in workers)  # the time of another process (clock_getcpuclockid(3))

    def _is_ready(self) -> bool:
        who = base64.b64encode(f"admin:{PASSWORD}".encode()).decode()
        try:
            with urlopen(Request(f"http://127.0.0.1:{self._port}/status", headers={"Authorization": f"Basic {who}"}), timeout=5) as answer:
                status = json.load(answer)
        except OSError:
            return False
        return bool(status["ready"]) and status["processes"] == self._workers

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait()

    def take(self, request: Sequence[str], seconds: int) -> float:
        """Processor time of one request in µs, of those of so many seconds."""
        began = self._spent()
        command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "-s", str(SCRIPT), f"http://127.0.0.1:{self._port}", "--", *request]
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        found = ANSWERED.search(said)
        if found is None or found[2] != "0":
            raise SystemExit(said)
        time.sleep(0.15)  # lines of the log, and messages for the archive, that wait are written
        return (self._spent() - began) / int(found[1]) / 1000

    def _spent(self) -> int:
        return sum(map(time.clock_gettime_ns, self._clocks))


def compared(gateways: Sequence[Gateway], request: Sequence[str], rounds: int, seconds: int) -> list[list[float]]:
    """What a request took, for each gateway, round by round."""
    for gateway in gateways:
        gateway.take(request, 1)
    took: list[list[float]] = [[] for _ in gateways]
    for number in range(rounds):
        for at in range(len(gateways)) if number % 2 else reversed(range(len(gateways))):
            took[at].append(gateways[at].take(request, seconds))
    return took


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=24)
    parser.add_argument("--seconds", type=int, default=1)
    asked = parser.add_mutually_exclusive_group()
    asked.add_argument("--path", default="/health")
    asked.add_argument("--message", action="store_true")
    parser.add_argument("gateways", nargs="+", metavar="FOLDER[,SETTING=VALUE]")
    arguments = parser.parse_args()
    request = POSTED if arguments.message else ("GET", arguments.path, "")
    with ExitStack() as stack:
        gateways = []
        for words in arguments.gateways:
            folder = Path(stack.enter_context(TemporaryDirectory()))
            gateways.append(Gateway(folder, words, Sink().port if arguments.message else 0))
            stack.callback(gateways[-1].stop)
        for gateway in gateways:
            gateway.wait()
        took = compared(gateways, request, arguments.rounds, arguments.seconds)
    for words, times in zip(arguments.gateways, took, strict=True):
        least = mean(sorted(times)[: max(1, len(times) // 4)])
        print(f"{least:7.1f} µs; {median(b - a for a, b in zip(took[0], times, strict=True)):+6.1f}  {words}")


if __name__ == "__main__":
    main()
