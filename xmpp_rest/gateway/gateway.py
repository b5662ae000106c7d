"""What is one gateway made of, and in which order do its parts live? Settings in, running parts out."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from drivers import Driver, StorageError, open_driver
from drivers.lease import Taken
from xmpp_rest.auth.credentials import Authenticator
from xmpp_rest.auth.passwords import Passwords
from xmpp_rest.auth.throttle import Throttle
from xmpp_rest.auth.tokens import Tokens
from xmpp_rest.config.reload import Merged
from xmpp_rest.config.table import Settings
from xmpp_rest.errors import GatewayError
from xmpp_rest.gateway.data_folder import ready_folder
from xmpp_rest.gateway.handlers import subscribe_handlers
from xmpp_rest.gateway.siblings import Siblings
from xmpp_rest.gateway.storage_lease import Keeper
from xmpp_rest.gateway.tries import share_tries
from xmpp_rest.incidents import Incidents
from xmpp_rest.link.intake import Intake
from xmpp_rest.link.pending import Pending
from xmpp_rest.link.router import Router
from xmpp_rest.link.uplink import Uplink
from xmpp_rest.processes.server import Handler
from xmpp_rest.protocol.jid import JID
from xmpp_rest.service.accounts.accounts import Accounts
from xmpp_rest.service.accounts.administrator import ensure_administrator
from xmpp_rest.service.accounts.jobs import Jobs
from xmpp_rest.service.accounts.last_activity import LastActivity
from xmpp_rest.service.accounts.pep import Pep
from xmpp_rest.service.accounts.published_cards import PublishedCards
from xmpp_rest.service.accounts.shared_groups import SharedGroups
from xmpp_rest.service.accounts.unregistration import Leaving
from xmpp_rest.service.accounts.vcards import VCards
from xmpp_rest.service.callbacks.dead_letters import DeadLetters
from xmpp_rest.service.callbacks.routes import Callbacks
from xmpp_rest.service.contacts.block_lists import BlockLists
from xmpp_rest.service.contacts.blocking_iq import BlockingQueries
from xmpp_rest.service.contacts.contacts import Contacts
from xmpp_rest.service.contacts.presence import Presences
from xmpp_rest.service.contacts.privacy import PrivacyLists
from xmpp_rest.service.contacts.privacy_guard import Guard
from xmpp_rest.service.contacts.privacy_iq import PrivacyQueries
from xmpp_rest.service.contacts.roster import Roster
from xmpp_rest.service.messages.announcements import Announcements
from xmpp_rest.service.messages.archive import Archive
from xmpp_rest.service.messages.clock import Stamps
from xmpp_rest.service.messages.idempotency import Idempotency
from xmpp_rest.service.messages.mailbox import Mailbox
from xmpp_rest.service.messages.mam import ArchiveQueries
from xmpp_rest.service.messages.offline import Offline
from xmpp_rest.service.messages.outcomes import Outcomes
from xmpp_rest.service.messages.send import Sending
from xmpp_rest.service.muc.build import conference
from xmpp_rest.service.muc.conference import Conference
from xmpp_rest.service.muc.remote import perform
from xmpp_rest.service.muclight.away import RoomsAway
from xmpp_rest.service.muclight.blocking import Blocking
from xmpp_rest.service.muclight.broadcast import Voice
from xmpp_rest.service.muclight.entity import MucLightEntity
from xmpp_rest.service.muclight.muclight import MucLight
from xmpp_rest.service.muclight.quotas import Quotas
from xmpp_rest.service.muclight.room import Rules
from xmpp_rest.service.muclight.rooms import Rooms
from xmpp_rest.service.streams.registry import Streams
from xmpp_rest.service.streams.sessions import Sessions
from xmpp_rest.threads.waits import Waits

log = logging.getLogger(__name__)

RETRY = 2.0  # seconds between two attempts to start
LOGGERS = ("xmpp_rest", "drivers")


def set_level(level: int) -> None:
    """Log from this level on, in this process."""
    for name in LOGGERS:
        logging.getLogger(name).setLevel(level)


class Gateway:
    """Everything behind the APIs. Built without a side effect beyond the data folder; threads and sockets begin with `start()`.

    Owned by the Flask application; `start()` may be called by any request, and does its work once in each process.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.incidents = Incidents()
        self.data_dir = Path(settings.base) / settings.server.data_dir
        ready_folder(self.data_dir, Path(settings.base))
        self.driver: Driver = open_driver(settings.storage.url, self.data_dir)
        self.passwords = Passwords(settings.auth.password_hash, settings.auth.iterations)
        self.accounts = Accounts(self.driver, self.passwords, settings.gateway.domain)
        self._throttle = Throttle(settings.auth.failures, waiting=max(1, settings.server.threads // 8))
        self.authenticator = Authenticator(
            self.driver, self.passwords, self._throttle,
            domain=settings.gateway.domain, admins=settings.auth.admins, token=settings.rest.credentials,
        )  # fmt: skip
        self.idempotency = Idempotency(self.driver, 2 * settings.rest.iq_max_timeout)  # longer than a request can take
        self.tokens = Tokens(self.driver, settings.gateway.domain)
        self.last = LastActivity(self.driver)
        self.authenticator.seen = self.last.seen
        self.command: Callable[..., Any] | None = None
        """Runs what the command line says; set by the API that knows commands."""
        self.reload: Callable[[], Merged] | None = None
        """Reads the configuration again and puts in force what can be; raises SettingsError. Set where it is known how."""
        self.orders: dict[str, Handler] = {}
        """What else every process does when one of them says so. Complete before `start()`."""
        self.keeper = Keeper(self.driver, self.data_dir, self.domains, self.incidents)
        self.on_loss: Callable[[], None] = lambda: None
        """Ends the server, which can serve nothing any more, as the lease of the storage is lost. Set by the server."""
        self._locks: dict[int, threading.Lock] = {}
        self._failed: Exception | None = None  # why it could not start
        self._failed_at = 0.0  # monotonic time
        self._ended = threading.Event()
        self._pid = 0  # of the process in which the parts below are started
        self._forked_from = 0  # of the process in which they were started before
        self._build()

    def _build(self) -> None:
        """The parts with threads; made anew in a process that was forked off after `start()`."""
        settings, domains = self.settings, self.domains
        self.router = Router(frozenset(domains), Pending(settings.rest.iq_waiting), frozenset(domains[1:]), self.incidents)
        self.archive = Archive(self.driver)
        self.waits = Waits(settings.server.threads, settings.server.waits_per_account)
        self.streams = Streams(self.archive, settings.streams, self.waits, self.incidents)
        self.stamps = Stamps()
        self.mailbox = Mailbox(self.archive, self.streams, self.accounts, self.stamps, self.incidents)
        bots = frozenset(jid for c in settings.callbacks.values() for jid in c.address if jid.local)
        presences, roster = Presences(self.driver, self.router), Roster(self.driver)
        self.vcards = VCards(self.driver, PublishedCards(Pep(self.driver, roster)))
        lists, blocks = PrivacyLists(self.driver), BlockLists(self.driver)
        lists.changed = blocks.changed = self.forget_lists
        self.guard = Guard(settings.gateway.domain, lists, blocks, roster)
        self.privacy = PrivacyQueries(lists, self.mailbox.show)
        self.blocking = BlockingQueries(blocks, roster, presences, self.mailbox.show, self.accounts.exists)
        presences.may_go = self.guard.may_go
        self.contacts = Contacts(roster, presences, self.router, self.accounts, bots=bots, push=self.mailbox.show)
        self.outcomes = Outcomes()
        self.sending = Sending(self.router, self.mailbox, self.contacts, self.outcomes, self.waits, self.incidents)
        self.sending.guard = self.guard
        dead = DeadLetters(self.driver, settings.gateway.domain)
        self.callbacks = Callbacks(
            settings.callbacks, self.router, dead, self.data_dir / "callbacks",
            exists=self.accounts.exists, is_admin=self.authenticator.is_admin, incidents=self.incidents,
        )  # fmt: skip
        self.muclight = self._build_rooms() if settings.gateway.rooms_domain else None
        self.sessions = Sessions(settings.gateway.domain, self.streams, presences, self.sending)
        self.contacts.listened = lambda account: bool(self.sessions.of(account))
        self.offline = Offline(self.driver, settings.gateway.domain, self.sessions.is_online)
        self.mailbox.offline = self.offline.take
        self.announcements = Announcements(self.driver, settings.gateway.domain, self.router, self.incidents)
        self.sessions.opened = lambda stream: self._greet(stream.owner)
        presences.came = self._greet
        self.jobs = Jobs(self.driver, settings.gateway.domain)
        self._rooms_away = RoomsAway(self.muclight, self._have_done) if self.muclight else None
        self.conference = self._build_conference() if settings.gateway.conference_domain else None
        groups = SharedGroups(self.driver, settings.gateway.domain)
        leaving = Leaving(self.tokens, self.contacts, groups, self.sessions, self.muclight, self.conference)
        self.accounts.before_unregister, self.accounts.after_unregister = leaving.before, leaving.after
        self.accounts.password_changed = self._revoke
        self._intake = Intake(self.router, settings.link.inbox_size, self.incidents)
        self.router.observe(self.outcomes.heard)
        self.uplink: Uplink | None = None
        self._link_ended = False
        callbacks = (service.start for service in self.callbacks.services.values())
        self._to_begin: list[Callable[[], None]] = [self._attach, self._intake.start, *callbacks, self._connect]
        if self.conference:
            self._to_begin.append(self.conference.vacancy.start)
        self.siblings = self._build_siblings()
        subscribe_handlers(self)

    def _build_siblings(self) -> Siblings:
        offers: dict[str, Handler] = {"status": self._link_status, "conference": self._of_conference, "command": self._do_command}
        offers |= {"callbacks": self.callbacks.describe, "replay": self.callbacks.replay, **self.sessions.offers}
        offers |= self._rooms_away.offers if self._rooms_away else {}
        siblings = Siblings(self.data_dir, self.router, self.sending, self.streams, self.waits, self._own, offers)
        siblings.orders |= {"end_stream": self.sessions.end_stream, "drop_gone": self.streams.drop_gone, "log_level": set_level}
        siblings.orders |= {"forget": self.passwords.forget, "lift": self.authenticator.lift, "lists": self.guard.forget}
        siblings.orders |= share_tries(self._throttle, siblings)
        return siblings

    def _greet(self, account: JID) -> None:
        """The account has a session: what waited for one is over."""
        self.offline.clear(account)
        self.announcements.greet(account)

    def forget_lists(self, account: JID) -> None:
        """The block list or a privacy list of the account has changed: no process goes by the old one."""
        try:
            self.everywhere("lists", account=str(account))
        except GatewayError as e:
            log.info("other processes notice within a second that a list of %s has changed: %s", account, e)

    def _build_rooms(self) -> MucLight:
        """The MUC Light rooms, which answer at their domain before anybody else does."""
        domain = self.settings.gateway.rooms_domain
        rooms, blocking = Rooms(self.driver, domain), Blocking(self.driver, domain, self.guard.blocks)
        voice = Voice(rooms, self.archive, self.stamps, self.router, self.incidents)
        rules = Rules(**vars(self.settings.rooms))
        quotas = Quotas(rooms, self.domains, rules)
        muclight = MucLight(rooms, blocking, self.archive, self.stamps, voice, rules, quotas, self.callbacks.may_bring)
        archive = ArchiveQueries(self.archive, self.router.send, muclight.may_ask)
        self.router.subscribe(domain, MucLightEntity(muclight, blocking, archive.handle).handle)
        return muclight

    def _build_conference(self) -> Conference:
        """The rooms of XEP-0045, which answer at their domain before anybody else does."""
        domain = self.settings.gateway.conference_domain
        rooms = conference(
            self.driver, domain, self.router, self.archive, self.stamps, self.settings.conference, self.incidents, self.callbacks.may_bring,
        )  # fmt: skip
        self.router.subscribe(domain, rooms.handle)
        return rooms

    def _of_conference(self, method: str, arguments: list[Any]) -> Any:
        """Done by the owner, for a peer."""
        return perform(self.conference, method, arguments) if self.conference else None

    def _ask_conference(self, method: str, arguments: list[Any]) -> Any:
        """Done by a peer: it asks the owner."""
        return self.siblings.have_done("conference", method=method, arguments=arguments)

    def _revoke(self, account: JID) -> None:
        """The account has another password: what somebody got with the old one ends."""
        count = self.tokens.revoke_all(account)
        log.info("the password of %s was changed; %d token(s) of it were revoked", account, count)

    def _own(self, owner: bool) -> None:
        """This process owns the link from now on: the streams, the outboxes and the callbacks' journals. A process never gives it back."""
        if self.muclight:
            self.muclight.away = None if owner else self._rooms_away
        if self.conference:
            self.conference.away = None if owner else self._ask_conference
        while owner and self._to_begin:
            self._to_begin[0]()  # what fails is tried again, by the hub; what has begun is not begun twice
            del self._to_begin[0]

    def _attach(self) -> None:
        """First, since the outbox may be unreadable."""
        link = self.settings.link
        if link.kind == "component":
            self.uplink = Uplink(self.domains, link, self._intake, self.data_dir / "outbox", self.outcomes.progress)
            self.router.attach(self.uplink.send, self.uplink.send_all)
            self.sending.restored = self.uplink.restored

    def _connect(self) -> None:
        if self.uplink:
            self.uplink.start()

    def _have_done(self, name: str, **arguments: Any) -> Any:
        return self.siblings.have_done(name, **arguments)

    def _link_status(self) -> list[dict[str, Any]]:
        """How the streams are; for the process that owns them."""
        return self.uplink.status() if self.uplink else []

    def _do_command(self, **line: Any) -> Any:
        """Done by the owner for the command line."""
        if self.command is None:
            raise GatewayError("link-down", "The gateway is only just starting; try again")
        return self.command(**line)

    def everywhere(self, name: str, **arguments: Any) -> Any:
        """Have every process of the gateway do one of the siblings' orders; what it came to in this one. Raises GatewayError."""
        done = self.siblings.orders[name](**arguments)
        if self._pid == os.getpid():
            self.siblings.order(name, **arguments)
        return done

    @property
    def domains(self) -> list[str]:
        """The hosted domains, the gateway's own first; each has a stream of its own."""
        g = self.settings.gateway
        return list(dict.fromkeys(d for d in (g.domain, g.rooms_domain, g.conference_domain) if d))

    def prepare(self) -> None:
        """Take the storage's lease, and make sure that there is an administrator. Raises GatewayError, StorageError, Taken."""
        self.keeper.claim()
        ensure_administrator(self.accounts, self.settings.auth.admins, self.settings.auth.admin_password, self.data_dir)

    def start(self) -> None:
        """Begin to serve in this process; what was started already stays as it is.

        Raises StorageError, GatewayError; then the next call tries again, but not within RETRY seconds.
        """
        if self._pid == os.getpid():  # nearly always
            return
        with self._lock:
            if self._pid == os.getpid():
                return
            if self._failed is not None and time.monotonic() < self._failed_at + RETRY:
                raise self._failed.with_traceback(None)
            try:
                self._start()
            except Taken:
                raise
            except (StorageError, GatewayError) as e:
                self._failed, self._failed_at = e, time.monotonic()
                raise
            self._failed = None

    def _start(self) -> None:
        if self._forked_from:
            self.keeper = Keeper(self.driver, self.data_dir, self.domains, self.incidents)
            self._build()
        self.prepare()
        self.siblings.orders |= self.orders
        self.siblings.start()
        self.sessions.others = self.siblings
        self.keeper.start(self._lose)
        self._pid = self._forked_from = os.getpid()

    @property
    def _lock(self) -> threading.Lock:
        """Held while this process starts or stops: one for each process, as a thread may have that of the parent at the fork."""
        return self._locks.get(os.getpid()) or self._locks.setdefault(os.getpid(), threading.Lock())

    def start_in_time(self, is_lasting: Callable[[Exception], bool]) -> None:
        """As `start`; but what fails is tried again by a thread until it works, or the process ends. Requests get 503 meanwhile.

        Raises what is lasting.
        """
        try:
            self.start()
        except Exception as e:  # for a server that gives up where a process cannot begin
            if is_lasting(e):
                raise
            log.error("the gateway cannot begin, and tries again until it can: %s", e, exc_info=not isinstance(e, StorageError))
            threading.Thread(target=self._start_later, name="start", daemon=True).start()

    def _start_later(self) -> None:
        said = ""
        while not self._ended.wait(RETRY):
            try:
                self.start()
            except Exception as e:
                if said != (said := str(e)):
                    log.warning("the gateway still cannot begin: %s", e)
            else:
                log.info("the gateway has begun: what failed before works again")
                return

    def _leave_rooms(self) -> None:
        """Of other servers: nobody is left to believe that hosted addresses hear what is said there."""
        for presence in self.router.occupancy.leave():
            try:
                self.router.send(presence)
            except GatewayError as e:  # the outbox is full
                self.incidents.report(log, "leaving", "a room is not left: %s", e)

    def end_waiting(self) -> None:
        """The server is about to stop: whoever streams or waits for an iq is told so now."""
        self.streams.stop()
        self.router.stop_waiting()

    def _end_link(self) -> None:
        with self._lock:
            ended, self._link_ended = self._link_ended, True
        if ended:
            return
        if self.conference:
            self.conference.vacancy.stop()
        if self.uplink:
            self.uplink.stop()
        self._intake.stop()
        self.callbacks.stop()

    def _lose(self) -> None:
        """Another gateway has the storage: change nothing in it any more. Requests are refused (application.py)."""
        try:
            self.end_waiting()
            self._end_link()
        finally:
            self.on_loss()

    def stop(self) -> None:
        """End the link first, so that nothing comes in any more; then the rest."""
        self._ended.set()
        if self._pid == os.getpid():
            self._pid = 0
            self.sessions.others = None
            self.streams.stop()
            if self.conference and self.siblings.is_owner and not self.keeper.lost:
                self.conference.close()
            if self.uplink and not self.keeper.lost:
                self._leave_rooms()
            self._end_link()
            self.keeper.stop(last=not self.siblings.several)
            self.siblings.stop()
        self.driver.close()
