"""Where the lines of the log go: a stream, without waiting for its reader.

A pipe that is full, a terminal that was stopped and a journal that hangs would otherwise stop the thread that logs, and so the server.
"""

from __future__ import annotations

import contextlib
import os
import select
import socket
import stat
from collections.abc import Callable, Sequence
from typing import TextIO

PIECE = 4096  # bytes that are written at once: a pipe takes so many as a whole, or none of them (PIPE_BUF, pipe(7))

Put = Callable[[bytes], int]
"""Writes bytes; how many. Raises BlockingIOError where there is no room, and another OSError."""


class LogOutput:
    """Writes lines to a stream. Used with the lock of its handler."""

    def __init__(self, stream: TextIO | None) -> None:
        """None: the process has no standard error, and all lines are lost."""
        self._stream = stream
        self._fd = _descriptor(stream)
        self._piece: int | None = PIECE
        self._put = self._way()
        self._begun = b""  # what was taken, and is not written yet

    def _way(self) -> Put:
        fd = self._fd
        if fd is None:
            return len
        mode = os.fstat(fd).st_mode
        if stat.S_ISSOCK(mode):
            return lambda data: _send(fd, data)
        if not stat.S_ISFIFO(mode) and not os.isatty(fd):  # a file, which takes all
            self._piece = None
            return lambda data: os.write(fd, data)
        with contextlib.suppress(OSError):  # another user's, or a system without /proc
            # a description of our own: for others that write there, all is as it was
            own = os.open(f"/proc/self/fd/{fd}", os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY)
            return lambda data: os.write(own, data)
        return lambda data: _write_where_there_is_room(fd, data)

    @property
    def is_stuck(self) -> bool:
        """Whether something was taken that could not be written."""
        return bool(self._begun)

    def write(self, lines: list[str]) -> list[str]:
        """Write these; those that nobody has room for now. Raises OSError, ValueError: what was taken is lost."""
        if self._fd is None:
            if self._stream is not None:
                self._stream.write("".join(lines))
                self._stream.flush()
            return []
        done = 0
        while True:
            while self._begun:
                if not self._put_begun():
                    return lines[done:]
            if done == len(lines):
                return []
            self._begun, done = self._next(lines, done)

    def _put_begun(self) -> bool:
        """Whether there was room."""
        data, self._begun = self._begun, b""
        try:
            self._begun = data[self._put(data) :]
        except BlockingIOError:
            self._begun = data
            return False
        return True

    def _next(self, lines: Sequence[str], at: int) -> tuple[bytes, int]:
        """Whole lines from this one on, one at least, and the number of the one that follows them."""
        if self._piece is None:
            return "".join(lines[at:]).encode("utf-8", "backslashreplace"), len(lines)
        data = bytearray()
        while at < len(lines):
            line = lines[at].encode("utf-8", "backslashreplace")
            if data and len(data) + len(line) > self._piece:
                break
            data += line
            at += 1
        return bytes(data), at

    def has_room(self, seconds: float) -> bool:
        """Whether there may be room by then."""
        return self._fd is None or _has_room(self._fd, seconds)

    def begin_again(self) -> None:
        """In a process that was forked off: what was taken is the parent's to write."""
        self._begun = b""


def _descriptor(stream: TextIO | None) -> int | None:
    try:
        return stream.fileno() if stream is not None else None
    except (OSError, ValueError, AttributeError):  # a stream in memory, or that of another server
        return None


def _send(fd: int, data: bytes) -> int:
    there = socket.socket(fileno=fd)
    try:
        return there.send(data, socket.MSG_DONTWAIT)
    finally:
        there.detach()


def _write_where_there_is_room(fd: int, data: bytes) -> int:
    """Another process may take the room in between: then this waits."""
    if not _has_room(fd, 0):
        raise BlockingIOError
    return os.write(fd, data[:PIECE])


def _has_room(fd: int, seconds: float) -> bool:
    poll = select.poll()
    poll.register(fd, select.POLLOUT)
    return bool(poll.poll(seconds * 1000))
