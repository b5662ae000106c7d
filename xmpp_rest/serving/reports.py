"""What workers tell the process that forked them, by datagrams over a pair of sockets."""

from __future__ import annotations

import contextlib
import json
import os
import socket
from collections.abc import Iterator
from typing import NamedTuple

LARGEST = 4096  # bytes


class WorkerReport(NamedTuple):
    """`kind`: `accepts`, when the worker serves; `link`, with the domain of a stream and how it is."""

    pid: int
    kind: str
    words: list[str]


class WorkerReports:
    """Made before the first fork: the workers send, the process that forked them reads."""

    def __init__(self) -> None:
        self._reader, self._writer = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._reader.setblocking(False)
        self._writer.setblocking(False)

    def send(self, kind: str, *words: str) -> None:
        """Tell the process that forked this one. What it has no place for is lost: it reads every second."""
        with contextlib.suppress(OSError):
            self._writer.send(json.dumps([os.getpid(), kind, words]).encode())

    def read(self) -> Iterator[WorkerReport]:
        """What has come."""
        while True:
            try:
                pid, kind, words = json.loads(self._reader.recv(LARGEST))
            except BlockingIOError:
                return
            yield WorkerReport(pid, kind, words)
