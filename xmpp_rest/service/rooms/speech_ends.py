"""The ends of messages to rooms: shown, refused, or neither in time."""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree.ElementTree import Element

from xmpp_rest.protocol.stanza import refusal as error_stanza
from xmpp_rest.service.messages.outcomes import RoomShown
from xmpp_rest.service.rooms.refused import RoomRefusal
from xmpp_rest.service.rooms.room_queue import RoomQueue
from xmpp_rest.service.rooms.speech_core import SpeechCore, label_of
from xmpp_rest.service.rooms.spoken_message import SpokenMessage, Stage, ids_of, stanza_id_of
from xmpp_rest.service.rooms.values import RoomPlace


class SpeechEnds:
    """Forgets messages, and tells what became of them. Called without the lock."""

    def __init__(self, core: SpeechCore) -> None:
        self._core = core

    def show(self, place: RoomPlace, stanza: Element, nick: str) -> None:
        """The room shows this under the own nick of the occupant."""
        core = self._core
        with core.lock:
            queue = core.queues.get(place)
            message = queue.found_shown(stanza) if queue is not None else None
            if queue is not None and message is not None:
                queue.remove(message)
                queue.is_shown()
                core.count((message,), -1)
            else:
                message = next((found for i in ids_of(stanza) if (found := core.unshown(place).get((place, i))) is not None), None)
                self._forget_unshown(message)
        if message is not None:
            core.forget(message)
            core.outcomes.shown(label_of(message), RoomShown(str(place.room), nick, stanza_id_of(stanza, place.room)))
            message.listener.ended(stanza, nick)

    def _forget_unshown(self, message: SpokenMessage | None) -> None:
        if message is not None:
            for identifier in message.ids:
                self._core.unshown(message.place).pop((message.place, identifier), None)

    def refuse(self, queue: RoomQueue | None, message: SpokenMessage, told: RoomRefusal) -> None:
        """It is refused. `queue`: None for one that was not shown in time."""
        core = self._core
        with core.lock:
            if message.stage is Stage.ENDED:
                return
            if queue is not None and message.stage is not Stage.UNSHOWN:
                queue.remove(message)
                core.count((message,), -1)
            message.end()
            self._forget_unshown(message)
        core.forget(message)
        answer = error_stanza(message.stanza, told.error._replace(by=""))
        answer.set("from", told.by)
        core.outcomes.bounced(label_of(message), answer)
        message.listener.ended(told, core.memberships.own_nick(message.place))

    def refuse_all(self, queue: RoomQueue, told: RoomRefusal) -> None:
        """All that waits is refused."""
        with self._core.lock:
            waiting = list(queue.waiting)
        for message in waiting:
            self.refuse(queue, message, told)

    def lose(self, queue: RoomQueue, told: RoomRefusal) -> None:
        """Nobody will know of what was written whether the room has it: the session of its sender has ended."""
        core = self._core
        with core.lock:
            lost = list(queue.written.values())
            for message in lost:
                queue.remove(message)
                core.count((message,), -1)
        core.outcomes.reached([label_of(message) for message in lost], "lost")
        for message in lost:
            message.listener.ended(told, core.memberships.own_nick(message.place))

    def give_up(self, queue: RoomQueue, messages: Sequence[SpokenMessage]) -> None:
        """The room has neither shown nor refused these, and their sender is in: it may still do so."""
        core = self._core
        with core.lock:
            late = [m for m in messages if m.stage is Stage.WRITTEN]
            for message in late:
                queue.remove(message, Stage.UNSHOWN)
                core.count((message,), -1)
                core.remember(message)
        for message in late:
            core.forget(message)
            message.listener.ended(None, core.memberships.own_nick(message.place))
