"""The message handler: messages to a room or to one of its occupants (XEP-0045 §7.4, §7.5, §8.1, §18.2)."""

from __future__ import annotations

import logging
from xml.etree.ElementTree import Element

from xmpp_rest.incidents import Incidents
from xmpp_rest.protocol.conditions import StanzaRefused
from xmpp_rest.protocol.jid import JID
from xmpp_rest.protocol.namespaces import STANZA_ID
from xmpp_rest.protocol.stanza import child, condition_of, copied, new_id
from xmpp_rest.service.muc.broadcast import Broadcaster, OccupantChange
from xmpp_rest.service.muc.invite import Invitations
from xmpp_rest.service.muc.join import JoinHandler
from xmpp_rest.service.muc.notices import FAILED, KICKED, USER, said
from xmpp_rest.service.muc.options import read_option
from xmpp_rest.service.muc.requests import VoiceRequests
from xmpp_rest.service.muc.room import Occupant, Room
from xmpp_rest.service.muc.rooms import MucRooms

log = logging.getLogger("xmpp_rest.rooms")

# A client that answers with one of these errors cannot be reached any more (XEP-0045 §18.1.2 leaves the choice to the service).
UNREACHABLE = frozenset(
    (
        "gone", "internal-server-error", "item-not-found", "jid-malformed", "recipient-unavailable", "redirect", "remote-server-not-found",
        "remote-server-timeout", "service-unavailable",
    )
)  # fmt: skip
_STANZA_ID = f"{{{STANZA_ID}}}stanza-id"


class MessageHandler:
    """Handles messages sent to rooms. Raises StanzaRefused, GatewayError, StorageError."""

    def __init__(
        self,
        rooms: MucRooms,
        broadcaster: Broadcaster,
        join_handler: JoinHandler,
        invitations: Invitations,
        requests: VoiceRequests,
        incidents: Incidents,
    ) -> None:
        self._rooms = rooms
        self._broadcaster = broadcaster
        self._join_handler = join_handler
        self._invitations = invitations
        self._requests = requests
        self._incidents = incidents

    def message(self, stanza: Element, sender: JID, to: JID) -> None:
        """Handle a message for the room, or for `room/nick`."""
        if stanza.get("type") == "error" and not self._rooms.exists(to.local):
            return
        with self._rooms.held(to.local) as room:
            if stanza.get("type") == "error":
                self._handle_error(room, stanza, sender, to)
            elif to.resource:
                self._private_message(room, stanza, sender, to.resource)
            elif stanza.get("type") == "groupchat":
                self._groupchat(room, stanza, sender)
            else:
                self._handle_other(room, stanza, sender)
            self._remove_stale(room)

    def _remove_stale(self, room: Room) -> None:
        """Remove unreachable clients. The message has been delivered already, so a failure is only reported."""
        try:
            self._join_handler.remove_stale(room)
        except Exception as e:
            self._incidents.report(log, "room-unswept", "not all occupants were told who left the room %s: %r", room.jid, e)

    # -- to all

    def _groupchat(self, room: Room, stanza: Element, sender: JID) -> None:
        nick, role = self._speaker(room, sender)
        if stanza.find("subject") is not None and stanza.find("body") is None:
            self._subject(room, stanza, nick, role)
            return
        if not room.may_speak(role):
            raise StanzaRefused("forbidden", "visitors may not speak in this room")
        payload = said(stanza, room.jid)
        source = f"{room.jid}/{nick}"
        message = copied(stanza, payload, from_=source, to_=None, id_=stanza.get("id") or new_id())
        room.used = self._rooms.clock()
        identifier = self._rooms.history.keep(room, message, room.used)
        if identifier:
            message = copied(message, [*payload, child(_STANZA_ID, by=str(room.jid), id=identifier)])
        self._broadcaster.broadcast(room, message, ("messages",))

    def _speaker(self, room: Room, sender: JID) -> tuple[str, str]:
        """Nick and role of the sender: an occupant, or a subscriber, who need not be in the room. Raises StanzaRefused for others."""
        if occupant := room.occupant(sender):
            return occupant.nick, occupant.role
        if subscriber := room.subscribers.get(sender.bare):
            return subscriber.nick, room.default_role(room.affiliation(sender))
        raise StanzaRefused("not-acceptable", "only occupants may speak in the room")

    def _subject(self, room: Room, stanza: Element, nick: str, role: str) -> None:
        if role != "moderator" and not (role == "participant" and room.on("allow_change_subj")):
            raise StanzaRefused("forbidden", "you may not change the subject")
        before = dict(room.options), room.used, room.subject_at
        room.options |= {"subject": read_option("subject", stanza.findtext("subject", "")), "subject_author": nick}
        room.used = room.subject_at = self._rooms.clock()
        try:
            self._rooms.save(room)
        except Exception:  # it has not been announced yet
            room.options, room.used, room.subject_at = before
            raise
        self._broadcaster.broadcast(
            room, copied(stanza, said(stanza, room.jid), from_=f"{room.jid}/{nick}", to_=None), ("subject", "messages")
        )

    # -- to one

    def _private_message(self, room: Room, stanza: Element, sender: JID, nick: str) -> None:
        """Forward a private message (XEP-0045 §7.5)."""
        if stanza.get("type") == "groupchat":
            raise StanzaRefused("bad-request", "a message of type groupchat goes to the room itself")
        occupant, other = room.occupant(sender), room.occupants.get(nick)
        if occupant is None:
            raise StanzaRefused("not-acceptable", "only occupants may send private messages")
        if other is None:
            raise StanzaRefused("item-not-found", "no occupant has this nick")
        if not may_send_privately(room, occupant, other):
            raise StanzaRefused("forbidden", "private messages are not allowed here")
        payload = said(stanza, room.jid)
        for session in list(other.sessions):
            mark = child(f"{USER}x")
            refusal = self._broadcaster.deliver(copied(stanza, [*payload, mark], from_=f"{room.jid}/{occupant.nick}", to_=str(session)))
            if refusal is not None:
                room.stale_sessions[session] = None

    def _handle_error(self, room: Room, stanza: Element, sender: JID, to: JID) -> None:
        """Handle an error: a stanza to an occupant bounced (XEP-0045 §18.1.2), or an occupant refuses a private message."""
        if condition_of(stanza).condition in UNREACHABLE:
            self._join_handler.leave(room, sender, OccupantChange((KICKED, FAILED), leaving=True))
            return
        occupant, other = room.occupant(sender), room.occupants.get(to.resource)
        if occupant and other:
            for session in list(other.sessions):
                self._broadcaster.deliver(copied(stanza, said(stanza, room.jid), from_=f"{room.jid}/{occupant.nick}", to_=str(session)))

    # -- to the room, about something

    def _handle_other(self, room: Room, stanza: Element, sender: JID) -> None:
        if self._invitations.handle(room, stanza, sender) or self._requests.handle(room, stanza, sender):
            return
        if room.occupant(sender) is None:
            raise StanzaRefused("not-acceptable", "only occupants may write to the room")
        raise StanzaRefused("bad-request", "a room takes messages of type groupchat, invitations and requests for voice")


def may_send_privately(room: Room, sender: Occupant, to: Occupant) -> bool:
    """Whether the options allow a private message."""
    allowed = {
        "anyone": True,
        "participants": sender.role in ("participant", "moderator"),
        "moderators": sender.role == "moderator",
        "none": False,
    }[room.options["allowpm"]]
    if sender.role != "visitor" or not allowed:
        return allowed
    from_visitors = room.options["allow_private_messages_from_visitors"]
    return from_visitors == "anyone" or (from_visitors == "moderators" and to.role == "moderator")
