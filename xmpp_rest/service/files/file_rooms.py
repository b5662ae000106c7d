"""Which recipients of a file are rooms, and whether these let the sender speak, before the file comes (files §2.2, §2.3)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from xmpp_rest.protocol.jid import JID
from xmpp_rest.service.files.messages import GROUPCHAT, FileRecipient

CHAT = "chat"


class RoomKnowledge(Protocol):
    """What is known of rooms, in any process."""

    def are_rooms(self, sender: JID, addresses: Sequence[JID]) -> list[bool]:
        """Whether each of these bare addresses, none of which is hosted, is a room; asks for at most some seconds."""

    def enter(self, sender: JID, rooms: Sequence[JID], nick: str) -> list[Exception | None]:
        """Have the sender be in each of these rooms; why it cannot be. `nick`: "" for the default one."""


class FileRooms:
    """Decides on the type of the messages, and enters rooms."""

    def __init__(self, hosted: frozenset[str], room_domains: frozenset[str], rooms: RoomKnowledge | None) -> None:
        """`hosted`: all domains of the gateway; `room_domains`: those of rooms; `rooms`: None without a link."""
        self._hosted = hosted
        self._room_domains = room_domains
        self._rooms = rooms

    def recipients(self, sender: JID, to: Sequence[JID], kind: str, nick: str) -> list[FileRecipient]:
        """The recipients, with the type of their messages (`kind` if it is not empty), and whether a room has refused."""
        kinds = self._kinds(sender, to, kind)
        found = [FileRecipient(address, kinds[address]) for address in to]
        rooms = [one.to for one in found if self._is_elsewhere(one)]
        if not rooms or self._rooms is None:
            return found
        refused = dict(zip(rooms, self._rooms.enter(sender, rooms, nick), strict=True))
        return [one._replace(refused=refused.get(one.to)) for one in found]

    def _is_elsewhere(self, one: FileRecipient) -> bool:
        to = one.to
        return one.type == GROUPCHAT and bool(to.local) and not to.resource and to.domain not in self._hosted

    def _kinds(self, sender: JID, to: Sequence[JID], kind: str) -> dict[JID, str]:
        if kind:
            return dict.fromkeys(to, kind)
        kinds = {jid: GROUPCHAT if jid.domain in self._room_domains and jid.local and not jid.resource else CHAT for jid in to}
        asked = [jid for jid in to if jid.local and not jid.resource and jid.domain not in self._hosted]
        if asked and self._rooms is not None:
            are_rooms = self._rooms.are_rooms(sender, asked)
            kinds |= {jid: GROUPCHAT for jid, is_room in zip(asked, are_rooms, strict=True) if is_room}
        return kinds
