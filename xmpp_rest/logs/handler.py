"""The log on standard error, of which lines that can wait are written together.

A system call for each line gives the interpreter lock away, and takes longer than to make the line. So lines up to level INFO of loggers
that write one for each request, such as the audit's, are kept for at most 100 ms, and at most TOGETHER of them. Any other line is written
at once, with all that came before it: the order never changes. Nothing is lost when the process stops or forks; a process that is killed
loses what it kept.

The access lines, one for each answer, are kept as what they will say (`keep`), and get their form when they are written: a hundred in a row
cost a third of what they cost one by one, each of which would find the processor's caches full of the request that it is about. To keep one
takes no lock.

Nobody waits for the reader of standard error: where there is no room, lines are kept, and above MOST they are lost and counted.
"""

from __future__ import annotations

import logging
import os
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable, Collection
from contextlib import suppress
from typing import TextIO

from xmpp_rest.logs.areas import SERVER
from xmpp_rest.logs.output import LogOutput

DELAY = 0.1  # seconds
TOGETHER = 100  # lines that are written together: below a millisecond
MOST = 1000  # lines kept while nobody reads
PARTING = 2.0  # seconds without a sign of the reader, after which a process that ends waits for it no longer


Later = Callable[[], logging.LogRecord]
"""Makes a record of what has happened, which any thread may do: it says nothing of the thread, or the request, that is at hand then."""


class BufferedHandler(logging.StreamHandler[TextIO]):
    """Writes records to a stream. `logging` itself flushes and closes it when the process stops."""

    def __init__(self, patient: Collection[str], stream: TextIO | None = None) -> None:
        """`patient`: the names of loggers whose lines can wait; `stream`: standard error without one."""
        super().__init__(stream)
        self._patient = frozenset(patient)
        self._output = LogOutput(self.stream)
        self._lines: deque[str | Later] = deque()  # any thread appends; who has the lock takes away
        self._stuck = False  # nobody reads what was written before
        self._lost = 0  # lines, meanwhile
        self._due = threading.Event()  # set while lines are kept
        self._is_due = False  # the same, and quicker to look at
        self._thread: threading.Thread | None = None
        me = weakref.ref(self)  # the hooks of a fork cannot be unregistered
        os.register_at_fork(before=lambda: _flush(me), after_in_child=lambda: _begin_again(me))

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the line, or write it with all that are kept. Called with the handler's lock."""
        try:
            if self._loses():
                return
            self._lines.append(self._line(record))
            self._write(at_once=record.name not in self._patient or record.levelno > logging.INFO)
        except RecursionError:  # as in logging's own handlers
            raise
        except Exception:
            self.handleError(record)

    def keep(self, line: Later) -> None:
        """Write a line that can wait. Any thread may call this; of a hundred lines one takes the lock."""
        try:
            if self._stuck and self._is_lost():
                return
            self._lines.append(line)
            if not self._is_due or len(self._lines) >= TOGETHER:  # looked at behind it: nobody forgets it
                self._write_what_waits()
        except Exception:
            self.handleError(line())

    def _is_lost(self) -> bool:
        self.acquire()
        try:
            return self._loses()
        finally:
            self.release()

    def _write_what_waits(self) -> None:
        self.acquire()
        try:
            self._write(at_once=False)
        finally:
            self.release()

    def _loses(self) -> bool:
        """Whether there is no place for a line; then it is counted."""
        if self._stuck and self._thread is not None and len(self._lines) >= (MOST // 2 if self._lost else MOST):
            self._lost += 1
            return True
        if self._lost:
            self._note_lost()
        return False

    def _write(self, *, at_once: bool) -> None:
        """Write what is kept, now or soon; where nobody reads, the thread looks again and again."""
        if (at_once or len(self._lines) >= TOGETHER) and not (self._stuck and self._thread is not None):
            self.flush()
        elif not self._is_due:
            self._write_later()

    def _line(self, record: logging.LogRecord) -> str:
        return self.format(record) + self.terminator

    def _made(self, record: logging.LogRecord) -> str:
        """The line of a record that was kept; one that has none costs the others nothing."""
        try:
            return self._line(record)
        except Exception:
            self.handleError(record)
            return ""

    def _write_later(self) -> None:
        if self._thread is None:
            thread = threading.Thread(target=_write_kept, args=(weakref.ref(self), self._due), name="log", daemon=True)
            thread.start()
            self._thread = thread
        self._is_due = True
        self._due.set()

    def flush(self) -> None:
        """Write the lines that are kept, as far as there is room. Raises OSError or ValueError where the stream cannot be written; then
        they are lost.
        """
        self.acquire()
        try:
            if len(self._lines) <= MOST // 2:
                self._note_lost()
            self._due.clear()
            self._is_due = False
            self._stuck = False
            left = self._output.write([line if isinstance(line, str) else self._made(line()) for line in self._taken()])
            self._lines.extendleft(reversed(left))
            self._stuck = self._output.is_stuck
            if self._stuck:
                with suppress(RuntimeError):  # no thread: the process ends, or has too many
                    self._write_later()
            elif self._lost:
                self.flush()
        finally:
            self.release()

    def _taken(self) -> list[str | Later]:
        """The lines that are there now."""
        lines: list[str | Later] = []
        with suppress(IndexError):  # the handler of a signal has written some of them meanwhile
            lines.extend(self._lines.popleft() for _ in range(len(self._lines)))
        return lines

    def _note_lost(self) -> None:
        """Where lines were lost, one says so in their place."""
        if self._lost:
            text = f"{self._lost} lines are missing here: nobody read standard error"
            record = {"name": SERVER, "levelno": logging.WARNING, "levelname": "WARNING", "msg": text}
            self._lines.append(self._line(logging.makeLogRecord(record)))
            self._lost = 0

    def close(self) -> None:
        """At the end of the process: a reader that is slow gets what is left."""
        until = time.monotonic() + 4 * PARTING
        while self._stuck and time.monotonic() < until and self._output.has_room(PARTING):
            with suppress(OSError, ValueError):
                self.flush()
        super().close()

    def begin_again(self) -> None:
        """In a process that was forked off: what another thread added during the fork is the parent's to write, and no thread is here."""
        self._lines.clear()
        self._stuck, self._lost = False, 0
        self._output.begin_again()
        self._due = threading.Event()
        self._is_due = False
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
