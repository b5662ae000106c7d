"""Builds all parts of a gateway from its settings, each complete, in the order in which they need each other. Starts nothing."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

from drivers import Driver, StorageError
from xmpp_rest.auth.authenticator import Authenticator
from xmpp_rest.auth.passwords import Passwords
from xmpp_rest.auth.throttle import Throttle
from xmpp_rest.auth.tokens import Tokens
from xmpp_rest.config.table import Settings
from xmpp_rest.gateway.handlers import subscribe_handlers
from xmpp_rest.gateway.leader import Leader
from xmpp_rest.gateway.log_level import set_level
from xmpp_rest.incidents import Incidents
from xmpp_rest.link.intake import Intake
from xmpp_rest.link.pending import Pending
from xmpp_rest.link.router import Router
from xmpp_rest.processes.election import LocalGroup
from xmpp_rest.processes.remote import Remote
from xmpp_rest.protocol.jid import JID
from xmpp_rest.service.accounts.accounts import Accounts
from xmpp_rest.service.accounts.data import Data
from xmpp_rest.service.accounts.data_rights import DataRights
from xmpp_rest.service.accounts.data_usage import Usage
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
from xmpp_rest.service.messages.clock import MonotonicClock
from xmpp_rest.service.messages.idempotency import Idempotency
from xmpp_rest.service.messages.mailbox import Mailbox
from xmpp_rest.service.messages.mam import ArchiveQueries
from xmpp_rest.service.messages.offline import Offline
from xmpp_rest.service.messages.outcomes import Outcomes
from xmpp_rest.service.messages.send import Sending
from xmpp_rest.service.muc.build import conference as build_conference
from xmpp_rest.service.muc.conference import Conference
from xmpp_rest.service.muclight.blocking import Blocking
from xmpp_rest.service.muclight.broadcast import MucLightBroadcaster
from xmpp_rest.service.muclight.entity import MucLightEntity
from xmpp_rest.service.muclight.muclight import MucLight
from xmpp_rest.service.muclight.quotas import Quotas
from xmpp_rest.service.muclight.room import Rules
from xmpp_rest.service.muclight.rooms import MucLightRooms
from xmpp_rest.service.streams.registry import Streams
from xmpp_rest.service.streams.sessions import Sessions
from xmpp_rest.threads.waits import Waits

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Parts:
    """The parts of a gateway in one process; all of them created again in a process that was forked after the start."""

    passwords: Passwords
    tokens: Tokens
    authenticator: Authenticator
    accounts: Accounts
    last: LastActivity
    vcards: VCards
    data: Data
    data_usage: Usage
    data_rights: DataRights
    jobs: Jobs
    router: Router
    waits: Waits
    archive: Archive
    streams: Streams
    sessions: Sessions
    mailbox: Mailbox
    offline: Offline
    outcomes: Outcomes
    sending: Sending
    idempotency: Idempotency
    announcements: Announcements
    contacts: Contacts
    guard: Guard
    privacy: PrivacyQueries
    blocking: BlockingQueries
    callbacks: Callbacks
    muclight: MucLight | None
    """None: there is no `rooms_domain`."""
    conference: Conference | None
    """None: there is no `conference_domain`."""
    leader: Leader
    remote: Remote


def build(settings: Settings, driver: Driver, data_dir: Path, incidents: Incidents) -> Parts:
    """The parts of one process."""
    domain, domains = settings.gateway.domain, settings.gateway.domains
    waits = Waits(settings.server.threads, settings.server.waits_per_account)
    remote = Remote(LocalGroup(data_dir), waits, StorageError)
    passwords = Passwords(settings.auth.password_hash, settings.auth.iterations)
    accounts = Accounts(driver, passwords, domain)
    throttle = Throttle(settings.auth.failures, remote, waiting=max(1, settings.server.threads // 8))
    tokens = Tokens(driver, domain)
    last = LastActivity(driver)
    authenticator = Authenticator(
        driver, passwords, throttle, tokens, domain=domain, admins=settings.auth.admins, token=settings.rest.credentials,
        secret=settings.link.secret if settings.link.kind == "component" else "", seen=last.seen,
    )  # fmt: skip
    idempotency = Idempotency(driver, 2 * settings.rest.iq_max_timeout)  # longer than a request can take

    router = Router(frozenset(domains), Pending(settings.rest.iq_waiting), remote, frozenset(domains[1:]), incidents)
    archive = Archive(driver)
    streams = Streams(archive, settings.streams, waits, remote, incidents)
    clock = MonotonicClock()
    mailbox = Mailbox(archive, streams, accounts, clock, incidents)
    bots = frozenset(jid for c in settings.callbacks.values() for jid in c.address if jid.local)
    presences, roster = Presences(driver, router), Roster(driver)
    vcards = VCards(driver, PublishedCards(Pep(driver, roster)))
    lists, blocks = PrivacyLists(driver, remote), BlockLists(driver, remote)
    guard = Guard(domain, lists, blocks, roster)
    data_usage = Usage(driver, settings.data)
    changed = dict.fromkeys(("blocklist", "privacy"), guard.lists_changed)
    data = Data(driver, accounts, data_usage, before={"vcard": vcards.require_stored}, changed=changed)
    data_rights = DataRights(driver, domains, authenticator.is_admin)
    privacy = PrivacyQueries(lists, mailbox.show)
    blocking = BlockingQueries(blocks, roster, presences, mailbox.show, accounts.exists)
    presences.may_go = guard.may_go
    contacts = Contacts(roster, presences, router, accounts, bots=bots, push=mailbox.show)
    outcomes = Outcomes()
    sending = Sending(router, mailbox, contacts, outcomes, waits, remote, incidents)
    sending.guard = guard
    dead = DeadLetters(driver, domain)
    callbacks = Callbacks(
        settings.callbacks, router, dead, data_dir / "callbacks", remote,
        exists=accounts.exists, is_admin=authenticator.is_admin, incidents=incidents,
    )  # fmt: skip
    muclight: MucLight | None = None
    if settings.gateway.rooms_domain:
        room_domain = settings.gateway.rooms_domain
        rooms, room_blocking = MucLightRooms(driver, room_domain), Blocking(driver, room_domain, guard.blocks)
        broadcaster, rules = MucLightBroadcaster(rooms, archive, clock, router, incidents), Rules(**vars(settings.rooms))
        quotas = Quotas(rooms, domains, rules)
        muclight = MucLight(rooms, room_blocking, archive, clock, broadcaster, rules, quotas, remote, callbacks.may_bring)
        room_archive = ArchiveQueries(archive, router.send, muclight.may_ask)
        router.subscribe(muclight.domain, MucLightEntity(muclight, room_blocking, room_archive.handle).handle)
    sessions = Sessions(domain, streams, presences, sending)
    contacts.listened = lambda account: bool(sessions.of(account))
    offline = Offline(driver, domain, sessions.is_online)
    mailbox.offline = offline.take
    announcements = Announcements(driver, domain, router, incidents)

    def greet(account: JID) -> None:
        """The account has a session: what waited for one is over."""
        offline.clear(account)
        announcements.greet(account)

    sessions.opened = lambda stream: greet(stream.owner)
    presences.came = greet
    jobs = Jobs(driver, domain)
    conference: Conference | None = None
    if settings.gateway.conference_domain:
        conference = build_conference(
            driver, settings.gateway.conference_domain, router, archive, clock, settings.conference, incidents, remote,
            callbacks.may_bring,
        )  # fmt: skip
        router.subscribe(conference.domain, conference.handle)
    leaving = Leaving(tokens, contacts, SharedGroups(driver, domain), sessions, muclight, conference)
    accounts.before_unregister, accounts.after_unregister = leaving.before, leaving.after

    def revoke(account: JID) -> None:
        """The account has another password: what somebody got with the old one ends."""
        count = tokens.revoke_all(account)
        log.info("the password of %s was changed; %d token(s) of it were revoked", account, count)

    accounts.password_changed = revoke
    intake = Intake(router, settings.link.inbox_size, incidents)
    router.observe(outcomes.observe)
    leader = Leader(settings, domains, data_dir, router, sending, outcomes, intake, callbacks, conference, incidents, remote)

    remote.on_broadcast("log_level", set_level)
    remote.on_broadcast("forget", passwords.forget)
    remote.on_broadcast("lift", authenticator.unban)
    parts = Parts(
        passwords=passwords, tokens=tokens, authenticator=authenticator, accounts=accounts, last=last, vcards=vcards, jobs=jobs,
        data=data, data_usage=data_usage, data_rights=data_rights,
        router=router, waits=waits, archive=archive, streams=streams, sessions=sessions, mailbox=mailbox, offline=offline,
        outcomes=outcomes, sending=sending, idempotency=idempotency, announcements=announcements, contacts=contacts, guard=guard,
        privacy=privacy, blocking=blocking, callbacks=callbacks, muclight=muclight, conference=conference, leader=leader,
        remote=remote,
    )  # fmt: skip
    subscribe_handlers(parts, domains)
    return parts
