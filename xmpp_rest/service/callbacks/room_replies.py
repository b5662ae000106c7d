"""The replies of a callback in its rooms: as groupchat, at most so many a minute, and never an error (rooms-anywhere §8.3)."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from enum import Enum
from xml.etree.ElementTree import Element

from drivers import StorageError
from xmpp_rest.config.table import CallbackSettings
from xmpp_rest.errors import GatewayError
from xmpp_rest.protocol.conditions import prosody_phrase
from xmpp_rest.protocol.jid import JID
from xmpp_rest.service.callbacks.delivery import Delivery
from xmpp_rest.service.callbacks.reply import Reply
from xmpp_rest.service.callbacks.reports import Reports
from xmpp_rest.service.rooms.refused import RoomRefused
from xmpp_rest.service.rooms.said import OnSaid

log = logging.getLogger("xmpp_rest.callbacks")

MINUTE = 60.0
Say = Callable[[Element, OnSaid], object]
"""Says something in a room, as soon as the occupant is in. Must not block."""


class Handling(Enum):
    """What has become of a reply."""

    ELSEWHERE = "elsewhere"
    """It is not for a room as a whole."""
    DONE = "done"
    LATER = "later"
    """It is to be tried again."""


def is_passing(error: Exception) -> bool:
    """Whether another attempt may not meet this error: the link is down, or too much waits."""
    if isinstance(error, GatewayError):
        return error.row.type == "wait"
    return isinstance(error, StorageError) or (isinstance(error, RoomRefused) and error.status == 503)


class RoomReplies:
    """Safe to be used by several threads."""

    def __init__(self, settings: CallbackSettings, say: Say, reports: Reports, clock: Callable[[], float] = time.monotonic) -> None:
        self._actor = settings.address[0].bare
        self._rate = settings.room_replies
        self._times: dict[JID, deque[float]] = {entry.room: deque() for entry in settings.rooms}
        self._say = say
        self._reports = reports
        self._clock = clock
        self._lock = threading.Lock()  # guards the times and the count
        self.dropped = 0
        """How many replies were dropped."""

    def covers(self, delivery: Delivery) -> bool:
        """Whether somebody has said it in a room of this callback, to all or to the bot alone."""
        is_said = delivery.stanza.tag == "message" and delivery.stanza.get("type") in ("groupchat", "chat")
        return is_said and delivery.to.bare == self._actor and delivery.sender.bare in self._times

    def reply(self, delivery: Delivery, reply: Reply, status: int = 0) -> Reply:
        """What is to be said after an attempt with this reply. `status`: of the answer of the URL; 0: there was none."""
        stanza = reply.stanza
        if stanza is None or stanza.get("type") == "error":
            answered = f"{status} {prosody_phrase(status)}" if status >= 300 else ""
            return reply._replace(stanza=None, failed=reply.failed or answered, blame=False)
        if reply.empty or not len(stanza):
            return reply._replace(stanza=None)
        is_public = delivery.stanza.get("type") == "groupchat"
        stanza.set("type", "groupchat" if is_public else "chat")
        stanza.set("from", str(delivery.to))
        stanza.set("to", str(delivery.sender.bare if is_public else delivery.sender))
        return reply

    def say(self, delivery: Delivery, stanza: Element) -> Handling:
        """Say it in the room, unless too much was said there. Raises nothing."""
        if stanza.get("type") != "groupchat":
            return Handling.ELSEWHERE
        room = delivery.sender.bare
        if not self._may_say(room):
            self._reports.warning("callback-room-replies", "more than %s replies in a minute in %s: one is dropped", self._rate, room)
            return Handling.DONE
        if (error := self._said(stanza, room)) is None:
            return Handling.DONE
        with self._lock:
            self._times[room].pop()
        log.info("a reply to %s is said later: %s", room, error)
        return Handling.LATER

    def _said(self, stanza: Element, room: JID) -> Exception | None:
        """Say it; the error, if it is told at once and another attempt may not meet it."""
        passing: list[Exception] = []
        at_once = threading.get_ident()

        def on_said(error: Exception | None) -> None:
            if error is None:
                return
            if threading.get_ident() == at_once and is_passing(error):
                passing.append(error)
            else:
                self._reports.warning("callback-room-refused", "a reply is not said in %s: %s", room, error)

        try:
            self._say(stanza, on_said)
        except Exception as e:
            on_said(e)
        return passing[0] if passing else None

    def _may_say(self, room: JID) -> bool:
        now = self._clock()
        with self._lock:
            times = self._times[room]
            while times and times[0] <= now - MINUTE:
                times.popleft()
            if len(times) >= self._rate:
                self.dropped += 1
                return False
            times.append(now)
        return True
