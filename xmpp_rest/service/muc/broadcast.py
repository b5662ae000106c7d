"""The broadcaster of the conference rooms: sends what happens in a room to its occupants, each as far as they may see it, and subscribers.

Every method is called with the room held. Clients that cannot be reached are added to `room.stale_sessions`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple
from xml.etree.ElementTree import Element

from xmpp_rest.incidents import Incidents
from xmpp_rest.link.router import Router
from xmpp_rest.protocol.element import CopyTexts, serialise
from xmpp_rest.protocol.jid import JID
from xmpp_rest.protocol.stanza import addressed, child, make, new_id
from xmpp_rest.service.muc.notices import NODES_PREFIX, NON_ANONYMOUS, SELF, OccupantItem, said, user_x, wrapped
from xmpp_rest.service.muc.room import Occupant, Room

log = logging.getLogger("xmpp_rest.rooms")


class OccupantChange(NamedTuple):
    """What has happened to an occupant."""

    codes: tuple[str, ...] = ()
    leaving: bool = False
    entering: bool = False
    affiliation: str = ""  # if it differs from that of the address
    nick: str = ""  # the new one
    reason: str = ""
    actor: str = ""
    status: str = ""  # the text of its last presence
    destroy: Element | None = None
    self_codes: tuple[str, ...] = ()  # shown only to the occupant itself


NO_CHANGE = OccupantChange()


class Broadcaster:
    """Sends the stanzas of rooms."""

    def __init__(self, router: Router, incidents: Incidents) -> None:
        self.send = router.send
        """Sends a stanza; returns the error if there is one at once. Raises GatewayError, StorageError, BadXML."""
        self._send_each = router.send_each
        self._incidents = incidents

    # -- presence

    def broadcast_presence(self, room: Room, who: Occupant, change: OccupantChange = NO_CHANGE, id_: str = "") -> None:
        """Send the occupant's presence, with what has happened to it, to all who may see it; the occupant is last (XEP-0045 §7.2.2)."""
        if room.shows(who.role):
            others = [(session, other.role) for session, other in room.sessions() if other is not who]
            for shown in (True, False):
                sessions = [session for session, role in others if room.sees_addresses(role) == shown]
                if sessions:
                    self._deliver_copies(room, self.presence(room, who, shown, None, change), sessions)
        self.notify_sessions(room, who, list(who.sessions), change, id_)
        if room.shows(who.role):
            nodes = ("participants", "presence") if change.leaving or change.entering else ("presence",)
            self.notify_subscribers(room, nodes, self.presence(room, who, room.sees_addresses("none"), None, change))

    def notify_sessions(
        self, room: Room, who: Occupant, sessions: Sequence[JID], change: OccupantChange = NO_CHANGE, id_: str = ""
    ) -> None:
        """Send the occupant's presence to some of its own clients."""
        self._deliver_to_sessions(room, [self.presence(room, who, True, to, change, own=True, id_=id_) for to in sessions], sessions)

    def send_occupants(self, room: Room, to: JID, role: str, but: Occupant) -> None:
        """Send the presence of all other occupants to a new one."""
        others = [other for other in room.occupants.values() if other is not but and room.shows(other.role)]
        shown = room.sees_addresses(role)
        self._deliver_to_sessions(room, [self.presence(room, other, shown, to, NO_CHANGE) for other in others], [to] * len(others))

    def presence(
        self, room: Room, who: Occupant, shown: bool, to: JID | None, change: OccupantChange, *, own: bool = False, id_: str = ""
    ) -> Element:
        """The presence of an occupant as others see it, whom its address is `shown` or not, or as it sees itself (`own`)."""
        affiliation = change.affiliation or room.affiliation(who.bare)
        jid = to if own else next(reversed(who.sessions), who.bare)
        role = "none" if change.leaving and not change.nick else who.role
        item = OccupantItem(affiliation, role, jid if shown else None, change.nick, change.reason, change.actor)
        if change.leaving and change.destroy is not None:
            item = OccupantItem("none", "none")
        entering = () if change.leaving or room.on("anonymous") else (NON_ANONYMOUS,)
        x = user_x(item, (*change.codes, *((*change.self_codes, *entering, SELF) if own else ())), change.destroy)
        presence = who.presence if not own or to is None else who.sessions[to]
        payload = said(presence, room.jid) if not change.leaving else [child("status", change.status)] if change.status else []
        if who.role == "visitor" and not room.on("allow_visitor_status"):
            payload = [c for c in payload if c.tag != "status"]
        kind = "unavailable" if change.leaving else None
        return make("presence", *payload, x, from_=f"{room.jid}/{who.nick}", to_=str(to or ""), type_=kind, id_=id_ or new_id())

    # -- messages

    def broadcast(self, room: Room, message: Element, nodes: Sequence[str] = ()) -> None:
        """Send a message (without `to`) to all occupants and to the subscribers to any of these nodes."""
        self._deliver_copies(room, message, [session for session, _ in room.sessions()])
        self.notify_subscribers(room, nodes, message)

    def notify_subscribers(self, room: Room, nodes: Sequence[str], stanza: Element) -> None:
        """Send a stanza to absent subscribers to any of these nodes, as an item of the first node that they subscribed to."""
        present = {occupant.bare for occupant in room.occupants.values()} if room.subscribers else set()
        absent = []
        for user, subscriber in room.subscribers.items():
            node = next((NODES_PREFIX + word for word in nodes if NODES_PREFIX + word in subscriber.nodes), None)
            if node and user not in present:
                absent.append(wrapped(room.jid, user, node, addressed(stanza, str(user))))
        self.deliver_all(absent)

    def notify_destroyed(self, room: Room, destroy: Element) -> None:
        """Tell the subscribers that the room has been destroyed."""
        x = user_x(OccupantItem("none", "none"), (), destroy)
        presence = make("presence", x, from_=str(room.jid), type_="unavailable", id_=new_id())
        self.notify_subscribers(room, ("system", "config", "presence", "participants", "messages"), presence)

    def broadcast_status(self, room: Room, codes: Iterable[str], node: str = "config") -> None:
        """Tell all occupants and subscribers that the room has changed (XEP-0045 §10.2.1)."""
        self.broadcast(room, make("message", user_x(None, codes), from_=str(room.jid), type_="groupchat", id_=new_id()), (node,))

    def send_subject(self, room: Room, to: JID | None = None) -> None:
        """Send the room's subject to one client, or to everybody (XEP-0045 §7.2.15)."""
        author, element = room.options["subject_author"], child("subject", room.options["subject"])
        source = f"{room.jid}/{author}" if author else str(room.jid)
        message = make("message", element, from_=source, type_="groupchat", id_=new_id())
        if to is None:
            self.broadcast(room, message, ("subject", "messages"))
        else:
            self._deliver_copies(room, message, [to])

    # -- sending

    def _deliver_copies(self, room: Room, stanza: Element, sessions: Sequence[JID]) -> None:
        """Send a stanza (without `to`) to several clients."""
        self._deliver_to_sessions(room, [addressed(stanza, str(session)) for session in sessions], sessions, CopyTexts(stanza))

    def _deliver_to_sessions(
        self, room: Room, stanzas: Sequence[Element], sessions: Sequence[JID], text: Callable[[Element], str] = serialise
    ) -> None:
        for session, refusal in zip(sessions, self.deliver_all(stanzas, text), strict=True):
            if refusal is not None and session.resource:
                room.stale_sessions[session] = None

    def deliver(self, stanza: Element) -> Element | None:
        """Send a stanza; return the error if there is one at once. A failure is only reported."""
        return self.deliver_all([stanza])[0]

    def deliver_all(self, stanzas: Sequence[Element], text: Callable[[Element], str] = serialise) -> list[Element | None]:
        """As `deliver` for each of them, with one wait for the disk. `text` serialises them."""
        refusals: list[Element | None] = []
        for stanza, result in zip(stanzas, self._send_each(stanzas, text), strict=True):
            if isinstance(result, Exception):
                what = "a <%s/> of %s did not reach %s: %r"
                self._incidents.report(log, "room-unreached", what, stanza.tag, stanza.get("from"), stanza.get("to"), result)
                result = None
            refusals.append(result)
        return refusals
