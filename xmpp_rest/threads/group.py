"""The group executor: threads leave items in a queue, and one of them, the leader, does the work for all that wait.

A wait for the disk then counts once for all that came meanwhile, and a waiting thread is woken once, when its results are there: with the
interpreter lock, waking is what is dear. A caller that has no thread to wait with leaves a callback instead.
"""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from xmpp_rest.threads.future import OneShot

log = logging.getLogger(__name__)

T = TypeVar("T")
R = TypeVar("R")
OnResults = Callable[[Sequence[R] | Exception], None]
"""Gets the results, or what the work raised. Must not wait."""
Executor = Callable[[Callable[[], None]], object]
"""Has a function called on a thread that may wait."""


class _Waiter(Generic[T, R]):
    """One caller in the queue: a thread, which sleeps until its outcome is there or it is the leader; or a callback."""

    def __init__(self, items: Sequence[T], callback: OnResults[R] | None = None, executor: Executor | None = None) -> None:
        self.items = items
        self.callback = callback
        self.executor = executor
        self.outcome: Sequence[R] | Exception | None = None
        self.woken = OneShot[bool]()

    def finish(self) -> None:
        """Its outcome is there."""
        if self.callback is None:
            self.woken.give(True)
            return
        try:
            self.callback(() if self.outcome is None else self.outcome)
        except Exception:
            log.exception("the callback of a group failed")


class GroupExecutor(Generic[T, R]):
    """A queue in front of `work`, which gets the items of several callers in their order, and returns a result for each item.

    `most`: items of one group, unless one caller has more. `on_enter`: called with each caller's items in the order of the queue; it must
    be quick. What `work` raises, all callers of the group get; so its results should hold what concerns one item alone.
    """

    def __init__(
        self,
        work: Callable[[list[T]], Sequence[R]],
        most: int = sys.maxsize,
        on_enter: Callable[[Sequence[T]], None] = lambda _items: None,
    ) -> None:
        self._work = work
        self._most = most
        self._on_enter = on_enter
        self._waiting: list[_Waiter[T, R]] = []
        self._led = False  # whether there is a leader
        self._leader: int | None = None  # the thread that works
        self._lock = threading.Lock()

    def run(self, items: Sequence[T]) -> Sequence[R]:
        """Have `work` done for these items; a result for each. Raises what `work` does. Called by `work` itself, it works at once."""
        if self._leader == threading.get_ident():
            return self._work(list(items))
        waiter = _Waiter[T, R](items)
        if not self._enter(waiter):
            self._wait(waiter)
        while waiter.outcome is None:
            self._lead(waiter)
        if isinstance(waiter.outcome, Exception):
            raise waiter.outcome
        return waiter.outcome

    def submit(self, items: Sequence[T], callback: OnResults[R], executor: Executor) -> None:
        """As `run`, for a thread that must not wait: the leader calls `callback`; if no thread waits, `executor` has one lead."""
        if self._enter(_Waiter[T, R](items, callback, executor)):
            self._lead_on(executor)

    def _wait(self, waiter: _Waiter[T, R]) -> None:
        try:
            waiter.woken.wait()
        except BaseException:  # it must not be chosen as the leader any more, and if it was, another one is
            with self._lock:
                self._waiting = [other for other in self._waiting if other is not waiter]
            if not waiter.woken.give(False) and waiter.outcome is None:
                self._pass_on(waiter)
            raise

    def _enter(self, waiter: _Waiter[T, R]) -> bool:
        """Whether the caller is the leader."""
        with self._lock:
            self._on_enter(waiter.items)
            self._waiting.append(waiter)
            leads, self._led = not self._led, True
        return leads

    def _lead(self, mine: _Waiter[T, R] | None = None) -> None:
        """Work for the first group; after that, the first thread that waits is the leader, which may be this one again."""
        with self._lock:
            group = self._take()
        self._leader = threading.get_ident()
        try:
            results = self._work([item for waiter in group for item in waiter.items])
            self._hand_out(group, results)
        except Exception as e:
            _fail(group, e)
        except BaseException:  # what interrupts this thread is for it alone to raise
            _fail(group, RuntimeError("the thread that was working for this one was interrupted"))
            with self._lock:
                self._waiting = [waiter for waiter in self._waiting if waiter is not mine]
            raise
        finally:
            self._leader = None
            for waiter in group:
                if waiter is not mine:
                    waiter.finish()
            self._pass_on(mine)

    def _pass_on(self, mine: _Waiter[T, R] | None) -> None:
        with self._lock:
            self._led = bool(self._waiting)
            following = next((waiter for waiter in self._waiting if waiter.executor is None), next(iter(self._waiting), None))
        if following is None or following is mine:
            return
        if following.executor is not None:
            self._lead_on(following.executor)
        elif not following.woken.give(True):  # its thread was interrupted as it waited
            self._pass_on(mine)

    def _lead_on(self, executor: Executor) -> None:
        """Have another thread lead; if there is none, this one does, for without a leader all that come would wait forever."""
        try:
            executor(self._lead)
        except Exception:
            log.exception("no thread could be found for a group")
            self._lead()

    def _take(self) -> list[_Waiter[T, R]]:
        """The next group: as many as `most` allows, and at least the first."""
        count, total = 0, 0
        while count < len(self._waiting) and (not count or total + len(self._waiting[count].items) <= self._most):
            total += len(self._waiting[count].items)
            count += 1
        taken, self._waiting = self._waiting[:count], self._waiting[count:]
        return taken

    @staticmethod
    def _hand_out(group: Sequence[_Waiter[T, R]], results: Sequence[R]) -> None:
        start = 0
        for waiter in group:
            end = start + len(waiter.items)
            waiter.outcome = results[start:end]
            start = end


def _fail(group: Sequence[_Waiter[T, R]], error: Exception) -> None:
    for waiter in group:
        waiter.outcome = error
