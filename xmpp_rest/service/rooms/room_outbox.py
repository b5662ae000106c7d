"""Messages on their way to rooms on other servers: kept until the room has shown or refused them, and written in order (rooms-anywhere §3).

A message that was accepted is on disk here, and bound to the stream in the outbox of the link: after a break, or where a room has lost the
occupant, it waits until that is known to be in again. In the leader.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial
from xml.etree.ElementTree import Element

from xmpp_rest.config.login_tables import SessionsSettings
from xmpp_rest.config.room_tables import RoomsAnywhereSettings
from xmpp_rest.protocol.conditions import StanzaError
from xmpp_rest.protocol.jid import JID
from xmpp_rest.service.rooms.joining import session_broke
from xmpp_rest.service.rooms.kept_messages import KeptMessage
from xmpp_rest.service.rooms.refused import RoomRefusal, message_refused
from xmpp_rest.service.rooms.room_queue import RoomQueue
from xmpp_rest.service.rooms.said import NobodyListens, SpeechListener
from xmpp_rest.service.rooms.speech_core import SpeechCore, label_of
from xmpp_rest.service.rooms.speech_deadlines import SpeechDeadlines
from xmpp_rest.service.rooms.speech_ends import SpeechEnds
from xmpp_rest.service.rooms.speech_intake import SpeechIntake
from xmpp_rest.service.rooms.speech_writer import SpeechWriter
from xmpp_rest.service.rooms.spoken_message import SpokenMessage, Stage
from xmpp_rest.service.rooms.standing import closed, is_put_out, why_out
from xmpp_rest.service.rooms.values import RoomPlace, RoomState, RoomView

NOT_IN = "not-acceptable"
SLOW = ("wait", "resource-constraint")
LOST = ("item-not-found", "gone")


class RoomOutbox:
    """Safe to be used by several threads. `open` and `close` are called once each, by the leader."""

    def __init__(self, core: SpeechCore) -> None:
        self._core = core
        self._ends = SpeechEnds(core)
        self._deadlines = SpeechDeadlines(core, self._ends)
        self._writer = SpeechWriter(core, self._ends, self._deadlines)
        self._intake = SpeechIntake(core, self._writer)
        core.router.on_link(self._link_changed)
        core.router.accounts.on_stream(self._session_changed)
        core.memberships.changed.subscribe(self._membership_changed)

    def configure(self, settings: RoomsAnywhereSettings, sessions: SessionsSettings) -> None:
        """Work by these settings from now on."""
        self._core.configure(settings, sessions)

    def open(self) -> None:
        """Know what an earlier process has left. Raises OSError."""
        for left in self._core.kept.open(self._hear_late):
            self._take_over(left)

    def _take_over(self, left: KeptMessage) -> RoomQueue:
        core = self._core
        message = SpokenMessage(left.place, left.stanza, left.wish, NobodyListens(), left.request_id)
        with core.lock:
            queue = core.queue(left.place)
            core.count((message,), 1)
            core.keep(queue, message, left.number)
            message.wait(left.since + core.settings.hold)
        core.outcomes.of_rooms([label_of(message)])
        self._deadlines.set(queue, self._writer.pump)
        return queue

    def _hear_late(self, late: KeptMessage) -> None:
        """It is kept, though its sender was told of a failure."""
        self._core.later(lambda: self._writer.pump(self._take_over(late)))

    def stop(self) -> None:
        """The occupants are about to leave their rooms, as the gateway stops: what waits is left to the next process."""
        self._core.stop()

    def close(self) -> None:
        """Give the journal back. Raises OSError."""
        self._core.kept.close()

    @property
    def held(self) -> int:
        """How many messages wait for their rooms."""
        with self._core.lock:
            return sum(len(queue.waiting) for queue in self._core.queues.values())

    def has(self, place: RoomPlace, identifier: str) -> bool:
        """Whether a message of this id was accepted, and its end is not known."""
        with self._core.lock:
            queue = self._core.queues.get(place)
            return queue is not None and queue.found((identifier,)) is not None

    def adopt(self, place: RoomPlace, identifier: str, listener: SpeechListener) -> bool:
        """Have `listener` told of a message that an earlier process has accepted; False: there is none of this id."""
        core = self._core
        with core.lock:
            queue = core.queues.get(place)
            message = queue.found((identifier,)) if queue is not None else None
            is_left = message is not None and message.adopt(listener)
        if is_left and listener.claim():
            listener.accepted(core.memberships.own_nick(place), is_held=True)
        return is_left

    def hand_in(self, messages: Sequence[SpokenMessage]) -> None:
        """Take messages of one occupant to one room, in order. May wait for the disk, and never for the room."""
        self._intake.hand_in(messages)

    # -- what rooms say of messages, as their stanzas come in

    def shown(self, place: RoomPlace, stanza: Element) -> None:
        """The room shows a message to this occupant."""
        nick = self._core.memberships.own_nick(place)
        if stanza.get("from") != f"{place.room}/{nick}":
            return
        self._ends.show(place, stanza, nick)
        self._pump(place)

    def refused(self, place: RoomPlace, identifier: str, error: StanzaError, by: str) -> None:
        """The room refuses a message of this occupant."""
        core = self._core
        with core.lock:
            queue = core.queues.get(place)
            message = queue.found((identifier,)) if queue is not None else None
            message = message or core.unshown(place).get((place, identifier))
            stage = message.stage if message is not None else Stage.ENDED
        if message is None or stage not in (Stage.WRITTEN, Stage.UNSHOWN):
            return
        if queue is None or stage is Stage.UNSHOWN:
            self._ends.refuse(None, message, message_refused(error, by))
        elif (error.type, error.condition) == SLOW:
            self._slow_down(queue, message, message_refused(error, by))
        elif error.condition == NOT_IN and message.begin_again():
            self._come_again(queue, message, error)
        else:
            if error.condition in (NOT_IN, *LOST):
                core.memberships.refused(place, error)
            self._ends.refuse(queue, message, message_refused(error, by))
            self._pump(place)

    def _slow_down(self, queue: RoomQueue, message: SpokenMessage, told: RoomRefusal) -> None:
        """The room takes no more for now: this one and those behind it are written again later."""
        self._hold_back(queue, message, told)
        with self._core.lock:
            pause = queue.slow_down()
        self._core.after(queue, "pace", pause, partial(self._go_on, queue))

    def _go_on(self, queue: RoomQueue) -> None:
        with self._core.lock:
            queue.is_paused = False
        self._writer.pump(queue)

    def _come_again(self, queue: RoomQueue, message: SpokenMessage, error: StanzaError) -> None:
        """The room has lost the occupant, unless it has put it out for good: else the message is written once more."""
        core = self._core
        self._hold_back(queue, message)
        with core.lock:
            core.confirmed.pop(queue.place, None)
        core.memberships.refused(queue.place, error)
        said = None if message.comes_back else closed(core.memberships.view(queue.place))
        if said is not None and isinstance(said.why, RoomRefusal):
            self._ends.refuse_all(queue, said.why)
        self._writer.pump(queue)

    def _hold_back(self, queue: RoomQueue, message: SpokenMessage, told: RoomRefusal | None = None) -> None:
        core = self._core
        with core.lock:
            queue.put_back((message,), time.time() + core.settings.hold, told)
        message.tell_held()
        core.outcomes.held([label_of(message)])
        self._deadlines.set(queue, self._writer.pump)

    def _pump(self, place: RoomPlace) -> None:
        with self._core.lock:
            queue = self._core.queues.get(place)
        if queue is not None:
            self._writer.pump(queue)

    # -- what happens to links and memberships

    def _link_changed(self, domain: str, _online: bool) -> None:
        """What was written, and not shown, waits until the occupant is known to be in on the next stream."""
        if domain == self._core.domain:
            self._take_back(self._core.is_hosted)

    def _session_changed(self, session: JID, stream: int) -> None:
        """As `_link_changed`, of an account elsewhere; with the session (`stream` is 0) all ends that waits for it."""
        if stream:
            self._take_back(lambda place: place.occupant == session)
        core = self._core

        def is_over(place: RoomPlace) -> bool:
            return place.actor == session.bare and not (stream and place.occupant == session)

        with core.lock:
            over = [queue for place, queue in core.queues.items() if is_over(place)]
            for queue in over:
                core.confirmed.pop(queue.place, None)
        for queue in over:
            core.later(partial(self._end_with_session, queue))

    def _end_with_session(self, queue: RoomQueue) -> None:
        told = session_broke(queue.place)
        self._ends.lose(queue, told)
        self._ends.refuse_all(queue, told)
        self._core.forget_if_idle(queue)

    def _take_back(self, is_concerned: Callable[[RoomPlace], bool]) -> None:
        core = self._core
        back: list[SpokenMessage] = []
        until = time.time() + core.settings.hold
        with core.lock:
            for place in [place for place in core.confirmed if is_concerned(place)]:
                del core.confirmed[place]
            queues = [queue for place, queue in core.queues.items() if is_concerned(place)]
            for queue in queues:
                written = list(queue.written.values())
                queue.put_back(written, until)
                back += written
        core.outcomes.held([label_of(m) for m in back])
        for queue in queues:
            core.later(partial(self._writer.pump, queue))

    def _membership_changed(self, view: RoomView) -> None:
        core, place = self._core, view.place
        if core.is_stopping:
            return
        with core.lock:
            queue = core.queues.get(place)
            if view.state == RoomState.IN.value:
                core.confirmed[place] = core.stream(place)
            else:
                core.confirmed.pop(place, None)
            back = [] if queue is None else self._written_before(queue, view)
        for message in back:
            if message.comes_back:
                message.tell_held()
        core.outcomes.held([label_of(m) for m in back])
        if queue is not None:
            core.later(partial(self._look_again, queue, view))

    def _written_before(self, queue: RoomQueue, view: RoomView) -> list[SpokenMessage]:
        """What the room has not shown before it lost the occupant is written again, if only once. Needs the lock.

        Where the room has put the occupant out for good, that is so for those who come back alone.
        """
        if view.state != RoomState.JOINING.value and not is_put_out(view):
            return []
        is_lost = view.state == RoomState.JOINING.value
        under_way = [m for m in queue.written.values() if m.written_at <= view.since and (is_lost or m.comes_back)]
        back = [m for m in under_way if m.begin_again()]
        queue.put_back(back, time.time() + self._core.settings.hold)
        return back

    def _look_again(self, queue: RoomQueue, view: RoomView) -> None:
        reason = view.reason
        with self._core.lock:
            is_out = view.state == RoomState.OUT.value and not (reason is not None and reason.rejoin)
            over = [m for m in queue.waiting if not m.comes_back] if is_out and not queue.is_asking else []
        for message in over:
            self._ends.refuse(queue, message, why_out(view))
        self._writer.pump(queue)
