"""Work that waits until its thread has finished what it is in the middle of."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Afterwards(threading.local):
    """The work that was put off by each thread."""

    def __init__(self) -> None:
        self._put_off: list[Callable[[], object]] | None = None  # None: this thread is not in `holding`

    @contextmanager
    def holding(self) -> Iterator[None]:
        """Work of this thread waits for the end of this context, of the outermost one if there are several."""
        if self._put_off is not None:
            yield
            return
        self._put_off = []
        try:
            yield
        finally:
            works, self._put_off = self._put_off, None
            for work in works:
                work()

    def do(self, work: Callable[[], object]) -> None:
        """Call `work`, which must not raise: now, or at the end of `holding` if this thread is in it."""
        if self._put_off is None:
            work()
        else:
            self._put_off.append(work)
