"""Threads for work that others wait for: what was submitted is done, even if the process ends or gets no further thread."""

from __future__ import annotations

import itertools
import logging
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TypeVar

log = logging.getLogger("xmpp_rest.server")

T = TypeVar("T")


class CompletingPool:
    """At most `threads` threads, each begun when there is work for it. `stop()` is called by the owner."""

    def __init__(self, threads: int, name: str) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix=name)
        self._numbers = itertools.count()
        self._left: dict[int, Callable[[], None]] = {}  # what nobody has begun; who takes it out does it

    def submit(self, work: Callable[[], None]) -> None:
        """Have it done once: by a thread, or else here, as after `stop`. Raises nothing; what the work raises is logged."""
        number = next(self._numbers)
        self._left[number] = work
        try:
            self._pool.submit(self._do, number)
        except RuntimeError:  # the pool has ended, or the interpreter is about to; or the system gives no thread
            pass
        else:
            return
        self._do(number)

    def results(self, calls: Sequence[Callable[[], T]]) -> list[T]:
        """What these calls return, in their order; they are made side by side, and must raise nothing."""
        found: dict[int, T] = {}
        done = threading.Semaphore(0)

        def make(n: int, call: Callable[[], T]) -> None:
            try:
                found[n] = call()
            finally:
                done.release()

        for n, call in enumerate(calls):
            self.submit(partial(make, n, call))
        for _ in calls:
            done.acquire()
        return [found[n] for n in range(len(calls))]

    def _do(self, number: int) -> None:
        if (work := self._left.pop(number, None)) is None:  # somebody else does it
            return
        try:
            work()
        except Exception:
            log.exception("work on another thread failed")

    def stop(self) -> None:
        """End; work that no thread has begun is done by the caller, or those who wait for it would wait forever."""
        self._pool.shutdown(wait=False)
        for number in list(self._left):
            self._do(number)
