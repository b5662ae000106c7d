"""Subscriptions to rooms (commands-api §10, §12)."""

from __future__ import annotations

import re

from xmpp_rest.api.commands.errors import rejected
from xmpp_rest.api.commands.registry import command
from xmpp_rest.api.commands.room_service import account_or_none, address, conference, refusing, require_no_bot, user_at
from xmpp_rest.api.commands.services import Services
from xmpp_rest.protocol.jid import JID
from xmpp_rest.service.muc.conference import Conference

MAX_USERS = 50
BAD_ROOM, BAD_USER = "Malformed room JID", "Malformed user JID"
ABSENT = "The room does not exist"  # COMPAT ejabberd: here without a full stop
TEXTS = {
    "room_unknown": ABSENT,
    "room_banned": "You have been banned from this room",
    "subscriptions_off": "Subscriptions are not allowed",
    "nick_taken": "That nickname is already in use by another occupant",
    "bad_nick": "Nickname must be set",
}


def _split(nodes: str) -> list[str]:
    return [node for node in re.split(r"[ \t]*,[ \t]*", nodes.strip(" \t")) if node]


def _parse(room: str, user: str) -> tuple[JID, JID]:
    """The addresses of a room and of a user, judged in this order. Raises CommandFailure."""
    where = address(room, BAD_ROOM)
    if not where.local:
        raise rejected(BAD_ROOM)
    return where, address(user, BAD_USER)


def _service(services: Services, where: JID) -> Conference:
    """The service that a room's address names. Raises CommandFailure."""
    rooms = services.parts.conference
    if rooms is None or where.domain != rooms.domain:
        raise rejected(ABSENT)
    return rooms


def _subscribe(services: Services, rooms: Conference, room: str, user: JID, nick: str, nodes: list[str]) -> list[str]:
    require_no_bot(services, (user,))
    with refusing(**TEXTS):
        return rooms.subscribe(room, str(user.bare), nick, nodes)


def _require_nick(nick: str) -> None:
    if not nick:
        raise rejected("Nickname must be set")


@command("subscribe_room", 3)
def subscribe_room(services: Services, user: str, host: str, nick: str, room: str, service: str, nodes: list[str]) -> list[str]:
    _require_nick(nick)
    rooms = conference(services, service)
    _require_room(rooms, room)
    return _subscribe(services, rooms, room, user_at(user, host, BAD_USER), nick, nodes)


def _require_room(rooms: Conference, room: str) -> None:
    user_at(room, rooms.domain, BAD_ROOM)


@command("subscribe_room", 1)
def subscribe_room_v1(services: Services, user: str, nick: str, room: str, nodes: list[str]) -> list[str]:
    _require_nick(nick)
    where, jid = _parse(room, user)
    return _subscribe(services, _service(services, where), where.local, jid, nick, nodes)


@command("subscribe_room")
def subscribe_room_v0(services: Services, user: str, nick: str, room: str, nodes: str) -> list[str]:
    done: list[str] = subscribe_room_v1.run(services, user, nick, room, _split(nodes))
    return done


def _require_few(users: list[tuple[str, ...]]) -> None:
    if len(users) > MAX_USERS:
        raise rejected("Too many users in subscribe_room_many command")


@command("subscribe_room_many", 3)
def subscribe_room_many(services: Services, users: list[tuple[str, ...]], room: str, service: str, nodes: list[str]) -> bool:
    _require_few(users)
    for user, host, nick in users:
        subscribe_room.run(services, user, host, nick, room, service, nodes)
    return True


@command("subscribe_room_many", 1)
def subscribe_room_many_v1(services: Services, users: list[tuple[str, ...]], room: str, nodes: list[str]) -> bool:
    _require_few(users)
    for jid, nick in users:
        subscribe_room_v1.run(services, jid, nick, room, nodes)
    return True


@command("subscribe_room_many")
def subscribe_room_many_v0(services: Services, users: list[tuple[str, ...]], room: str, nodes: str) -> bool:
    done: bool = subscribe_room_many_v1.run(services, users, room, _split(nodes))
    return done


@command("unsubscribe_room", 3)
def unsubscribe_room(services: Services, user: str, host: str, room: str, service: str) -> bool:
    rooms = conference(services, service)
    _require_room(rooms, room)
    return _unsubscribe(rooms, room, user_at(user, host, BAD_USER))


@command("unsubscribe_room")
def unsubscribe_room_v0(services: Services, user: str, room: str) -> bool:
    where, jid = _parse(room, user)
    return _unsubscribe(_service(services, where), where.local, jid)


def _unsubscribe(rooms: Conference, room: str, user: JID) -> bool:
    with refusing(**TEXTS):
        rooms.unsubscribe(room, str(user.bare))
    return True


@command("get_subscribers")
def get_subscribers(services: Services, room: str, service: str) -> list[str]:
    rooms = conference(services, service)
    with refusing(room_unknown=ABSENT):
        return rooms.subscribers(room)


@command("get_user_subscriptions")
def get_user_subscriptions(services: Services, user: str, host: str) -> list[tuple[str, str, list[str]]]:
    rooms, jid = services.parts.conference, account_or_none(user, host)
    if rooms is None or jid is None:  # nobody of that name subscribes to anything
        return []
    return [(f"{name}@{rooms.domain}", nick, nodes) for name, nick, nodes in rooms.subscriptions(str(jid))]


COMMANDS = (
    subscribe_room, subscribe_room_v1, subscribe_room_v0, subscribe_room_many, subscribe_room_many_v1, subscribe_room_many_v0,
    unsubscribe_room, unsubscribe_room_v0, get_subscribers, get_user_subscriptions,
)  # fmt: skip
