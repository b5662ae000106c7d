"""Tasks: pieces of work on one thread, which may wait without holding it (decision 0033).

A task is a greenlet. To wait, it parks: its thread goes on with other tasks, until somebody wakes it. Under a server that runs no tasks,
`current_task` is None, and who has to wait holds its thread.

A task must not park while it holds a lock that another task of its thread may want, as that one would wait for itself. A lock under which
anything may wait is an OrderLock: who holds one waits with its thread.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import Protocol, TypeVar

from xmpp_rest.threads.deadlines import Deadlines
from xmpp_rest.threads.greenlets import getcurrent, greenlet

log = logging.getLogger("xmpp_rest.server")

T = TypeVar("T")
FOREVER = threading.TIMEOUT_MAX
AGAIN = 0.2  # seconds between two looks at a lock for which others wait whose threads may be busy
KEPT = 32  # tasks of a thread that wait for work: to begin a new greenlet takes 8 µs more, as it maps memory for its stack
SPARE = 1000  # time-outs of parks that are over, which may stay in the heap


class Scheduler(Protocol):
    """What a server does for the tasks of its threads."""

    def is_busy(self, runner: TaskRunner) -> bool:
        """Whether there is more to do in this round than the task that runs, of this runner, and that calls this."""

    def at_end(self, work: Callable[[], None]) -> None:
        """Have `work` done, as a task, when all that is ready now has been handled. Called by any thread."""

    def offload(self, work: Callable[[], None]) -> None:
        """Have `work` done by another thread. Raises RuntimeError: there is none."""

    def step_aside(self, runner: TaskRunner) -> None:
        """The thread of this runner is about to wait: what else there is to do is for another thread."""

    def notify(self, runner: TaskRunner) -> None:
        """A task of this runner is ready, and its thread may be waiting. Called by any thread."""


class Task(greenlet):  # type: ignore[misc]
    """One piece of work, and others after it. Each handles its own exceptions; what it raises nevertheless is logged."""

    def __init__(self, runner: TaskRunner) -> None:
        super().__init__(self._perform, runner.hub)
        self._runner = runner
        self._work: Callable[[], None] | None = None
        self._woken = False
        self._parks = 0  # how often it has parked
        self.parked = False
        self.locks = 0
        """How many OrderLocks it holds."""

    def begin(self, work: Callable[[], None]) -> None:
        """Do this; returns when it has ended, or is parked. Called by the runner."""
        self._work = work
        self.gr_context = None  # as of a new greenlet
        self.switch()

    @property
    def runner(self) -> TaskRunner:
        """What runs it."""
        return self._runner

    def _perform(self) -> None:
        while self._work is not None:
            try:
                self._work()
            except Exception:
                log.exception("a task failed")
            self._work = None  # with all that it refers to
            if not self._runner.keep(self):
                return
            self._runner.hub.switch()

    def park(self, seconds: float = FOREVER) -> None:
        """Wait, without the thread, until `wake` is called, or for so many seconds. It may end early: look again at what was waited for."""
        if not self._woken:
            self._parks += 1
            self._runner.switch_out(self, self._parks, seconds)
        self._woken = False

    def wake(self) -> None:
        """Have it go on, now or when it next parks. Called by any thread."""
        if not self._woken:
            self._woken = True
            self._runner.ready(self)

    def expired(self, park: int) -> bool:
        """Whether it still waits in this park, whose time is up."""
        return self.parked and self._parks == park

    def step_aside(self) -> None:
        """Tell that its thread is about to wait."""
        self._runner.step_aside()


class TaskRunner:
    """Runs the tasks of one thread, that which makes it."""

    def __init__(self, scheduler: Scheduler) -> None:
        self.hub = getcurrent()
        self._scheduler = scheduler
        self._ready: deque[Task] = deque()
        self._idle: list[Task] = []
        self._timeouts: Deadlines[tuple[Task, int]] = Deadlines()
        self.parked = 0
        """How many tasks are parked."""

    # what its thread calls

    def spawn(self, work: Callable[[], None]) -> None:
        """Begin a task; returns when it ends, or parks."""
        task = self._idle.pop() if self._idle else Task(self)
        task.begin(work)

    def keep(self, task: Task) -> bool:
        """Keep the task, which has ended its work, for another one; False: there are enough."""
        if len(self._idle) >= KEPT:
            return False
        self._idle.append(task)
        return True

    def run_one(self) -> bool:
        """Go on with one task that is ready, if there is one, until it ends or parks again; whether there was one."""
        while self._ready:
            task = self._ready.popleft()
            if task.parked:
                task.parked = False
                self.parked -= 1
                task.switch()
                return True
        return False

    def close(self) -> None:
        """End the tasks that wait for work. Called last, as only their own thread can free what they hold."""
        while self._idle:
            self._idle.pop().throw()

    @property
    def is_busy(self) -> bool:
        """Whether there is more to do in this round than the task that runs."""
        return self._scheduler.is_busy(self)

    @property
    def has_ready(self) -> int:
        """How many tasks may go on."""
        return len(self._ready)

    def expire(self) -> None:
        """Make those ready whose time is up."""
        while (seconds := self._timeouts.seconds()) is not None and seconds <= 0:
            task, park = self._timeouts.pop()
            if task.expired(park):
                task.wake()

    def seconds(self) -> float | None:
        """Seconds until `expire` has something to do; None: nothing."""
        return self._timeouts.seconds()

    def switch_out(self, task: Task, park: int, seconds: float) -> None:
        """Park the task, which is the current one."""
        if seconds < FOREVER:
            self._timeouts.add(time.monotonic() + max(seconds, 0.0), (task, park))
            if len(self._timeouts) > 2 * self.parked + SPARE:
                self._timeouts.keep(lambda entry: entry == (task, park) or entry[0].expired(entry[1]))
        task.parked = True
        self.parked += 1
        self.hub.switch()

    # what any thread calls

    def ready(self, task: Task) -> None:
        """The task may go on."""
        self._ready.append(task)
        self._scheduler.notify(self)

    def at_end(self, work: Callable[[], None]) -> None:
        """Have `work` done, as a task, when all that is ready now has been handled."""
        self._scheduler.at_end(work)

    def offload(self, work: Callable[[], None]) -> None:
        """Have `work` done by another thread. Raises RuntimeError: there is none."""
        self._scheduler.offload(work)

    def step_aside(self) -> None:
        """The thread is about to wait."""
        self._scheduler.step_aside(self)


def current_task() -> Task | None:
    """The task that runs on this thread; None on a thread that runs none."""
    current = getcurrent()
    return current if isinstance(current, Task) else None


def may_park() -> Task | None:
    """The task that runs on this thread, if it may park."""
    current = getcurrent()
    return current if isinstance(current, Task) and not current.locks else None


def blocks() -> None:
    """Call before this thread waits for anything but a short lock: where it runs tasks, another thread takes its place."""
    current = getcurrent()
    if isinstance(current, Task):
        current.step_aside()


def pause(seconds: float) -> None:
    """Wait for so long; without the thread, if a task does that may park."""
    if (task := may_park()) is None:
        blocks()
        time.sleep(seconds)
        return
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        task.park(left)


class _Offloaded:
    """Work on another thread, and its outcome."""

    def __init__(self, work: Callable[[], T], task: Task) -> None:
        self._work = work
        self._task = task
        self.done = False
        self.result: T | None = None
        self.error: BaseException | None = None

    def perform(self) -> None:
        try:
            self.result = self._work()
        except BaseException as e:
            self.error = e
        self.done = True
        self._task.wake()


def offload(work: Callable[[], T]) -> T:
    """What `work` returns, or raises; done by another thread, if that frees this one for other tasks."""
    task = may_park()
    if task is None:
        blocks()
        return work()
    offloaded = _Offloaded(work, task)
    try:
        task.runner.offload(offloaded.perform)
    except RuntimeError:  # there is no thread for it
        return work()
    while not offloaded.done:
        task.park()
    if offloaded.error is not None:
        raise offloaded.error
    return offloaded.result  # type: ignore[return-value]


class OrderLock:
    """A lock under which its holder may wait: for the disk, another process, an answer. `reentrant`: its holder may take it again."""

    def __init__(self, *, reentrant: bool = False) -> None:
        self._lock = threading.RLock() if reentrant else threading.Lock()
        self._parked: deque[Task] = deque()  # tasks that wait for it, the next one first

    def acquire(self, *, blocking: bool = True) -> bool:
        """Take it, or wait for it: a task that holds no other one parks. False: another one has it, and this is not to wait."""
        if not self._lock.acquire(blocking=False):
            if not blocking:
                return False
            self._wait()
        if (task := current_task()) is not None:
            task.locks += 1
        return True

    def _wait(self) -> None:
        if (task := may_park()) is None:
            blocks()
            self._lock.acquire()
            return
        self._parked.append(task)
        try:
            while not self._lock.acquire(blocking=False):
                task.park(AGAIN)
        finally:
            self._parked.remove(task)

    def release(self) -> None:
        """Give it back."""
        self._lock.release()
        if (task := current_task()) is not None:
            task.locks -= 1
        if self._parked:
            with contextlib.suppress(IndexError):  # another thread has it already
                self._parked[0].wake()

    def __enter__(self) -> None:
        self.acquire()

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        self.release()
