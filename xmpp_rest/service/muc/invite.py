"""Mediated invitations to a room, and how they are declined (XEP-0045 §7.8)."""

from __future__ import annotations

from xml.etree.ElementTree import Element

from xmpp_rest.protocol.conditions import StanzaRefused
from xmpp_rest.protocol.jid import JID, InvalidJID, parse_jid
from xmpp_rest.protocol.stanza import child, make, new_id
from xmpp_rest.service.muc.broadcast import Broadcaster
from xmpp_rest.service.muc.notices import USER, direct_invitation
from xmpp_rest.service.muc.room import MAX_ENTRIES, Affiliation, Room
from xmpp_rest.service.muc.rooms import MucRooms

MAX_INVITED = 50  # by one message


class Invitations:
    """Forwards invitations and declines; called with the room held."""

    def __init__(self, rooms: MucRooms, broadcaster: Broadcaster) -> None:
        self._rooms = rooms
        self._broadcaster = broadcaster

    def handle(self, room: Room, stanza: Element, sender: JID) -> bool:
        """Forward invitations, or a decline; False for any other message. Raises StanzaRefused."""
        x = stanza.find(f"{USER}x")
        if x is None:
            return False
        invites, decline = x.findall(f"{USER}invite"), x.find(f"{USER}decline")
        if invites:
            self._invite(room, invites, sender)
        elif decline is not None:
            self._decline(room, decline, sender)
        return bool(invites) or decline is not None

    def _invite(self, room: Room, invites: list[Element], sender: JID) -> None:
        occupant = room.occupant(sender)
        if occupant is None:
            raise StanzaRefused("not-acceptable", "only occupants may invite others")
        if not room.is_admin(sender) and (not room.on("allow_user_invites") or occupant.role == "visitor"):
            raise StanzaRefused("forbidden", "you may not invite others into this room")
        if len(invites) > MAX_INVITED:
            raise StanzaRefused("policy-violation", f"{MAX_INVITED} people may be invited at once")
        for to, invite in [(_address(invite), invite) for invite in invites]:
            self._admit(room, to.bare, sender)
            source = str(sender) if not room.on("anonymous") else f"{room.jid}/{occupant.nick}"
            self._broadcaster.deliver(_invitation(room, to, invite, source))

    def _admit(self, room: Room, user: JID, sender: JID) -> None:
        """Make a user whom an admin invites to a members-only room a member (XEP-0045 §7.8.2)."""
        if not room.on("members_only") or room.affiliation(user) != "none":
            return
        if not room.is_admin(sender):
            raise StanzaRefused("forbidden", "only admins may invite into a room for members")
        if len(room.affiliations) >= MAX_ENTRIES:
            raise StanzaRefused("resource-constraint", "the room has too many affiliations")
        room.affiliations[user] = Affiliation("member")
        self._rooms.save(room)

    def _decline(self, room: Room, decline: Element, sender: JID) -> None:
        to = _address(decline)
        nick = to.resource if to.bare == room.jid else ""
        inviters = room.occupants[nick].sessions if nick in room.occupants else [s for s, o in room.sessions() if o.bare == to.bare]
        if not inviters:
            raise StanzaRefused("item-not-found", "the inviter is not in the room")
        for session in list(inviters):
            reason = child(f"{USER}reason", decline.findtext(f"{USER}reason", ""))
            x = make(f"{USER}x", make(f"{USER}decline", reason, from_=str(sender.bare)))
            self._broadcaster.deliver(make("message", x, from_=str(room.jid), to_=str(session), id_=new_id()))


def _address(element: Element) -> JID:
    try:
        return parse_jid(element.get("to", ""))
    except InvalidJID as e:
        raise StanzaRefused("jid-malformed", f"whom? {e}") from e


def _invitation(room: Room, to: JID, invite: Element, source: str) -> Element:
    reason = invite.findtext(f"{USER}reason", "")
    password = room.options["password"] if room.on("password_protected") else ""
    reasons = [child(f"{USER}reason", reason)] if reason else []
    invited = make(f"{USER}invite", *reasons, *invite.findall(f"{USER}continue")[:1], from_=source)
    message = direct_invitation(room.jid, str(to), reason, password)
    message.insert(0, make(f"{USER}x", invited, *([child(f"{USER}password", password)] if password else [])))
    return message
