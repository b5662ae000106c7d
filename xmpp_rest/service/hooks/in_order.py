"""Work in order: jobs of one key one after the other, none of which holds a thread while it waits for somebody else."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Hashable

from xmpp_rest.threads.future import OneShot

log = logging.getLogger("xmpp_rest.hooks")

Done = Callable[[], None]
"""To be called once, by any thread: the next job of the key may begin."""
OrderedJob = Callable[[Done], None]


class WorkInOrder:
    """Safe to be used by several threads. `submit` has work done by a thread that may wait for the disk."""

    MOST = 100  # jobs of one key that wait

    def __init__(self, submit: Callable[[Callable[[], None]], object]) -> None:
        self._submit = submit
        self._jobs: dict[Hashable, deque[OrderedJob]] = {}  # the first one of each key is under way
        self._lock = threading.Lock()

    def put(self, key: Hashable, job: OrderedJob) -> bool:
        """Have it done after those of its key that came before; False: too many of them wait."""
        with self._lock:
            jobs = self._jobs.setdefault(key, deque())
            if len(jobs) > self.MOST:
                return False
            jobs.append(job)
            begins = len(jobs) == 1
        if begins:
            self._begin(key, job)
        return True

    def _begin(self, key: Hashable, job: OrderedJob) -> None:
        ended: OneShot[bool] = OneShot()

        def done() -> None:
            if ended.give(True):
                self._ended(key)

        def work() -> None:
            try:
                job(done)
            except Exception:
                log.exception("a message of a hook failed")
                done()

        self._submit(work)

    def _ended(self, key: Hashable) -> None:
        with self._lock:
            jobs = self._jobs[key]
            jobs.popleft()
            following = jobs[0] if jobs else None
            if following is None:
                del self._jobs[key]
        if following is not None:
            self._begin(key, following)
