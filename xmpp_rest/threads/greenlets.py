"""greenlet, where it is installed. Where it is not, nothing runs as a task, and what waits holds its thread."""

from __future__ import annotations

import threading

try:
    from greenlet import getcurrent, greenlet
except ImportError:
    greenlet = object

    def getcurrent() -> object:
        """What runs now: this thread."""
        return threading.current_thread()


__all__ = ["getcurrent", "greenlet"]
