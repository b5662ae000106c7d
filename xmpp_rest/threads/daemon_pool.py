"""Threads for work that may block, and that the end of the process does not wait for."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from queue import SimpleQueue

log = logging.getLogger("xmpp_rest.server")


class DaemonPool:
    """At most `most` threads, each begun when there is work for it and all others are busy.

    Unlike those of a ThreadPoolExecutor they do not keep a process that is told to stop.
    """

    def __init__(self, most: int, name: str) -> None:
        self._most = most
        self._name = name
        self._work: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._idle = threading.Semaphore(0)  # one for each thread that waits for work
        self._lock = threading.Lock()
        self._begun = 0
        self._stopped = False

    def submit(self, work: Callable[[], None]) -> None:
        """Have it done. Raises RuntimeError: the pool has ended, or the system gives no thread at all."""
        with self._lock:
            if self._stopped:
                raise RuntimeError("the pool has ended")
            if not self._idle.acquire(blocking=False) and self._begun < self._most:
                self._begin()
            self._work.put(work)

    def _begin(self) -> None:
        try:
            threading.Thread(target=self._run, name=f"{self._name}-{self._begun}", daemon=True).start()
        except RuntimeError:
            if not self._begun:
                raise
        else:
            self._begun += 1

    def _run(self) -> None:
        while (work := self._work.get()) is not None and not self._stopped:
            try:
                work()
            except Exception:
                log.exception("work on another thread failed")
            del work
            self._idle.release()

    def stop(self) -> None:
        """End the threads, each after the work that it is doing; what nobody has begun is left undone."""
        with self._lock:
            self._stopped = True
            for _ in range(self._begun):
                self._work.put(None)
