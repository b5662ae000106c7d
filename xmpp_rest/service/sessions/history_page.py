"""Which messages of an archive make one page of history (accounts-anywhere §7.4)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from xml.etree.ElementTree import Element

from xmpp_rest.link.pending import jid_or_none
from xmpp_rest.protocol.jid import JID
from xmpp_rest.protocol.weight import weight
from xmpp_rest.service.messages.archive import ArchivedMessage

MOST_OF_A_SECOND = 500  # messages that are shown beyond the limit
MOST_BYTES = 16 << 20  # of what was found, after which no further page is asked for
APART = 60.0  # seconds between the two copies of a message to oneself, at most


class HistoryItems:
    """Takes what the pages of an archive hold, the newest first, until it is enough.

    Of an archive that keeps whole seconds a page holds all that it shows of a second, as the next one begins before that: the messages of
    the oldest second are left out where they are not all there, unless none were left; then all of that second are shown.
    """

    def __init__(self, limit: int, end: float | None, own: JID, fits: Callable[[Element], bool]) -> None:
        """`limit`: from 1 on; `end`: Unix time in seconds, inclusive; `own`: whose archive it is."""
        self._limit = limit
        self._end = end
        self._own = own
        self._fits = fits
        self._found: list[ArchivedMessage] = []
        self._copies: dict[tuple[str, str], int] = {}  # of messages to oneself that have been seen once: their places
        self._whole = True  # whether all times that were seen are whole seconds
        self._bytes = 0
        self._oldest = 0.0  # time of what came last, shown or not

    def add(self, items: Iterable[ArchivedMessage]) -> None:
        """Take the next ones."""
        for kept in items:
            self._whole = self._whole and kept.when == int(kept.when)
            self._oldest = kept.when
            if (self._end is None or kept.when <= self._end) and kept.stanza.tag == "message" and self._fits(kept.stanza):
                self._take(kept)

    def _take(self, kept: ArchivedMessage) -> None:
        """Keep it; of two copies of a message to oneself the older one, in which the next page cannot begin."""
        if self._is_to_oneself(kept.stanza):
            key = kept.stanza.get("id", ""), kept.stanza.findtext("body", "")
            place = self._copies.pop(key, None)
            if place is not None and self._found[place].when - kept.when <= APART:
                self._found[place] = kept
                return
            self._copies[key] = len(self._found)
        self._found.append(kept)
        self._bytes += weight(kept.stanza)

    def _is_to_oneself(self, stanza: Element) -> bool:
        sender = jid_or_none(stanza.get("from"))
        to = jid_or_none(stanza.get("to"))
        return (sender is None or sender.bare == self._own) and (to is None or to.bare == self._own) and stanza.get("type") != "groupchat"

    @property
    def enough(self) -> bool:
        """Whether nothing that comes would change the page, or all of this is too large for more."""
        found = self._found
        if self._bytes > MOST_BYTES:
            return True
        if len(found) <= self._limit:
            return False
        if not self._whole or self._second(0) != self._second(self._limit):
            return True
        return self._second(0) != int(self._oldest) or len(found) >= MOST_OF_A_SECOND

    def shown(self, *, complete: bool) -> list[ArchivedMessage]:
        """The page, the oldest first. `complete`: the archive has no more."""
        found, limit = self._found, self._limit
        if not self._whole or not found:
            return found[:limit][::-1]
        if len(found) > limit:
            cut = self._second(limit)  # of the newest that does not fit
        elif complete:
            return found[::-1]
        else:
            cut = int(self._oldest)  # more of this second may follow
        rest = [kept for kept in found[:limit] if int(kept.when) > cut]
        if not rest:
            rest = [kept for kept in found if int(kept.when) == cut][: max(MOST_OF_A_SECOND, limit)]
        return rest[::-1]

    def _second(self, place: int) -> int:
        return int(self._found[place].when)
