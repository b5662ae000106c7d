"""Keeps each worker on one processor (`[server] pin_workers`): its threads share one interpreter lock.

Spread over several processors, they hand the lock, and all that it guards, from cache to cache. Where other programs use the machine, a
process that may not move waits for them (docs/decisions/0030). These are gunicorn's hooks by name, so that
`gunicorn -c python:xmpp_rest.serving.affinity` works for any application.
"""

from __future__ import annotations

import os
from collections import Counter
from typing import Any


def choose(usable: list[int], taken: Counter[int | None], first: int) -> int:
    """The processor that the fewest siblings have; among those, the next one from the `first`, which keeps several servers apart."""
    order = usable[first % len(usable) :] + usable[: first % len(usable)]
    return min(order, key=lambda processor: taken[processor])


def pre_fork(arbiter: Any, worker: Any) -> None:
    """In the parent: which processor the worker is to have; none where the system cannot say, or there is only one."""
    usable = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    taken: Counter[int | None] = Counter(getattr(sibling, "processor", None) for sibling in arbiter.WORKERS.values())
    worker.processor = choose(usable, taken, os.getpid()) if len(usable) > 1 else None


def post_fork(_: Any, worker: Any) -> None:
    """In the worker, before it has any other thread."""
    if worker.processor is not None:
        os.sched_setaffinity(0, {worker.processor})
