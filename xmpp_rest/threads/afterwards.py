"""Work that waits until its thread, or task, has finished what it is in the middle of."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

Works = list[Callable[[], object]]


class Afterwards:
    """The work that was put off by each thread, and each task: one that parks in the middle does not put off the work of others."""

    def __init__(self) -> None:
        self._put_off: ContextVar[Works | None] = ContextVar("put_off", default=None)  # None: it is not in `holding`

    @contextmanager
    def holding(self) -> Iterator[None]:
        """Work of this thread or task waits for the end of this context, of the outermost one if there are several."""
        if self._put_off.get() is not None:
            yield
            return
        works = Works()
        outside = self._put_off.set(works)
        try:
            yield
        finally:
            self._put_off.reset(outside)
            for work in works:
                work()

    def do(self, work: Callable[[], object]) -> None:
        """Call `work`, which must not raise: now, or at the end of `holding` if this thread or task is in it."""
        if (works := self._put_off.get()) is None:
            work()
        else:
            works.append(work)
