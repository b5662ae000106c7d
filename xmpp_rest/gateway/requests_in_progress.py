"""RequestsInProgress: the requests that use the parts of a gateway, and those that wait while the parts are replaced."""

from __future__ import annotations

import threading
from collections import Counter

from xmpp_rest.errors import GatewayError
from xmpp_rest.threads.future import Gate

HELD = 10.0  # seconds that a request waits for new parts; it would wait as long for another leader
AGAIN = 5.0  # seconds after which to try again


class RequestsInProgress:
    """Counts requests by the parts with which they began. Used by any thread."""

    def __init__(self) -> None:
        self._gate = Gate()
        self._gate.set()
        self._changed = threading.Condition(threading.Lock())
        self._parts = 0  # which parts are in use: a number that grows
        self._counts: Counter[int] = Counter()

    def enter(self) -> int:
        """A request begins, once it may; what to give to `leave`. Raises GatewayError: link-down."""
        while self._gate.wait(HELD):
            with self._changed:
                if self._gate.is_set():
                    self._counts[self._parts] += 1
                    return self._parts
        raise GatewayError("link-down", "This node changes its place in the cluster; try again later", retry_after=AGAIN)

    def leave(self, parts: int) -> None:
        """It has ended, but for its answer."""
        with self._changed:
            self._counts[parts] -= 1
            if not self._counts[parts]:
                del self._counts[parts]
                self._changed.notify_all()

    def hold(self) -> int:
        """Have new requests wait; what to give to `wait_for`, for those that have begun."""
        with self._changed:
            self._gate.clear()
            self._parts += 1
            return self._parts - 1

    def go_on(self) -> None:
        """Let them go on."""
        self._gate.set()

    def wait_for(self, parts: int, seconds: float) -> bool:
        """Whether those that began before have ended, or do within so many seconds."""
        with self._changed:
            return self._changed.wait_for(lambda: not any(each <= parts for each in self._counts), seconds)
