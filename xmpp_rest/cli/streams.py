"""The standard streams of a program: one that is closed leads nowhere, and output that cannot be written is an error that is said once."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from io import TextIOWrapper
from typing import Any

MODES = {"stdin": "r", "stdout": "w", "stderr": "w"}  # in the order of their descriptors
INTERRUPTED = 130


def ended(run: Callable[[], int], failed: Callable[[Exception], int]) -> int:
    """Run a program; its exit code. `failed`: says what has gone wrong, and returns the exit code for it.

    A reader of the output that has gone, as `head` does, is not a failure.
    """
    _prepare()
    try:
        code = run()
    except KeyboardInterrupt:
        code = INTERRUPTED
    except SystemExit as e:
        if not isinstance(e.code, int):
            raise
        code = e.code
    except BrokenPipeError as e:
        code = 0 if _has_no_reader() else failed(e)
    except Exception as e:
        code = failed(e)
    try:
        sys.stdout.flush()  # not at the exit, where Python says it in several lines, with an exit code of its own
    except OSError as e:
        give_up_output()
        return code if code or isinstance(e, BrokenPipeError) else failed(e)
    return code


def give_up_output() -> None:
    """Drop what is printed from now on, and what could not be printed, which Python would try again."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _has_no_reader() -> bool:
    """Whether standard output is a pipe or socket whose other end is closed; else something else was."""
    from select import POLLERR, poll

    waits = poll()
    waits.register(sys.stdout.fileno(), 0)
    return any(state & POLLERR for _, state in waits.poll(0))


def printable(text: str) -> str:
    """A text of others as one line that controls no terminal."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def one_line(sentence: str) -> str:
    """As `printable`, of a sentence that may have been broken into lines."""
    return printable(" ".join(sentence.splitlines()))


def as_json(value: Any) -> str:
    """A value as one line of JSON, in characters that standard output has."""
    import json

    return json.dumps(value, ensure_ascii=not sys.stdout.encoding.lower().startswith("utf"))


def _prepare() -> None:
    """Open the null device for streams that are closed, else files opened later get their numbers, and what is printed by others.

    What the terminal cannot show is escaped.
    """
    for name, mode in MODES.items():
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115  # for as long as the process lives
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
