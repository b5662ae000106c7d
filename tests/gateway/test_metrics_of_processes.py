"""The metrics of a gateway of two processes, over the wire: sums, and counters that do not fall when a process is killed."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from http.client import HTTPException

import pytest

from tests.metrics.scraped import Scraped
from tests.metrics.two_workers import DEADLINE, TwoWorkers


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TwoWorkers]:
    server = TwoWorkers(tmp_path_factory.mktemp("two"))
    yield server
    if server.process.poll() is None:
        server.stop()


class Watch(threading.Thread):
    """Scrapes all the time, and notes what has fallen."""

    def __init__(self, gateway: TwoWorkers) -> None:
        super().__init__(daemon=True)
        self.gateway = gateway
        self.latest = gateway.scrape()
        self.fallen: list[object] = []
        self.scrapes = 0
        self._ends = threading.Event()

    def run(self) -> None:
        while not self._ends.is_set():
            try:
                now = self.gateway.scrape()
            except (OSError, HTTPException):  # the one that was asked was killed
                continue
            self.scrapes += 1
            if fallen := now.fallen(self.latest):
                self.fallen.append(fallen)
            self.latest = now

    def end(self) -> None:
        """After a few more."""
        seen, until = self.scrapes, time.monotonic() + DEADLINE
        while self.scrapes < seen + 5:
            assert time.monotonic() < until
            time.sleep(0.02)
        self._ends.set()
        self.join(30)


def health(found: Scraped) -> float:
    return found.get("http_requests_total", api="ops", method="GET", code="200") or 0.0


def unknown(found: Scraped) -> float:
    return found.get("http_requests_total", api="other", method="GET", code="404") or 0.0


def test_the_processes_add_up(gateway: TwoWorkers) -> None:
    for _ in range(40):
        gateway.get("/nowhere", 404)
    after = gateway.wait_for(lambda found: unknown(found) == 40)
    assert after.get("processes") == 2
    assert after.get("threads") == 128
    assert after.sum("build_info") == 1
    assert after.get("process_open_fds", "") > 20  # type: ignore[operator]
    files = list((gateway.folder / "data" / "metrics").iterdir())
    assert len(files) == 2
    assert {path.stat().st_mode & 0o777 for path in files} == {0o600}


@pytest.mark.parametrize("leads", [False, True], ids=["follower", "leader"])
def test_no_counter_falls_when_a_process_is_killed(gateway: TwoWorkers, leads: bool) -> None:
    for _ in range(20):
        gateway.get("/health")
    before = gateway.wait_for(lambda found: found.get("processes") == 2)
    watch = Watch(gateway)
    watch.start()
    leader = gateway.leader
    killed = leader if leads else next(pid for pid in gateway.workers if pid != leader)
    os.kill(killed, signal.SIGKILL)
    gateway.wait_for(lambda found: killed not in gateway.workers and found.get("processes") == 2)
    watch.end()
    assert watch.fallen == []
    after = gateway.scrape()
    assert after.fallen(before) == {}
    assert health(after) > health(before)
    if leads:
        assert gateway.leader != leader


def test_a_process_that_does_not_answer_counts_with_what_is_known(gateway: TwoWorkers) -> None:
    for stopped in gateway.workers:
        before = gateway.scrape()
        os.kill(stopped, signal.SIGSTOP)
        try:
            began, found = time.monotonic(), None
            while found is None:
                try:
                    found = gateway.scrape()
                except TimeoutError:  # the kernel gave the connection to the one that is stopped
                    assert time.monotonic() < began + DEADLINE
            assert found.fallen(before) == {}
            assert found.get("processes") == 2
        finally:
            os.kill(stopped, signal.SIGCONT)


def test_a_new_start_begins_at_zero(gateway: TwoWorkers) -> None:
    """Last. The kept reports of the start before are not read, and are removed."""
    assert unknown(gateway.scrape()) >= 40
    gateway.stop()
    gateway.start()
    assert unknown(gateway.scrape()) == 0
    assert len(list((gateway.folder / "data" / "metrics").iterdir())) == 2
