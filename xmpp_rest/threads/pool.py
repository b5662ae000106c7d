"""Threads for work that others wait for: what was submitted is done, even if the process ends or gets no further thread."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor


class CompletingPool:
    """At most `threads` threads, each begun when there is work for it. `stop()` is called by the owner."""

    def __init__(self, threads: int, name: str) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix=name)

    def submit(self, work: Callable[[], None]) -> None:
        """Have it done once, by a thread, or else here."""
        begun = threading.Lock()

        def once() -> None:
            if begun.acquire(blocking=False):
                work()

        try:
            done = self._pool.submit(once)
        except RuntimeError:
            once()
            return
        done.add_done_callback(lambda done: once() if done.cancelled() else None)

    def stop(self) -> None:
        """End; work that no thread has begun is done by the caller, or those who wait for it would wait forever."""
        self._pool.shutdown(wait=False, cancel_futures=True)
