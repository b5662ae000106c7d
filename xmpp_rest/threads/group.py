"""The group executor: callers leave items in a queue, and one of them, the leader, does the work for all that wait.

A wait for the disk then counts once for all that came meanwhile, and a waiting thread is woken once, when its results are there: with the
interpreter lock, waking is what is dear. Tasks park instead: all that come in one round of their server are one group, which is worked for
at the end of the round. A caller that has nothing to wait with leaves a callback.
"""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Callable, Sequence
from enum import Enum
from typing import Generic, TypeVar

from xmpp_rest.threads.future import OneShot
from xmpp_rest.threads.greenlets import getcurrent, greenlet
from xmpp_rest.threads.tasks import Task, current_task, may_park

log = logging.getLogger("xmpp_rest.server")

T = TypeVar("T")
R = TypeVar("R")
OnResults = Callable[[Sequence[R] | Exception], None]
"""Gets the results, or what the work raised. Must not wait."""
Executor = Callable[[Callable[[], None]], object]
"""Has a function called on a thread that may wait."""


class GroupCaller(Generic[T, R]):
    """One caller in the queue: a thread, which sleeps until its outcome is there or it is the leader; or a parked task; or a callback.

    `executor`: has somebody lead in its place; None: a thread, which leads itself.
    """

    def __init__(self, items: Sequence[T], executor: Executor | None = None, callback: OnResults[R] | None = None) -> None:
        self.items = items
        self.executor = executor
        self.callback = callback
        self.outcome: Sequence[R] | Exception | None = None
        self.woken: OneShot[bool] = OneShot()

    def finish(self) -> None:
        """Its outcome is there."""
        if self.callback is None:
            self.woken.give(True)
            return
        try:
            self.callback(() if self.outcome is None else self.outcome)
        except Exception:
            log.exception("the callback of a group failed")


class _Arrival(Enum):
    """What a caller does that has come to the queue."""

    LEADS = "leads, or has an executor lead"
    WAITS = "waits for a leader"
    ALONE = "works for itself"


