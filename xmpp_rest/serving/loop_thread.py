"""One thread of the event loop: it leads, or goes on with the tasks that were parked on it."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Protocol

from xmpp_rest.threads.tasks import TaskRunner

log = logging.getLogger("xmpp_rest.server")

IDLE = 10.0  # seconds after which a thread that has nothing to do ends

Call = Callable[[], None]


class LedLoop(Protocol):
    """The event loop, as its threads see it: `loop.Loop`."""

    stopped: bool
    leader: LoopThread | None

    @property
    def is_busy(self) -> bool:
        """Whether anything waits for its turn."""

    def lead(self, me: LoopThread, /) -> None:
        """Handle what there is, until another thread leads."""

    def dismiss(self, thread: LoopThread, /) -> bool:
        """Whether a thread without anything to do may end."""

    def take_lead_from(self, thread: LoopThread, /) -> None:
        """Have another thread lead in place of this one, which is in a task."""

    def at_end(self, work: Call, /) -> None:
        """Have `work` done as a task when all that is ready has been handled."""

    def offload(self, work: Call, /) -> None:
        """Have `work` done by a thread of the pool. Raises RuntimeError: there is none."""

    def wake(self) -> None:
        """There is something to do besides events."""


class LoopThread:
    """One thread of the loop, and the tasks that began on it. Implements `threads.tasks.Scheduler`."""

    def __init__(self, loop: LedLoop) -> None:
        self._loop = loop
        self._woken = threading.Event()
        self.inside = False
        """Whether a task runs here: only then may another thread take the lead."""
        self.waits = False
        """Whether it has nothing to do."""
        self.runner: TaskRunner  # made by the thread itself
        self._thread = threading.Thread(target=self._run, name="loop", daemon=True)

    def start(self) -> None:
        """Raises RuntimeError: the system gives no further thread."""
        self._thread.start()

    def ended(self, until: float) -> bool:
        """Whether it ends up to that time."""
        self._thread.join(max(0.0, until - time.monotonic()))
        return not self._thread.is_alive()

    def wake(self) -> None:
        """It leads now, or one of its tasks is ready."""
        self._woken.set()

    def _run(self) -> None:
        self.runner = TaskRunner(self)
        while not self._loop.stopped:
            try:
                if not self._go_on():
                    break
            except BaseException:
                log.exception("a thread of the event loop goes on after an error")
        self.runner.close()

    def _go_on(self) -> bool:
        """Lead, or do what is left to do here; False: this thread is to end."""
        if self._loop.leader is self:
            self._loop.lead(self)
            return True
        self.runner.expire()
        if self.run_ready():
            return True
        self._woken.clear()
        self.waits = True
        try:
            if self.runner.has_ready or self._loop.leader is self:
                return True
            due = self.runner.seconds()
            woken = self._woken.wait(IDLE if due is None else min(due, IDLE))
        finally:
            self.waits = False
        return woken or bool(self.runner.parked) or not self._loop.dismiss(self)

    def run_ready(self) -> bool:
        """Go on with a task that is ready; whether there was one."""
        self.inside = True
        try:
            return self.runner.run_one()
        finally:
            self.inside = False

    def begin(self, work: Call) -> None:
        """Begin a task; returns when it has ended, or waits."""
        self.inside = True
        try:
            self.runner.spawn(work)
        finally:
            self.inside = False

    # what the tasks call

    def is_busy(self, runner: TaskRunner) -> bool:
        return self._loop.is_busy or bool(runner.has_ready)

    def at_end(self, work: Call) -> None:
        self._loop.at_end(work)

    def offload(self, work: Call) -> None:
        self._loop.offload(work)

    def step_aside(self, _: TaskRunner) -> None:
        self._loop.take_lead_from(self)

    def notify(self, _: TaskRunner) -> None:
        if self._loop.leader is self:
            self._loop.wake()
        else:
            self._woken.set()
