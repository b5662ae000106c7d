"""History of an account of another server, as the client API pages it (accounts-anywhere §7.4, client-api §6)."""

from __future__ import annotations

import time
from collections.abc import Callable
from xml.etree.ElementTree import Element

from drivers import ItemNotFound
from xmpp_rest.errors import GatewayError
from xmpp_rest.link.pending import jid_or_none
from xmpp_rest.protocol.jid import JID
from xmpp_rest.service.messages.archive import ArchivedMessage, ArchiveFilter
from xmpp_rest.service.sessions.history_page import HistoryItems
from xmpp_rest.service.sessions.server_archive import ServerArchive
from xmpp_rest.service.sessions.server_features import ServerFeatures
from xmpp_rest.service.sessions.server_query import MOST_ASKED
from xmpp_rest.threads.waits import Wait

MOST_PAGES = 20  # of an archive, for one request
SECONDS = 30.0  # for one request
MORE = 10  # items beyond those that are asked for, in the first page: some are not shown
_OTHER_TYPES = frozenset(("groupchat", "headline", "error"))
Fits = Callable[[Element], bool]
"""Whether a message is shown."""


class ForeignHistory:
    """Reads the archives of accounts at their own servers. `actor`: the address of an account, by whose session is asked."""

    def __init__(self, archive: ServerArchive, features: ServerFeatures, clock: Callable[[], float] = time.monotonic) -> None:
        """Any process may read."""
        self._archive = archive
        self._features = features
        self._clock = clock

    def messages(self, actor: JID, partner: JID | None, end: float | None, limit: int, fits: Fits) -> list[ArchivedMessage]:
        """The newest messages of one with another, the oldest first: `limit` of them, or somewhat more or fewer (`HistoryItems`).

        `partner`: with whom, None for anybody; `end`: Unix time in seconds, inclusive. Raises GatewayError: no-archive, server-refused,
        server-silent, where all of it takes longer than SECONDS, waits-full, and those of `Router.ask`.
        """
        if not self._features.of(actor).archive:
            raise GatewayError("no-archive")
        own = actor.bare

        def is_shown(stanza: Element) -> bool:
            return stanza.get("type") not in _OTHER_TYPES and is_with(stanza, own, partner) and fits(stanza)

        found = self.of_archive(actor, None, ArchiveFilter(partner=partner, end=end), limit, is_shown)
        for kept in found:
            if not kept.stanza.get("from"):  # RFC 6120 §8.1.2.1: what does not name its sender is of the account itself
                kept.stanza.set("from", str(own))
        return found

    def of_archive(self, actor: JID, at: JID | None, wanted: ArchiveFilter, limit: int, fits: Fits) -> list[ArchivedMessage]:
        """As `messages`, of the archive of `at`, such as a room; None: the account's own."""
        found = HistoryItems(limit, wanted.end, actor.bare, fits)
        before: str | None = None
        until = self._clock() + SECONDS
        for number in range(MOST_PAGES):
            asked = limit + MORE if number == 0 else MOST_ASKED
            further = ArchiveFilter(end=wanted.end, partner=wanted.partner, before=before)
            try:
                page = self._archive.page(actor, further, asked, newest=True, wait=Wait(max(0.0, until - self._clock())), at=at)
            except ItemNotFound as e:  # what the last page began with has been removed meanwhile, or there is no such archive
                if before is None:
                    raise GatewayError("no-archive") from e
                break
            found.add(page.items[::-1])
            if page.complete or not page.first or page.first == before:
                return found.shown(complete=True)
            if found.enough:
                break
            before = page.first
        return found.shown(complete=False)


def is_with(stanza: Element, own: JID, partner: JID | None) -> bool:
    """Whether this is a message of `own` with `partner`, who is one of its ends: any of its resources, or the one that is named."""
    if partner is None:
        return True
    sender = jid_or_none(stanza.get("from")) or own
    to = jid_or_none(stanza.get("to")) or sender.bare  # RFC 6120 §8.1.1.1
    if partner.resource:
        return partner in (sender, to)
    if partner == own:
        return sender.bare == to.bare == own
    return partner in (sender.bare, to.bare)
