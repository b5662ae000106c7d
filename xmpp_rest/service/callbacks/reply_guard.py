"""The reply guard: bounds the rate of a callback's replies to one address, so that two programs cannot answer each other at full speed."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable

from xmpp_rest.protocol.jid import JID

BURST = 1.0  # seconds without replies that are made up for
MAX_PAIRS = 10_000  # that are remembered; the least recently used one is dropped first


class ReplyGuard:
    """A rate limit for each pair of bare addresses, sender and recipient of replies: each reply uses up the time of one.

    Time that was not used may be used later, but no more than BURST. Safe to be used by several threads.
    """

    def __init__(self, rate: float, clock: Callable[[], float] = time.monotonic) -> None:
        """`rate`: replies a second in the long run."""
        self._rate = rate
        self._clock = clock
        self._used: OrderedDict[tuple[JID, JID], float] = OrderedDict()  # until when a pair's time is used up (monotonic)
        self._lock = threading.Lock()

    def wait(self, source: JID, to: JID) -> float:
        """0 if `source` may answer `to` now, which is then counted; otherwise the seconds until it may."""
        pair, now = (source.bare, to.bare), self._clock()
        with self._lock:
            after = max(self._used.get(pair, 0.0), now - BURST) + 1 / self._rate
            if after > now:
                return after - now
            self._used[pair] = after
            self._used.move_to_end(pair)
            if len(self._used) > MAX_PAIRS:
                self._used.popitem(last=False)
        return 0.0
