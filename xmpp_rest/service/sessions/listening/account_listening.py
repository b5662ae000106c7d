"""What the streams of one account are told, in the leader: from its session, and from its archive (accounts-anywhere §7.3)."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple
from xml.etree.ElementTree import Element

from xmpp_rest.config.login_tables import SessionsSettings
from xmpp_rest.errors import GatewayError
from xmpp_rest.incidents import Incidents
from xmpp_rest.link.pending import jid_or_none
from xmpp_rest.link.router import Router
from xmpp_rest.protocol.jid import JID
from xmpp_rest.protocol.weight import weight
from xmpp_rest.service.messages.archive import ArchiveFilter
from xmpp_rest.service.sessions.listening.archive_tail import ArchiveTail
from xmpp_rest.service.sessions.listening.heard import read_heard
from xmpp_rest.service.sessions.listening.quiet_presence import QuietPresence
from xmpp_rest.service.sessions.listening.stream_places import OnEventsPage, OnPlace, StreamPlaces
from xmpp_rest.service.sessions.server_archive import OnPage, ServerArchive
from xmpp_rest.service.sessions.server_features import AccountFeatures, ServerFeatures
from xmpp_rest.service.sessions.server_query import ServerPage
from xmpp_rest.service.streams.stream import Event
from xmpp_rest.service.streams.told_once import ToldOnce
from xmpp_rest.threads.backlog import Backlog
from xmpp_rest.threads.pool import CompletingPool

log = logging.getLogger("xmpp_rest.sessions")

Job = Callable[[], object]
MOST_TOLD = 400  # ids of an account's last events, which come both at once and from the archive
MOST_WAITING = 1 << 20  # bytes of stanzas of one account that wait to be told
MOST_ASKED = 4  # queries to the archive of one account at the same time: others wait for their turn
TOO_FAST = "more came at once than can be told"


class ListeningServices(NamedTuple):
    """What the listening of all accounts works with."""

    router: Router
    archive: ServerArchive
    features: ServerFeatures
    settings: Callable[[], SessionsSettings]
    publish: Callable[[JID, Event], None]
    end_streams: Callable[[JID, str], None]
    pool: CompletingPool
    incidents: Incidents
    has_successor: bool = False
    """Whether another process may go on with the sessions."""


class AccountListening:
    """Begins with the first stream of an account. Its work is done by one thread at a time, in the order in which it came; methods may be
    called by any thread, and do not wait.
    """

    def __init__(self, account: JID, services: ListeningServices, own: int | None, *, succeeds: bool = False) -> None:
        """`own`: the priority of the account's own presence, None without one; `succeeds`: whether the session was another process's."""
        self.account = account
        self._services = services
        self._jobs: Backlog[Job] = Backlog(services.pool, self._run)
        self._waiting = 0  # bytes of stanzas among these
        self._has_dropped = False  # whether more came than may wait, since that was looked at
        self._lock = threading.Lock()  # guards the two above
        self._asked = 0  # queries that have no answer yet
        self._to_ask: deque[Job] = deque()  # those that wait for their turn
        self._heard_all = False  # whether the server told all messages as they came, when that was looked at last
        self._told = ToldOnce(account, MOST_TOLD)
        self._presence = QuietPresence(account, services.router, own, lambda: services.settings().presence == "listening", self._later)
        self._tail = ArchiveTail(
            account, self._ask, self._tell, self._lost, lambda: services.settings().poll, services.incidents,
            has_successor=services.has_successor, succeeds=succeeds,
        )  # fmt: skip
        self._places = StreamPlaces(account, self._ask, self._learn, self._tail.begin)
        self._later(self._presence.begin)

    @property
    def is_quiet(self) -> bool:
        """Whether the session is available because somebody listens."""
        return self._presence.is_quiet

    def place(self, after: str | None, done: OnPlace) -> None:
        """Find where a stream begins; as `StreamPlaces.find`."""
        self._later(partial(self._places.find, after, done))

    def page(self, after: str, done: OnEventsPage) -> None:
        """Read a page of what a stream has missed; as `StreamPlaces.page`."""
        self._later(partial(self._places.page, after, done))

    def received(self, stanza: Element) -> None:
        """Tell a message or presence that has reached the session."""
        size = weight(stanza)
        with self._lock:
            fits = self._waiting <= MOST_WAITING
            is_first, self._has_dropped = not fits and not self._has_dropped, not fits or self._has_dropped
            if fits:
                self._waiting += size
        if fits:
            self._later(partial(self._receive, stanza, size))
        elif is_first:
            self._services.incidents.report(log, "listening-full", "stanzas to %s come faster than they are told", self.account)
            self._later(self._find_dropped)

    def tick(self) -> None:
        """Look into the archive, if it is time."""
        if self._tail.is_due(hears_all=self._presence.hears_all):
            self._later(self._tail.look)

    def own_presence(self, priority: int | None) -> None:
        """The account's own presence has this priority from now on; None: there is none."""
        self._later(partial(self._presence.own_changed, priority))

    def resumed(self) -> None:
        """The session goes on after a break."""
        self._later(self._tail.look)

    def rebound(self) -> None:
        """The session goes on as a new one. Called by its thread, so that this goes before what waits there."""
        self._presence.repeat()
        self._later(self._tail.look)

    def end(self) -> None:
        """Nobody listens any more: its server hears of that before this returns."""
        self._presence.end()

    def _later(self, job: Job) -> None:
        self._jobs.put(job)

    def _run(self, jobs: Sequence[Job]) -> None:
        for job in jobs:
            try:
                job()
                if self._presence.hears_all and not self._heard_all:  # what was not told before is in the archive
                    self._tail.look()
                self._heard_all = self._presence.hears_all
            except Exception as e:  # the others are done
                self._services.incidents.report(log, "listening", "streams of %s may miss something: %r", self.account, e, trace=True)

    def _session(self) -> JID:
        return self._services.router.accounts.jid(self.account)

    def _ask(self, done: OnPage, wanted: ArchiveFilter, limit: int, *, newest: bool = False) -> None:
        self._to_ask.append(partial(self._ask_now, done, wanted, limit, newest))
        self._ask_next()

    def _ask_next(self) -> None:
        while self._to_ask and self._asked < MOST_ASKED:
            self._asked += 1
            self._to_ask.popleft()()

    def _ask_now(self, done: OnPage, wanted: ArchiveFilter, limit: int, newest: bool) -> None:
        def answered(outcome: ServerPage | Exception) -> None:
            self._later(partial(self._answered, done, outcome))

        try:
            self._services.archive.begin_page(answered, self._session(), wanted, limit, newest=newest)
        except Exception as e:  # it has its answer, whatever fails
            answered(e)

    def _answered(self, done: OnPage, outcome: ServerPage | Exception) -> None:
        self._asked -= 1
        try:
            done(outcome)
        finally:
            self._ask_next()

    def _learn(self, done: Callable[[AccountFeatures | Exception], None]) -> None:
        def answered(outcome: AccountFeatures | Exception) -> None:
            self._later(partial(done, outcome))

        try:
            self._services.features.begin(answered, self._session())
        except GatewayError as e:
            answered(e)

    def _find_dropped(self) -> None:
        """Something came that was not taken. The archive has the messages; who else is available is not known any more."""
        with self._lock:
            self._has_dropped = False
        self._presence.forget_others()
        if self._places.may_have_archive:
            self._tail.look()
        else:
            self._services.end_streams(self.account, TOO_FAST)

    def _receive(self, stanza: Element, size: int) -> None:
        with self._lock:
            self._waiting -= size
        if stanza.tag == "presence":
            self._receive_presence(stanza)
        elif (heard := read_heard(stanza, self.account)) is not None:
            if heard.is_archived and self._places.may_have_archive:
                self._tail.heard(heard, hears_all=self._presence.hears_all)
            else:
                self._tell(Event("", time.time() if heard.when is None else heard.when, heard.stanza))

    def _receive_presence(self, stanza: Element) -> None:
        sender = jid_or_none(stanza.get("from"))
        if sender is not None and sender.bare == self.account and sender.resource:
            if sender == self._session():
                return  # what it has said itself
            self._presence.notice(stanza, sender.resource)
        self._tell(Event("", time.time(), stanza))

    def _tell(self, event: Event) -> None:
        if self._told.is_new(event):
            self._services.publish(self.account, event)

    def _lost(self, reason: str) -> None:
        self._tail.restart()
        self._services.end_streams(self.account, reason)
