"""Room administration by iq: lists and changes of roles and affiliations (XEP-0045 §8, §9: muc#admin)."""

from __future__ import annotations

from xml.etree.ElementTree import Element

from xmpp_rest.protocol.conditions import StanzaRefused
from xmpp_rest.protocol.jid import JID, InvalidJID, parse_jid
from xmpp_rest.protocol.stanza import make
from xmpp_rest.service.muc.affiliations import AffiliationChange, Affiliations, RoleChange
from xmpp_rest.service.muc.join import JoinHandler
from xmpp_rest.service.muc.notices import ADMIN, OccupantItem, item_element
from xmpp_rest.service.muc.room import AFFILIATIONS, ROLES, Room
from xmpp_rest.service.muc.rooms import MucRooms

MAX_ITEMS = 1000  # of one request


class AdminQueries:
    """Answers `<query xmlns='…muc#admin'/>`. Raises StanzaRefused, GatewayError, StorageError."""

    def __init__(self, rooms: MucRooms, affiliations: Affiliations, join_handler: JoinHandler) -> None:
        self._rooms = rooms
        self._affiliations = affiliations
        self._join_handler = join_handler

    def get(self, iq: Element, asker: JID, name: str) -> Element:
        """The list of the users with an affiliation, or of the occupants with a role."""
        items = iq[0].findall(f"{ADMIN}item")
        if len(items) != 1:
            raise StanzaRefused("bad-request", "ask for one list: <item affiliation='…'/> or <item role='…'/>")
        affiliation, role = items[0].get("affiliation", ""), items[0].get("role", "")
        with self._rooms.held(name) as room:
            found = self._with_affiliation(room, asker, affiliation) if affiliation else self._with_role(room, asker, role)
            return make(f"{ADMIN}query", *(item_element(ADMIN, item) for item in found))

    def _with_affiliation(self, room: Room, asker: JID, affiliation: str) -> list[OccupantItem]:
        if affiliation not in AFFILIATIONS or affiliation == "none":
            raise StanzaRefused("bad-request", "there are lists of owners, admins, members and outcasts")
        among_members = not room.on("anonymous") and affiliation != "outcast" and room.affiliation(asker) == "member"
        if not room.is_admin(asker) and not among_members:
            raise StanzaRefused("forbidden", "this list is for admins and owners")
        by_address = {o.bare: o for o in room.occupants.values()}
        return [
            OccupantItem(a.word, by_address[user].role if user in by_address else "none", user, reason=a.reason)
            for user, a in room.affiliations.items()
            if a.word == affiliation
        ]

    def _with_role(self, room: Room, asker: JID, role: str) -> list[OccupantItem]:
        occupant = room.occupant(asker)
        if role not in ROLES[1:]:
            raise StanzaRefused("bad-request", "there are lists of moderators, participants and visitors")
        if occupant is None or occupant.role != "moderator":
            raise StanzaRefused("forbidden", "this list is for moderators")
        return [OccupantItem(room.affiliation(o.bare), o.role, session, o.nick) for session, o in room.sessions() if o.role == role]

    def set(self, iq: Element, asker: JID, name: str) -> None:
        """Change roles and affiliations: all of them, or none if one change is not allowed."""
        items = iq[0].findall(f"{ADMIN}item")
        if not 1 <= len(items) <= MAX_ITEMS:
            raise StanzaRefused("bad-request", f"name one <item/> to {MAX_ITEMS}")
        with self._rooms.held(name) as room:
            actor = room.occupant(asker)
            roles = [_role(room, item) for item in items if item.get("affiliation") is None]
            affiliations = [_affiliation(room, item) for item in items if item.get("affiliation") is not None]
            for change in roles:
                self._affiliations.require_role(room, actor, change)
            if affiliations:
                self._affiliations.require_affiliations(room, asker, affiliations)
            by = actor.nick if actor else ""
            for change in roles:
                self._affiliations.set_role(room, change.occupant, change.role, change.reason, by)
            if affiliations:
                self._affiliations.affiliate(room, affiliations, by)
            self._join_handler.remove_stale(room)


def _role(room: Room, item: Element) -> RoleChange:
    nick, role = item.get("nick", ""), item.get("role", "")
    if role not in ROLES or not nick:
        raise StanzaRefused("bad-request", "write <item nick='…' role='…'/> or <item jid='…' affiliation='…'/>")
    if nick not in room.occupants:
        raise StanzaRefused("item-not-found", "no occupant has this nick")
    return RoleChange(room.occupants[nick], role, item.findtext(f"{ADMIN}reason", ""))


def _affiliation(room: Room, item: Element) -> AffiliationChange:
    affiliation, nick = item.get("affiliation", ""), item.get("nick", "")
    if affiliation not in AFFILIATIONS:
        raise StanzaRefused("bad-request", f"an affiliation is one of {', '.join(AFFILIATIONS)}")
    reason = item.findtext(f"{ADMIN}reason", "")
    if item.get("jid") is None and nick in room.occupants:
        return AffiliationChange(room.occupants[nick].bare, affiliation, reason)
    try:
        return AffiliationChange(parse_jid(item.get("jid", "")).bare, affiliation, reason)
    except InvalidJID as e:
        raise StanzaRefused("jid-malformed", f"whose affiliation? {e}") from e
