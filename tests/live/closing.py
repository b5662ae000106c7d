"""What another program closes is closed within a second (decision 0036)."""

from __future__ import annotations

import time
from collections.abc import Callable

from xmpp_rest.auth.remembered import SECONDS


def soon_closed(answer: Callable[[], int]) -> bool:
    """Whether credentials that Prosody has made void are refused a second later at the latest, and from then on. `answer`: the status."""
    end = time.monotonic() + SECONDS
    while answer() == 200 and time.monotonic() < end:
        time.sleep(0.02)
    return [answer(), answer()] == [401, 401]
