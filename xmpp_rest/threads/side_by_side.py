"""Work that waits for the disk, several pieces at once: what is committed meanwhile shares its wait."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeVar

T = TypeVar("T")


def side_by_side(works: Sequence[Callable[[], T]], name: str) -> list[T]:
    """What each returns, in their order, once all have ended. They must not raise; there are few of them.

    The first is done here, each of the others on a thread of its own, or here where the system gives none. Unlike those of a
    `CompletingPool` these threads do not hold up the end of the process, as the one that calls this does not either.
    """
    results: dict[int, T] = {}
    begun: list[threading.Thread] = []
    here = [0]

    def perform(n: int) -> None:
        results[n] = works[n]()

    for n in range(1, len(works)):
        thread = threading.Thread(target=partial(perform, n), name=name, daemon=True)
        try:
            thread.start()
        except RuntimeError:
            here.append(n)
        else:
            begun.append(thread)
    for n in here[: len(works)]:
        perform(n)
    for thread in begun:
        thread.join()
    return [results[n] for n in range(len(works))]
