"""The timeline of an account: its mail and what it heard in rooms on other servers, from two archives, in one order (rooms-anywhere §8.1).

The two are merged by time, which one clock gives them. Ids of what was heard begin with its time, so that a reader resumes after one
that has been removed since, as the oldest of a room are all the time.
"""

from __future__ import annotations

import re
import secrets
from heapq import merge
from typing import NamedTuple

from drivers import ItemNotFound
from xmpp_rest.protocol.jid import JID
from xmpp_rest.service.messages.archive import Archive, ArchivedMessage, ArchiveFilter

HEARD_STORE = "muc_heard"
"""The store of what was heard."""
HALF = 5e-7  # seconds: times are whole microseconds
_HEARD_ID = re.compile(r"(heard|own)-([0-9a-f]{14})-[0-9a-f]{8}")


class HeardId(NamedTuple):
    """The id of what was heard: when (Unix time), and whether it is the account's own message, as the room showed it."""

    when: float
    is_own: bool

    @classmethod
    def read(cls, identifier: str) -> HeardId | None:
        """What an id says; None for that of another archive."""
        found = _HEARD_ID.fullmatch(identifier)
        return cls(int(found[2], 16) / 1_000_000, found[1] == "own") if found else None

    def write(self) -> str:
        """A new id."""
        return f"{'own' if self.is_own else 'heard'}-{round(self.when * 1_000_000):014x}-{secrets.token_hex(4)}"


class AccountTimeline:
    """The timelines of all accounts. Methods raise StorageError."""

    def __init__(self, mail: Archive, heard: Archive) -> None:
        self._mail = mail
        self._heard = heard

    def last_id(self, owner: JID) -> str:
        """The id of the item that came last; "" if there is none."""
        newest = [
            self._mail.page(owner, ArchiveFilter(), 1, newest=True).items,
            self._heard.page(owner, ArchiveFilter(), 1, newest=True).items,
        ]
        return max((items[0] for items in newest if items), key=lambda kept: kept.when).id if any(newest) else ""

    def before(self, owner: JID, last: str, limit: int) -> list[str]:
        """The ids of the items before `last`, so many of each sort at most. Raises ItemNotFound, BadValue."""
        place = HeardId.read(last)
        mail = self._mail.page(owner, ArchiveFilter(end=place.when) if place else ArchiveFilter(before=last), limit, newest=True).items
        heard = self._heard.page(owner, ArchiveFilter(end=place.when if place else self._time(owner, last)), limit, newest=True).items
        return [kept.id for kept in (*mail, *heard)]

    def after(self, owner: JID, last: str, limit: int) -> list[ArchivedMessage]:
        """The first `limit` items after `last`; "": from the start. Raises ItemNotFound for an id that is not there."""
        place = HeardId.read(last)
        if place:
            later = ArchiveFilter(start=place.when + HALF)
            mail, heard = self._mail.page(owner, later, limit).items, self._heard.page(owner, later, limit).items
        else:
            start = self._time(owner, last) + HALF if last else None
            mail = self._mail.page(owner, ArchiveFilter(after=last or None), limit).items
            heard = self._heard.page(owner, ArchiveFilter(start=start), limit).items
        return list(merge(mail, heard, key=lambda kept: kept.when))[:limit]

    def _time(self, owner: JID, identifier: str) -> float:
        items = self._mail.page(owner, ArchiveFilter(ids=(identifier,)), 1).items
        if not items:
            raise ItemNotFound(identifier)
        return items[0].when
