"""Bounds how fast a callback answers one address, so that two programs that answer each other do not do so as fast as they can."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable

from xmpp_rest.protocol.jid import JID

BURST = 1.0  # seconds without replies that are made up for
MAX_PAIRS = 10_000  # that are remembered; the pair answered longest ago is forgotten first


class ReplyGuard:
    """For each pair of bare addresses, the one that answers and the one that is answered, a reply uses up the time that one takes.

    Time that was not used may be used later, but no more than BURST. Safe to be used by several threads.
    """

    def __init__(self, rate: float, clock: Callable[[], float] = time.monotonic) -> None:
        """`rate`: replies a second in the long run."""
        self._rate = rate
        self._clock = clock
        self._used: OrderedDict[tuple[JID, JID], float] = OrderedDict()  # up to which moment a pair's time is used up (monotonic)
        self._lock = threading.Lock()

    def wait(self, source: JID, to: JID) -> float:
        """0 if `source` may answer `to` now, which then counts; else the seconds until it may."""
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
