"""Writes what waits for rooms, in order, once the occupant is known to be in on this stream (rooms-anywhere §3, §7.3)."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from functools import partial

from xmpp_rest.errors import GatewayError
from xmpp_rest.request_notes import on_behalf_of
from xmpp_rest.service.rooms.attempt import OnEntered
from xmpp_rest.service.rooms.refused import RoomRefused
from xmpp_rest.service.rooms.room_queue import RoomQueue
from xmpp_rest.service.rooms.speech_core import SpeechCore
from xmpp_rest.service.rooms.speech_deadlines import SpeechDeadlines
from xmpp_rest.service.rooms.speech_ends import SpeechEnds
from xmpp_rest.service.rooms.spoken_message import SpokenMessage
from xmpp_rest.service.rooms.values import RoomState, Wish

log = logging.getLogger("xmpp_rest.rooms")

FOR_NOW = (429, 502, 503, 504)  # statuses of joins that may be tried again for what was accepted
AGAIN = 2.0  # seconds until then
FULL_PAUSE = 1.0  # seconds until a message is written again for which the outbox of the link had no room

Ask = Callable[[OnEntered], None]
"""Finds out, or brings about, that an occupant is in."""


class SpeechWriter:
    """One thread at a time writes for each occupant."""

    def __init__(self, core: SpeechCore, ends: SpeechEnds, deadlines: SpeechDeadlines) -> None:
        self._core = core
        self._ends = ends
        self._deadlines = deadlines

    def pump(self, queue: RoomQueue) -> None:
        """Write what can be written; what stands in the way calls again once it does not any more."""
        core = self._core
        with core.lock:
            if queue.is_pumping:
                queue.pumps_again = True
                return
            queue.is_pumping = True
        again = True
        while again:
            try:
                ask = self._write_all(queue)
            except Exception:
                log.exception("messages of %s to %s are not written", *queue.place)
                ask = None
            with core.lock:
                queue.is_pumping, again = queue.pumps_again, queue.pumps_again
                queue.pumps_again = False
                queue.is_asking = queue.is_asking or (not again and ask is not None)
        if ask is not None:
            self._ask(queue, ask)
        self._deadlines.set(queue, self.pump)
        core.forget_if_idle(queue)

    def _write_all(self, queue: RoomQueue) -> Ask | None:
        """Write until something stands in the way; what finds out whether the occupant is in, or brings it in, if that is missing."""
        core, place = self._core, queue.place
        while True:
            state, stream = core.memberships.state(place), core.stream(place)
            with core.lock:
                if core.is_stopping or not queue.waiting or not stream or queue.is_asking or state is RoomState.JOINING:
                    return None
                if state is not RoomState.IN:
                    return partial(core.memberships.enter, place, queue.waiting[0].wish)
                if core.confirmed.get(place) != stream:
                    return partial(self._confirm, queue, stream)
                if queue.is_paused or (queue.is_paced and queue.written):
                    return None
                message = queue.take(stream)
            if not self._is_written(queue, message, stream):
                return None
            core.memberships.touched(place)

    def _is_written(self, queue: RoomQueue, message: SpokenMessage, stream: int) -> bool:
        core, was_held = self._core, message.take_told_held()
        try:
            with on_behalf_of(message.request_id):
                core.router.send_bound(message.stanza, message.text, message.request_id, stream)
        except GatewayError as e:
            with core.lock:
                queue.put_back((message,), time.time() + core.settings.hold)
            if e.name not in ("link-down", "session-lost"):  # the outbox is full
                core.after(queue, "again", FULL_PAUSE, partial(self.pump, queue))
            return False
        if was_held:
            message.listener.accepted(core.memberships.own_nick(queue.place), is_held=False)
        return True

    # -- whether the occupant is in

    def _ask(self, queue: RoomQueue, ask: Ask) -> None:
        """Find out, or bring about, that the occupant is in; what is known at once counts at once."""
        core, known, is_called = self._core, list[RoomRefused | None](), True

        def then(refused: RoomRefused | None) -> None:
            with core.lock:
                if is_called:
                    known.append(refused)
                    return
            core.later(partial(self._asked, queue, refused))

        ask(then)
        with core.lock:
            is_called = False
        if known:
            self._asked(queue, known[0])

    def _confirm(self, queue: RoomQueue, stream: int, then: OnEntered) -> None:
        core = self._core

        def confirmed(refused: RoomRefused | None) -> None:
            if refused is None:
                with core.lock:
                    core.confirmed[queue.place] = stream
            elif (wish := self._wish_to_return(queue)) is not None:
                core.memberships.enter(queue.place, wish, then)
                return
            then(refused)

        core.memberships.confirmed(queue.place, confirmed)

    def _wish_to_return(self, queue: RoomQueue) -> Wish | None:
        """How an occupant comes in that was put out meanwhile; None: it does not, or was not put out."""
        with self._core.lock:
            first = queue.waiting[0] if queue.waiting else None
        is_out = self._core.memberships.state(queue.place) is RoomState.OUT
        return first.wish if first is not None and first.comes_back and is_out else None

    def _asked(self, queue: RoomQueue, refused: RoomRefused | None) -> None:
        """It is known whether the occupant is in."""
        core = self._core
        state = core.memberships.state(queue.place)
        with core.lock:
            queue.is_asking = False
        if core.is_stopping:
            return
        if refused is None or state is RoomState.JOINING:
            self.pump(queue)
        elif state is RoomState.IN or not core.stream(queue.place) or refused.status in FOR_NOW:
            core.after(queue, "again", AGAIN, partial(self.pump, queue))
            self._deadlines.set(queue, self.pump)
        else:
            self._ends.refuse_all(queue, refused.refusal)
            core.forget_if_idle(queue)
