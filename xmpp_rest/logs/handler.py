"""The log on standard error, of which lines that can wait are written together.

A system call for each line gives the interpreter lock away, and takes longer than to make the line. So lines up to level INFO of loggers
that write one for each request, such as the audit's, are kept for at most 100 ms. Any other line is written at once, with all that came
before it: the order never changes. Nothing is lost when the process stops or forks; a process that is killed loses what it kept.
"""

from __future__ import annotations

import logging
import os
import threading
import time
import weakref
from collections.abc import Collection
from contextlib import suppress
from typing import TextIO

DELAY = 0.1  # seconds
MOST = 1000  # lines kept


class BufferedHandler(logging.StreamHandler[TextIO]):
    """Writes records to a stream. `logging` itself flushes and closes it when the process stops."""

    def __init__(self, patient: Collection[str], stream: TextIO | None = None) -> None:
        """`patient`: the names of loggers whose lines can wait; `stream`: standard error without one."""
        super().__init__(stream)
        self._patient = frozenset(patient)
        self._lines: list[str] = []
        self._due = threading.Event()  # set while lines are kept
        self._thread: threading.Thread | None = None
        me = weakref.ref(self)  # the hooks of a fork cannot be unregistered
        os.register_at_fork(before=lambda: _flush(me), after_in_child=lambda: _begin_again(me))

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the line, or write it with all that are kept. Called with the handler's lock."""
        try:
            self._lines.append(self.format(record) + self.terminator)
            if record.name not in self._patient or record.levelno > logging.INFO or len(self._lines) >= MOST:
                self.flush()
            elif not self._due.is_set():
                self._write_later()
        except RecursionError:  # as in logging's own handlers
            raise
        except Exception:
            self.handleError(record)

    def _write_later(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=_write_kept, args=(weakref.ref(self), self._due), name="log", daemon=True)
            self._thread.start()
        self._due.set()

    def flush(self) -> None:
        """Write the lines that are kept. Raises OSError or ValueError where the stream cannot be written; then they are lost."""
        self.acquire()
        try:
            lines, self._lines = self._lines, []
            self._due.clear()
            if lines:
                self.stream.write("".join(lines))
            super().flush()
        finally:
            self.release()

    def begin_again(self) -> None:
        """In a process that was forked off: what another thread added during the fork is the parent's to write, and no thread is here."""
        self._lines = []
        self._due = threading.Event()
        self._thread = None


def _write_kept(handler: weakref.ref[BufferedHandler], due: threading.Event) -> None:
    """Write what is kept, again and again, as long as there is a handler; a thread of its own."""
    while handler() is not None:
        due.wait()
        time.sleep(DELAY)
        _flush(handler)


def _flush(handler: weakref.ref[BufferedHandler]) -> None:
    if (there := handler()) is not None:
        with suppress(OSError, ValueError):  # a full disk, or a stream that was closed: there is no place left to say so
            there.flush()


def _begin_again(handler: weakref.ref[BufferedHandler]) -> None:
    if (there := handler()) is not None:
        there.begin_again()
