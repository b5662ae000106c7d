"""Ends what waits or streams when a worker is told to stop, under a class of workers that is not ours."""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Callable
from typing import Any

from flask import Flask

log = logging.getLogger("xmpp_rest.server")


def end_at_stop(app: Flask) -> None:
    """From now on SIGTERM has the application end what waits, and then does what it did. Our worker does the same by itself."""
    before = signal.getsignal(signal.SIGTERM)

    def told(number: int, frame: Any) -> None:
        for end in app.extensions.get("ending", ()):  # not called here: a signal handler must not wait
            threading.Thread(target=_end, args=(end,), name="ending", daemon=True).start()
        if callable(before):
            before(number, frame)

    signal.signal(signal.SIGTERM, told)


def _end(end: Callable[[], None]) -> None:
    try:
        end()
    except Exception:
        log.exception("what waits could not be ended")
