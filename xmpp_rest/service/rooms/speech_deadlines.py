"""How long messages wait: to be written (`hold`), and for the room to show them (`reflection_timeout`)."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial

from xmpp_rest.protocol.conditions import stanza_error
from xmpp_rest.service.rooms.refused import RoomRefused, message_refused
from xmpp_rest.service.rooms.room_queue import RoomQueue
from xmpp_rest.service.rooms.speech_core import SpeechCore, label_of
from xmpp_rest.service.rooms.speech_ends import SpeechEnds
from xmpp_rest.service.rooms.spoken_message import SpokenMessage, Stage
from xmpp_rest.service.rooms.values import RoomState

LATE = "The room could not be reached in time, and the message was not sent"

Pump = Callable[[RoomQueue], None]
"""Writes what can be written."""


class SpeechDeadlines:
    """Timers of queues. Called without the lock."""

    def __init__(self, core: SpeechCore, ends: SpeechEnds) -> None:
        self._core = core
        self._ends = ends

    def set(self, queue: RoomQueue, pump: Pump) -> None:
        """Look again when the next message has waited for long enough."""
        core, now = self._core, time.time()
        with core.lock:
            until = min((m.held_until for m in queue.waiting if m.held_until), default=0.0)
            written = next(iter(queue.written.values()), None)
            due = written.written_at + core.settings.reflection_timeout if written is not None and not queue.is_checking else 0.0
        if until:
            core.after(queue, "held", max(0.0, until - now), partial(self._end_holding, queue, pump))
        if due:
            core.after(queue, "shown", max(0.0, due - now), partial(self._look_after, queue, pump))

    def _end_holding(self, queue: RoomQueue, pump: Pump) -> None:
        now = time.time()
        with self._core.lock:
            late = [m for m in queue.waiting if m.held_until and m.held_until <= now]
        for message in late:
            told = message.error or message_refused(stanza_error("remote-server-timeout", LATE), str(queue.place.room))
            self._ends.refuse(queue, message, told)
        pump(queue)

    def _look_after(self, queue: RoomQueue, pump: Pump) -> None:
        """Find out whether an occupant is in whose messages the room does not show (§10)."""
        core = self._core
        before = time.time() - core.settings.reflection_timeout
        with core.lock:
            late = [m for m in queue.written.values() if m.written_at <= before]
            asks = bool(late) and not queue.is_checking
            queue.is_checking = queue.is_checking or asks
        if asks:
            core.memberships.check(queue.place, lambda refused: core.later(partial(self._looked, queue, late, refused, pump)))
        self.set(queue, pump)

    def _looked(self, queue: RoomQueue, late: Sequence[SpokenMessage], refused: RoomRefused | None, pump: Pump) -> None:
        """If it is in, they stay what they are; else they are written once more."""
        core = self._core
        is_in = refused is None and core.memberships.state(queue.place) is RoomState.IN
        until = time.time() + core.settings.hold
        with core.lock:
            queue.is_checking = False
            again = [] if is_in else [m for m in late if m.stage is Stage.WRITTEN and m.begin_again()]
            queue.put_back(again, until)
        if is_in:
            self._ends.give_up(queue, late)
        core.outcomes.held([label_of(m) for m in again])
        for message in late:
            if message.stage is Stage.WRITTEN:  # it was written once more already
                self._ends.refuse(queue, message, message_refused(stanza_error("not-acceptable"), str(queue.place.room)))
        pump(queue)
