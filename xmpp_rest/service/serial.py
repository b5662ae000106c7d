"""How do many jobs run at once, and yet those of one sender one after the other? Threads that share queues, one queue a key."""

from __future__ import annotations

import logging
import queue
import threading
from collections import deque
from collections.abc import Callable, Hashable

log = logging.getLogger(__name__)

Job = Callable[[], None]


class SerialPool:
    """Runs jobs on `threads` threads; jobs of the same key never overlap and keep their order. At most `size` wait.

    Owned by one callback; `start()` and `stop()` are called once each.
    """

    def __init__(self, name: str, threads: int, size: int) -> None:
        self._size = size
        self._jobs: dict[Hashable, deque[Job]] = {}  # a key is here from its first job until its last has run
        self._waiting = 0
        self._ready: queue.SimpleQueue[Hashable] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._run, name=f"{name} {n}", daemon=True) for n in range(threads)]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """End when the running jobs are done, waiting for them a moment; waiting jobs are not begun."""
        with self._lock:
            self._jobs.clear()
        for _ in self._threads:
            self._ready.put(_END)
        for thread in self._threads:
            if thread.is_alive():
                thread.join(1)

    def submit(self, key: Hashable, job: Job) -> bool:
        """Queue a job; False if as many as may wait are waiting."""
        with self._lock:
            if self._waiting >= self._size:
                return False
            self._waiting += 1
            jobs = self._jobs.get(key)
            if jobs is not None:
                jobs.append(job)
                return True
            self._jobs[key] = deque((job,))
        self._ready.put(key)
        return True

    def _run(self) -> None:
        while (key := self._ready.get()) is not _END:
            with self._lock:
                jobs = self._jobs.get(key)
                if jobs is None:  # stopped meanwhile
                    continue
                job = jobs.popleft()
                self._waiting -= 1
            try:
                job()
            except Exception:
                log.exception("a job of %s failed", key)
            self._next(key)

    def _next(self, key: Hashable) -> None:
        with self._lock:
            if not self._jobs.get(key):
                self._jobs.pop(key, None)
                return
        self._ready.put(key)  # behind the others: no sender keeps a thread to himself


_END = object()
