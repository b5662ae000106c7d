"""How does one come into a room, change there, and leave it? (XEP-0045 §7.2-§7.7, §7.14)"""

from __future__ import annotations

import threading
from xml.etree.ElementTree import Element

from xmpp_rest.errors import GatewayError
from xmpp_rest.protocol.jid import JID
from xmpp_rest.protocol.namespaces import MUC
from xmpp_rest.protocol.stanza import make, new_id
from xmpp_rest.service.muc.broadcast import News, Voice
from xmpp_rest.service.muc.history import read_limits, shown
from xmpp_rest.service.muc.nicks import Nicks, prepared
from xmpp_rest.service.muc.notices import CREATED, FAILED, KICKED, NICK_CHANGED, RENAMED, SELF, Item, Refused, user_x
from xmpp_rest.service.muc.room import Affiliation, Occupant, Room
from xmpp_rest.service.muc.rooms import Rooms

_X = f"{{{MUC}}}x"
MAX_SESSIONS = 32  # clients under one nick
MAX_VISITS = 100  # rooms that one user is in, each client counted


class Doors:
    """Takes presence for rooms. Raises Refused, GatewayError, StorageError."""

    def __init__(self, rooms: Rooms, voice: Voice, nicks: Nicks) -> None:
        self._rooms = rooms
        self._voice = voice
        self._nicks = nicks
        self._visits: dict[JID, int] = {}
        self._counting = threading.Lock()

    def is_room(self, name: str) -> bool:
        """Whether there is a room of that name."""
        return self._rooms.exists(name)

    def presence(self, stanza: Element, sender: JID, to: JID) -> None:
        """Presence of a client for `room/nick`."""
        kind = stanza.get("type")
        if kind == "unavailable" or kind == "error":
            self._gone(stanza, sender, to, failed=kind == "error")
            return
        if kind is not None:  # subscriptions and probes are nothing that a room knows
            return
        if not to.resource:
            raise Refused("jid-malformed", "enter a room under a nick: room@service/nick")
        nick = prepared(to.resource, to.domain)
        codes = () if nick == to.resource else (NICK_CHANGED,)
        to = to._replace(resource=nick)
        while not self._came(stanza, sender, to, codes):
            self._open(sender, to)

    def _came(self, stanza: Element, sender: JID, to: JID, codes: tuple[str, ...]) -> bool:
        """Whether there was a room to come into, or to be refused by."""
        try:
            with self._rooms.held(to.local) as room:
                created = not room.configured and not room.occupants and sender.bare in room.owners
                self._arrive(room, stanza, sender, to.resource, (*codes, CREATED) if created else codes)
        except GatewayError as e:
            if e.name != "room-unknown" or stanza.find(_X) is None:
                raise
            return False
        return True

    def _open(self, sender: JID, to: JID) -> None:
        """Nobody has been there yet: make the room, which the newcomer owns (XEP-0045 §10.1)."""
        self._require_free(None, sender, to.resource)
        self._require_few_visits(sender.bare)
        try:
            self._rooms.make(to.local, {}, {sender.bare: Affiliation("owner")}, configured=False)
        except GatewayError as e:
            if e.name != "room-exists":  # else somebody was quicker
                raise

    def _arrive(self, room: Room, stanza: Element, sender: JID, nick: str, codes: tuple[str, ...] = ()) -> None:
        occupant, entering = room.occupant(sender), stanza.find(_X)
        if occupant is not None and occupant.nick != nick:
            self._rename(room, occupant, sender, stanza, nick)
        elif occupant is not None and entering is None:
            _spoke(occupant, sender, stanza)
            self._voice.announce(room, occupant, id_=stanza.get("id", ""))
        elif occupant is None and entering is None:
            self._desynchronised(room, sender, nick)
        else:
            self._enter(room, stanza, sender, nick, codes)

    def _desynchronised(self, room: Room, sender: JID, nick: str) -> None:
        """The client believes that it is in the room, and has to hear that it is not (XEP-0045 §15.6.2: 333, a technical problem)."""
        x = user_x(Item("none", "none"), (SELF, KICKED, FAILED))
        self._voice.deliver(make("presence", x, from_=f"{room.jid}/{nick}", to_=str(sender), type_="unavailable", id_=new_id()))

    # -- coming in

    def _enter(self, room: Room, stanza: Element, sender: JID, nick: str, codes: tuple[str, ...]) -> None:
        known = room.occupant(sender)
        if known is None:
            self._may_enter(room, stanza, sender, nick)
            self._count(sender.bare, 1)
        occupant = room.occupants.get(nick)
        alone = occupant is None
        if occupant is None:
            occupant = Occupant(nick, sender.bare, room.default_role(room.affiliation(sender)), {})
            room.occupants[nick] = occupant
        self._voice.show_others(room, sender, occupant.role, occupant)
        _spoke(occupant, sender, stanza)
        room.used = self._rooms.clock()
        self._voice.announce(room, occupant, News(self_codes=codes, entering=alone), id_=stanza.get("id", ""))
        for message in shown(room, self._rooms.history.of(room), str(sender), read_limits(stanza.find(_X))):
            self._voice.deliver(message)
        self._voice.subject(room, sender)

    def _may_enter(self, room: Room, stanza: Element, sender: JID, nick: str) -> None:
        """The checks in the order of XEP-0045 §7.2."""
        affiliation = room.affiliation(sender)
        if affiliation == "outcast":
            raise Refused("forbidden", "you are banned from this room")
        if room.on("members_only") and affiliation == "none":
            raise Refused("registration-required", "this room is for members only")
        self._require_free(room, sender, nick)
        admitted = affiliation in ("owner", "admin")
        if not admitted and sum(1 for _ in room.sessions()) >= int(room.options["max_users"]):
            raise Refused("service-unavailable", "the room is full", "wait")
        given = stanza.findtext(f"{_X}/{{{MUC}}}password", "")
        if room.on("password_protected") and affiliation != "owner" and given != room.options["password"]:
            raise Refused("not-authorized", "a password is needed, and this is not it")
        present = room.occupants.get(nick)
        if present and len(present.sessions) >= MAX_SESSIONS:
            raise Refused("resource-constraint", "too many clients share this nick")
        self._require_few_visits(sender.bare)

    def _require_free(self, room: Room | None, sender: JID, nick: str) -> None:
        """Nobody else has the nick, neither here nor by registration."""
        holders = (room.nick_holder(nick) if room else None, self._nicks.holder(nick))
        if any(holder is not None and holder != sender.bare for holder in holders):
            raise Refused("conflict", "somebody else has this nick")

    def _require_few_visits(self, user: JID) -> None:
        if self._visits.get(user, 0) >= MAX_VISITS:
            raise Refused("resource-constraint", f"nobody is in more than {MAX_VISITS} rooms at once")

    # -- changing

    def _rename(self, room: Room, occupant: Occupant, sender: JID, stanza: Element, nick: str) -> None:
        """XEP-0045 §7.6."""
        if occupant.role == "visitor" and not room.on("allow_visitor_nickchange"):
            raise Refused("not-allowed", "visitors may not change their nick here")
        self._require_free(room, sender, nick)
        if nick in room.occupants:
            raise Refused("conflict", "another client of yours has this nick")
        self._voice.announce(room, occupant, News((RENAMED,), leaving=True, nick=nick))
        del room.occupants[occupant.nick]
        occupant.nick = nick
        _spoke(occupant, sender, stanza)
        room.occupants[nick] = occupant
        self._voice.announce(room, occupant, id_=stanza.get("id", ""))

    # -- leaving

    def _gone(self, stanza: Element, sender: JID, to: JID, *, failed: bool) -> None:
        if not self._rooms.exists(to.local):
            return
        with self._rooms.held(to.local) as room:
            if room.occupant(sender) is None:
                return
            status = stanza.findtext("status", "")
            self.leave(room, sender, News((KICKED, FAILED) if failed else (), leaving=True, status=status))
            self.sweep(room)

    def leave(self, room: Room, session: JID, news: News) -> None:
        """One client leaves; the occupant stays while another client of the same nick is there."""
        occupant = room.occupant(session)
        if occupant is None:
            return
        if len(occupant.sessions) > 1:
            self._voice.tell(room, occupant, session, news)
            del occupant.sessions[session]
            self._count(occupant.bare, -1)
            self._voice.announce(room, occupant)
        else:
            self.remove(room, occupant, news)

    def remove(self, room: Room, occupant: Occupant, news: News) -> None:
        """The occupant is not in the room any more, with all clients."""
        self._voice.announce(room, occupant, news)
        self._take_out(room, occupant)
        room.used = self._rooms.clock()
        if not room.occupants:
            self._rooms.save(room)
        self._rooms.left(room)

    def vacate(self, room: Room, news: News) -> None:
        """Everybody leaves at once, and is told of oneself alone."""
        for occupant in list(room.occupants.values()):
            for session in list(occupant.sessions):
                self._voice.tell(room, occupant, session, news)
            self._take_out(room, occupant)

    def _take_out(self, room: Room, occupant: Occupant) -> None:
        if room.occupants.pop(occupant.nick, None) is not None:
            self._count(occupant.bare, -len(occupant.sessions))

    def _count(self, user: JID, by: int) -> None:
        with self._counting:
            self._visits[user] = self._visits.get(user, 0) + by
            if self._visits[user] <= 0:
                del self._visits[user]

    def sweep(self, room: Room) -> None:
        """Remove the clients that turned out to be unreachable; telling of it may show that more of them are."""
        while room.ghosts and not room.gone:
            session, _ = room.ghosts.popitem()
            self.leave(room, session, News((KICKED, FAILED), leaving=True))
        room.ghosts.clear()


def _spoke(occupant: Occupant, session: JID, presence: Element) -> None:
    """This client's presence is the newest one of the occupant."""
    occupant.sessions.pop(session, None)
    occupant.sessions[session] = presence