class GroupExecutor(Generic[T, R]):
    """A queue in front of `work`, which gets the items of several callers in their order, and returns a result for each item.

    `most`: items of one group, unless one caller has more. `on_enter`: called with each caller's items in the order of the queue; it must
    be quick. What `work` raises, all callers of the group get; so its results should hold what concerns one item alone.
    `parks`: `work` waits for others than the disk, so that a task may park in it; then it must bear being called by several at once.
    """

    def __init__(
        self,
        work: Callable[[list[T]], Sequence[R]],
        most: int = sys.maxsize,
        on_enter: Callable[[Sequence[T]], None] = lambda _items: None,
        *,
        parks: bool = False,
    ) -> None:
        self._work = work
        self._most = most
        self._on_enter = on_enter
        self._parks = parks
        self._waiting: list[GroupCaller[T, R]] = []
        self._led = False  # whether there is a leader, or will be
        self._scheduled = False  # whether the leader is one that an executor has not called yet: a thread may lead instead
        self._leader: greenlet | None = None  # the thread, or task, that works
        self._lock = threading.Lock()

    def run(self, items: Sequence[T]) -> Sequence[R]:
        """Have `work` done for these items; a result for each. Raises what `work` does. Called by `work` itself, it works at once."""
        if self._leader is getcurrent():
            return self._work(list(items))
        task = may_park()
        if task is not None and not task.runner.is_busy:
            task = None  # nobody could join before the end of the round, which takes longer than to lead at once
        waiter: GroupCaller[T, R] = GroupCaller(items, task.runner.at_end if task is not None else None)
        arrival = self._enter(waiter)
        if arrival is _Arrival.ALONE:
            return self._work(list(items))
        if arrival is _Arrival.LEADS and task is not None:
            self._lead_on(task.runner.at_end)
        if arrival is _Arrival.WAITS or task is not None:
            self._wait(waiter)
        while waiter.outcome is None:
            self._lead(waiter)
        if isinstance(waiter.outcome, Exception):
            raise waiter.outcome
        return waiter.outcome

    def submit(self, items: Sequence[T], callback: OnResults[R], executor: Executor) -> None:
        """As `run`, for a thread that must not wait: the leader calls `callback`; if no thread waits, `executor` has one lead."""
        if (task := current_task()) is not None:
            executor = task.runner.at_end
        if self._enter(GroupCaller(items, executor, callback)) is _Arrival.LEADS:
            self._lead_on(executor)

    def _wait(self, waiter: GroupCaller[T, R]) -> None:
        try:
            waiter.woken.wait()
        except BaseException:  # it must not be chosen as the leader any more, and if it was, another one is
            self._remove(waiter)
            if not waiter.woken.give(False) and waiter.outcome is None:
                self._pass_on(waiter)
            raise

    def _remove(self, waiter: GroupCaller[T, R] | None) -> None:
        with self._lock:
            self._waiting = [other for other in self._waiting if other is not waiter]

    def _enter(self, waiter: GroupCaller[T, R]) -> _Arrival:
        """What the caller is to do."""
        leads_itself = waiter.executor is None
        with self._lock:
            self._on_enter(waiter.items)
            if leads_itself and self._parks and isinstance(self._leader, Task):  # perhaps of this very thread, and parked
                return _Arrival.ALONE
            self._waiting.append(waiter)
            if self._led and not (leads_itself and self._scheduled):
                return _Arrival.WAITS
            self._led, self._scheduled = True, not leads_itself
            return _Arrival.LEADS

    def _lead_scheduled(self) -> None:
        """As an executor calls it: lead, unless a thread that came in the meantime has taken that over."""
        with self._lock:
            scheduled, self._scheduled = self._scheduled, False
            group = self._become_leader() if scheduled else []
        if group:
            self._work_for(group, None)
        elif scheduled:  # who waited was interrupted
            self._leader = None
            self._pass_on(None)

    def _lead(self, mine: GroupCaller[T, R]) -> None:
        """Work for the first group; after that, the first thread that waits is the leader, which may be this one again."""
        with self._lock:
            group = self._become_leader()
        self._work_for(group, mine)

    def _become_leader(self) -> list[GroupCaller[T, R]]:
        """The group to work for."""
        self._leader = getcurrent()
        return self._take()

    def _results(self, group: list[GroupCaller[T, R]]) -> Sequence[R]:
        return self._work([item for waiter in group for item in waiter.items])

    def _work_for(self, group: list[GroupCaller[T, R]], mine: GroupCaller[T, R] | None) -> None:
        task = current_task() if not self._parks else None
        if task is not None:
            task.locks += 1  # so that a thread that waits for this group does not wait for a task that is parked on it
        try:
            self._hand_out(group, self._results(group))
        except Exception as e:
            _fail(group, e)
        except BaseException:  # what interrupts this thread is for it alone to raise
            _fail(group, RuntimeError("the thread that was working for this one was interrupted"))
            self._remove(mine)
            raise
        finally:
            if task is not None:
                task.locks -= 1
            self._leader = None
            for waiter in group:
                if waiter is not mine:
                    waiter.finish()
            self._pass_on(mine)

    def _pass_on(self, mine: GroupCaller[T, R] | None) -> None:
        with self._lock:
            self._led = bool(self._waiting)
            following = next((waiter for waiter in self._waiting if waiter.executor is None), next(iter(self._waiting), None))
            self._scheduled = following is not None and following.executor is not None
        if following is None or following is mine:
            return
        if following.executor is not None:
            self._lead_on(following.executor)
        elif not following.woken.give(True):  # its thread was interrupted as it waited
            self._pass_on(mine)

    def _lead_on(self, executor: Executor) -> None:
        """Have another thread lead; if there is none, this one does, for without a leader all that come would wait forever."""
        try:
            executor(self._lead_scheduled)
        except Exception:
            log.exception("no thread could be found for a group")
            self._lead_scheduled()

    def _take(self, total: int = 0) -> list[GroupCaller[T, R]]:
        """The next group: as many as `most` allows, and at least the first; or those who may join one that has `total` items."""
        count, empty = 0, not total
        while count < len(self._waiting) and ((empty and not count) or total + len(self._waiting[count].items) <= self._most):
            total += len(self._waiting[count].items)
            count += 1
        taken, self._waiting = self._waiting[:count], self._waiting[count:]
        return taken

    @staticmethod
    def _hand_out(group: Sequence[GroupCaller[T, R]], results: Sequence[R]) -> None:
        start = 0
        for waiter in group:
            end = start + len(waiter.items)
            waiter.outcome = results[start:end]
            start = end


def _fail(group: Sequence[GroupCaller[T, R]], error: Exception) -> None:
    for waiter in group:
        waiter.outcome = error
