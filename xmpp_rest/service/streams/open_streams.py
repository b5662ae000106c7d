"""The event streams that are open in this process, up to its bounds."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from typing import NamedTuple

from xmpp_rest.config.table import StreamSettings
from xmpp_rest.metrics.counts import Counts
from xmpp_rest.protocol.jid import JID
from xmpp_rest.service.streams.directory import Listing
from xmpp_rest.service.streams.stream import Stream
from xmpp_rest.threads.waits import Waits


class Reader(NamedTuple):
    """What is known of the reader of a stream: whether it has left, where that is asked, whether it holds a thread, and by which API."""

    gone: Callable[[], bool]
    holds_thread: bool
    api: str


class OpenStreams:
    """By their owners. Safe to be used by several threads."""

    def __init__(self, bounds: StreamSettings, waits: Waits, counts: Counts, listing: Listing) -> None:
        """`waits`: counts the streams whose readers hold a thread; `listing`: what all processes know of these streams."""
        self._total = bounds.total
        self.per_owner = bounds.per_account
        self._waits = waits
        self._counts = counts
        self._listing = listing
        self._readers: dict[JID, dict[Stream, Reader]] = {}
        self.count = 0
        """How many there are."""
        self._lock = threading.Lock()  # guards the two above

    def __contains__(self, owner: JID) -> bool:
        return owner in self._readers

    def has(self, stream: Stream) -> bool:
        """Whether this one is open."""
        return stream in self._readers.get(stream.owner, ())

    def of(self, owner: JID) -> list[Stream]:
        """Those of one owner."""
        return list(self._readers.get(owner, ()))

    def count_of(self, owner: JID) -> int:
        """How many one owner has."""
        return len(self._readers.get(owner, ()))

    def all(self) -> list[Stream]:
        """All of them; one that is just being added may be missing."""
        return [stream for readers in tuple(self._readers.values()) for stream in tuple(readers)]

    def all_now(self) -> list[Stream]:
        """All of them, also one that is just being added."""
        with self._lock:
            return self.all()

    def count_by_api(self) -> Counter[str]:
        """How many there are, by API."""
        return Counter(reader.api for readers in tuple(self._readers.values()) for reader in tuple(readers.values()))

    def add(self, stream: Stream, reader: Reader) -> tuple[bool, list[Stream]]:
        """Add a stream: whether there was room for it, and which streams, whose readers have left, were removed to make some."""
        with self._lock:
            if self._try_add(stream, reader):
                return True, []
            is_full = self.count >= self._total or (reader.holds_thread and self._waits.full)
            left = self._remove_gone(None if is_full else stream.owner)
            return self._try_add(stream, reader), left

    def _try_add(self, stream: Stream, reader: Reader) -> bool:
        readers = self._readers.get(stream.owner, {})
        if len(readers) >= self.per_owner or self.count >= self._total or (reader.holds_thread and not self._waits.try_acquire()):
            return False
        self._readers.setdefault(stream.owner, readers)[stream] = reader
        self.count += 1
        self._listing.put(stream.described)
        return True

    def add_no_more(self) -> None:
        """There is no room any more."""
        self._total = 0

    def remove_gone(self, owner: JID | None) -> list[Stream]:
        """Remove the streams whose readers have left, of one owner or all."""
        with self._lock:
            return self._remove_gone(owner)

    def _remove_gone(self, owner: JID | None) -> list[Stream]:
        some = [self._readers.get(owner, {})] if owner else self._readers.values()
        left = [stream for readers in some for stream, reader in readers.items() if reader.gone()]
        for stream in left:
            self._remove(stream)
        return left

    def remove(self, stream: Stream) -> bool:
        """Remove a stream; whether it was there."""
        with self._lock:
            return self._remove(stream)

    def _remove(self, stream: Stream) -> bool:
        readers = self._readers.get(stream.owner, {})
        reader = readers.pop(stream, None)
        if reader is None:
            return False
        if not readers:
            del self._readers[stream.owner]
        self.count -= 1
        self._counts.stream_ended(stream.ended_as)
        self._listing.remove(stream.described.jid)
        if reader.holds_thread:
            self._waits.release()
        return True
