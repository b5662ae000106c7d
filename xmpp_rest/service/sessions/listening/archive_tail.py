"""Follows the end of an account's archive: what is told comes from there wherever the server does not tell all (accounts-anywhere §7.3)."""

from __future__ import annotations

import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Protocol
from xml.etree.ElementTree import Element

from drivers import ItemNotFound
from xmpp_rest.errors import GatewayError
from xmpp_rest.incidents import Incidents
from xmpp_rest.protocol.jid import JID
from xmpp_rest.service.messages.archive import ArchivedMessage, ArchiveFilter
from xmpp_rest.service.sessions.listening.heard import HeardMessage, is_sent, tellable
from xmpp_rest.service.sessions.server_archive import OnPage
from xmpp_rest.service.sessions.server_query import ServerPage
from xmpp_rest.service.streams.stream import Event

log = logging.getLogger("xmpp_rest.sessions")

PAGE = 100
MOST_HELD = 100  # messages that wait for a look into the archive
MOST_BYTES = 256 << 10  # that these take
MOST_ALONE = 1000  # names of messages that were told although no look had found them
MOST_FOUND = 400  # names of messages that were found, two of each, which may still come
MOST_AHEAD = 50  # messages that are told as they come, until a look shows that none was missed between them
MOST_UNSURE = 150  # likewise while looks fail: as many as are known again, if they are found later
SLOWEST = 60.0  # seconds between two looks into an archive that fails
SETTLES = 2.0  # seconds, of a session that another process had, in which a message may still come that lies before the place
OVER = frozenset(("link-lost", "session-lost"))  # this process stops, or has left the session: its readers resume elsewhere
REMOVED = "the messages after the last event have been removed"


class Ask(Protocol):
    """Has a page of the archive asked for; `done` is called with it, or with why there is none, by the thread of the account's work."""

    def __call__(self, done: OnPage, wanted: ArchiveFilter, limit: int, *, newest: bool = False) -> None: ...


def event_of(kept: ArchivedMessage) -> Event:
    """An archived message as an event."""
    return Event(tellable(kept.id), kept.when, kept.stanza)


def went_back(place: str, items: Sequence[ArchivedMessage]) -> bool:
    """Whether a page is not what comes after the id: ejabberd ignores an id that it does not know, and begins at the start."""
    return bool(place and items) and _is_number(place) and _is_number(items[0].id) and int(items[0].id) <= int(place)


def _is_number(identifier: str) -> bool:
    return identifier.isdigit() and bool(tellable(identifier))


