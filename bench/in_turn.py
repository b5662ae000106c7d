"""What a setting, or a change of the code, costs a request: gateways side by side, each asked for a second in turn, again and again.

    python bench/in_turn.py [--rounds 24] [--seconds 1] [--path /health] FOLDER[,SETTING=VALUE…] …

Each FOLDER is a checkout with its `.venv`; a SETTING is named as in the environment, without XMPP_REST_:
`.,SERVER_ACCESS_LOG=off,METRICS_ENABLED=no`. All have one worker and log to a file. Printed is the processor time of the worker for each
request, in µs: the mean of the quarter of rounds in which it was least, which others on the machine have disturbed least, and the median of
the differences to the first one, round by round.
"""

from __future__ import annotations

import argparse
import os
import re
import socket
import subprocess
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from statistics import mean, median
from tempfile import TemporaryDirectory
from urllib.request import urlopen

CONNECTIONS = 8
PATIENCE = 60.0  # seconds for a gateway to start


class OneWorker:
    """A gateway with one worker."""

    def __init__(self, folder: Path, words: str) -> None:
        """`words`: the folder of its code, and its settings."""
        code, *settings = words.split(",")
        with socket.create_server(("127.0.0.1", 0)) as free:
            self._port: int = free.getsockname()[1]
        config = folder / "wsgi.ini"
        config.write_text(f"[server]\nbind = 127.0.0.1:{self._port}\nworkers = 1\n")
        given = dict(setting.split("=", 1) for setting in settings)
        environ = os.environ | {f"XMPP_REST_{name}": value for name, value in given.items()}
        command = [str(Path(code).absolute() / ".venv/bin/python"), "app.py", "--config", str(config)]
        with (folder / "log").open("w") as log:
            self._process = subprocess.Popen(command, cwd=code, env=environ, stdout=subprocess.DEVNULL, stderr=log)
        self._clock = 0

    def wait(self) -> None:
        """Wait until it answers."""
        until = time.monotonic() + PATIENCE
        while True:
            try:
                urlopen(f"http://127.0.0.1:{self._port}/health", timeout=5).close()
                break
            except OSError:
                if time.monotonic() > until:
                    raise
                time.sleep(0.1)
        (worker,) = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text().split()
        self._clock = ~int(worker) << 3 | 2  # of the processor time of another process (clock_getcpuclockid(3))

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait()

    def take(self, path: str, seconds: int) -> float:
        """Processor time of one request in µs, of those of so many seconds."""
        began = time.clock_gettime_ns(self._clock)
        command = ["wrk", "-t", "1", "-c", str(CONNECTIONS), "-d", str(seconds), f"http://127.0.0.1:{self._port}{path}"]
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        found = re.search(r"(\d+) requests in", said)
        if found is None or "Non-2xx" in said:
            raise SystemExit(said)
        time.sleep(0.15)  # lines of the log that wait are written
        return (time.clock_gettime_ns(self._clock) - began) / int(found[1]) / 1000


def compared(gateways: Sequence[OneWorker], path: str, rounds: int, seconds: int) -> list[list[float]]:
    """What a request took, for each gateway, round by round."""
    for gateway in gateways:
        gateway.take(path, 1)
    took: list[list[float]] = [[] for _ in gateways]
    for number in range(rounds):
        for at in range(len(gateways)) if number % 2 else reversed(range(len(gateways))):
            took[at].append(gateways[at].take(path, seconds))
    return took


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=24)
    parser.add_argument("--seconds", type=int, default=1)
    parser.add_argument("--path", default="/health")
    parser.add_argument("gateways", nargs="+", metavar="FOLDER[,SETTING=VALUE]")
    arguments = parser.parse_args()
    with ExitStack() as stack:
        gateways = []
        for words in arguments.gateways:
            gateways.append(OneWorker(Path(stack.enter_context(TemporaryDirectory())), words))
            stack.callback(gateways[-1].stop)
        for gateway in gateways:
            gateway.wait()
        took = compared(gateways, arguments.path, arguments.rounds, arguments.seconds)
    for words, times in zip(arguments.gateways, took, strict=True):
        least = mean(sorted(times)[: max(1, len(times) // 4)])
        print(f"{least:7.1f} µs; {median(b - a for a, b in zip(took[0], times, strict=True)):+6.1f}  {words}")


if __name__ == "__main__":
    main()
