"""AwaitedOwners: iqs for a hosted domain that nobody owns now: they wait for its next owner, and no thread does (many-machines §8)."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import NamedTuple

from xmpp_rest.errors import GatewayError
from xmpp_rest.link.pending import WaitingIq
from xmpp_rest.processes.election import ROLE_TIMEOUT
from xmpp_rest.threads.timers import Timers

log = logging.getLogger("xmpp_rest.link")

EVERY = 0.05  # seconds between two looks, while an iq waits


class AwaitedOwner(NamedTuple):
    """An iq for `domain` that waits until then (monotonic time); `send` must not wait."""

    domain: str
    until: float
    waiter: WaitingIq
    send: Callable[[], None]


class AwaitedOwners:
    """Any thread may call it. As many iqs may wait as `Pending` and the shares of their senders let."""

    def __init__(self, is_owned: Callable[[str], bool], timers: Timers) -> None:
        """`is_owned` must not wait."""
        self._is_owned = is_owned
        self._timers = timers
        self._waiting: list[AwaitedOwner] = []
        self._looks = False
        self._lock = threading.Lock()  # guards the two above

    def add(self, domain: str, waiter: WaitingIq, seconds: float, send: Callable[[], None]) -> None:
        """Call `send` once the domain has an owner; without one the wait ends after `seconds`, or sooner: link-down."""
        with self._lock:
            self._waiting.append(AwaitedOwner(domain, time.monotonic() + min(seconds, ROLE_TIMEOUT), waiter, send))
            begins, self._looks = not self._looks, True
        if begins:
            self._timers.after(EVERY, self._look)

    def _look(self) -> None:
        with self._lock:
            waiting, self._waiting = self._waiting, []
        owned, now = {domain: self._is_owned(domain) for domain in {each.domain for each in waiting}}, time.monotonic()
        left = [each for each in waiting if not owned[each.domain] and now < each.until and not each.waiter.is_over]
        with self._lock:
            self._waiting[:0] = left
            self._looks = bool(self._waiting)
            goes_on = self._looks
        if goes_on:
            self._timers.after(EVERY, self._look)
        for each in waiting:
            if each.waiter.is_over:
                continue
            if owned[each.domain]:
                each.send()
            elif now >= each.until:
                each.waiter.resolve(GatewayError("link-down", f"Nobody owns {each.domain} now; try again later"))
