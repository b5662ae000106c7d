"""Where streams begin in an account's archive, and pages of what they have missed (accounts-anywhere §7.3)."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from drivers import ItemNotFound
from xmpp_rest.errors import GatewayError
from xmpp_rest.link.pending import jid_or_none
from xmpp_rest.protocol.element import serialise
from xmpp_rest.protocol.jid import JID
from xmpp_rest.service.messages.archive import ArchiveFilter
from xmpp_rest.service.sessions.listening.archive_tail import PAGE, REMOVED, Ask, event_of, went_back
from xmpp_rest.service.sessions.listening.heard import is_sent, tellable
from xmpp_rest.service.sessions.server_features import AccountFeatures
from xmpp_rest.service.sessions.server_query import ServerPage
from xmpp_rest.service.streams.fed_stream import EventsPage, StreamPlace
from xmpp_rest.service.streams.stream import Event, StreamEnded

OnPlace = Callable[[StreamPlace | Exception], object]
OnEventsPage = Callable[[EventsPage | Exception], object]
PAGE_BYTES = 1 << 20  # of the events of one page: they go to another process as one message


class StreamPlaces:
    """Of one account. Methods are called by one thread at a time, and so is what they are given to call, once."""

    def __init__(
        self,
        account: JID,
        ask: Ask,
        learn: Callable[[Callable[[AccountFeatures | Exception], None]], None],
        newest: Callable[[str | None], object],
    ) -> None:
        """`learn`: tells what the server has for the account; `newest`: gets the id at the end of the archive, None without one."""
        self._account = account
        self._ask = ask
        self._learn = learn
        self._newest = newest
        self._features: AccountFeatures | None = None
        self._waiting: list[tuple[str | None, OnPlace]] = []  # places that wait for the features

    @property
    def may_have_archive(self) -> bool:
        """Whether messages may have ids: it is not known that there is no archive."""
        return self._features is None or self._features.archive

    def find(self, after: str | None, done: OnPlace) -> None:
        """Find the place after this id, or (None) at the end of the archive. `done` gets event-unknown for an id that is not known."""
        if self._features is not None:
            self._find(self._features, after, done)
            return
        self._waiting.append((after, done))
        if len(self._waiting) == 1:
            self._learn(self._learnt)

    def _learnt(self, found: AccountFeatures | Exception) -> None:
        waiting, self._waiting = self._waiting, []
        self._features = None if isinstance(found, Exception) else found
        for after, done in waiting:
            if isinstance(found, Exception):
                done(found)
            else:
                self._find(found, after, done)

    def _find(self, features: AccountFeatures, after: str | None, done: OnPlace) -> None:
        if after is not None and not tellable(after):
            done(GatewayError("event-unknown"))
        elif not features.archive:
            self._newest(None)
            done(StreamPlace("", False) if after is None else GatewayError("event-unknown"))
        else:
            self._ask(partial(self._found_newest, features, after, done), ArchiveFilter(), 1, newest=True)

    def _found_newest(self, features: AccountFeatures, after: str | None, done: OnPlace, outcome: ServerPage | Exception) -> None:
        has_none = isinstance(outcome, GatewayError) and outcome.name == "no-archive"
        if isinstance(outcome, Exception) and not has_none:
            done(outcome)
            return
        newest = "" if isinstance(outcome, Exception) else outcome.last
        if has_none or newest != tellable(newest):  # without ids that can be told, there is nothing to resume after
            self._features = features._replace(archive=False)
            self._find(self._features, after, done)
            return
        self._newest(newest)
        if after is None:
            done(StreamPlace(newest, True))
        elif features.extended:  # COMPAT Prosody 13: behind an id that it does not know there is nothing, and no error
            self._ask(partial(self._checked, after, done), ArchiveFilter(ids=(after,)), 1)
        elif after.isdigit() and newest.isdigit() and int(after) <= int(newest):
            done(StreamPlace(after, True))  # ejabberd knows any number, and of another text it says nothing
        else:
            done(GatewayError("event-unknown"))

    def _checked(self, after: str, done: OnPlace, outcome: ServerPage | Exception) -> None:
        if isinstance(outcome, ServerPage) and outcome.items and outcome.items[0].id != after:  # it takes no notice of ids
            self._ask(partial(self._paged, after, done), ArchiveFilter(after=after), 1)
        elif isinstance(outcome, ServerPage) and not outcome.items:
            done(GatewayError("event-unknown"))
        else:
            self._paged(after, done, outcome)

    @staticmethod
    def _paged(after: str, done: OnPlace, outcome: ServerPage | Exception) -> None:
        if isinstance(outcome, ItemNotFound):
            done(GatewayError("event-unknown"))
        else:
            done(outcome if isinstance(outcome, Exception) else StreamPlace(after, True))

    def page(self, after: str, done: OnEventsPage) -> None:
        """Have a page of what comes after an id ("": from the start) read. `done` gets StreamEnded if nothing can be told of it."""
        self._ask(partial(self._read, after, done), ArchiveFilter(after=after or None), PAGE)

    def _read(self, after: str, done: OnEventsPage, outcome: ServerPage | Exception) -> None:
        try:
            self._tell(after, done, outcome)
        except Exception as e:  # the stream does not wait in vain
            done(e)
            raise

    def _tell(self, after: str, done: OnEventsPage, outcome: ServerPage | Exception) -> None:
        if isinstance(outcome, ItemNotFound) or (isinstance(outcome, ServerPage) and went_back(after, outcome.items)):
            done(StreamEnded(REMOVED))
            return
        if isinstance(outcome, Exception):
            done(outcome)
            return
        page = self._cut(after, outcome)
        if page.events and self._is_to_oneself(page.events[0]):
            self._ask(partial(self._with_copy, page, done), ArchiveFilter(before=outcome.items[0].id), 1, newest=True)
        else:
            done(page)

    def _with_copy(self, page: EventsPage, done: OnEventsPage, outcome: ServerPage | Exception) -> None:
        """The first may be the other copy of what the reader was told last."""
        before = [] if isinstance(outcome, Exception) else [event_of(kept) for kept in outcome.items]
        done(page._replace(told=before))

    def _cut(self, after: str, page: ServerPage) -> EventsPage:
        """What of a page is told, as far as it is not too long."""
        events: list[Event] = []
        size, last, complete = 0, page.last or after, page.complete or page.last in ("", after)
        for number, kept in enumerate(page.items, 1):
            if not is_sent(kept.stanza, self._account):
                events.append(event_of(kept))
                size += len(serialise(kept.stanza))
            if size > PAGE_BYTES and number < len(page.items):
                last, complete = kept.id, False
                break
        return EventsPage(events, last, complete)

    def _is_to_oneself(self, event: Event) -> bool:
        sender = jid_or_none(event.stanza.get("from"))
        return sender is not None and sender.bare == self._account
