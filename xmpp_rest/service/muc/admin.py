"""What do moderators and admins ask of a room by iq? (XEP-0045 §8, §9: muc#admin)"""

from __future__ import annotations

from xml.etree.ElementTree import Element

from xmpp_rest.protocol.jid import JID, InvalidJID, parse_jid
from xmpp_rest.protocol.stanza import child
from xmpp_rest.service.muc.join import Doors
from xmpp_rest.service.muc.moderation import AffiliationChange, Moderation, RoleChange
from xmpp_rest.service.muc.notices import ADMIN, Item, Refused, item_element
from xmpp_rest.service.muc.room import AFFILIATIONS, ROLES, Room
from xmpp_rest.service.muc.rooms import Rooms

MAX_ITEMS = 1000  # of one request


class AdminQueries:
    """Answers `<query xmlns='…muc#admin'/>`. Raises Refused, GatewayError, StorageError."""

    def __init__(self, rooms: Rooms, moderation: Moderation, doors: Doors) -> None:
        self._rooms = rooms
        self._moderation = moderation
        self._doors = doors

    def get(self, iq: Element, asker: JID, name: str) -> Element:
        """A list of those with an affiliation, or a role."""
        items = iq[0].findall(f"{ADMIN}item")
        if len(items) != 1:
            raise Refused("bad-request", "ask for one list: <item affiliation='…'/> or <item role='…'/>")
        affiliation, role = items[0].get("affiliation", ""), items[0].get("role", "")
        with self._rooms.held(name) as room:
            answer = child(f"{ADMIN}query")
            found = self._with_affiliation(room, asker, affiliation) if affiliation else self._with_role(room, asker, role)
            answer.extend(item_element(ADMIN, item) for item in found)
            return answer

    def _with_affiliation(self, room: Room, asker: JID, affiliation: str) -> list[Item]:
        if affiliation not in AFFILIATIONS or affiliation == "none":
            raise Refused("bad-request", "there are lists of owners, admins, members and outcasts")
        among_members = not room.on("anonymous") and affiliation != "outcast" and room.affiliation(asker) == "member"
        if not room.is_admin(asker) and not among_members:
            raise Refused("forbidden", "this list is for admins and owners")
        by_address = {o.bare: o for o in room.occupants.values()}
        return [
            Item(a.word, by_address[user].role if user in by_address else "none", user, reason=a.reason)
            for user, a in room.affiliations.items()
            if a.word == affiliation
        ]

    def _with_role(self, room: Room, asker: JID, role: str) -> list[Item]:
        occupant = room.occupant(asker)
        if role not in ROLES[1:]:
            raise Refused("bad-request", "there are lists of moderators, participants and visitors")
        if occupant is None or occupant.role != "moderator":
            raise Refused("forbidden", "this list is for moderators")
        return [Item(room.affiliation(o.bare), o.role, session, o.nick) for session, o in room.sessions() if o.role == role]

    def set(self, iq: Element, asker: JID, name: str) -> None:
        """Change roles and affiliations: all of them, or none where one may not be changed."""
        items = iq[0].findall(f"{ADMIN}item")
        if not 1 <= len(items) <= MAX_ITEMS:
            raise Refused("bad-request", f"name one <item/> to {MAX_ITEMS}")
        with self._rooms.held(name) as room:
            actor = room.occupant(asker)
            roles = [_role(room, item) for item in items if item.get("affiliation") is None]
            affiliations = [_affiliation(room, item) for item in items if item.get("affiliation") is not None]
            for change in roles:
                self._moderation.require_role(room, actor, change)
            if affiliations:
                self._moderation.require_affiliations(room, asker, affiliations)
            by = actor.nick if actor else ""
            for change in roles:
                self._moderation.set_role(room, change.occupant, change.role, change.reason, by)
            if affiliations:
                self._moderation.affiliate(room, affiliations, by)
            self._doors.sweep(room)


def _role(room: Room, item: Element) -> RoleChange:
    nick, role = item.get("nick", ""), item.get("role", "")
    if role not in ROLES or not nick:
        raise Refused("bad-request", "write <item nick='…' role='…'/> or <item jid='…' affiliation='…'/>")
    if nick not in room.occupants:
        raise Refused("item-not-found", "there is nobody of this nick in the room")
    return RoleChange(room.occupants[nick], role, item.findtext(f"{ADMIN}reason", ""))


def _affiliation(room: Room, item: Element) -> AffiliationChange:
    affiliation, nick = item.get("affiliation", ""), item.get("nick", "")
    if affiliation not in AFFILIATIONS:
        raise Refused("bad-request", f"an affiliation is one of {', '.join(AFFILIATIONS)}")
    reason = item.findtext(f"{ADMIN}reason", "")
    if item.get("jid") is None and nick in room.occupants:
        return AffiliationChange(room.occupants[nick].bare, affiliation, reason)
    try:
        return AffiliationChange(parse_jid(item.get("jid", "")).bare, affiliation, reason)
    except InvalidJID as e:
        raise Refused("jid-malformed", f"whose affiliation? {e}") from e
