"""Room subscriptions: users who receive events of a room without being in it (ejabberd's urn:xmpp:mucsub:0)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from xml.etree.ElementTree import Element

from xmpp_rest.errors import GatewayError
from xmpp_rest.protocol.conditions import StanzaRefused
from xmpp_rest.protocol.jid import JID, InvalidJID, parse_jid
from xmpp_rest.protocol.stanza import child, make, new_id
from xmpp_rest.service.muc.broadcast import Broadcaster
from xmpp_rest.service.muc.nicks import Nicks, prepared
from xmpp_rest.service.muc.notices import MUCSUB, NODES
from xmpp_rest.service.muc.room import MAX_ENTRIES, Room, Subscriber
from xmpp_rest.service.muc.rooms import MucRooms

_SUB = f"{{{MUCSUB}}}"
MayBring = Callable[[JID, JID], bool]
"""(asker, user): whether the asker may subscribe that user."""


class Subscriptions:
    """Subscribes users, and answers iqs about subscriptions. Raises StanzaRefused, GatewayError, StorageError."""

    def __init__(self, rooms: MucRooms, broadcaster: Broadcaster, nicks: Nicks, may_bring: MayBring) -> None:
        self._may_bring = may_bring
        self._rooms = rooms
        self._broadcaster = broadcaster
        self._nicks = nicks

    def subscribe(self, room: Room, user: JID, nick: str, nodes: Iterable[str]) -> list[str]:
        """Subscribe a bare address to those of the nodes that exist, in place of its present subscription; called with the room held.

        Raises GatewayError: bad-nick, subscriptions-off, room-banned, nick-taken, room-crowded.
        """
        name = prepared(nick, room.jid.domain)
        if not room.on("allow_subscription"):
            raise GatewayError("subscriptions-off")
        if room.affiliation(user) == "outcast":
            raise GatewayError("room-banned")
        if any(holder not in (None, user) for holder in (room.nick_holder(name), self._nicks.holder(name))):
            raise GatewayError("nick-taken")
        if user not in room.subscribers and len(room.subscribers) >= MAX_ENTRIES:
            raise GatewayError("room-crowded")
        chosen = tuple(node for node in dict.fromkeys(nodes) if node in NODES)
        room.subscribers[user] = Subscriber(name, chosen)
        self._rooms.save(room)
        self._notify(room, "subscribe", user, name)
        return list(chosen)

    def unsubscribe(self, room: Room, user: JID) -> None:
        """End a subscription, if there is one. Called with the room held."""
        subscriber = room.subscribers.pop(user, None)
        if subscriber is None:
            return
        self._rooms.save(room)
        self._notify(room, "unsubscribe", user, subscriber.nick)
        self._rooms.end_if_unused(room)

    def revoke(self, room: Room, user: JID) -> None:
        """End the subscriptions of those who may not enter any more, after a change of affiliation of `user`, an address or a domain."""
        for subscriber in [s for s in room.subscribers if user in (s, JID("", s.domain, ""))]:
            affiliation = room.affiliation(subscriber)
            if affiliation == "outcast" or (room.on("members_only") and affiliation == "none"):
                self.unsubscribe(room, subscriber)

    def _notify(self, room: Room, what: str, user: JID, nick: str) -> None:
        notice = make("message", child(f"{_SUB}{what}", nick=nick, jid=str(user)), from_=str(room.jid), id_=new_id())
        self._broadcaster.notify_subscribers(room, ("subscribers",), notice)

    # -- by iq

    def subscribe_iq(self, iq: Element, asker: JID, name: str) -> Element:
        query = iq[0]
        nodes = [event.get("node", "") for event in query.findall(f"{_SUB}event")]
        with self._rooms.held(name) as room:
            user = self._user(room, query, asker)
            if not self._may_bring(asker, user):
                raise StanzaRefused("forbidden", "only an administrator may bring a bot into a room")
            if room.affiliation(user) == "outcast" or (room.on("members_only") and room.affiliation(user) == "none"):
                raise StanzaRefused("forbidden", "you may not enter this room")
            protected = room.on("password_protected") and not room.is_admin(asker)
            if protected and query.findtext(f"{_SUB}password", query.get("password", "")) != room.options["password"]:
                raise StanzaRefused("not-authorized", "a password is needed, and this is not it")
            chosen = self.subscribe(room, user, query.get("nick", ""), nodes)
            return make(f"{_SUB}subscribe", *(child(f"{_SUB}event", node=node) for node in chosen), nick=room.subscribers[user].nick)

    def unsubscribe_iq(self, iq: Element, asker: JID, name: str) -> None:
        with self._rooms.held(name) as room:
            self.unsubscribe(room, self._user(room, iq[0], asker))

    def list_iq(self, iq: Element, asker: JID, name: str) -> Element:
        """The subscribers of a room, for its moderators and subscribers; sent to the service: the subscriptions of the asker."""
        if not name:
            return make(f"{_SUB}subscriptions", *(_subscription(subscriber, str(room), "") for room, subscriber in self.of(asker.bare)))
        with self._rooms.held(name) as held:
            occupant = held.occupant(asker)
            if asker.bare not in held.subscribers and not (occupant and occupant.role == "moderator") and not held.is_admin(asker):
                raise StanzaRefused("forbidden", "the list is for moderators and subscribers")
            named = held.is_admin(asker) or not held.on("anonymous")
            rows = [_subscription(s, str(user) if named else "", s.nick) for user, s in held.subscribers.items()]
            return make(f"{_SUB}subscriptions", *rows)

    def of(self, user: JID) -> list[tuple[JID, Subscriber]]:
        """The rooms that a bare address subscribes to."""
        return [(room.jid, room.subscribers[user]) for room in self._rooms.naming(user) if user in room.subscribers]

    def _user(self, room: Room, query: Element, asker: JID) -> JID:
        """The user whom a request is about: the asker, or the one whom a moderator names."""
        named = query.get("jid")
        if named is None:
            return asker.bare
        occupant = room.occupant(asker)
        if not room.is_admin(asker) and not (occupant and occupant.role == "moderator"):
            raise StanzaRefused("forbidden", "only moderators may do this for others")
        try:
            return parse_jid(named).bare
        except InvalidJID as e:
            raise StanzaRefused("jid-malformed", str(e)) from e


def _subscription(subscriber: Subscriber, jid: str, nick: str) -> Element:
    return make(f"{_SUB}subscription", *(child(f"{_SUB}event", node=node) for node in subscriber.nodes), jid=jid, nick=nick)
