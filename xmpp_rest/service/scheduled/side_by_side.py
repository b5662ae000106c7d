"""Runs calls that wait for the disk side by side: the storage writes what comes together in one commit."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from functools import partial

from xmpp_rest.threads.pool import CompletingPool

log = logging.getLogger("xmpp_rest.link")

THREADS = 16


class SideBySide:
    """A pool that the owner stops."""

    def __init__(self) -> None:
        self._pool = CompletingPool(THREADS, "scheduled messages")

    def run(self, calls: Sequence[Callable[[], object]]) -> None:
        """Make these calls, and wait for all. What one raises is logged, and holds no other up."""
        if len(calls) < 2:
            for call in calls:
                _make(call)
            return
        self._pool.results([partial(_make, call) for call in calls])

    def stop(self) -> None:
        """End the threads after what they are doing."""
        self._pool.stop()


def _make(call: Callable[[], object]) -> None:
    try:
        call()
    except Exception:
        log.exception("a call for scheduled messages failed")
