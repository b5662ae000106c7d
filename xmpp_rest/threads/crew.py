"""Several workers that do the same: tasks of one thread where the system can run them, else threads (decision 0038)."""

from __future__ import annotations

import os
import select
import socket
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Protocol

from xmpp_rest.threads.greenlets import greenlet
from xmpp_rest.threads.task_thread import TaskThread

Work = Callable[[], None]


class Condition(Protocol):
    """As threading.Condition. `wait` is for the workers alone."""

    def __enter__(self) -> object: ...
    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /) -> object: ...
    def wait(self, seconds: float | None = None) -> object: ...
    def notify(self) -> None: ...
    def notify_all(self) -> None: ...


class Crew(Protocol):
    """The workers. `start()` and `stop()` are called once each, by the owner."""

    spare: int
    """How many workers it has to offer besides those that are needed, so that some can wait for the disk together."""

    def start(self) -> None:
        """Do what was begun."""

    def begin(self, work: Work) -> None:
        """Have another worker do this, from the start on."""

    def condition(self) -> Condition:
        """A condition for the workers to wait for."""

    def wait(self, sock: socket.socket, events: int, seconds: float, /) -> bool:
        """Whether one of `events` (select.POLLIN, POLLOUT), or an error, comes within so many seconds. Called by a worker."""

    def stop(self, seconds: float) -> None:
        """Wait so long for the workers to end."""


def poll(sock: socket.socket, events: int, seconds: float, /) -> bool:
    """As `Crew.wait`, with the thread."""
    waiting = select.poll()
    waiting.register(sock, events)
    return bool(waiting.poll(seconds * 1000))


class ThreadCrew:
    """Each worker is a thread."""

    def __init__(self, name: str) -> None:
        self.spare = 0
        self._name = name
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def begin(self, work: Work) -> None:
        self._threads.append(threading.Thread(target=work, name=f"{self._name} {len(self._threads)}", daemon=True))

    def condition(self) -> Condition:
        return threading.Condition()

    def wait(self, sock: socket.socket, events: int, seconds: float, /) -> bool:
        return poll(sock, events, seconds)

    def stop(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        for thread in self._threads:
            if thread.is_alive():
                thread.join(max(0.0, until - time.monotonic()))


def crew(name: str) -> Crew:
    """What this system can run."""
    able = greenlet is not object and hasattr(select, "epoll") and hasattr(os, "eventfd")
    return TaskThread(name) if able else ThreadCrew(name)
