"""A pool of workers that runs many jobs at once, and those of the same key one after the other."""

from __future__ import annotations

import logging
import time
from collections import Counter, deque
from collections.abc import Callable, Hashable

from xmpp_rest.threads.crew import Crew
from xmpp_rest.threads.deadlines import Deadlines
from xmpp_rest.threads.greenlets import getcurrent

log = logging.getLogger("xmpp_rest.server")

MOMENT = 1.0  # seconds that running jobs get to end

Job = Callable[[], float | None]
"""Returns None when it is done with, or in how many seconds it wants to run again; the later jobs of its key wait for it."""


class KeyedPool:
    """Runs jobs, `most` at once; jobs of the same key never overlap and keep their order. At most `size` wait, `share` of one key.

    Owned by one callback; `start()` and `stop()` are called once each, and so are the crew's.
    """

    def __init__(self, crew: Crew, most: int, size: int, share: int = 0) -> None:
        self._most = most
        self._size = size
        self._share = share or size
        self._held: Counter[Hashable] = Counter()  # of those that wait, how many are of each key
        self._jobs: dict[Hashable, deque[Job]] = {}  # a key is here from its first job until its last is done with
        self._ready: deque[Hashable] = deque()  # keys whose next job may run
        self._later: Deadlines[Hashable] = Deadlines()  # keys whose next job is to run again
        self._waiting = 0
        self._paused = False  # whether no job is begun for now
        self._stopped = False
        self._counted: set[object] = set()  # workers whose jobs count as those that run at once
        self._changed = crew.condition()  # guards all of the above
        self._crew = crew
        for _ in range(most + crew.spare):
            crew.begin(self._run)

    @property
    def waiting(self) -> int:
        """Jobs that do not run now, those to be run again among them."""
        return self._waiting

    @property
    def retrying(self) -> int:
        """Jobs that are to be run again."""
        return len(self._later)

    def start(self) -> None:
        self._crew.start()

    def pause(self) -> None:
        """Begin no job until `resume`."""
        with self._changed:
            self._paused = True

    def resume(self) -> None:
        """Begin jobs, after `pause`."""
        with self._changed:
            self._paused = False
            self._changed.notify_all()

    def stop(self) -> None:
        """End when the running jobs are done, waiting for them a moment; waiting jobs are not begun."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
        self._crew.stop(MOMENT)

    def claim(self, key: Hashable = None) -> bool:
        """Reserve a place for one job, which `put` or `give_up` must follow; False if as many as may wait, or of this key, are waiting."""
        with self._changed:
            if self._waiting >= self._size or self._held[key] >= self._share:
                return False
            self._count(key, 1)
            return True

    def give_up(self, key: Hashable = None) -> None:
        """The claimed place is not needed."""
        with self._changed:
            self._count(key, -1)

    def _count(self, key: Hashable, more: int) -> None:
        self._waiting += more
        self._held[key] += more
        if not self._held[key]:
            del self._held[key]

    def put(self, key: Hashable, job: Job) -> None:
        """Queue the job for which a place was claimed."""
        with self._changed:
            self._append(key, job)

    def submit(self, key: Hashable, job: Job) -> bool:
        """Claim a place and queue the job; False if there is none."""
        claimed = self.claim(key)
        if claimed:
            self.put(key, job)
        return claimed

    def restore(self, key: Hashable, job: Job) -> None:
        """Queue a job that was taken on earlier, however many wait."""
        with self._changed:
            self._count(key, 1)
            self._append(key, job)

    def leave(self) -> None:
        """The job that calls this goes on, but another one may begin in its place."""
        with self._changed:
            self._counted.discard(getcurrent())
            if self._ready:
                self._changed.notify()

    def _append(self, key: Hashable, job: Job) -> None:
        jobs = self._jobs.get(key)
        if jobs is not None:
            jobs.append(job)
            return
        self._jobs[key] = deque((job,))
        self._ready.append(key)
        self._changed.notify()

    def _run(self) -> None:
        while (taken := self._take()) is not None:
            key, job = taken
            try:
                again = job()
            except Exception:
                log.exception("a job of %s failed", key)
                again = None
            self._settle(key, job, again)

    def _take(self) -> tuple[Hashable, Job] | None:
        """The next job, as soon as there is one; None when stopped."""
        with self._changed:
            while not self._stopped:
                seconds = self._wake()
                if self._ready and not self._paused and len(self._counted) < self._most:
                    self._counted.add(getcurrent())
                    key = self._ready.popleft()
                    self._count(key, -1)
                    return key, self._jobs[key].popleft()
                self._changed.wait(seconds)
        return None

    def _wake(self) -> float | None:
        """Make ready whose time has come; seconds until the next one's, None if there is none."""
        while (seconds := self._later.seconds()) is not None and seconds <= 0:
            self._ready.append(self._later.pop())
            self._changed.notify()
        return seconds

    def _settle(self, key: Hashable, job: Job, again: float | None) -> None:
        with self._changed:
            self._counted.discard(getcurrent())
            if again is not None:
                self._jobs[key].appendleft(job)
                self._count(key, 1)
                self._later.add(time.monotonic() + again, key)
                self._changed.notify()  # an idle worker has to look at the clock again
            elif self._jobs[key]:
                self._ready.append(key)  # after the others: no sender keeps a worker to himself
            else:
                del self._jobs[key]