class ArchiveTail:
    """Of one account. Methods are called by one thread at a time."""

    def __init__(
        self, account: JID, ask: Ask, tell: Callable[[Event], None], lost: Callable[[str], None], poll: Callable[[], float],
        incidents: Incidents, *, has_successor: bool = False, succeeds: bool = False,
    ) -> None:  # fmt: skip
        """`tell`: called with each event, in the order of the archive; `lost`: with why events may be missing; `poll`: seconds between
        two looks. `has_successor`: whether another process may go on with the session; `succeeds`: whether this one does so.
        """
        self._account = account
        self._ask = ask
        self._tell = tell
        self._lost = lost
        self._poll = poll
        self._incidents = incidents
        self.place: str | None = None
        """The id of the last message up to which looks have found all; "" in an empty archive, None: it is not known, or there is none."""
        self._is_looking = self._again = False
        self._held: list[HeardMessage] = []  # those that the next look may find
        self._awaited: list[HeardMessage] = []  # those that this one may find
        self._bytes = 0  # that both take
        self._ahead = 0  # messages that were told as they came, behind the place
        self._alone: OrderedDict[Hashable, int] = OrderedDict()  # names of those that were told unfound, and how many
        self._found: OrderedDict[Hashable, None] = OrderedDict()  # names of those that looks have found last
        self._failures = 0
        self._next = 0.0  # when to look again
        self._has_successor = has_successor
        self._succeeds = succeeds
        self._settled = 0.0  # monotonic time from when on nothing comes any more that lies before the place
        self._left_out = False  # whether something was left to a look after that

    def begin(self, newest: str | None) -> None:
        """What comes after this id is to be told, unless an earlier place is known. None: there is no archive."""
        if newest is None:
            self.place = None
            self._await_held()
            self._tell_awaited()
        elif self.place is None:
            self.place, held = newest, self._held
            self._settled = time.monotonic() + SETTLES if self._succeeds else 0.0
            if held:  # what has an id is found by the look, or lies before the place, where streams read it that resume there
                self._held = [message for message in held if not message.id]
                self._bytes = sum(message.size for message in self._held)
                self.look()

    def restart(self) -> None:
        """Nothing is known any more: all streams have ended."""
        self.place, self._ahead, self._left_out = None, 0, False
        self._awaited, self._held, self._bytes = [], [], 0

    def is_due(self, *, hears_all: bool) -> bool:
        """Whether it is time to look: where the server tells all, after a look that failed, or some time after it told something.

        Servers copy some messages to nobody (XEP-0280 §6.2), and those that came while another resource left may be missing.
        """
        if self.place is None or self._is_looking:
            return False
        if self._left_out and time.monotonic() >= self._settled:
            return True
        if hears_all and not self._failures and not self._ahead:
            return False
        return time.monotonic() >= self._next + (SLOWEST if hears_all and not self._failures else 0)

    def heard(self, message: HeardMessage, *, hears_all: bool) -> None:
        """Tell a message that reached the session, which the archive may have: now if the server tells all, else by a look.

        One that is late may have been told before: servers copy to this session what they have kept for another resource.
        """
        if message.id and message.when is not None:
            self.look()
            return
        if _name(message) in self._found and (message.id or message.stanza.get("id")):
            return  # a look was faster
        if message.id and hears_all and not self._is_looking and not self._held:
            self._tell(_event(message))
            self._is_ahead(message.id)
            return
        self._held.append(message)
        self._bytes += message.size
        self._bound_held()
        self.look()

    def _is_ahead(self, identifier: str) -> None:
        """A message with this id was told as it came. The place stays where a look has been: another one may be missing between."""
        self._ahead += 1
        if self._ahead > MOST_UNSURE:
            self.place, self._ahead = identifier, 0
        elif self._ahead >= MOST_AHEAD and (not self._failures or time.monotonic() >= self._next):
            self.look()

    def _bound_held(self) -> None:
        """Tell the oldest of too many messages that wait. One with an id is found by a look in any case."""
        while len(self._awaited) + len(self._held) > MOST_HELD or self._bytes > MOST_BYTES:
            first = (self._awaited or self._held).pop(0)
            self._bytes -= first.size
            if not first.id:
                self._tell_alone(first)

    def look(self) -> None:
        """Tell what the archive has after the place."""
        if self.place is None:
            return
        if self._is_looking:
            self._again = True
            return
        self._is_looking, self._again = True, False
        self._left_out = self._left_out and time.monotonic() < self._settled
        self._await_held()
        self._ask(self._looked, ArchiveFilter(after=self.place or None), PAGE)

    def _looked(self, outcome: ServerPage | Exception) -> None:
        self._is_looking = False
        if isinstance(outcome, Exception):
            self._failed(outcome)
            return
        before, self._failures = self.place or "", 0
        self._next = time.monotonic() + self._poll()
        if went_back(before, outcome.items):
            self._lost(REMOVED)
            return
        self._tell_page(outcome.items)
        self.place, self._ahead = outcome.last or before, 0
        if not outcome.complete and self.place != before:
            self.look()
            return
        if time.monotonic() < self._settled:  # they may lie before the place: who resumes there reads them, and has them twice else
            self._leave_to_archive()
        self._tell_awaited()
        if self._again or self._held:
            self.look()

    def _tell_page(self, items: Sequence[ArchivedMessage]) -> None:
        found: set[Hashable] = set()
        for kept in items:
            names = {kept.id, _content(kept.stanza)}
            found |= names
            self._found.update(dict.fromkeys(names))
            if not self._was_alone(names) and not is_sent(kept.stanza, self._account):
                self._tell(event_of(kept))
        while len(self._found) > MOST_FOUND:
            self._found.popitem(last=False)
        self._awaited = [message for message in self._awaited if _name(message) not in found]
        self._held = [message for message in self._held if _name(message) not in found]
        self._bytes = sum(message.size for message in self._awaited + self._held)

    def _was_alone(self, names: Iterable[Hashable]) -> bool:
        """Whether a message of one of these names was told alone: one of them, as the next one may only say the same."""
        for name in names:
            if count := self._alone.pop(name, 0):
                if count > 1:
                    self._alone[name] = count - 1
                return True
        return False

    def _await_held(self) -> None:
        self._awaited, self._held = self._awaited + self._held, []

    def _leave_to_archive(self) -> None:
        """Do not tell alone what has an id, by which the archive has it: a later look finds it, or a reader that comes back."""
        awaited, self._awaited = self._awaited, [message for message in self._awaited if not message.id]
        self._left_out = self._left_out or len(self._awaited) < len(awaited)

    def _tell_awaited(self) -> None:
        awaited, self._awaited = self._awaited, []
        self._bytes = sum(message.size for message in self._held)
        for message in awaited:
            self._tell_alone(message)

    def _tell_alone(self, message: HeardMessage) -> None:
        """Tell a message that the archive has not, or not yet: without an id, as others may come before it there."""
        name = _name(message)
        self._alone[name] = self._alone.get(name, 0) + 1
        while len(self._alone) > MOST_ALONE:
            self._alone.popitem(last=False)
        self._tell(_event(message._replace(id="")))

    def _failed(self, error: Exception) -> None:
        if isinstance(error, ItemNotFound):
            self._lost(REMOVED)
            return
        if self._has_successor and isinstance(error, GatewayError) and error.name in OVER:
            self._leave_to_archive()
        self._tell_awaited()
        self._failures += 1
        self._next = time.monotonic() + min(self._poll() * 2 ** min(self._failures, 10), SLOWEST)
        if not isinstance(error, GatewayError) or error.name not in ("session-lost", "session-broke"):
            self._incidents.report(log, "archive-unread", "the archive of %s could not be read: %r", self._account, error)


def _name(message: HeardMessage) -> Hashable:
    """By what a message is known again in the archive."""
    return message.id or _content(message.stanza)


def _content(stanza: Element) -> Hashable:
    return hash((stanza.get("from"), stanza.get("id"), stanza.findtext("body")))  # texts may be long


def _event(message: HeardMessage) -> Event:
    return Event(message.id, time.time() if message.when is None else message.when, message.stanza)
