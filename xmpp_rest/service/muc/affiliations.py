"""Affiliations and roles: checks and makes changes of both (XEP-0045 §5.1.1, §5.2.1, §8, §9, §10)."""

from __future__ import annotations

from typing import NamedTuple

from xmpp_rest.errors import GatewayError
from xmpp_rest.protocol.conditions import StanzaRefused
from xmpp_rest.protocol.jid import JID
from xmpp_rest.protocol.stanza import make, new_id
from xmpp_rest.service.muc.broadcast import Broadcaster, OccupantChange
from xmpp_rest.service.muc.join import JoinHandler
from xmpp_rest.service.muc.notices import BANNED, KICKED, UNAFFILIATED, OccupantItem, user_x
from xmpp_rest.service.muc.room import AFFILIATIONS, MAX_ENTRIES, Affiliation, Occupant, Room
from xmpp_rest.service.muc.rooms import MucRooms
from xmpp_rest.service.muc.subscribe import Subscriptions


class RoleChange(NamedTuple):
    """The role that an occupant is to have; none: it is to be removed."""

    occupant: Occupant
    role: str
    reason: str = ""


class AffiliationChange(NamedTuple):
    """The affiliation that a user (bare address, or a domain) is to have."""

    user: JID
    affiliation: str
    reason: str = ""


class Affiliations:
    """Checks changes, and makes them. Called with the room held."""

    def __init__(self, rooms: MucRooms, broadcaster: Broadcaster, join_handler: JoinHandler, subscriptions: Subscriptions) -> None:
        self._rooms = rooms
        self._broadcaster = broadcaster
        self._join_handler = join_handler
        self._subscriptions = subscriptions

    # -- roles

    def require_role(self, room: Room, actor: Occupant | None, change: RoleChange) -> None:
        """Raise StanzaRefused unless the actor may make this change."""
        target = change.occupant
        if actor is None or actor.role != "moderator":
            raise StanzaRefused("forbidden", "only moderators may do this")
        above = room.rank(target.bare) > room.rank(actor.bare)
        touches_moderator = "moderator" in (change.role, target.role) and change.role != target.role
        protected = room.is_admin(target.bare) and (above or change.role != "none" or room.affiliation(actor.bare) != "owner")
        if above or (protected and change.role != target.role):
            raise StanzaRefused("not-allowed", "this occupant has your rank, or a higher one")  # §8.2, §8.4, §9.7
        if touches_moderator and not room.is_admin(actor.bare):
            raise StanzaRefused("not-allowed", "only admins make moderators, or unmake them")  # §9.6

    def set_role(self, room: Room, occupant: Occupant, role: str, reason: str = "", actor: str = "") -> None:
        """Change a role, and broadcast it."""
        if role == "none":
            self._join_handler.remove(room, occupant, OccupantChange((KICKED,), leaving=True, reason=reason, actor=actor))
        elif role != occupant.role:
            occupant.role = role
            self._broadcaster.broadcast_presence(room, occupant, OccupantChange(reason=reason, actor=actor))

    # -- affiliations

    def require_affiliations(self, room: Room, actor: JID, changes: list[AffiliationChange]) -> None:
        """Raise StanzaRefused unless the actor may make all of these changes."""
        if not room.is_admin(actor):
            raise StanzaRefused("forbidden", "only admins and owners may do this")
        owner = room.affiliation(actor) == "owner"
        for user, affiliation, _ in changes:
            if user == actor.bare and affiliation == "outcast":
                raise StanzaRefused("conflict", "you cannot ban yourself")  # §9.1
            if not owner and (affiliation in ("admin", "owner") or room.rank(user) >= AFFILIATIONS.index("admin")):
                raise StanzaRefused("not-allowed", "only owners make admins and owners, or unmake them")
        after = {user: a.word for user, a in room.affiliations.items()} | {c.user: c.affiliation for c in changes}
        if room.owners and "owner" not in after.values():
            raise StanzaRefused("conflict", "a room keeps at least one owner")  # §10.5

    def affiliate(self, room: Room, changes: list[AffiliationChange], actor: str = "") -> None:
        """Make the changes, save and broadcast them. Raises GatewayError: room-crowded."""
        before = {c.user: room.affiliation(c.user) for c in changes}
        new = sum(c.user not in room.affiliations and c.affiliation != "none" for c in changes)
        if len(room.affiliations) + new > MAX_ENTRIES:
            raise GatewayError("room-crowded")
        for user, affiliation, reason in changes:
            if affiliation == "none":
                room.affiliations.pop(user, None)
            else:
                room.affiliations[user] = Affiliation(affiliation, reason)
        self._rooms.save(room)
        for change in changes:
            self._affiliated(room, change, before[change.user], actor)

    def _affiliated(self, room: Room, change: AffiliationChange, before: str, actor: str) -> None:
        user, affiliation, reason = change
        if before == affiliation:
            return
        whom = [o for o in list(room.occupants.values()) if user in (o.bare, JID("", o.bare.domain, ""))]
        for occupant in whom:
            self._apply(room, occupant, reason, actor)
        item = OccupantItem(affiliation, "none" if not whom else whom[0].role, user, reason=reason)
        self._subscriptions.revoke(room, user)
        self._broadcaster.notify_subscribers(room, ("affiliations",), make("message", user_x(item), from_=str(room.jid), id_=new_id()))

    def _apply(self, room: Room, occupant: Occupant, reason: str, actor: str) -> None:
        affiliation = room.affiliation(occupant.bare)
        role = room.default_role(affiliation)
        if role != "none":
            occupant.role = role
            self._broadcaster.broadcast_presence(room, occupant, OccupantChange(reason=reason, actor=actor))
            return
        code = BANNED if affiliation == "outcast" else UNAFFILIATED
        self._join_handler.remove(
            room, occupant, OccupantChange((code,), leaving=True, affiliation=affiliation, reason=reason, actor=actor)
        )
