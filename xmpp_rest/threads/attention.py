"""How a signal handler, or another thread, wakes a thread that waits for things to do."""

from __future__ import annotations

import threading


class Attention:
    """Wakes the one thread that waits, or the next time that it would.

    Not an Event: a signal handler runs on the waiting thread itself, which may hold the lock of the Event just then, and would wait for
    itself.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lock.acquire()

    def call(self) -> None:
        """Wake it. Called by any thread, and by signal handlers."""
        try:
            self._lock.release()
        except RuntimeError:  # it was called already, and has not looked yet
            return

    def wait(self, seconds: float) -> bool:
        """Wait for so long, or until it is called; whether it was."""
        return self._lock.acquire(timeout=seconds)
