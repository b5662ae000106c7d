"""The same at once, in several threads."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


def in_threads(function: Callable[[T], R], arguments: Iterable[T]) -> list[R]:
    """Calls `function` with each argument in a thread of its own, all at the same moment. Raises what one of them raises, once all are done."""
    each = list(arguments)
    barrier = threading.Barrier(len(each))

    def call(argument: T) -> R:
        barrier.wait()
        return function(argument)

    with ThreadPoolExecutor(len(each)) as pool:
        return list(pool.map(call, each))
