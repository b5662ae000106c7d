"""A gateway of two processes, scraped over the wire."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Callable
from http.client import HTTPConnection, HTTPException
from pathlib import Path

from tests.live.child import die_with_us, free_port
from tests.metrics.scraped import Scraped

ROOT = Path(__file__).parents[2]
DEADLINE = 60  # seconds


class TwoWorkers:
    """`python app.py` with two workers."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder, free_port()
        (folder / "wsgi.ini").write_text(
            f"[server]\nbind = 127.0.0.1:{self.port}\nworkers = 2\ndata_dir = data\n[auth]\nadmin_password = parting-is-such\n"
        )
        self.log = folder / "log"
        self.start()

    def start(self) -> None:
        with self.log.open("ab") as log:
            command = [sys.executable, str(ROOT / "app.py"), "--config", str(self.folder / "wsgi.ini")]
            self.process = subprocess.Popen(die_with_us(command), stdout=log, stderr=subprocess.STDOUT)
        self.wait_for(lambda found: found.get("processes") == 2)

    def stop(self) -> None:
        self.process.terminate()
        assert self.process.wait(30) == 0

    @property
    def workers(self) -> list[int]:
        pid = self.process.pid
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]

    @property
    def leader(self) -> int:
        return int(re.findall(r"process (\d+) leads", self.log.read_text())[-1])

    def get(self, path: str, status: int = 200) -> str:
        """The answer on a connection of its own, which goes to any worker."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            assert answer.status == status, (path, answer.status)
            return answer.read().decode()
        finally:
            connection.close()

    def scrape(self) -> Scraped:
        return Scraped(self.get("/metrics"))

    def wait_for(self, wanted: Callable[[Scraped], bool]) -> Scraped:
        """A scrape that is as `wanted`."""
        until = time.monotonic() + DEADLINE
        while time.monotonic() < until:
            try:
                if wanted(found := self.scrape()):
                    return found
            except (OSError, HTTPException):  # nobody listens yet; the one that was asked was killed
                assert self.process.poll() is None, self.log.read_text()
            time.sleep(0.02)  # others need the processor
        raise TimeoutError(self.log.read_text())
