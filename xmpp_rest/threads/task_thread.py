"""A thread of its own for tasks that wait for sockets: as many as there are, they take turns, and share commits (decision 0038)."""

from __future__ import annotations

import logging
import os
import select
import socket
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable

from xmpp_rest.threads.daemon_pool import DaemonPool
from xmpp_rest.threads.tasks import FOREVER, Task, TaskRunner, current_task, may_park

log = logging.getLogger("xmpp_rest.server")

LINGER = 0.004  # seconds that the end of a round waits for others whose sockets are about to be ready
MOST_FAILURES = 100  # in a row; after each further one comes a pause
PAUSE = 0.05  # seconds
SPARE = 28  # tasks; each takes 8 KiB
OFFLOADED = 4  # threads for what blocks

Call = Callable[[], None]


class TaskCondition:
    """As threading.Condition, for tasks: `wait` is for them alone, the other methods are for any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: deque[Task] = deque()

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()

    def wait(self, seconds: float | None = None) -> None:
        """Park until `notify`, or for so many seconds. Called within the context, which others may enter meanwhile."""
        task = current_task()
        assert task is not None
        self._waiting.append(task)
        self._lock.release()
        try:
            task.park(FOREVER if seconds is None else seconds)
        finally:
            self._lock.acquire()
            if task in self._waiting:
                self._waiting.remove(task)

    def notify(self) -> None:
        """Wake one that waits. Called within the context."""
        if self._waiting:
            self._waiting.popleft().wake()

    def notify_all(self) -> None:
        while self._waiting:
            self.notify()


class TaskThread:
    """Runs tasks on a thread. Implements `threads.tasks.Scheduler`, and `threads.crew.Crew`."""

    def __init__(self, name: str) -> None:
        self.spare = SPARE
        self._name = name
        self._polling = False
        self._waiting: dict[int, Task] = {}  # descriptor → the task that waits for it
        self._begins: deque[Call] = deque()
        self._end: deque[Call] = deque()
        self._end_due = 0.0  # when `_end` is done in any case (monotonic)
        self.living = 0
        """How many tasks have not ended."""
        self._stopped = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin the tasks. Raises OSError, RuntimeError: the system gives no descriptors, or no thread."""
        self._epoll = select.epoll()
        self._wakeup = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        weakref.finalize(self, os.close, self._wakeup)  # once no other thread can be about to write
        self._epoll.register(self._wakeup, select.EPOLLIN | select.EPOLLET)  # each write is an event, and nobody reads
        self._pool = DaemonPool(OFFLOADED, f"{self._name} offloaded")
        self._thread.start()

    def begin(self, work: Call) -> None:
        """Have `work` done as a task. Called by any thread."""
        self._begins.append(work)
        self._wake()

    def condition(self) -> TaskCondition:
        """A condition for the tasks to wait for."""
        return TaskCondition()

    def stop(self, seconds: float) -> None:
        """End once the tasks have ended, and wait so long for it."""
        self._stopped = True
        self._wake()
        if self._thread.is_alive():
            self._thread.join(seconds)

    def wait(self, sock: socket.socket, events: int, seconds: float, /) -> bool:
        """Whether one of these events, or an error, comes within so many seconds. Called by a task of this thread."""
        task, descriptor = may_park(), sock.fileno()
        assert task is not None
        until = time.monotonic() + seconds
        self._waiting[descriptor] = task
        self._epoll.register(descriptor, events)
        try:
            while descriptor in self._waiting and (left := until - time.monotonic()) > 0:
                task.park(left)
            return descriptor not in self._waiting
        finally:
            self._epoll.unregister(descriptor)
            self._waiting.pop(descriptor, None)

    # on the thread

    def _run(self) -> None:
        self._runner = TaskRunner(self)
        failures = 0  # in a row
        while not self._stopped or self.living or self._begins or self._end:
            try:
                self._round()
                failures = 0
            except Exception:
                log.exception("tasks go on after an error")
                failures += 1
            if failures > MOST_FAILURES:  # perhaps all will fail: the log is not to fill the disk
                time.sleep(PAUSE)
        self._runner.close()
        self._pool.stop()
        self._epoll.close()

    def _round(self) -> None:
        """Wait for something to do, and do what there is. The round ends when nothing else is about to be done, or after LINGER."""
        self._look()
        runner = self._runner
        for _ in range(runner.has_ready):
            runner.run_one()
        for _ in range(len(self._begins)):
            self._spawn(self._begins.popleft())
        if self._end and self._until_end() <= 0:
            for _ in range(len(self._end)):
                self._spawn(self._end.popleft())

    def _until_end(self) -> float:
        """Seconds until the end of the round."""
        alone = not (self._waiting or self._begins or self._runner.has_ready)
        return 0.0 if alone else self._end_due - time.monotonic()

    def _look(self) -> None:
        """Wake the tasks whose sockets have events, and those whose time is up: in this order, as the thread itself may be late."""
        runner = self._runner
        self._polling = True  # from here on `notify` writes; what was left before is seen here
        due = runner.seconds()
        if self._begins or runner.has_ready or (self._stopped and not self.living):
            due = 0.0
        elif self._end:
            due = min(self._until_end(), FOREVER if due is None else due)
        try:
            events = self._epoll.poll(None if due is None else max(0.0, due))
        finally:
            self._polling = False
        for descriptor, _ in events:
            if (task := self._waiting.pop(descriptor, None)) is not None:
                task.wake()
        runner.expire()

    def _spawn(self, work: Call) -> None:
        self.living += 1
        self._runner.spawn(lambda: self._perform(work))

    def _perform(self, work: Call) -> None:
        try:
            work()
        finally:
            self.living -= 1

    def _wake(self) -> None:
        if self._polling:
            os.eventfd_write(self._wakeup, 1)

    # what the tasks call

    def is_busy(self, _: TaskRunner) -> bool:
        return bool(self._waiting or self._begins or self._end or self._runner.has_ready)

    def at_end(self, work: Call) -> None:
        if not self._end:
            self._end_due = time.monotonic() + LINGER
        self._end.append(work)
        self._wake()

    def offload(self, work: Call) -> None:
        self._pool.submit(work)

    def step_aside(self, _: TaskRunner) -> None:
        """The tasks of this thread have to wait as well."""

    def notify(self, _: TaskRunner) -> None:
        self._wake()
