"""What the callbacks with rooms hear: chooses the messages of rooms that are POSTed (rooms-anywhere §8.3)."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from xml.etree.ElementTree import Element

from drivers import StorageError
from xmpp_rest.link.pending import jid_or_none
from xmpp_rest.protocol.jid import JID
from xmpp_rest.protocol.stanza import is_delayed
from xmpp_rest.service.callbacks.mentions import REMEMBERED, OwnMessages, names, refers_to, replied_to
from xmpp_rest.service.callbacks.queue import CallbackQueue
from xmpp_rest.service.rooms.values import RoomPlace

log = logging.getLogger("xmpp_rest.callbacks")

Earlier = Callable[[JID, JID, int], Sequence[Element]]
"""(actor, room, number) → the own messages among the last ones of the room that are kept, oldest first. May raise."""


class RoomMessages:
    """In the leader. The callbacks hear the rooms of their settings, by their first address; safe to be used by several threads."""

    def __init__(self, queues: Mapping[str, CallbackQueue], own_nick: Callable[[RoomPlace], str], earlier: Earlier) -> None:
        self._queues = {
            (queue.settings.address[0].bare, entry.room): queue
            for queue in reversed(tuple(queues.values()))
            for entry in queue.settings.rooms
        }
        self._own_nick = own_nick
        self._earlier = earlier
        self._own: dict[JID, OwnMessages] = {actor: OwnMessages() for actor, _ in self._queues}

    def heard(self, place: RoomPlace, stanza: Element, *, is_own: bool) -> bool:
        """Hand over a message of a room, if the callback is to have it; whether there is a callback for the room and this type."""
        queue = self._queues.get((place.actor, place.room))
        sender = jid_or_none(stanza.get("from"))
        if queue is None or sender is None:
            return False
        if stanza.get("type") == "groupchat":
            if self._is_for(queue, place, sender, stanza, is_own=is_own):
                queue.heard(stanza, sender, place.occupant)
            return True
        is_private = stanza.get("type") == "chat" and bool(sender.resource)
        if is_private and sender.resource != self._own_nick(place):
            queue.heard(stanza, sender, place.occupant)
        return is_private

    def _is_for(self, queue: CallbackQueue, place: RoomPlace, sender: JID, stanza: Element, *, is_own: bool) -> bool:
        own = self._own_messages(place) if queue.settings.mentions else None
        if is_own:
            if own is not None:
                own.add(place.room, stanza)
            return False
        if not sender.resource or stanza.find("body") is None or is_delayed(stanza):
            return False
        return own is None or self._mentions(place, stanza, own)

    def _mentions(self, place: RoomPlace, stanza: Element, own: OwnMessages) -> bool:
        nick = self._own_nick(place)
        if any(names(body.text or "", nick) for body in stanza.findall("body")):
            return True
        if refers_to(stanza, (place.room._replace(resource=nick), place.actor)):
            return True
        return bool(identifier := replied_to(stanza)) and own.has(place.room, identifier)

    def _own_messages(self, place: RoomPlace) -> OwnMessages:
        """What the bot has said in its rooms, also before this process began."""
        own = self._own[place.actor]
        if not own.knows(place.room):
            own.load(place.room, ())
            try:
                own.load(place.room, self._earlier(place.actor, place.room, REMEMBERED))
            except StorageError as e:
                log.warning("what %s said in %s before is not known: %s", place.actor, place.room, e)
        return own
