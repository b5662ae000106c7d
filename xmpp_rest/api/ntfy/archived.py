"""The topic of an account: the messages that it has received, from its archive and as they come (hooks §13.3)."""

from __future__ import annotations

from collections.abc import Iterator
from xml.etree.ElementTree import Element

from drivers import ItemNotFound
from xmpp_rest.api.ntfy.since import From, Since
from xmpp_rest.protocol.jid import JID
from xmpp_rest.service.hooks.published import PublishedMessage, short_id
from xmpp_rest.service.messages.archive import Archive, ArchivedMessage, ArchiveFilter
from xmpp_rest.service.streams.registry import Event

MOST = 200  # messages of one poll
PAGE = 100
SEARCHED = 10_000  # newest items among which that of an id is looked for


def is_shown(stanza: Element) -> bool:
    """Whether a stanza is a message with a text."""
    return stanza.tag == "message" and stanza.get("type") != "error" and bool(stanza.findtext("body"))


def is_incoming(event: Event) -> bool:
    """Whether an event is for readers of the account's topic."""
    return not event.sent and not event.room and is_shown(event.stanza)


def as_message(identifier: str, when: float, stanza: Element) -> PublishedMessage:
    """The stanza as a message of a topic; its title is the sender's address."""
    return PublishedMessage(short_id(identifier), when, {"title": stanza.get("from", ""), "message": stanza.findtext("body") or ""})


class AccountMessages:
    """What an account has received. Methods raise StorageError."""

    def __init__(self, archive: Archive, owner: JID) -> None:
        self._archive = archive
        self._owner = owner

    def poll(self, since: Since, now: float) -> list[PublishedMessage]:
        """What is there: the newest MOST; after an id the oldest MOST, so that the next poll goes on."""
        if since.start is From.NONE:
            return []
        after = self.place(since, now) or None
        limit = 1 if since.start is From.LATEST else MOST
        newest = since.start is not From.ID
        start = since.time if since.start is From.TIME else None
        try:
            page = self._archive.page(self._owner, ArchiveFilter(after=after, start=start), limit, newest=newest, fits=self._is_received)
        except ItemNotFound:  # it was removed meanwhile, and so was all that came before
            page = self._archive.page(self._owner, ArchiveFilter(start=start), limit, newest=newest, fits=self._is_received)
        return [as_message(*kept) for kept in page.items]

    def place(self, since: Since, now: float) -> str | None:
        """The id in the archive after which a reader wants messages; "": from the start, None: from now on."""
        if since.start is From.NONE:
            return None
        if since.start is From.ID:
            return next((kept.id for kept in self._newest() if short_id(kept.id) == since.id), "")
        if since.start is From.TIME:
            return self._last(ArchiveFilter(end=since.time - 1e-6))
        if since.start is From.LATEST:
            latest = self._archive.page(self._owner, ArchiveFilter(), 1, newest=True, fits=self._is_received).items
            return self._last(ArchiveFilter(before=latest[0].id)) if latest else None
        return ""

    def _is_received(self, stanza: Element) -> bool:
        sender, to = stanza.get("from", "").partition("/")[0], stanza.get("to", "").partition("/")[0]
        return is_shown(stanza) and not (sender == str(self._owner) and to != str(self._owner))

    def _last(self, wanted: ArchiveFilter) -> str:
        try:
            items = self._archive.page(self._owner, wanted, 1, newest=True).items
        except ItemNotFound:
            return ""
        return items[0].id if items else ""

    def _newest(self) -> Iterator[ArchivedMessage]:
        """The items that came last, from the last one on; at most SEARCHED."""
        before: str | None = None
        for _ in range(SEARCHED // PAGE):
            try:
                page = self._archive.page(self._owner, ArchiveFilter(before=before), PAGE, newest=True)
            except ItemNotFound:
                return
            yield from reversed(page.items)
            if page.complete:
                return
            before = page.items[0].id
