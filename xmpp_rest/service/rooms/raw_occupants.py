"""Messages of those who have come into rooms by presences of their own (rooms-anywhere §1.1): they go straight out."""

from __future__ import annotations

from collections import OrderedDict
from functools import partial
from threading import Lock
from xml.etree.ElementTree import Element

from xmpp_rest.link.outbox import Label
from xmpp_rest.link.router import Router
from xmpp_rest.protocol.element import serialise
from xmpp_rest.protocol.jid import JID
from xmpp_rest.protocol.stanza import condition_of, copied
from xmpp_rest.service.messages.batch import OutboundMessage
from xmpp_rest.service.messages.mailbox import Mailbox, SentMessage
from xmpp_rest.service.messages.outcomes import Outcomes, RoomShown
from xmpp_rest.service.rooms.joining import session_broke
from xmpp_rest.service.rooms.refused import message_refused
from xmpp_rest.service.rooms.said import SpeechListener
from xmpp_rest.service.rooms.spoken_message import ids_of, stanza_id_of
from xmpp_rest.service.rooms.values import RoomPlace

REMEMBERED = 1000  # messages that no room has shown yet

_Key = tuple[JID, JID, str]  # sender, room, id


class RawOccupants:
    """An observer of what comes in, and the way out. In the leader."""

    def __init__(self, router: Router, mailbox: Mailbox, outcomes: Outcomes) -> None:
        self._router = router
        self._mailbox = mailbox
        self._outcomes = outcomes
        self._watched: dict[bool, OrderedDict[_Key, SpeechListener]] = {True: OrderedDict(), False: OrderedDict()}  # by whether hosted
        self._lock = Lock()
        router.observe(self.observe)
        router.on_link(self._link_changed)
        router.accounts.on_stream(self._session_changed)

    def _link_changed(self, domain: str, online: bool) -> None:
        """The end of the link ends all: nobody knows whether these are still in."""
        if not online and domain == self._mailbox.domain:
            self._router.occupancy.leave(self._is_hosted)

    def _is_hosted(self, address: JID) -> bool:
        return address.domain == self._mailbox.domain

    def _session_changed(self, session: JID, _stream: int) -> None:
        """With a stream of an account elsewhere its server has taken it out of all rooms."""
        self._router.occupancy.forget(session.bare)
        with self._lock:
            watched = self._watched[False]
            over = {key: watched.pop(key) for key in [key for key in watched if key[0].bare == session.bare]}
        for (sender, room, _), listener in over.items():
            listener.ended(session_broke(RoomPlace(sender, room)), "")

    def is_in(self, sender: JID, room: JID) -> bool:
        """Whether this very address has come into the room."""
        return self._router.occupancy.nick(sender, room) is not None

    def say(self, outgoing: OutboundMessage, listener: SpeechListener) -> None:
        """Send it. Raises GatewayError, BadXML: it was not accepted."""
        stanza, sender, room = outgoing[:3]
        if not listener.claim():
            return
        key, text = (sender, room, stanza.attrib["id"]), serialise(stanza)
        begun = self._outcomes.all_accepted([(sender, key[2])])
        with self._lock:
            watched = self._watched[self._is_hosted(sender)]
            watched[key] = listener
            if len(watched) > REMEMBERED:
                watched.popitem(last=False)
        try:
            if self._is_hosted(sender):
                send = partial(self._router.send_out, sender.domain, [stanza], [text], request_ids=[outgoing.request_id])
                self._mailbox.send_out([SentMessage(sender, stanza, text, room)], send)
            else:
                self._router.send(copied(stanza, from_=str(sender)))  # its own server has the archive
        except Exception:
            self._outcomes.forget(begun)
            self._take(key)
            raise
        listener.accepted(self._router.occupancy.nick(sender, room) or "", is_held=False)

    def _take(self, key: _Key) -> SpeechListener | None:
        with self._lock:
            return self._watched[self._is_hosted(key[0])].pop(key, None)

    def observe(self, stanza: Element, sender: JID | None, to: JID) -> None:
        """It may be what a room shows, or refuses."""
        if not self._watched[self._is_hosted(to)] or stanza.tag != "message" or sender is None:  # the usual case
            return
        room = sender.bare
        if stanza.get("type") == "error" and not sender.resource:
            if (listener := self._take((to, room, stanza.get("id", "")))) is not None:
                listener.ended(message_refused(condition_of(stanza), str(sender)), self._router.occupancy.nick(to, room) or "")
        elif stanza.get("type") == "groupchat" and sender.resource and sender.resource == self._router.occupancy.nick(to, room):
            for identifier in ids_of(stanza):
                if (listener := self._take((to, room, identifier))) is not None:
                    shown = RoomShown(str(room), sender.resource, stanza_id_of(stanza, room))
                    self._outcomes.shown(Label(str(to.bare), identifier), shown)
                    listener.ended(stanza, sender.resource)
                    return
