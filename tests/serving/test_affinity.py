"""Pinning (`[server] pin_workers`): each worker has a processor of its own, as long as there are enough."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.link.attached import until
from tests.live.gateway import Gateway
from tests.serving.plain_workers import accepting, all_begun, blocked
from xmpp_rest.serving import affinity


@pytest.mark.parametrize(
    ("usable", "taken", "first", "chosen"),
    [
        ([0, 1], {}, 0, 0),
        ([0, 1], {}, 1, 1),
        ([0, 1], {}, 7, 1),
        ([0, 1], {1: 1}, 1, 0),
        ([2, 5, 9], {2: 1, 5: 1, None: 3}, 0, 9),
        ([2, 5, 9], {2: 2, 5: 1, 9: 2}, 2, 5),
    ],
)
def test_pinning_chooses_the_processor_with_the_fewest_workers(usable: list[int], taken: dict[int | None, int], first: int, chosen: int) -> None:
    assert affinity.choose(usable, Counter(taken), first) == chosen


def test_pinning_does_nothing_with_one_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {3}, raising=False)
    monkeypatch.setattr(os, "sched_setaffinity", lambda *_: pytest.fail("it was moved"), raising=False)
    worker = SimpleNamespace()
    affinity.pre_fork(SimpleNamespace(WORKERS={}), worker)
    affinity.post_fork(None, worker)
    assert worker.processor is None


TWO_PROCESSORS = pytest.mark.skipif(
    not hasattr(os, "sched_getaffinity") or len(os.sched_getaffinity(0)) < 2, reason="needs Linux and two processors"
)


@TWO_PROCESSORS
def test_pinned_workers_are_on_different_processors(tmp_path: Path) -> None:
    (tmp_path / "where.py").write_text("def app(environ, start):\n    start('200 OK', [])\n    return [b'']\n")
    command = [sys.executable, "-m", "gunicorn", "-c", "python:xmpp_rest.serving.affinity", "--workers", "2", "--no-control-socket"]
    command += ["-b", f"unix:{tmp_path}/socket", "--pythonpath", str(tmp_path), "where:app"]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL, cwd=Path(__file__).parents[2])
    try:
        all_begun(process.pid, 2)
        first, second = (os.sched_getaffinity(worker) for worker in accepting(process.pid))
        assert (len(first), len(second), first & second) == (1, 1, set())
        process.terminate()
        assert process.wait(60) == 0
    finally:
        process.kill()
        process.wait()


@TWO_PROCESSORS
@pytest.mark.parametrize("pinned", ["yes", "no"])
def test_pin_workers_setting(tmp_path: Path, pinned: str) -> None:
    gateway = Gateway(tmp_path, 5347, {"server": {"pin_workers": pinned, "workers": 2}, "link": {"kind": "none"}})
    gateway.start()
    try:
        assert gateway.http.request("GET", "/health").status == 200
        until(lambda: len(places(gateway)) == 2)
        assert all((len(place) == 1) == (pinned == "yes") for place in places(gateway)), places(gateway)
    finally:
        gateway.stop()


def places(gateway: Gateway) -> list[set[int]]:
    """The processors of each worker that can be told to stop: it is pinned between its fork and that (`serving/arbiter.py`)."""
    children = Path(f"/proc/{gateway.pid}/task/{gateway.pid}/children").read_text().split()
    return [os.sched_getaffinity(int(child)) for child in children if signal.SIGTERM not in blocked(int(child))]
