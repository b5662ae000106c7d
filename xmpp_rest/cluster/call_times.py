"""CallTimes: how long the owner, on another node, takes to answer."""

from __future__ import annotations

import time
from collections.abc import Callable

from xmpp_rest.processes.group import Message
from xmpp_rest.processes.server import FORGET

MOST = 10_000  # calls under way that are timed


def untimed(_: float) -> None:
    """Nobody wants to know."""


class CallTimes:
    """Those of the calls on one line. Any thread may use it."""

    def __init__(self, on_answer: Callable[[float], None], clock: Callable[[], float] = time.perf_counter) -> None:
        """`on_answer` is called with the seconds of each call."""
        self._on_answer = on_answer
        self._clock = clock
        self._begun: dict[tuple[str, int], float] = {}  # channel and number of a call → when it was made

    def begin(self, channel: str, message: Message) -> None:
        """This is said to the owner on this channel; it may be a call, or that nobody waits for one any more."""
        if message.get("call") == FORGET:
            self._begun.pop((channel, message.get("of", 0)), None)
        if (number := message.get("number")) is not None and len(self._begun) < MOST:
            self._begun[channel, number] = self._clock()

    def end(self, channel: str, message: Message) -> None:
        """The owner says this; it may be an answer."""
        if (begun := self._begun.pop((channel, message.get("number", 0)), None)) is not None:
            self._on_answer(self._clock() - begun)
