"""What a MUC Light room says, to whom, and what of it is archived (XEP Multi-User Chat Light §4.1, §5.4, §6.2; client-api §3.1)

Callers see to it that one room says one thing after the other.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from xml.etree.ElementTree import Element

from drivers import StorageError
from xmpp_rest.errors import GatewayError
from xmpp_rest.incidents import Incidents
from xmpp_rest.link.router import Router
from xmpp_rest.protocol.element import serialise
from xmpp_rest.protocol.jid import JID
from xmpp_rest.protocol.namespaces import CHAT_MARKERS, MUC_LIGHT, STANZA_ID, XML_LANG
from xmpp_rest.protocol.stanza import child, make, new_id
from xmpp_rest.service.messages.archive import Archive
from xmpp_rest.service.messages.clock import Stamps
from xmpp_rest.service.messages.forged import is_forged
from xmpp_rest.service.muclight import notices
from xmpp_rest.service.muclight.bounces import Returned
from xmpp_rest.service.muclight.room import NONE, Change, Room
from xmpp_rest.service.muclight.rooms import Rooms

log = logging.getLogger(__name__)

_KEPT = ("body", *(f"{{{CHAT_MARKERS}}}{marker}" for marker in ("received", "displayed", "acknowledged")))
_STANZA_ID = f"{{{STANZA_ID}}}stanza-id"


class Voice:
    """The messages of the rooms of one domain. Configuration changes are not archived (client-api §4.2)."""

    def __init__(self, rooms: Rooms, archive: Archive, stamps: Stamps, router: Router, incidents: Incidents) -> None:
        self._rooms = rooms
        self._archive = archive
        self._stamps = stamps
        self._router = router
        self._incidents = incidents
        self.returned = Returned(self._post, router.domains)

    def say(self, room: Room, sender: JID, message: Element) -> str:
        """Pass on what an occupant says, to the sender as well; the message's id.

        Raises StorageError, and GatewayError: room-unknown, if another process destroyed the room meanwhile. Then nobody heard it, and
        it is not archived. Once it is, nothing is raised: whoever cannot be reached finds it in the archive.
        """
        spoken = _spoken(room, sender, message)
        with self._stamps.all_at(self._stamps.next()):
            if any(spoken.find(tag) is not None for tag in _KEPT):
                identifier = self._keep(room, spoken, sender)
                spoken.append(child(_STANZA_ID, by=str(room.jid), id=identifier))
            for user in room.affiliations:
                self._send(make("message", *spoken, **_attributes(spoken), to_=str(user)))
        return spoken.attrib["id"]

    def welcome(self, room: Room, newcomers: Sequence[Change], identifier: str) -> None:
        """Tell people that they are in a new room, each of himself."""
        with self._stamps.all_at(self._stamps.next()):
            self._record(room, newcomers, identifier)
            for change in newcomers:
                self._tell(room, change.user, notices.affiliations([change], room.version), identifier)

    def affiliated(self, before: Room, after: Room | None, changes: Sequence[Change], identifier: str) -> None:
        """Tell newcomers and those who leave of themselves only, and of all changes whoever was in the room and stays (XEP §5.4)."""
        with self._stamps.all_at(self._stamps.next()):
            self._affiliated(before, after, changes, identifier)

    def _affiliated(self, before: Room, after: Room | None, changes: Sequence[Change], identifier: str) -> None:
        if after:
            self._record(after, changes, identifier)
            whole = notices.affiliations(changes, after.version, before.version)
            for user in after.affiliations:
                if user in before.affiliations:
                    self._tell(after, user, whole, identifier)
        for change in changes:
            if change.affiliation == NONE:
                self._tell(before, change.user, notices.affiliations([change]), identifier)
            elif after and change.user not in before.affiliations:
                self._tell(after, change.user, notices.affiliations([change], after.version), identifier)

    def configured(self, before: Room, after: Room, identifier: str) -> None:
        """Tell the occupants which fields have changed."""
        fields = {field: value for field, value in after.config.items() if before.config.get(field) != value}
        notice = notices.configuration(fields, after.version, before.version)
        for user in after.affiliations:
            self._tell(after, user, notice, identifier)

    def farewell(self, room: Room, identifier: str) -> None:
        """Tell the occupants that the room was destroyed."""
        for user in room.affiliations:
            self._tell(room, user, notices.destruction(user), identifier)

    def _record(self, room: Room, changes: Sequence[Change], identifier: str) -> None:
        """Archive a change that has happened already, so that a failure is not a reason to say that it has not."""
        payload = notices.affiliations(changes, room.version)
        message = make("message", *payload, from_=str(room.jid), type_="groupchat", id_=identifier)
        try:
            self._keep(room, message, room.jid)
        except (GatewayError, StorageError) as e:
            self._incidents.report(log, "room-unkept", "a change of affiliations in %s is missing from its archive: %r", room.jid, e)

    def _keep(self, room: Room, message: Element, partner: JID) -> str:
        """Archive a message of the room; its id there."""
        identifier = self._archive.keep(room.jid, serialise(message), self._stamps.next(), partner)
        try:
            now = self._rooms.load(room.jid.local)
        except StorageError as e:  # the room was there a moment ago
            self._incidents.report(log, "room-unread", "whether the room %s is still there is not known: %r", room.jid, e)
            return identifier
        if now is None or now.birth != room.birth:  # what is archived is for those who were in the room
            self._rooms.forget_item(room.jid.local, identifier)
            raise GatewayError("room-unknown")
        return identifier

    def _tell(self, room: Room, user: JID, payload: Iterable[Element], identifier: str) -> None:
        self._send(make("message", *payload, from_=str(room.jid), to_=str(user), type_="groupchat", id_=identifier))

    def _send(self, message: Element) -> None:
        self.returned.note(message)
        self._post(message)

    def _post(self, message: Element) -> None:
        """Somebody who cannot be reached keeps nobody else from hearing it; the archive has it."""
        try:
            self._router.send(message)
        except Exception as e:
            text = "a message of the room %s did not reach %s: %r"
            self._incidents.report(log, "room-unreached", text, message.get("from"), message.get("to"), e)


def _spoken(room: Room, sender: JID, message: Element) -> Element:
    """The message as it comes from the room, without what only the room may say."""
    payload = [element for element in message if not _is_the_rooms(element, room.jid)]
    language = {XML_LANG: message.get(XML_LANG)}
    source = f"{room.jid}/{sender}"
    return make("message", *payload, from_=source, type_="groupchat", id_=message.get("id") or new_id(), **language)


def _is_the_rooms(element: Element, room: JID) -> bool:
    """A change of the room (XEP §4), an id in its archive, or that it sends the message late."""
    return is_forged(element, room) or element.tag.startswith(f"{{{MUC_LIGHT}")


def _attributes(stanza: Element) -> dict[str, str]:
    return {f"{name}_": value for name, value in stanza.attrib.items()}
