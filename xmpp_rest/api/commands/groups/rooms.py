"""Rooms: make and unmake them, list them, set their options (commands-api §12)."""

from __future__ import annotations

import re

from xmpp_rest.api.commands.errors import internal_error, rejected
from xmpp_rest.api.commands.registry import command
from xmpp_rest.api.commands.room_options import Given, read
from xmpp_rest.api.commands.room_service import conference, conferences, refusing, require_no_bot
from xmpp_rest.api.commands.services import Services
from xmpp_rest.api.commands.texts import require_sendable
from xmpp_rest.errors import GatewayError
from xmpp_rest.protocol.jid import parse_jid
from xmpp_rest.service.muc.pattern import search

MAX_PATTERN = 1000  # characters of a regular expression
ABSENT = "Room doesn't exists"  # COMPAT ejabberd: spelled so
UNLOGGABLE = ("logging", "true")  # COMPAT ejabberd: not done where nobody writes logs of rooms
MAX_DAYS = 1_000_000  # further back than any clock


@command("create_room")
def create_room(services: Services, room: str, service: str, host: str) -> bool:
    return _create(services, room, service, host, [])


@command("create_room_with_opts")
def create_room_with_opts(services: Services, room: str, service: str, host: str, options: list[tuple[str, str]]) -> bool:
    return _create(services, room, service, host, options)


def _create(services: Services, room: str, service: str, host: str, options: Given) -> bool:
    services.require_host(host)
    rooms = conference(services, service)
    given = read(options)
    require_sendable(*given.options.values(), *(nick for _, nick, _ in given.subscribers))
    require_no_bot(services, [parse_jid(user) for user, _, _ in given.subscribers])
    with refusing(room_exists="Room already exists", bad_room_name="Invalid value of room name"):
        rooms.create(room, given.options, given.affiliations, given.subscribers)
    return True


def is_kept(services: Services, room: str, service: str) -> bool:
    """Whether this room is there, and stays when the gateway ends."""
    return conference(services, service).options(room)["persistent"] == "true"


@command("destroy_room")
def destroy_room(services: Services, room: str, service: str) -> bool:
    rooms = conference(services, service)
    with refusing(room_unknown=ABSENT):
        rooms.destroy(room, "", False)
    return True


# options


@command("change_room_option")
def change_room_option(services: Services, room: str, service: str, option: str, value: str) -> bool:
    rooms = conference(services, service)
    require_sendable(value)
    done = (option, value) != UNLOGGABLE
    with refusing(room_unknown="Room not found"):
        if done:
            rooms.set_option(room, option, value)
        else:
            rooms.options(room)  # is there such a room?
    return done


@command("get_room_options")
def get_room_options(services: Services, room: str, service: str) -> list[tuple[str, str]]:
    rooms = conference(services, service)
    try:
        return list(rooms.options(room).items())
    except GatewayError as e:
        if e.name == "room-unknown":
            return []
        raise


# lists


@command("muc_online_rooms")
def muc_online_rooms(services: Services, service: str) -> list[str]:
    return [f"{name}@{rooms.domain}" for rooms in conferences(services, service) for name in rooms.names()]


@command("muc_online_rooms_count")
def muc_online_rooms_count(services: Services, service: str) -> int:
    return sum(len(rooms.names()) for rooms in conferences(services, service))


@command("muc_online_rooms_by_regex")
def muc_online_rooms_by_regex(services: Services, service: str, regex: str) -> list[tuple[str, str, int]]:
    found = conferences(services, service)
    try:
        for rooms in found:
            search(regex if len(regex) <= MAX_PATTERN else "(", rooms.names())
    except (re.error, RecursionError, OverflowError) as e:
        raise internal_error(f"regex: no regular expression of at most {MAX_PATTERN} characters: {e}") from e  # COMPAT ejabberd
    return [(f"{name}@{rooms.domain}", public, crowd) for rooms in found for name, public, crowd in rooms.matching(regex)]


# rooms that nobody needs


def _unused(services: Services, service: str, days: int, destroy: str = "") -> list[str]:
    """Those unused for so many days; destroyed, where `destroy` is "loudly" or "quietly"."""
    if days < 0:
        raise rejected("Invalid number of days")
    found = [(rooms, name) for rooms in conferences(services, service) for name in rooms.unused(min(days, MAX_DAYS))]
    for rooms, name in found if destroy else ():
        with refusing(room_unknown=ABSENT):
            rooms.destroy(name, "", destroy == "quietly")
    return [f"{name}@{rooms.domain}" for rooms, name in found]


@command("rooms_unused_list")
def rooms_unused_list(services: Services, service: str, days: int) -> list[str]:
    return _unused(services, service, days)


@command("rooms_unused_destroy")
def rooms_unused_destroy(services: Services, service: str, days: int) -> list[str]:
    return _unused(services, service, days, "loudly")


@command("rooms_unused_destroy_skip_notifications")
def rooms_unused_destroy_skip_notifications(services: Services, service: str, days: int) -> list[str]:
    return _unused(services, service, days, "quietly")


@command("rooms_empty_list")
def rooms_empty_list(services: Services, service: str) -> list[str]:
    return [f"{name}@{rooms.domain}" for rooms in conferences(services, service) for name in rooms.empty()]


@command("rooms_empty_destroy")
def rooms_empty_destroy_v0(services: Services, service: str) -> list[str]:
    found = [(rooms, name) for rooms in conferences(services, service) for name in rooms.empty()]
    for rooms, name in found:
        with refusing(room_unknown=ABSENT):
            rooms.destroy(name, "", False)
    return [f"{name}@{rooms.domain}" for rooms, name in found]


@command("rooms_empty_destroy", 2)
def rooms_empty_destroy(services: Services, service: str) -> str:
    destroyed: list[str] = rooms_empty_destroy_v0.run(services, service)
    return f"Destroyed rooms: {len(destroyed)}"


COMMANDS = (
    create_room, create_room_with_opts, destroy_room, change_room_option, get_room_options, muc_online_rooms, muc_online_rooms_count,
    muc_online_rooms_by_regex, rooms_unused_list, rooms_unused_destroy, rooms_unused_destroy_skip_notifications, rooms_empty_list,
    rooms_empty_destroy_v0, rooms_empty_destroy,
)  # fmt: skip
