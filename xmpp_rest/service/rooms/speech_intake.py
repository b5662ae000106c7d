"""Takes messages to rooms: their sender comes in before, where it is not in; then they are on disk (rooms-anywhere §3)."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from functools import partial

from xmpp_rest.errors import GatewayError
from xmpp_rest.protocol.conditions import stanza_error
from xmpp_rest.service.rooms.refused import RoomRefused, message_refused
from xmpp_rest.service.rooms.room_queue import RoomQueue
from xmpp_rest.service.rooms.said import UNSENT, SpokenResult
from xmpp_rest.service.rooms.speech_core import SpeechCore, label_of
from xmpp_rest.service.rooms.speech_writer import SpeechWriter
from xmpp_rest.service.rooms.spoken_message import SpokenMessage
from xmpp_rest.service.rooms.standing import Standing, closed, is_joined_again
from xmpp_rest.service.rooms.values import RoomPlace, RoomState

NEVER_JOIN = "Not in the room; PUT /rest/rooms/{room} joins it"
"""With [rooms_anywhere] join = never."""


class SpeechIntake:
    """What is not accepted leaves nothing behind."""

    def __init__(self, core: SpeechCore, writer: SpeechWriter) -> None:
        self._core = core
        self._writer = writer

    def hand_in(self, messages: Sequence[SpokenMessage]) -> None:
        """Take messages of one occupant to one room, in order. May wait for the disk, and never for the room."""
        place = messages[0].place
        standing = self._standing(messages[0])
        if isinstance(standing, SpokenResult):
            _fail(messages, standing)
        elif standing is Standing.TO_ENTER:
            self._enter(place, messages)
        else:
            self._accept(place, messages)

    def _standing(self, message: SpokenMessage) -> Standing | SpokenResult:
        """What is to be done for messages of this occupant, or why nothing is."""
        core, place = self._core, message.place
        state = core.memberships.state(place)
        if state is RoomState.IN:  # the usual case
            return Standing.IN
        view = core.memberships.view(place)
        if not message.comes_back and (said := closed(view)) is not None:
            return said
        is_up = bool(core.stream(place))
        if state is RoomState.JOINING and view is not None and (is_joined_again(view) or not is_up):
            return Standing.IN
        if not is_up:
            return SpokenResult(UNSENT, why=GatewayError("link-down"))
        if state is not RoomState.JOINING and core.settings.join == "never":
            text = NEVER_JOIN.replace("{room}", str(place.room))
            return SpokenResult(UNSENT, why=message_refused(stanza_error("not-acceptable", text), str(place.room)))
        return Standing.TO_ENTER

    def _enter(self, place: RoomPlace, messages: Sequence[SpokenMessage]) -> None:
        core = self._core
        with core.lock:
            queue = core.queue(place)
            is_first = not queue.entering
            queue.entering += messages

        def entered(refused: RoomRefused | None) -> None:
            core.later(partial(self._entered, queue, refused, core.stream(place)))

        if is_first:
            core.memberships.enter(place, messages[0].wish, entered)

    def _entered(self, queue: RoomQueue, refused: RoomRefused | None, stream: int) -> None:
        core = self._core
        with core.lock:
            messages, queue.entering = queue.entering, []
            if refused is None:
                core.confirmed[queue.place] = stream
        if refused is None:
            self._accept(queue.place, messages)
        else:
            core.forget_if_idle(queue)
            _fail(messages, SpokenResult(UNSENT, why=refused.refusal))

    def _accept(self, place: RoomPlace, messages: Sequence[SpokenMessage]) -> None:
        """Keep them, as many as may be, and write what can be written."""
        core = self._core
        is_held = self._is_held(place)
        wanted = [m for m in messages if m.listener.claim()]
        with core.lock:
            live, why = core.reserve(place, wanted, is_held=is_held)
        numbers: Sequence[int] = ()
        try:
            numbers = core.append(live) if live else ()
        except GatewayError as e:
            why = e
            with core.lock:
                core.count(live, -1)
            live = []
        queue = self._put(place, live, numbers, is_held=is_held)
        nick = core.memberships.own_nick(place)
        for message in live:
            message.listener.accepted(nick, is_held=is_held)
        _fail(wanted[len(live) :], SpokenResult(UNSENT, why=why))
        self._writer.pump(queue)

    def _put(self, place: RoomPlace, messages: Sequence[SpokenMessage], numbers: Sequence[int], *, is_held: bool) -> RoomQueue:
        core = self._core
        core.outcomes.of_rooms([label_of(m) for m in messages])
        until = time.time() + core.settings.hold
        with core.lock:
            queue = core.queue(place)
            for message, number in zip(messages, numbers, strict=True):
                core.keep(queue, message, number)
                if is_held:
                    message.wait(until)
        return queue

    def _is_held(self, place: RoomPlace) -> bool:
        """Whether a message cannot be written now."""
        core = self._core
        if not core.stream(place) or core.memberships.state(place) is not RoomState.IN:
            return True
        with core.lock:
            queue = core.queues.get(place)
            return queue is not None and (queue.is_paced or queue.is_asking)


def _fail(messages: Iterable[SpokenMessage], said: SpokenResult) -> None:
    for message in messages:
        message.listener.failed(said)
