"""Whether a node drains is known to all its processes, for as long as the gateway runs."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from xmpp_rest.cluster.draining import FILE, DrainMark
from xmpp_rest.processes.starts import lasts, start_of


def test_all_processes_of_the_node_know(tmp_path: Path) -> None:
    mark, other = DrainMark(tmp_path), DrainMark(tmp_path)
    assert not mark.is_set
    mark.set()
    mark.set()
    assert other.is_set
    other.clear()
    other.clear()
    assert not mark.is_set
    assert not list(tmp_path.iterdir())


def test_it_ends_with_the_gateway(tmp_path: Path) -> None:
    """The file is left over, and its process has gone; or has been followed by another one of that number."""
    mark = DrainMark(tmp_path)
    with subprocess.Popen(["sleep", "0"]) as ended:
        pass
    for text in (f"{ended.pid}-1", f"{os.getpid()}-1", "", "x-y", "-1", "é"):
        (tmp_path / FILE).write_text(text, encoding="utf-8")
        assert not mark.is_set


def test_a_start_lasts_as_long_as_its_process() -> None:
    assert lasts(start_of(os.getpid()))
    assert lasts(start_of(-1))  # of the parent
    assert not lasts(f"{os.getpid()}-")
