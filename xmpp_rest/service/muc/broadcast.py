"""Who hears what the room has to say? Its occupants, each as far as they may see, and its subscribers.

Every method is called with the room held. Whoever turns out to be unreachable is noted in `room.ghosts`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple
from xml.etree.ElementTree import Element

from xmpp_rest.incidents import Incidents
from xmpp_rest.protocol.jid import JID
from xmpp_rest.protocol.stanza import child, make, new_id
from xmpp_rest.service.muc.notices import NODES_PREFIX, NON_ANONYMOUS, SELF, Item, copied, said, user_x, wrapped
from xmpp_rest.service.muc.room import Occupant, Room

log = logging.getLogger(__name__)


class News(NamedTuple):
    """What has happened to an occupant."""

    codes: tuple[str, ...] = ()
    leaving: bool = False
    entering: bool = False
    affiliation: str = ""  # other than that of the address
    nick: str = ""  # the new one
    reason: str = ""
    actor: str = ""
    status: str = ""  # what it said when it left
    destroy: Element | None = None
    self_codes: tuple[str, ...] = ()  # for the occupant alone


NOTHING = News()


class Voice:
    """Sends the stanzas of rooms."""

    def __init__(self, send: Callable[[Element], Element | None], incidents: Incidents) -> None:
        self.send = send
        """Sends a stanza; the refusal where it comes at once. Raises GatewayError, StorageError, BadXML."""
        self._incidents = incidents

    # -- presence

    def announce(self, room: Room, who: Occupant, news: News = NOTHING, id_: str = "") -> None:
        """Tell everybody who may see it of the occupant's presence, and what has happened to it; the occupant last (XEP-0045 §7.2.2)."""
        for session, other in room.sessions():
            if other is not who and room.shows(who.role):
                self._deliver(room, self.presence(room, who, other.role, session, news), session)
        for session in list(who.sessions):
            self._deliver(room, self.presence(room, who, who.role, session, news, own=True, id_=id_), session)
        if room.shows(who.role):
            self._tell_of(room, who, news)

    def _tell_of(self, room: Room, who: Occupant, news: News) -> None:
        shown = self.presence(room, who, "none", None, news)
        self.notify(room, ("participants", "presence") if news.leaving or news.entering else ("presence",), shown)

    def tell(self, room: Room, who: Occupant, session: JID, news: News = NOTHING, id_: str = "") -> None:
        """Tell one of the occupant's own clients."""
        self._deliver(room, self.presence(room, who, who.role, session, news, own=True, id_=id_), session)

    def show_others(self, room: Room, to: JID, role: str, but: Occupant) -> None:
        """Tell a newcomer who is there."""
        for other in list(room.occupants.values()):
            if other is not but and room.shows(other.role):
                self._deliver(room, self.presence(room, other, role, to, NOTHING), to)

    def presence(self, room: Room, who: Occupant, seen_by: str, to: JID | None, news: News, *, own: bool = False, id_: str = "") -> Element:
        """The presence of an occupant as somebody of the role `seen_by` sees it."""
        affiliation = news.affiliation or room.affiliation(who.bare)
        jid = to if own else next(reversed(who.sessions), who.bare)
        item = Item(
            affiliation,
            "none" if news.leaving and not news.nick else who.role,
            jid if own or room.sees_addresses(seen_by) else None,
            news.nick,
            news.reason,
            news.actor,
        )
        if news.leaving and news.destroy is not None:
            item = Item("none", "none")
        codes = (*news.codes, *(self._self_codes(room, news) if own else ()))
        x = user_x(item, codes, news.destroy)
        presence = who.presence if not own or to is None else who.sessions[to]
        payload = said(presence, room.jid) if not news.leaving else [child("status", news.status)] if news.status else []
        if who.role == "visitor" and not room.on("allow_visitor_status"):
            payload = [c for c in payload if c.tag != "status"]
        kind = "unavailable" if news.leaving else None
        return make("presence", *payload, x, from_=f"{room.jid}/{who.nick}", to_=str(to or ""), type_=kind, id_=id_ or new_id())

    @staticmethod
    def _self_codes(room: Room, news: News) -> tuple[str, ...]:
        entering = () if news.leaving or room.on("anonymous") else (NON_ANONYMOUS,)
        return (*news.self_codes, *entering, SELF)

    # -- messages

    def say(self, room: Room, message: Element, nodes: Sequence[str] = ()) -> None:
        """A message (without `to`) for everybody in the room and for subscribers to any of these nodes."""
        for session, _ in room.sessions():
            self._deliver(room, copied(message, to_=str(session)), session)
        self.notify(room, nodes, message)

    def notify(self, room: Room, nodes: Sequence[str], stanza: Element) -> None:
        """Tell the subscribers to any of these nodes who are not in the room: it is an item of the first one that they subscribed to."""
        present = {occupant.bare for occupant in room.occupants.values()} if room.subscribers else set()
        for user, subscriber in list(room.subscribers.items()):
            node = next((NODES_PREFIX + word for word in nodes if NODES_PREFIX + word in subscriber.nodes), None)
            if node and user not in present:
                self.deliver(wrapped(room.jid, user, node, copied(stanza, to_=str(user))))

    def ended(self, room: Room, destroy: Element) -> None:
        """Tell the subscribers that the room is no more."""
        presence = make("presence", user_x(Item("none", "none"), (), destroy), from_=str(room.jid), type_="unavailable", id_=new_id())
        self.notify(room, ("system", "config", "presence", "participants", "messages"), presence)

    def status(self, room: Room, codes: Iterable[str], node: str = "config") -> None:
        """Tell everybody that the room has changed (XEP-0045 §10.2.1)."""
        self.say(room, make("message", user_x(None, codes), from_=str(room.jid), type_="groupchat", id_=new_id()), (node,))

    def subject(self, room: Room, to: JID | None = None) -> None:
        """Tell one client, or everybody, what the room's subject is (XEP-0045 §7.2.15)."""
        author, element = room.options["subject_author"], child("subject", room.options["subject"])
        source = f"{room.jid}/{author}" if author else str(room.jid)
        message = make("message", element, from_=source, type_="groupchat", id_=new_id())
        if to is None:
            self.say(room, message, ("subject", "messages"))
        else:
            self._deliver(room, copied(message, to_=str(to)), to)

    # -- sending

    def _deliver(self, room: Room, stanza: Element, session: JID) -> None:
        refusal = self.deliver(stanza)
        if refusal is not None and session.resource:
            room.ghosts[session] = None

    def deliver(self, stanza: Element) -> Element | None:
        """Send a stanza; the refusal where it comes at once. What cannot go keeps nobody else from hearing theirs."""
        try:
            return self.send(stanza)
        except Exception as e:
            text = "a <%s/> of %s did not reach %s: %r"
            self._incidents.report(log, "room-unreached", text, stanza.tag, stanza.get("from"), stanza.get("to"), e)
            return None
