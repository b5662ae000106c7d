"""Offline messages: kept for accounts without a session until they have one (RFC 6121 §8.5.2.2; Prosody's store `offline`)."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from xml.etree.ElementTree import Element

from drivers import ArchiveItem, Driver
from xmpp_rest.gateway.events import Events
from xmpp_rest.protocol.datetimes import parse_datetime
from xmpp_rest.protocol.jid import JID
from xmpp_rest.protocol.namespaces import DELAY, HINTS
from xmpp_rest.protocol.parse import parse_stored
from xmpp_rest.service.messages.archive import EVERYTHING, Archive, ArchiveFilter
from xmpp_rest.service.streams.online import Online

OFFLINE = "offline"
PAGE = 200  # messages that are read together
_NEVER = tuple(f"{{{HINTS}}}{hint}" for hint in ("no-store", "no-permanent-store"))
_EXPIRE = "{jabber:x:expire}x"  # XEP-0023
_LIVE_ONLY = frozenset(("groupchat", "headline", "error"))


def is_storable(message: Element) -> bool:
    """Whether a message is stored for offline accounts: chat or normal, not empty, and without a hint against it."""
    return len(message) > 0 and message.get("type") not in _LIVE_ONLY and all(message.find(hint) is None for hint in _NEVER)


class Offline:
    """The offline messages of the accounts of `domain`. Methods raise StorageError."""

    def __init__(self, driver: Driver, domain: str, online: Online, events: Events) -> None:
        self._driver = driver
        self._domain = domain
        self._archive = Archive(driver, OFFLINE)
        self._online = online
        events.came_online.subscribe(self.clear)

    def store(self, owner: JID, message: Element, sender: JID, text: Callable[[Element], str]) -> None:
        """Store a message to an account without a session; `text` serialises it."""
        if is_storable(message) and not self._online.is_online(owner):
            self._archive.keep(owner, text(message), time.time(), sender)

    def store_all(self, messages: Iterable[tuple[JID, Element, ArchiveItem]]) -> dict[JID, Exception]:
        """As `store` for each of these, which are archived already, with one commit; the errors, by owner."""
        items: dict[JID, list[ArchiveItem]] = {}
        for owner, message, archived in messages:
            if is_storable(message) and not self._online.is_online(owner):
                items.setdefault(owner, []).append(replace(archived, id=str(uuid.uuid4()), when=time.time()))
        errors = self._archive.keep_all(items) if items else []
        return {owner: error for owner, error in zip(items, errors, strict=True) if error is not None}

    def count(self, owner: JID) -> int:
        """The number of stored messages."""
        return self._archive.count(owner, EVERYTHING) or 0

    def clear(self, owner: JID) -> None:
        """Remove the messages of an account that has a session again, and can read its archive."""
        if self._archive.last_id(owner):
            self._archive.remove(owner, EVERYTHING)

    def delete_old(self, owner: JID, before: float) -> int:
        """Remove the messages of one account from before a Unix time; their number."""
        return self._archive.remove(owner, ArchiveFilter(end=before))

    def owners(self) -> Iterator[JID]:
        """The accounts with stored messages."""
        return self._archive.owners(self._domain)

    def delete_some(self, owner: JID, before: float, limit: int) -> int:
        """Remove the oldest messages of one account, so many at most; their number."""
        return self._archive.remove(owner, ArchiveFilter(end=before), limit)

    def delete_expired(self, owner: JID) -> int:
        """Remove the expired messages of one account (XEP-0023); their number."""
        ids = self._expired(owner)
        return self._archive.remove(owner, ArchiveFilter(ids=ids)) if ids else 0

    def _expired(self, owner: JID) -> tuple[str, ...]:
        now = time.time()
        items = self._driver.archive_find(owner.local, owner.domain, OFFLINE)
        marked = [item for item in items if _EXPIRE[1:-2] in item.stanza]
        return tuple(item.id for item in marked if (end := _end(parse_stored(item.stanza), item.when)) is not None and end < now)


def _end(message: Element, came: float) -> float | None:
    """Unix time at which a message expires; None if it does not."""
    expire = message.find(_EXPIRE)
    seconds = expire.get("seconds", "") if expire is not None else ""
    if not (seconds.isascii() and seconds.isdigit() and len(seconds) < 12):
        return None
    delay = message.find(f"{{{DELAY}}}delay")
    try:
        sent = parse_datetime(delay.get("stamp", "")) if delay is not None else came
    except ValueError:
        sent = came
    return sent + int(seconds)
