"""Progress is a bar on a terminal, elsewhere a line every ten seconds."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
import termios
from pathlib import Path

import pytest

from drivers.progress import ProgressDisplay

ROOT = Path(__file__).parents[2]


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_line_every_ten_seconds(capsys: pytest.CaptureFixture[str]) -> None:
    clock = Clock()
    with ProgressDisplay("stores", 4000, clock=clock) as progress:
        progress.advance(900)
        clock.now += 9.9
        progress.advance()
        assert capsys.readouterr().err == ""
        clock.now += 0.1
        progress.advance(99)
        progress.advance()
        clock.now += 490
        progress.advance(2)
        clock.now += 7200
        progress.advance()
    assert capsys.readouterr().err.splitlines() == [
        "1,000 of 4,000 stores, 25 %, 30 s left",
        "1,003 of 4,000 stores, 25 %, 25 min left",
        "1,004 of 4,000 stores, 25 %, 6 h 23 min left",
    ]


def test_what_was_done_before_is_no_measure_of_the_speed(capsys: pytest.CaptureFixture[str]) -> None:
    clock = Clock()
    with ProgressDisplay("items", 100, begun=50, clock=clock) as progress:
        clock.now += 10
        progress.advance(10)
    assert capsys.readouterr().err == "60 of 100 items, 60 %, 40 s left\n"


def test_without_a_total_the_number_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    clock = Clock()
    with ProgressDisplay("stores", clock=clock) as progress:
        clock.now += 10
        progress.advance(1234)
    assert capsys.readouterr().err == "1,234 stores\n"


def test_quiet_prints_only_what_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    clock = Clock()
    with ProgressDisplay("stores", 10, quiet=True, clock=clock) as progress:
        clock.now += 100
        progress.advance(5)
        progress.say("a store differs")
    assert capsys.readouterr().err == "a store differs\n"


def on_a_terminal(program: str) -> str:
    terminal, end = pty.openpty()
    termios.tcsetwinsize(end, (24, 80))
    child = subprocess.Popen([sys.executable, "-c", program], stderr=end, cwd=ROOT)
    os.close(end)
    read = b""
    while True:
        try:
            data = os.read(terminal, 65536)
        except OSError:  # how Linux ends a terminal
            break
        read += data
    os.close(terminal)
    assert child.wait(60) == 0
    return read.decode()


def test_a_bar_on_a_terminal() -> None:
    program = (
        "import threading\nfrom drivers.progress import ProgressDisplay\n"
        "with ProgressDisplay('stores', 10) as progress:\n progress.advance(5); progress.say('a store differs'); progress.advance(5)\n"
        "assert threading.active_count() == 1"
    )
    shown = on_a_terminal(program)
    assert "100%" in shown
    assert "10/10" in shown
    assert "a store differs\r\n" in shown


def test_a_terminal_without_tqdm() -> None:
    program = (
        "import sys; sys.modules['tqdm'] = None\nfrom drivers.progress import ProgressDisplay\n"
        "with ProgressDisplay('stores', 10) as progress:\n progress.advance(5); progress.say('a store differs')"
    )
    assert on_a_terminal(program) == "a store differs\r\n"
