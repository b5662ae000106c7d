"""gunicorn's arbiter, which loses no signal to a worker that was just forked."""

from __future__ import annotations

import signal
from typing import Any

from gunicorn.arbiter import Arbiter

ENDING = (signal.SIGTERM, signal.SIGQUIT, signal.SIGINT)
"""The signals by which the arbiter, or a terminal, ends a worker."""


class SafeArbiter(Arbiter):  # type: ignore[misc]
    """Forks workers with ENDING blocked: the kernel keeps such a signal until the worker calls `accept_ending`.

    gunicorn's own forks them with its handlers in place, which put a signal in a queue that no worker reads; and Python forgets what came
    before it has noticed the fork. A worker told to stop in these milliseconds would serve on, until it is killed after GRACEFUL seconds.
    """

    def spawn_worker(self) -> Any:
        before = signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
        try:
            return super().spawn_worker()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)


def accept_ending() -> None:
    """Called in a worker once it has handlers of its own: they are called here for what was kept."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING)
