"""Nobody waits for the reader of standard error: a pipe that is full, a terminal that was stopped, a journal that hangs."""

from __future__ import annotations

import logging
import os
import pty
import re
import socket
import subprocess
import sys
import tty
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.raising import raising
from xmpp_rest.logs.handler import MOST, BufferedHandler

ROOT = Path(__file__).parents[2]
LINE = "ä" * 100
COUNT = 3 * MOST


def pipe() -> tuple[int, int]:
    return os.pipe()


def sockets() -> tuple[int, int]:
    ours, theirs = socket.socketpair()
    return ours.detach(), theirs.detach()


def terminal() -> tuple[int, int]:
    ours, theirs = pty.openpty()
    tty.setraw(theirs)
    return ours, theirs


class Unread(NamedTuple):
    """A logger to a stream, and the other end of that, which nobody reads yet."""

    log: logging.Logger
    end: int

    def lines(self) -> Iterator[str]:
        data = b""
        while True:
            *complete, data = (data + os.read(self.end, 65536)).split(b"\n")
            yield from (line.decode() for line in complete)


PLACES = {"pipe": (pipe, False), "another user's pipe": (pipe, True), "socket": (sockets, False), "terminal": (terminal, False)}


@pytest.fixture(params=PLACES)
def unread(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Unread]:
    make: Callable[[], tuple[int, int]]
    make, is_foreign = PLACES[request.param]
    reading, writing = make()
    logger = logging.Logger("test", logging.DEBUG)
    with open(writing, "w", encoding="utf-8") as stream:
        with monkeypatch.context() as patched:
            if is_foreign:
                patched.setattr(os, "open", raising(PermissionError()))
            logger.addHandler(BufferedHandler(("patient",), stream))
        yield Unread(logger, reading)
        os.close(reading)


def test_who_logs_goes_on_and_whoever_reads_later_finds_whole_lines(unread: Unread) -> None:
    for n in range(COUNT):
        unread.log.warning("%d %s", n, LINE)
    expected = missing = 0
    lines = unread.lines()
    while expected < COUNT:
        line = next(lines)
        if lost := re.fullmatch(r"(\d+) lines are missing here: nobody read standard error", line):
            missing += int(lost[1])
            expected += int(lost[1])
        else:
            assert line == f"{expected} {LINE}"
            expected += 1
    assert expected == COUNT
    assert 0 < missing < COUNT - MOST
    unread.log.warning("and on")
    assert next(lines) == "and on"


PROGRAM = """
import logging
from xmpp_rest.config.load import load_settings
from xmpp_rest.logs.setup import set_up
set_up(load_settings(None, {}).server)
for n in range(1000):
    logging.getLogger("xmpp_rest.server").warning("%d %s", n, "x" * 200)
print("done", flush=True)
"""


def test_a_process_ends_though_nobody_reads() -> None:
    reading, writing = os.pipe()
    try:
        ran = subprocess.run([sys.executable, "-c", PROGRAM], cwd=ROOT, stdout=subprocess.PIPE, stderr=writing, timeout=30, check=True)
    finally:
        os.close(reading)
        os.close(writing)
    assert ran.stdout == b"done\n"


def test_a_slow_reader_gets_the_rest_when_the_process_ends() -> None:
    with subprocess.Popen([sys.executable, "-c", PROGRAM], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == b"done\n"
        lines = process.stderr.read().splitlines()
    assert [int(line.split()[3]) for line in lines] == list(range(1000))
    assert process.returncode == 0
