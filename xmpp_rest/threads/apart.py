"""Work that waits for another machine, on threads of its own: those for the disk are not to be held up by it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from xmpp_rest.threads.daemon_pool import DaemonPool
from xmpp_rest.threads.future import OneShot
from xmpp_rest.threads.tasks import may_park

T = TypeVar("T")


class _Outcome(Generic[T]):
    """What work has returned, or raised."""

    def __init__(self, work: Callable[[], T]) -> None:
        self._work = work
        self._done = OneShot[bool]()
        self._result: list[T] = []
        self._error: BaseException | None = None

    def perform(self) -> None:
        try:
            self._result.append(self._work())
        except BaseException as e:
            self._error = e
        self._done.give(True)

    def wait(self) -> T:
        self._done.wait()
        if self._error is not None:
            raise self._error
        return self._result[0]


class Apart:
    """At most `threads` pieces of work at once; further ones wait for their turn."""

    def __init__(self, threads: int, name: str) -> None:
        self._pool = DaemonPool(threads, name)

    def run(self, work: Callable[[], T]) -> T:
        """What `work` returns, or raises. A task parks meanwhile; any other caller does it itself."""
        if may_park() is None:
            return work()
        outcome = _Outcome(work)
        try:
            self._pool.submit(outcome.perform)
        except RuntimeError:  # there is no thread for it
            return work()
        return outcome.wait()
