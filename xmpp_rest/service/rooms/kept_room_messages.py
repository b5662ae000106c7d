"""The last messages of each room that an actor is in, for resuming and reading (rooms-anywhere §8.1)."""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any
from xml.etree.ElementTree import Element

from drivers import ArchiveItem, Driver, ItemNotFound, Table
from xmpp_rest.link.pending import jid_or_none
from xmpp_rest.protocol.jid import JID
from xmpp_rest.protocol.namespaces import CHAT_STATES, DELAY, HINTS, NICK, OCCUPANT_ID, OLD_DELAY, STANZA_ID
from xmpp_rest.service.messages.archive import Archive, ArchiveFilter, Page
from xmpp_rest.service.streams.timeline import HALF, HeardId

log = logging.getLogger("xmpp_rest.rooms")

ROOMS_STORE = "muc_heard_rooms"
"""The store of the rooms of which an actor has messages: room → since when the membership is over (Unix time); 0: it is not."""
AFTERWARDS = 30 * 86400.0
"""Seconds that messages are kept after the end of the membership."""
MAX_COUNTED = 10_000  # rooms whose messages are counted in memory; of others the storage is asked again
SLACK = 8  # this part of `keep` comes in between two removals, as each of them waits for the disk

_NEVER = frozenset(f"{{{HINTS}}}{hint}" for hint in ("no-store", "no-permanent-store"))
_ABOUT = tuple(f"{{{namespace}}}" for namespace in (CHAT_STATES, STANZA_ID, OCCUPANT_ID, HINTS, DELAY, OLD_DELAY, NICK))
"""Namespaces of what says nothing by itself."""


def is_kept(message: Element) -> bool:
    """Whether a message of a room is kept: it says more than a chat state, and has no hint against it (XEP-0334)."""
    if any(element.tag in _NEVER for element in message):
        return False
    return any(element.tag != "thread" and not element.tag.startswith(_ABOUT) for element in message)


class KeptRoomMessages:
    """In all processes; only the leader adds and removes. Methods raise StorageError."""

    def __init__(self, archive: Archive, driver: Driver, keep: int) -> None:
        """`keep`: messages of each room of each actor; 0: none."""
        self._archive = archive
        self._driver = driver
        self._keep = keep
        self._slack = keep // SLACK
        self._counts: OrderedDict[tuple[JID, JID], int] = OrderedDict()
        self._lock = threading.Lock()  # guards the counts

    @property
    def keeps(self) -> bool:
        """Whether anything is kept."""
        return self._keep > 0

    def add(self, items: Mapping[JID, Sequence[ArchiveItem]]) -> list[Exception | None]:
        """Keep these of each actor, in order, with one commit; the error of each actor, or None. Raises nothing."""
        return self._archive.keep_all(items)

    def prune(self, actor: JID, room: JID, added: int) -> None:
        """Remove what is too old, after so many were added to a room."""
        key = (actor, room)
        with self._lock:
            known = self._counts.get(key)
        if known is None:
            self._note(actor, room)
            count = self._archive.count(actor, ArchiveFilter(partner=room)) or 0
        else:
            count = known + added
        if count > self._keep + self._slack:
            count -= self._archive.remove(actor, ArchiveFilter(partner=room), count - self._keep)
        with self._lock:
            self._counts[key] = count
            self._counts.move_to_end(key)
            if len(self._counts) > MAX_COUNTED:
                self._counts.popitem(last=False)

    def find(self, actor: JID, room: JID, limit: int, *, before: str | None = None, after: str | None = None) -> Page:
        """The newest messages of a room, those before an id, or the oldest after one; oldest first.

        `complete`: there are no more in that direction. An id may be of a message that is gone. Raises ItemNotFound for any other text.
        """
        wanted = ArchiveFilter(partner=room, start=self._oldest(actor, room))
        if before is not None:
            wanted = replace(wanted, end=_time(before) - HALF)
        if after is not None:
            wanted = replace(wanted, start=max(wanted.start or 0.0, _time(after) + HALF))
        return self._archive.page(actor, wanted, limit, newest=after is None)

    def own_messages(self, actor: JID, room: JID, limit: int) -> list[Element]:
        """The own messages among the newest `limit` of a room, oldest first."""
        page = self.find(actor, room, limit)
        return [kept.stanza for kept in page.items if (said := HeardId.read(kept.id)) and said.is_own]

    def expire(self, now: float, holds: Callable[[JID, JID], bool], domain: str) -> int:
        """Remove what was kept of rooms whose memberships ended AFTERWARDS ago; the number of these rooms.

        `holds`: whether an actor has a membership, and then it has not ended. Called in the leader.
        """
        users: list[str | None] = [None, *self._driver.users(domain, ROOMS_STORE)]
        return sum(self._expire(JID(user or "", domain, ""), now, holds) for user in users)

    def removed(self, actor: JID) -> None:
        """The account and all that it kept has been removed."""
        with self._lock:
            for key in [key for key in self._counts if key[0] == actor]:
                del self._counts[key]

    def _expire(self, actor: JID, now: float, holds: Callable[[JID, JID], bool]) -> int:
        rooms = _as_dict(self._driver.load(actor.local or None, actor.domain, ROOMS_STORE))
        ended: dict[str, float] = {}
        for name, since in rooms.items():
            room = jid_or_none(name)
            if room is None or not holds(actor, room):
                ended[name] = since if isinstance(since, int | float) and since > 0 else now
        over = [name for name, since in ended.items() if since + AFTERWARDS <= now]
        for name in over:
            self._forget(actor, name)
        changed = {name: ended.get(name, 0) for name in rooms if name not in over}
        if changed != rooms:
            self._driver.update(actor.local or None, actor.domain, ROOMS_STORE, lambda table: _merged(table, changed, over))
        return len(over)

    def _forget(self, actor: JID, name: str) -> None:
        if (room := jid_or_none(name)) is None:  # another program has written it
            return
        self._archive.remove(actor, ArchiveFilter(partner=room))
        with self._lock:
            self._counts.pop((actor, room), None)

    def _note(self, actor: JID, room: JID) -> None:
        """Have it known that there are messages of a room, whose membership has not ended."""
        self._driver.update(actor.local or None, actor.domain, ROOMS_STORE, lambda table: _as_dict(table) | {str(room): 0})

    def _oldest(self, actor: JID, room: JID) -> float | None:
        """The time of the oldest message that is still kept, where some more are; None: all are kept."""
        if not self._slack:
            return None
        over = (self._archive.count(actor, ArchiveFilter(partner=room)) or 0) - self._keep
        if over <= 0:
            return None
        return self._archive.page(actor, ArchiveFilter(partner=room), over).items[-1].when + HALF


def _time(identifier: str) -> float:
    if (place := HeardId.read(identifier)) is None:
        raise ItemNotFound(identifier)
    return place.when


def _as_dict(table: Table | None) -> dict[str, Any]:
    return table if isinstance(table, dict) else {}


def _merged(table: Table | None, changed: dict[str, Any], over: Sequence[str]) -> dict[str, Any]:
    """The table with these values, and what was written since it was read."""
    return {name: changed.get(name, since) for name, since in _as_dict(table).items() if name not in over}
