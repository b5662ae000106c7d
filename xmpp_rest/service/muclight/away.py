"""How does a process that does not own the link have its rooms changed? By the owner, so that each room has one order (decision 0007).

Only what the APIs ask for: what comes from the network reaches the owner anyway. Looking is done in every process.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any
from xml.etree.ElementTree import Element

from xmpp_rest.protocol.element import serialise
from xmpp_rest.protocol.jid import JID, parse_jid
from xmpp_rest.protocol.parse import parse_stored
from xmpp_rest.service.muclight.muclight import MucLight
from xmpp_rest.service.muclight.room import NewAffiliation

HaveDone = Callable[..., Any]
"""(name, keyword arguments) → the result; as `Siblings.have_done`."""


class RoomsAway:
    """Both ends: the methods of MucLight that call the owner, and `offers`, which the owner serves."""

    def __init__(self, rooms: MucLight, have_done: HaveDone) -> None:
        self._rooms = rooms
        self._have_done = have_done
        self.offers: dict[str, Callable[..., Any]] = {
            "room_create": self._do_create,
            "room_configure": self._do_configure,
            "room_add": self._do_add,
            "room_remove": self._do_remove,
            "room_say": self._do_say,
        }

    # asked by a peer

    def create(self, creator: JID, config: Mapping[str, str], others: Sequence[NewAffiliation], name: str) -> str:
        users = [[str(user), affiliation] for user, affiliation in others]
        made: str = self._have_done("room_create", creator=str(creator), config=dict(config), others=users, room=name)
        return made

    def configure(self, name: str, actor: JID, config: Mapping[str, str]) -> None:
        self._have_done("room_configure", room=name, actor=str(actor), config=dict(config))

    def add(self, name: str, actor: JID, user: JID) -> None:
        self._have_done("room_add", room=name, actor=str(actor), user=str(user))

    def remove(self, name: str, actor: JID, user: JID) -> None:
        self._have_done("room_remove", room=name, actor=str(actor), user=str(user))

    def say(self, name: str, sender: JID, message: Element) -> str:
        identifier: str = self._have_done("room_say", room=name, sender=str(sender), message=serialise(message))
        return identifier

    # done by the owner

    def _do_create(self, creator: str, config: dict[str, str], others: list[list[str]], room: str) -> str:
        changes = [NewAffiliation(parse_jid(user), affiliation) for user, affiliation in others]
        return self._rooms.create(parse_jid(creator), config, changes, name=room)

    def _do_configure(self, room: str, actor: str, config: dict[str, str]) -> None:
        self._rooms.configure(room, parse_jid(actor), config)

    def _do_add(self, room: str, actor: str, user: str) -> None:
        self._rooms.add(room, parse_jid(actor), parse_jid(user))

    def _do_remove(self, room: str, actor: str, user: str) -> None:
        self._rooms.remove(room, parse_jid(actor), parse_jid(user))

    def _do_say(self, room: str, sender: str, message: str) -> str:
        return self._rooms.say(room, parse_jid(sender), parse_stored(message))
