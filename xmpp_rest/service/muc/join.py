"""The join handler: entering a room, changing nick and presence, leaving (XEP-0045 §7.2-§7.7, §7.14)."""

from __future__ import annotations

from xml.etree.ElementTree import Element

from xmpp_rest.errors import GatewayError
from xmpp_rest.protocol.conditions import StanzaRefused
from xmpp_rest.protocol.jid import JID
from xmpp_rest.protocol.namespaces import MUC
from xmpp_rest.protocol.stanza import make, new_id
from xmpp_rest.service.muc.broadcast import Broadcaster, OccupantChange
from xmpp_rest.service.muc.history import read_limits, shown
from xmpp_rest.service.muc.nicks import Nicks, prepared
from xmpp_rest.service.muc.notices import CREATED, FAILED, KICKED, NICK_CHANGED, RENAMED, SELF, OccupantItem, user_x
from xmpp_rest.service.muc.room import Affiliation, Occupant, Room
from xmpp_rest.service.muc.rooms import MucRooms
from xmpp_rest.service.muc.visits import Visits

_X = f"{{{MUC}}}x"
MAX_SESSIONS = 32  # clients under one nick
MAX_ROOMS_OF_USER = 100  # each client counted


class JoinHandler:
    """Handles presence sent to rooms. Raises StanzaRefused, GatewayError, StorageError."""

    def __init__(self, rooms: MucRooms, broadcaster: Broadcaster, nicks: Nicks) -> None:
        self._rooms = rooms
        self._broadcaster = broadcaster
        self._nicks = nicks
        self.visits = Visits()

    def is_room(self, name: str) -> bool:
        """Whether there is a room of that name."""
        return self._rooms.exists(name)

    def presence(self, stanza: Element, sender: JID, to: JID) -> None:
        """Handle the presence of a client for `room/nick`."""
        kind = stanza.get("type")
        if kind == "unavailable" or kind == "error":
            self._handle_unavailable(stanza, sender, to, failed=kind == "error")
            return
        if kind is not None:  # rooms have no subscriptions and probes
            return
        if not to.resource:
            raise StanzaRefused("jid-malformed", "enter a room under a nick: room@service/nick")
        nick = prepared(to.resource, to.domain)
        codes = () if nick == to.resource else (NICK_CHANGED,)
        to = to._replace(resource=nick)
        while not self._try_to_enter(stanza, sender, to, codes):
            self._create_room(sender, to)

    def _try_to_enter(self, stanza: Element, sender: JID, to: JID, codes: tuple[str, ...]) -> bool:
        """Whether the room exists; then the presence has been handled. Raises what the room refuses."""
        try:
            with self._rooms.held(to.local) as room:
                created = not room.configured and not room.occupants and sender.bare in room.owners
                self._handle_available(room, stanza, sender, to.resource, (*codes, CREATED) if created else codes)
        except GatewayError as e:
            if e.name != "room-unknown" or stanza.find(_X) is None:
                raise
            return False
        return True

    def _create_room(self, sender: JID, to: JID) -> None:
        """Make a room that does not exist yet; its first occupant owns it (XEP-0045 §10.1)."""
        self._require_free(None, sender, to.resource)
        self._require_few_visits(sender.bare)
        try:
            self._rooms.make(to.local, {}, {sender.bare: Affiliation("owner")}, configured=False)
        except GatewayError as e:
            if e.name != "room-exists":  # else another client was faster
                raise

    def _handle_available(self, room: Room, stanza: Element, sender: JID, nick: str, codes: tuple[str, ...] = ()) -> None:
        occupant, entering = room.occupant(sender), stanza.find(_X)
        if occupant is not None and occupant.nick != nick:
            self._rename(room, occupant, sender, stanza, nick)
        elif occupant is not None and entering is None:
            _set_presence(occupant, sender, stanza)
            self._broadcaster.broadcast_presence(room, occupant, id_=stanza.get("id", ""))
        elif occupant is None and entering is None:
            # the client believes to be in the room (XEP-0045 §15.6.2: 333, a technical problem)
            x = user_x(OccupantItem("none", "none"), (SELF, KICKED, FAILED))
            self._broadcaster.deliver(make("presence", x, from_=f"{room.jid}/{nick}", to_=str(sender), type_="unavailable", id_=new_id()))
        else:
            self._enter(room, stanza, sender, nick, codes)

    # -- entering

    def _enter(self, room: Room, stanza: Element, sender: JID, nick: str, codes: tuple[str, ...]) -> None:
        if room.occupant(sender) is None:
            self._require_may_enter(room, stanza, sender, nick)
            self.visits.count(sender.bare, room.jid.local, 1)
        occupant = room.occupants.get(nick)
        alone = occupant is None
        if occupant is None:
            occupant = Occupant(nick, sender.bare, room.default_role(room.affiliation(sender)), {})
            room.occupants[nick] = occupant
        self._broadcaster.send_occupants(room, sender, occupant.role, occupant)
        _set_presence(occupant, sender, stanza)
        room.used = self._rooms.clock()
        self._broadcaster.broadcast_presence(room, occupant, OccupantChange(self_codes=codes, entering=alone), id_=stanza.get("id", ""))
        self._broadcaster.deliver_all(shown(room, self._rooms.history.of(room), str(sender), read_limits(stanza.find(_X))))
        self._broadcaster.send_subject(room, sender)

    def _require_may_enter(self, room: Room, stanza: Element, sender: JID, nick: str) -> None:
        """Raise StanzaRefused unless the client may enter; checks in the order of XEP-0045 §7.2."""
        affiliation = room.affiliation(sender)
        if affiliation == "outcast":
            raise StanzaRefused("forbidden", "you are banned from this room")
        if room.on("members_only") and affiliation == "none":
            raise StanzaRefused("registration-required", "this room is for members only")
        self._require_free(room, sender, nick)
        admitted = affiliation in ("owner", "admin")
        if not admitted and sum(1 for _ in room.sessions()) >= int(room.options["max_users"]):
            raise StanzaRefused("service-unavailable", "the room is full", "wait")
        given = stanza.findtext(f"{_X}/{{{MUC}}}password", "")
        if room.on("password_protected") and affiliation != "owner" and given != room.options["password"]:
            raise StanzaRefused("not-authorized", "a password is needed, and this is not it")
        present = room.occupants.get(nick)
        if present and len(present.sessions) >= MAX_SESSIONS:
            raise StanzaRefused("resource-constraint", "too many clients share this nick")
        self._require_few_visits(sender.bare)

    def _require_free(self, room: Room | None, sender: JID, nick: str) -> None:
        """Raise StanzaRefused if another user has the nick, in this room or by registration."""
        holders = (room.nick_holder(nick) if room else None, self._nicks.holder(nick))
        if any(holder is not None and holder != sender.bare for holder in holders):
            raise StanzaRefused("conflict", "another user has this nick")

    def _require_few_visits(self, user: JID) -> None:
        if self.visits.total(user) >= MAX_ROOMS_OF_USER:
            raise StanzaRefused("resource-constraint", f"a client is in at most {MAX_ROOMS_OF_USER} rooms at once")

    # -- changing

    def _rename(self, room: Room, occupant: Occupant, sender: JID, stanza: Element, nick: str) -> None:
        """Change the nick of an occupant (XEP-0045 §7.6)."""
        if occupant.role == "visitor" and not room.on("allow_visitor_nickchange"):
            raise StanzaRefused("not-allowed", "visitors may not change their nick here")
        self._require_free(room, sender, nick)
        if nick in room.occupants:
            raise StanzaRefused("conflict", "another client of yours has this nick")
        self._broadcaster.broadcast_presence(room, occupant, OccupantChange((RENAMED,), leaving=True, nick=nick))
        del room.occupants[occupant.nick]
        occupant.nick = nick
        _set_presence(occupant, sender, stanza)
        room.occupants[nick] = occupant
        self._broadcaster.broadcast_presence(room, occupant, id_=stanza.get("id", ""))

    # -- leaving

    def _handle_unavailable(self, stanza: Element, sender: JID, to: JID, *, failed: bool) -> None:
        if not self._rooms.exists(to.local):
            return
        with self._rooms.held(to.local) as room:
            if room.occupant(sender) is None:
                return
            status = stanza.findtext("status", "")
            self.leave(room, sender, OccupantChange((KICKED, FAILED) if failed else (), leaving=True, status=status))
            self.remove_stale(room)

    def leave(self, room: Room, session: JID, change: OccupantChange) -> None:
        """Remove one client; the occupant stays while another client shares its nick."""
        occupant = room.occupant(session)
        if occupant is None:
            return
        if len(occupant.sessions) > 1:
            self._broadcaster.notify_sessions(room, occupant, [session], change)
            del occupant.sessions[session]
            self.visits.count(occupant.bare, room.jid.local, -1)
            self._broadcaster.broadcast_presence(room, occupant)
        else:
            self.remove(room, occupant, change)

    def remove(self, room: Room, occupant: Occupant, change: OccupantChange) -> None:
        """Remove the occupant with all its clients, and notify the room."""
        self._broadcaster.broadcast_presence(room, occupant, change)
        self._remove_sessions_of(room, occupant)
        room.used = self._rooms.clock()
        if not room.occupants:
            self._rooms.save(room)
        self._rooms.end_if_unused(room)

    def remove_all(self, room: Room, change: OccupantChange) -> None:
        """Remove all occupants at once; each is notified only of itself."""
        for occupant in list(room.occupants.values()):
            self._broadcaster.notify_sessions(room, occupant, list(occupant.sessions), change)
            self._remove_sessions_of(room, occupant)

    def _remove_sessions_of(self, room: Room, occupant: Occupant) -> None:
        if room.occupants.pop(occupant.nick, None) is not None:
            self.visits.count(occupant.bare, room.jid.local, -len(occupant.sessions))

    def remove_stale(self, room: Room) -> None:
        """Remove the clients that could not be reached. Notifying the others of it may find more of them."""
        while room.stale_sessions and not room.gone:
            session, _ = room.stale_sessions.popitem()
            self.leave(room, session, OccupantChange((KICKED, FAILED), leaving=True))
        room.stale_sessions.clear()


def _set_presence(occupant: Occupant, session: JID, presence: Element) -> None:
    """Set the presence of a client, as the latest one of the occupant."""
    occupant.sessions.pop(session, None)
    occupant.sessions[session] = presence
