"""What accounts elsewhere have heard in rooms, in memory, as long as their sessions: nothing of it is archived here."""

from __future__ import annotations

import threading
from collections import OrderedDict, deque
from itertools import islice
from typing import Any

from xmpp_rest.protocol.element import serialise
from xmpp_rest.protocol.jid import JID, parse_jid
from xmpp_rest.protocol.parse import parse_stored
from xmpp_rest.service.messages.archive import ArchivedMessage, Page
from xmpp_rest.service.rooms.stable_id import keys_of
from xmpp_rest.service.streams.timeline import HeardId

BYTES = 128 << 10  # of the messages of one account, as text: the oldest go
MOST = 10_000  # accounts: what comes in while a session ends may stay
OVERHEAD = 2048  # bytes that a message takes in memory beside its text, about
Row = list[Any]


class _Heard:
    """What one account has heard, in order."""

    def __init__(self) -> None:
        self.messages: deque[tuple[JID, ArchivedMessage, int]] = deque()
        self._size = 0

    def add(self, room: JID, message: ArchivedMessage, size: int) -> None:
        """Another one, which takes the place of the oldest."""
        self.messages.append((room, message, size))
        self._size += size
        while self._size > BYTES:
            self._size -= self.messages.popleft()[2]


class SessionHistory:
    """Safe to be used by several threads. In the leader."""

    def __init__(self, keep: int) -> None:
        """`keep`: messages of one room of one account at most."""
        self._keep = keep
        self._of: OrderedDict[JID, _Heard] = OrderedDict()
        self._lock = threading.Lock()

    def add(self, actor: JID, room: JID, message: ArchivedMessage, size: int) -> None:
        """Keep a message. `size`: of its text, in bytes."""
        size += OVERHEAD
        if size > BYTES or not self._keep:
            return
        with self._lock:
            self._of.setdefault(actor, _Heard()).add(room, message, size)
            if len(self._of) > MOST:
                self._of.popitem(last=False)

    def knows(self, actor: JID, room: JID, message: ArchivedMessage) -> bool:
        """Whether it is kept already: a room may tell its past again."""
        keys = keys_of(message.stanza, room)
        return any(not keys.isdisjoint(keys_of(kept.stanza, room)) for kept in self._all(actor, room))

    def find(self, actor: JID, room: JID, limit: int, before: str | None = None, after: str | None = None) -> Page | None:
        """As `KeptRoomMessages.find`; None for an id that cannot be of a message here."""
        found = self._all(actor, room)
        for identifier, is_wanted in ((before, _is_before), (after, _is_after)):
            if identifier is not None:
                if (place := HeardId.read(identifier)) is None:
                    return None
                found = [kept for kept in found if is_wanted(kept.when, place.when)]
        if after is not None:
            return Page(found[:limit], len(found) <= limit)
        return Page(found[-limit:], len(found) <= limit)

    def rows(self, actor: JID) -> list[Row]:
        """All that the account has heard, in order, as another process keeps it on."""
        with self._lock:
            heard = self._of.get(actor)
            found = list(heard.messages) if heard is not None else []
        return [[str(room), message.id, message.when, serialise(message.stanza)] for room, message, _ in found]

    def restore(self, actor: JID, row: Row) -> None:
        """Keep what another process has kept. Raises whatever a row that is none makes it raise."""
        room, identifier, when, text = row
        self.add(actor, parse_jid(room), ArchivedMessage(identifier, when, parse_stored(text)), len(text))

    def forget(self, actor: JID) -> None:
        """The session has ended."""
        with self._lock:
            self._of.pop(actor, None)

    def _all(self, actor: JID, room: JID) -> list[ArchivedMessage]:
        with self._lock:
            heard = self._of.get(actor)
            newest = (kept for at, kept, _ in reversed(heard.messages if heard is not None else ()) if at == room)
            return list(islice(newest, self._keep))[::-1]


def _is_before(when: float, place: float) -> bool:
    return when < place


def _is_after(when: float, place: float) -> bool:
    return when > place
