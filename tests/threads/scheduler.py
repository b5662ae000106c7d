"""A scheduler of tasks for tests: everything happens on the thread that calls `run`, what is offloaded apart."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable

from xmpp_rest.threads.tasks import TaskRunner


class OneThread:
    """Runs tasks on the thread that makes it. `rounds`: how often work at the end of a round was begun; `asides`: how often a task said that it blocks.

    `always_busy`: a task is never told that it is alone, so that it has others join its group.
    """

    def __init__(self, *, always_busy: bool = True) -> None:
        self.always_busy = always_busy
        self._end: deque[Callable[[], None]] = deque()
        self._woken = threading.Event()
        self.rounds = 0
        self.asides = 0
        self.runner = TaskRunner(self)

    def is_busy(self, runner: TaskRunner) -> bool:
        return self.always_busy or bool(self._end or runner.has_ready)

    def at_end(self, work: Callable[[], None]) -> None:
        self._end.append(work)
        self._woken.set()

    def offload(self, work: Callable[[], None]) -> None:
        threading.Thread(target=work, daemon=True).start()

    def step_aside(self, runner: TaskRunner) -> None:
        self.asides += 1

    def notify(self, runner: TaskRunner) -> None:
        self._woken.set()

    def run(self, *works: Callable[[], None], seconds: float = 30.0) -> None:
        """Run these as tasks, and all that they lead to. Raises TimeoutError if tasks are parked for longer than so many seconds."""
        runner, until = self.runner, time.monotonic() + seconds
        for work in works:
            runner.spawn(work)
        while True:
            self._woken.clear()
            runner.expire()
            while runner.run_one():
                pass
            if self._end:
                self.rounds += 1
                for _ in range(len(self._end)):
                    runner.spawn(self._end.popleft())
                continue
            if not runner.parked:
                return
            left = until - time.monotonic()
            if left <= 0:
                raise TimeoutError(f"{runner.parked} tasks are still parked")
            self._woken.wait(min(left, max(0.0, left if (due := runner.seconds()) is None else due)))
