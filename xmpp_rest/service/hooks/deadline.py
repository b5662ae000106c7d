"""Until when a refusal of a message is waited for."""

from __future__ import annotations

import threading
from collections.abc import Callable
from xml.etree.ElementTree import Element

from xmpp_rest.protocol.conditions import StanzaError
from xmpp_rest.service.hooks.message import Verdict
from xmpp_rest.service.hooks.verdicts import OneVerdict
from xmpp_rest.threads.timers import Timer, Timers


class VerdictDeadline:
    """Gives the verdict on one recipient that has not refused in time. A `RoomListener`. Safe to be used by several threads."""

    def __init__(
        self, timers: Timers, seconds: float, verdict: OneVerdict, how: str, on_shown: Callable[[Element], object] = lambda _: None
    ) -> None:
        """`how`: it is sent; `on_shown`: called when a room shows it."""
        self._timers = timers
        self._seconds = seconds
        self._verdict = verdict
        self._how = how
        self._on_shown = on_shown
        self._timer: Timer | None = None
        self._lock = threading.Lock()

    def begin(self, act: Callable[[], None]) -> None:
        """Call `act` when the time is over."""
        timer = Timer(act)
        with self._lock:
            before, self._timer = self._timer, timer
        if before is not None:
            self._timers.cancel(before)
        self._timers.set(timer, self._seconds)
        if self._verdict.is_given:
            self.end()

    def end(self) -> None:
        """Nothing is waited for any more."""
        with self._lock:
            timer, self._timer = self._timer, None
        if timer is not None:
            self._timers.cancel(timer)

    # -- of a message to a room

    def accepted(self) -> None:
        """It is on its way: who does not refuse it in time has accepted it."""
        self.begin(lambda: self._verdict.give(Verdict(self._how)))

    def held(self) -> None:
        """It is not on its way any more."""
        self.end()

    def heard(self, answer: Element | StanzaError) -> None:
        """The room has shown it, or refused it."""
        if isinstance(answer, Element):
            self._on_shown(answer)
        self._verdict.give(Verdict(self._how, None if isinstance(answer, Element) else answer))
        self.end()
