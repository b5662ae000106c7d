"""The log writes lines together, keeps their order, and loses none when the process stops or forks."""

from __future__ import annotations

import io
import logging
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.many import in_threads
from xmpp_rest.logs.handler import DELAY, MOST, BufferedHandler

ROOT = Path(__file__).parents[2]


class Stream(io.StringIO):
    """Notes each write."""

    def __init__(self) -> None:
        super().__init__()
        self.writes: list[str] = []
        self.written = threading.Event()

    def write(self, text: str) -> int:
        self.writes.append(text)
        self.written.set()
        return len(text)


@pytest.fixture
def stream() -> Stream:
    return Stream()


@pytest.fixture
def log(stream: Stream) -> Iterator[logging.Logger]:
    """A logger over a handler of its own."""
    logger, handler = logging.Logger("test", logging.DEBUG), BufferedHandler(("test",), stream)
    logger.addHandler(handler)
    yield logger
    logger.removeHandler(handler)
    handler.close()


def test_lines_are_written_together_and_soon(log: logging.Logger, stream: Stream) -> None:
    for round_ in range(2):
        stream.written.clear()
        began = time.monotonic()
        for n in range(5):
            log.info("%d", n)
        assert stream.written.wait(30)
        assert time.monotonic() - began >= DELAY / 2
        assert stream.writes[round_] == "0\n1\n2\n3\n4\n"
    assert DELAY <= 0.1


def test_a_warning_is_written_at_once_after_what_came_before(log: logging.Logger, stream: Stream) -> None:
    log.info("one")
    log.debug("two")
    log.warning("three")
    assert stream.writes == ["one\ntwo\nthree\n"]


def test_lines_of_other_loggers_are_written_at_once(log: logging.Logger, stream: Stream) -> None:
    other = logging.Logger("other", logging.DEBUG)
    other.addHandler(log.handlers[0])
    log.info("one")
    other.info("two")
    assert stream.writes == ["one\ntwo\n"]


def test_the_number_of_lines_kept_is_bounded(log: logging.Logger, stream: Stream) -> None:
    for n in range(MOST):
        log.info("%d", n)
    assert "".join(stream.writes).count("\n") == MOST


def test_threads_lose_no_line(log: logging.Logger, stream: Stream) -> None:
    def work(_: int) -> None:
        for n in range(500):
            (log.warning if n % 50 == 0 else log.info)("x")

    in_threads(work, range(4))
    log.warning("end")
    assert "".join(stream.writes) == "x\n" * 2000 + "end\n"


def test_a_stream_that_cannot_be_written_stops_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    handler = BufferedHandler(("test",), stream)
    failed: list[logging.LogRecord] = []
    monkeypatch.setattr(handler, "handleError", failed.append)
    logger = logging.Logger("test")
    logger.addHandler(handler)
    stream.close()
    logger.warning("nobody can read this")
    assert [record.getMessage() for record in failed] == ["nobody can read this"]


ENDINGS = {
    "by itself": "",
    "sys.exit": "raise SystemExit(0)",
    "error": "raise ValueError",
    "terminated": "import os, signal, sys; signal.signal(signal.SIGTERM, lambda *_: sys.exit(0)); os.kill(os.getpid(), signal.SIGTERM); import time; time.sleep(30)",
    "forked": "import os; pid = os.fork(); log.info('child' if pid == 0 else 'parent'); pid and os.waitpid(pid, 0)",
}


@pytest.mark.parametrize("ending", ENDINGS)
def test_nothing_is_lost_or_doubled_when_a_process_ends(ending: str) -> None:
    program = f"""
import logging
from xmpp_rest.config.load import load_settings
from xmpp_rest.logs.setup import set_up
set_up(load_settings(None, {{}}).server)
log = logging.getLogger("xmpp_rest.audit")
for n in range(10):
    log.info("line %d", n)
{ENDINGS[ending]}
"""
    ran = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=60)
    said = [line.partition("xmpp_rest.audit ")[2] for line in ran.stderr.splitlines() if "xmpp_rest.audit" in line]
    more = ["child", "parent"] if ending == "forked" else []
    assert said[:10] == [f"line {n}" for n in range(10)]
    assert sorted(said[10:]) == more
