"""Collects what became of each recipient of a message."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial

from xmpp_rest.protocol.conditions import StanzaError
from xmpp_rest.service.hooks.message import Verdict
from xmpp_rest.threads.future import OneShot

LATE = Verdict(error=StanzaError("wait", "remote-server-timeout", "The recipient's server did not answer in time"))


class OneVerdict:
    """The place for the verdict on one recipient; the first one counts. Any thread may give it."""

    def __init__(self, tell: Callable[[Verdict], None]) -> None:
        self._tell = tell
        self._given: OneShot[Verdict] = OneShot()

    @property
    def is_given(self) -> bool:
        """Whether nobody waits for it any more: then nothing may be sent."""
        return self._given.value is not None

    def give(self, verdict: Verdict) -> None:
        """This became of it."""
        if self._given.give(verdict):
            self._tell(verdict)


class Verdicts:
    """Calls `tell` once with the verdicts on all recipients, as soon as the last one is given."""

    def __init__(self, count: int, tell: Callable[[list[Verdict]], object]) -> None:
        self._found: list[Verdict] = [LATE] * count
        self._missing = count
        self._tell = tell
        self._then: list[Callable[[], object]] = []
        self._lock = threading.Lock()
        self._places = [OneVerdict(partial(self._note, place)) for place in range(count)]

    def at_end(self, act: Callable[[], object]) -> None:
        """Call `act` when all are given. Called before any is."""
        self._then.append(act)

    def of(self, place: int) -> OneVerdict:
        """The place for that on this recipient."""
        return self._places[place]

    def end(self) -> None:
        """The time is over: those without a verdict were not reached."""
        for place in self._places:
            place.give(LATE)

    def _note(self, place: int, verdict: Verdict) -> None:
        with self._lock:
            self._found[place] = verdict
            self._missing -= 1
            if self._missing:
                return
        for act in self._then:
            act()
        self._tell(self._found)
