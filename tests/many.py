"""The same at once, in several threads."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


def when(reached: Callable[[], object], act: Callable[[], object]) -> threading.Thread:
    """A thread, which runs, that does this once that is so. It comes to its end after a minute in any case."""

    def wait() -> None:
        end = time.monotonic() + 60
        while not reached():
            if time.monotonic() > end:
                return
            time.sleep(0.001)
        act()

    thread = threading.Thread(target=wait, daemon=True)
    thread.start()
    return thread


def in_threads(function: Callable[[T], R], arguments: Iterable[T]) -> list[R]:
    """Calls `function` with each argument in a thread of its own, all at the same moment. Raises what one of them raises, once all are done."""
    each = list(arguments)
    barrier = threading.Barrier(len(each))

    def call(argument: T) -> R:
        barrier.wait()
        return function(argument)

    with ThreadPoolExecutor(len(each)) as pool:
        return list(pool.map(call, each))
