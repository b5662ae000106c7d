"""The broadcaster of the MUC Light rooms: sends and archives messages and changes (XEP MUC Light §4.1, §5.4, §6.2; client-api §3.1).

Callers serialise the calls for one room.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from xml.etree.ElementTree import Element

from drivers import StorageError
from xmpp_rest.errors import GatewayError
from xmpp_rest.incidents import Incidents
from xmpp_rest.link.router import Router
from xmpp_rest.protocol.element import CopyTexts, serialise
from xmpp_rest.protocol.jid import JID
from xmpp_rest.protocol.namespaces import CHAT_MARKERS, MUC_LIGHT, STANZA_ID, XML_LANG
from xmpp_rest.protocol.stanza import addressed, child, make, new_id
from xmpp_rest.service.messages.archive import Archive
from xmpp_rest.service.messages.clock import MonotonicClock
from xmpp_rest.service.messages.forged import is_forged
from xmpp_rest.service.muclight import notices
from xmpp_rest.service.muclight.bounces import Bounces
from xmpp_rest.service.muclight.room import NONE, MucLightRoom, NewAffiliation
from xmpp_rest.service.muclight.rooms import MucLightRooms

log = logging.getLogger("xmpp_rest.rooms")

_KEPT = ("body", *(f"{{{CHAT_MARKERS}}}{marker}" for marker in ("received", "displayed", "acknowledged")))
_STANZA_ID = f"{{{STANZA_ID}}}stanza-id"


class MucLightBroadcaster:
    """Sends the messages of the rooms of one domain. Configuration changes are not archived (client-api §4.2)."""

    def __init__(self, rooms: MucLightRooms, archive: Archive, clock: MonotonicClock, router: Router, incidents: Incidents) -> None:
        self._rooms = rooms
        self._archive = archive
        self._clock = clock
        self._router = router
        self._incidents = incidents
        self.bounces = Bounces(self._send_once, router.domains)

    def broadcast(self, room: MucLightRoom, sender: JID, message: Element) -> str:
        """Send an occupant's message to all occupants, the sender included; the id of the message.

        Raises StorageError, and GatewayError: room-unknown, if another process destroyed the room in the meantime. Then it is neither sent
        nor archived. After it has been archived, nothing is raised: users who cannot be reached find it in the archive.
        """
        sent = _room_message(room, sender, message)
        with self._clock.frozen(self._clock.next()):
            if any(sent.find(tag) is not None for tag in _KEPT):
                identifier = self._archive_message(room, sent, sender)
                sent.append(child(_STANZA_ID, by=str(room.jid), id=identifier))
            self._send_each([addressed(sent, str(user)) for user in room.affiliations], CopyTexts(sent))
        return sent.attrib["id"]

    def notify_created(self, room: MucLightRoom, newcomers: Sequence[NewAffiliation], identifier: str) -> None:
        """Tell users that they are in a new room, each only about itself."""
        with self._clock.frozen(self._clock.next()):
            self._archive_change(room, newcomers, identifier)
            told = [_notice(room, change.user, notices.affiliations([change], room.version), identifier) for change in newcomers]
            self._send_each(told)

    def notify_affiliations(
        self, before: MucLightRoom, after: MucLightRoom | None, changes: Sequence[NewAffiliation], identifier: str
    ) -> None:
        """Tell new and leaving occupants only about themselves, and those who stay about all changes (XEP §5.4)."""
        with self._clock.frozen(self._clock.next()):
            if after:
                self._archive_change(after, changes, identifier)
                whole = notices.affiliations(changes, after.version, before.version)
                self._send_copies(after, [user for user in after.affiliations if user in before.affiliations], whole, identifier)
            told = []
            for change in changes:
                if change.affiliation == NONE:
                    told.append(_notice(before, change.user, notices.affiliations([change]), identifier))
                elif after and change.user not in before.affiliations:
                    told.append(_notice(after, change.user, notices.affiliations([change], after.version), identifier))
            self._send_each(told)

    def notify_configuration(self, before: MucLightRoom, after: MucLightRoom, identifier: str) -> None:
        """Tell the occupants which fields of the configuration have changed."""
        fields = {field: value for field, value in after.config.items() if before.config.get(field) != value}
        notice = notices.configuration(fields, after.version, before.version)
        self._send_copies(after, list(after.affiliations), notice, identifier)

    def notify_destroyed(self, room: MucLightRoom, identifier: str) -> None:
        """Tell the occupants that the room was destroyed."""
        self._send_each([_notice(room, user, notices.destruction(user), identifier) for user in room.affiliations])

    def _archive_change(self, room: MucLightRoom, changes: Sequence[NewAffiliation], identifier: str) -> None:
        """Archive a change that has been made already, so a failure is only reported."""
        payload = notices.affiliations(changes, room.version)
        message = make("message", *payload, from_=str(room.jid), type_="groupchat", id_=identifier)
        try:
            self._archive_message(room, message, room.jid)
        except (GatewayError, StorageError) as e:
            self._incidents.report(log, "room-unkept", "a change of affiliations in %s is missing from its archive: %r", room.jid, e)

    def _archive_message(self, room: MucLightRoom, message: Element, partner: JID) -> str:
        """Archive a message of the room; its id there."""
        identifier = self._archive.keep(room.jid, serialise(message), self._clock.next(), partner)
        try:
            now = self._rooms.load(room.jid.local)
        except StorageError as e:  # the room existed a moment ago
            self._incidents.report(log, "room-unread", "whether the room %s still exists is not known: %r", room.jid, e)
            return identifier
        if now is None or now.birth != room.birth:  # another room of this name must not inherit the message
            self._rooms.forget_item(room.jid.local, identifier)
            raise GatewayError("room-unknown")
        return identifier

    def _send_copies(self, room: MucLightRoom, users: Sequence[JID], payload: Iterable[Element], identifier: str) -> None:
        message = make("message", *payload, from_=str(room.jid), type_="groupchat", id_=identifier)
        self._send_each([addressed(message, str(user)) for user in users], CopyTexts(message))

    def _send_each(self, messages: Sequence[Element], text: Callable[[Element], str] = serialise) -> None:
        for message in messages:
            self.bounces.record(message)
        self._send_all(messages, text)

    def _send_once(self, message: Element) -> None:
        """Send a message again, which is recorded."""
        self._send_all([message])

    def _send_all(self, messages: Sequence[Element], text: Callable[[Element], str] = serialise) -> None:
        """Send messages; a failure is only reported, as the message is in the archive and other recipients follow."""
        for message, result in zip(messages, self._router.send_each(messages, text), strict=True):
            if isinstance(result, Exception):
                what = "a message of the room %s did not reach %s: %r"
                self._incidents.report(log, "room-unreached", what, message.get("from"), message.get("to"), result)


def _notice(room: MucLightRoom, user: JID, payload: Iterable[Element], identifier: str) -> Element:
    return make("message", *payload, from_=str(room.jid), to_=str(user), type_="groupchat", id_=identifier)


def _room_message(room: MucLightRoom, sender: JID, message: Element) -> Element:
    """The message as the room sends it, without elements that only the room may send."""
    payload = [element for element in message if not _is_room_only(element, room.jid)]
    language = {XML_LANG: message.get(XML_LANG)}
    source = f"{room.jid}/{sender}"
    return make("message", *payload, from_=source, type_="groupchat", id_=message.get("id") or new_id(), **language)


def _is_room_only(element: Element, room: JID) -> bool:
    """Whether an element is a change of the room (XEP §4), an id in its archive, or a delay stamp of the room."""
    return is_forged(element, room) or element.tag.startswith(f"{{{MUC_LIGHT}")
