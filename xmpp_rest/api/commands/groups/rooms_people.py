"""Rooms: who is what to them, who is in them, what was said, who is invited (commands-api §12)."""

from __future__ import annotations

from xmpp_rest.api.commands.errors import rejected
from xmpp_rest.api.commands.registry import command
from xmpp_rest.api.commands.room_service import account_or_none, address, conference, refusing, user_at
from xmpp_rest.api.commands.services import Services
from xmpp_rest.api.commands.texts import require_sendable
from xmpp_rest.protocol.jid import JID, parse_jid
from xmpp_rest.service.muc.room import AFFILIATIONS

ABSENT = "The room does not exist."
NOT_FOUND = "room_not_found"
BAD_JID = "Invalid 'jid'"
NOTHING = ("", "none")  # for a password or a reason


# affiliations


@command("set_room_affiliation", 3)
def set_room_affiliation(services: Services, room: str, service: str, user: str, host: str, affiliation: str) -> bool:
    _require_affiliation(affiliation)
    jid = user_at(user, host, BAD_JID) if user else address(host, BAD_JID)
    return _affiliate(services, room, service, jid, affiliation)


@command("set_room_affiliation")
def set_room_affiliation_v0(services: Services, name: str, service: str, jid: str, affiliation: str) -> bool:
    _require_affiliation(affiliation)
    return _affiliate(services, name, service, address(jid, BAD_JID), affiliation)


def _require_affiliation(word: str) -> None:
    if word not in AFFILIATIONS:
        raise rejected("Invalid affiliation")


def _affiliate(services: Services, room: str, service: str, jid: JID, affiliation: str) -> bool:
    rooms = conference(services, service)
    with refusing(room_unknown="Room doesn't exists"):  # COMPAT ejabberd: spelled so
        rooms.affiliate(room, str(jid.bare), affiliation, "")
    return True


@command("get_room_affiliation")
def get_room_affiliation(services: Services, room: str, service: str, jid: str) -> str:
    rooms, user = conference(services, service), address(jid, BAD_JID)
    with refusing(room_unknown=ABSENT):
        return rooms.affiliation(room, str(user.bare))


@command("get_room_affiliations", 3)
def get_room_affiliations(services: Services, room: str, service: str) -> list[tuple[str, str, str]]:
    rooms = conference(services, service)
    with refusing(room_unknown=ABSENT):
        return [(jid, affiliation, reason) for jid, affiliation, reason in rooms.affiliations(room)]


@command("get_room_affiliations")
def get_room_affiliations_v0(services: Services, name: str, service: str) -> list[tuple[str, str, str, str]]:
    rows = get_room_affiliations.run(services, name, service)
    addresses = [(parse_jid(jid), affiliation, reason) for jid, affiliation, reason in rows]
    return [(jid.local, jid.domain, affiliation, reason) for jid, affiliation, reason in addresses]


# occupants


@command("get_room_occupants")
def get_room_occupants(services: Services, room: str, service: str) -> list[tuple[str, str, str]]:
    rooms = conference(services, service)
    with refusing(room_unknown=NOT_FOUND):
        return [(jid, nick, role) for jid, nick, role in rooms.occupants(room)]


@command("get_room_occupants_number")
def get_room_occupants_number(services: Services, room: str, service: str) -> int:
    return len(get_room_occupants.run(services, room, service))


@command("get_user_rooms")
def get_user_rooms(services: Services, user: str, host: str) -> list[str]:
    rooms, jid = services.parts.conference, account_or_none(user, host)
    if rooms is None or jid is None:  # nobody of that name is anywhere
        return []
    return [f"{name}@{rooms.domain}" for name in rooms.occupied(str(jid))]


@command("get_room_history")
def get_room_history(services: Services, room: str, service: str) -> list[tuple[str, str]]:
    rooms = conference(services, service)
    with refusing(room_unknown=ABSENT):
        return [(when, message) for when, message in rooms.history(room)]


# invitations


@command("send_direct_invitation", 1)
def send_direct_invitation(services: Services, room: str, service: str, password: str, reason: str, users: list[str]) -> bool:
    rooms = conference(services, service)
    invited = [str(address(user, "Malformed user JID")) for user in users]
    require_sendable(password, reason)
    password, reason = ("" if text in NOTHING else text for text in (password, reason))
    with refusing(room_unknown=NOT_FOUND):
        rooms.invite(room, invited, password, reason)
    return True


@command("send_direct_invitation")
def send_direct_invitation_v0(services: Services, room: str, service: str, password: str, reason: str, users: str) -> bool:
    done: bool = send_direct_invitation.run(services, room, service, password, reason, [user for user in users.split(":") if user])
    return done


COMMANDS = (
    set_room_affiliation, set_room_affiliation_v0, get_room_affiliation, get_room_affiliations, get_room_affiliations_v0,
    get_room_occupants, get_room_occupants_number, get_user_rooms, get_room_history, send_direct_invitation, send_direct_invitation_v0,
)  # fmt: skip
