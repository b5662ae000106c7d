"""The messages of one occupant to one room, from when they are handed in until it is known what became of them."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from xml.etree.ElementTree import Element

from xmpp_rest.service.rooms.refused import RoomRefusal
from xmpp_rest.service.rooms.spoken_message import SpokenMessage, Stage, ids_of, subject_in
from xmpp_rest.service.rooms.values import RoomPlace
from xmpp_rest.threads.timers import Timer

LONGEST_PAUSE = 30.0  # seconds between two attempts for a room that asks to slow down


class RoomQueue:
    """Guarded by the lock of the RoomOutbox."""

    def __init__(self, place: RoomPlace) -> None:
        self.place = place
        self.entering: list[SpokenMessage] = []
        """They wait for the room to let their sender in."""
        self.waiting: deque[SpokenMessage] = deque()
        """They are to be written, in order."""
        self.written: dict[int, SpokenMessage] = {}
        """The room is to show or refuse them: by their order, the oldest first."""
        self._by_id: dict[str, list[SpokenMessage]] = {}
        self.is_asking = False
        """Whether it is being found out, or brought about, that the occupant is in."""
        self.is_checking = False
        """Whether it is being found out, as the room does not show what was written."""
        self.is_pumping = False
        self.pumps_again = False
        """Whether the thread that writes is to look again."""
        self.is_paced = False
        """Whether the room has asked to slow down: then it is to show each message before the next one is written."""
        self.pause = 0.0
        """Seconds; 0: it is not paused."""
        self.is_paused = False
        self.timers: dict[str, Timer] = {}

    @property
    def is_idle(self) -> bool:
        """Whether nothing is to be remembered of it."""
        return not (self.entering or self.waiting or self.written or self.is_pumping or self.is_asking or self.is_checking)

    def put(self, message: SpokenMessage) -> None:
        """It is accepted: the latest one."""
        self.waiting.append(message)
        for identifier in message.ids:
            self._by_id.setdefault(identifier, []).append(message)

    def put_back(self, messages: Iterable[SpokenMessage], until: float, error: RoomRefusal | None = None) -> None:
        """They are to be written again, until this time at the latest, if they were not held before."""
        back = [m for m in messages if self.written.pop(m.order, None) is not None]
        for message in back:
            message.wait(until, error)
        self.waiting = deque(sorted((*back, *self.waiting), key=lambda m: m.order))

    def take(self, stream: int) -> SpokenMessage:
        """The next one, which is about to be written."""
        message = self.waiting.popleft()
        message.write(stream)
        self.written[message.order] = message
        return message

    def found(self, identifiers: Iterable[str]) -> SpokenMessage | None:
        """The oldest message with one of these ids."""
        return next((self._by_id[i][0] for i in identifiers if i in self._by_id), None)

    def found_shown(self, stanza: Element) -> SpokenMessage | None:
        """The message that a room's copy is of. COMPAT Prosody: that of a subject has no id, so the oldest one of the same text counts."""
        if (identifiers := ids_of(stanza)) or (subject := subject_in(stanza)) is None:
            return self.found(identifiers)
        return next((m for m in self.written.values() if subject_in(m.stanza) == subject), None)

    def remove(self, message: SpokenMessage, stage: Stage = Stage.ENDED) -> None:
        """Nothing more is done for it."""
        if self.written.pop(message.order, None) is None and message.stage is Stage.WAITING:
            self.waiting.remove(message)
        message.end(stage)
        for identifier in message.ids:
            left = [m for m in self._by_id.get(identifier, ()) if m is not message]
            if left:
                self._by_id[identifier] = left
            else:
                self._by_id.pop(identifier, None)

    def slow_down(self) -> float:
        """The room takes no more for now: the seconds until the next attempt."""
        self.is_paced = self.is_paused = True
        self.pause = min(max(1.0, 2 * self.pause), LONGEST_PAUSE)
        return self.pause

    def is_shown(self) -> None:
        """The room takes messages."""
        self.pause = 0.0
        self.is_paced = self.is_paced and bool(self.waiting)
