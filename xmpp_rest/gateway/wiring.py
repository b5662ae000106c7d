"""Builds all parts of a gateway from its settings, each complete, in the order in which they need each other. Starts nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from drivers import Driver, StorageError
from xmpp_rest.auth.authenticator import Authenticator
from xmpp_rest.auth.passwords import Passwords
from xmpp_rest.auth.refusals import Refusals
from xmpp_rest.auth.throttle import Throttle
from xmpp_rest.auth.tokens import Tokens
from xmpp_rest.config.login_domains import LoginDomains
from xmpp_rest.config.spread import callbacks_at, owned_with
from xmpp_rest.config.table import Settings
from xmpp_rest.gateway.events import Events
from xmpp_rest.gateway.gauges import GaugedDomain, Gauges
from xmpp_rest.gateway.group_parts import OnLoss
from xmpp_rest.gateway.handlers import handlers
from xmpp_rest.gateway.leader import Leader
from xmpp_rest.gateway.link_status import LinkStatus
from xmpp_rest.gateway.parts import Parts
from xmpp_rest.gateway.storage_lease import StorageLease
from xmpp_rest.gateway.unbanning import Unbanning
from xmpp_rest.gateway.wiring_apart import build_domains, build_leaders, build_transfers, join_beside
from xmpp_rest.gateway.wiring_file_sending import build_file_sending
from xmpp_rest.gateway.wiring_files import build_files
from xmpp_rest.gateway.wiring_foreign_client import build_foreign_client
from xmpp_rest.gateway.wiring_group import build_control, build_handover, build_left, build_session_handover, join_group
from xmpp_rest.gateway.wiring_hearing import build_hearing
from xmpp_rest.gateway.wiring_hook_requests import hook_requests as build_hook_requests
from xmpp_rest.gateway.wiring_hook_sending import hook_sending as build_hook_sending
from xmpp_rest.gateway.wiring_listening import build_listening
from xmpp_rest.gateway.wiring_promises import build_promises
from xmpp_rest.gateway.wiring_rooms import build_rooms
from xmpp_rest.gateway.wiring_scheduled import build_scheduled
from xmpp_rest.gateway.wiring_session_sending import build_session_inbound, build_session_sending
from xmpp_rest.gateway.wiring_sessions import build_sessions
from xmpp_rest.incidents import Incidents
from xmpp_rest.link.inbound_queue import InboundQueue
from xmpp_rest.link.pending import Pending
from xmpp_rest.link.router import Router
from xmpp_rest.logs.access import AccessLog
from xmpp_rest.logs.setup import set_level
from xmpp_rest.metrics.counts import Counts
from xmpp_rest.processes.census import Census
from xmpp_rest.processes.remote import Remote
from xmpp_rest.service.accounts.account_ends import AccountEnds
from xmpp_rest.service.accounts.accounts import Accounts
from xmpp_rest.service.accounts.data import Data
from xmpp_rest.service.accounts.data_rights import DataRights
from xmpp_rest.service.accounts.data_usage import Usage
from xmpp_rest.service.accounts.hosted_history import HostedHistory
from xmpp_rest.service.accounts.jobs import Jobs
from xmpp_rest.service.accounts.last_activity import LastActivity
from xmpp_rest.service.accounts.pep import Pep
from xmpp_rest.service.accounts.ports import AccountServices
from xmpp_rest.service.accounts.published_cards import PublishedCards
from xmpp_rest.service.accounts.shared_groups import SharedGroups
from xmpp_rest.service.accounts.vcards import VCards
from xmpp_rest.service.callbacks.callbacks import Callbacks
from xmpp_rest.service.callbacks.dead_letters import DeadLetters
from xmpp_rest.service.contacts.block_lists import BlockLists
from xmpp_rest.service.contacts.blocking_iq import BlockingQueries
from xmpp_rest.service.contacts.contacts import Contacts
from xmpp_rest.service.contacts.presence import Presences
from xmpp_rest.service.contacts.privacy import PrivacyLists
from xmpp_rest.service.contacts.privacy_guard import Guard
from xmpp_rest.service.contacts.privacy_iq import PrivacyQueries
from xmpp_rest.service.contacts.roster import Roster
from xmpp_rest.service.hooks.address import HooksAddress
from xmpp_rest.service.hooks.hooks import Hooks
from xmpp_rest.service.hooks.in_force import HookSettingsInForce
from xmpp_rest.service.hooks.pictures import HookPictures
from xmpp_rest.service.hooks.published import Published
from xmpp_rest.service.limits.limits import RateLimits
from xmpp_rest.service.messages.announcements import Announcements
from xmpp_rest.service.messages.archive import Archive
from xmpp_rest.service.messages.archive_keep import KeepSettings
from xmpp_rest.service.messages.clock import MonotonicClock
from xmpp_rest.service.messages.idempotency import Idempotency
from xmpp_rest.service.messages.mailbox import Mailbox
from xmpp_rest.service.messages.offline import Offline
from xmpp_rest.service.messages.outcomes import Outcomes
from xmpp_rest.service.messages.retention import Retention
from xmpp_rest.service.messages.send import Sending
from xmpp_rest.service.monitoring.collection import Collection
from xmpp_rest.service.monitoring.kept import KeptReports
from xmpp_rest.service.muc.build import conference as build_conference
from xmpp_rest.service.muclight.build import muclight as build_muclight
from xmpp_rest.service.rooms.kept_room_messages import KeptRoomMessages
from xmpp_rest.service.rooms.owner_changes import OwnerChanges
from xmpp_rest.service.rooms.speaking import TURNS
from xmpp_rest.service.rooms.verbs import RoomVerbs
from xmpp_rest.service.streams.online import Online
from xmpp_rest.service.streams.registry import Streams, at_once, drawn
from xmpp_rest.service.streams.sessions import Sessions
from xmpp_rest.service.streams.timeline import HEARD_STORE, AccountTimeline
from xmpp_rest.threads.waits import Waits


def build(
    settings: Settings, driver: Driver, data_dir: Path, incidents: Incidents, under_way: Callable[[], int] = lambda: 0,
    began: float = 0.0, on_loss: OnLoss = lambda _: None, former_key: bytes | None = None,
) -> Parts:  # fmt: skip
    """The parts of one process. `under_way`: how many requests are served in threads of the server's own; `began`: when the gateway was
    built, before its processes were forked; `on_loss` is called where another node is to lead, and not this process; `former_key`: as of
    ProcessKey.
    """
    domain, domains = settings.gateway.domain, settings.domains
    rooms_domain, conference_domain = settings.gateway.rooms_domain, settings.gateway.conference_domain
    patterns = [pattern for login in settings.logins.values() for pattern in login.domains]
    streamed = domains if settings.link.kind == "component" else ()
    counts = Counts(streamed, settings.callbacks, logins=patterns, enabled=settings.metrics.enabled)
    driver.observed_by(counts)
    events = Events(incidents)
    waits = Waits(settings.server.threads, settings.server.waits_per_account)
    joined = join_group(settings, driver, data_dir, on_loss, incidents, counts)
    remote = Remote(joined.group, waits, StorageError)
    beside = join_beside(settings, driver, data_dir, joined, remote, waits, on_loss, incidents, counts)

    own_sessions = build_sessions(settings, data_dir, driver, waits, remote, incidents, counts, former_key)
    passwords = Passwords(settings.auth.password_hash, settings.auth.iterations)
    throttle = Throttle(settings.auth.failures, remote, waiting=max(1, settings.server.threads // 8))
    tokens = Tokens(driver, domain)
    last = LastActivity(driver)
    authenticator = Authenticator(
        driver, passwords, throttle, tokens,
        domain=domain, admins=settings.auth.admins, token=settings.rest.credentials,
        secret=settings.link.secret if settings.link.kind == "component" else "", on_authenticated=last.record,
        refusals=Refusals(lambda refusal: counts.auth_failed(refusal.api, refusal.reason)),
        login_domains=LoginDomains(settings.logins, settings.domains), foreign=own_sessions.accounts,
    )  # fmt: skip
    accounts = Accounts(driver, passwords, domain, events)

    outcomes = Outcomes(counts)
    shared = joined.cluster.shared if joined.cluster else None
    promises = build_promises(settings, driver, data_dir, outcomes, counts, remote, incidents, shared, joined.may_write)
    uplink = promises.uplink
    pending = Pending(settings.rest.iq_waiting, counts.iq_timed_out)
    own_sessions.accounts.in_use_by(pending.askers)
    router = Router(
        frozenset(domains), pending, remote, uplink, frozenset(settings.gateway.domains[1:]), (outcomes.observe,), incidents,
        frozenset(owned_with(settings, domain)), beside.outgoing[domain] if beside else None,
    )  # fmt: skip
    inbound = InboundQueue(router, settings.link.inbox_size, incidents, counts)

    roster = Roster(driver)
    lists, blocks = PrivacyLists(driver, remote), BlockLists(driver, remote)
    guard = Guard(domain, lists, blocks, roster)
    presences = Presences(driver, router, guard.may_go, events)

    archive = Archive(driver, unarchived=promises.unarchived)
    heard = Archive(driver, HEARD_STORE)
    kept_room_messages = KeptRoomMessages(heard, driver, settings.rooms_anywhere.keep)
    streams = Streams(
        AccountTimeline(archive, heard), settings.streams, waits, remote, events, counts, incidents,
        return_after=drawn if settings.cluster.is_on else at_once,
    )  # fmt: skip
    online = Online(domain, streams, presences)
    offline = Offline(driver, domain, online, events)
    clock = MonotonicClock()
    hooks_address = HooksAddress(settings.hooks.address, accounts.exists)
    mailbox = Mailbox(archive, promises.sent, streams, accounts, clock, offline, incidents, hooks_address.is_nobody)
    announcements = Announcements(driver, domain, router, events, incidents)

    privacy = PrivacyQueries(lists, mailbox.show)
    blocking = BlockingQueries(blocks, roster, presences, mailbox.show, accounts.exists)
    bots = frozenset(jid for callback in settings.callbacks.values() for jid in callback.address if jid.local)
    contacts = Contacts(roster, presences, router, accounts, bots=bots, push=mailbox.show, is_listening=online.has_session)
    rooms = build_rooms(settings, driver, promises.journals, router, mailbox, guard, outcomes, waits, events, remote, incidents, began)
    sending = Sending(router, mailbox, contacts, guard, outcomes, rooms.speaking, waits, remote, incidents, counts)
    hooks = Hooks(driver, settings, remote, incidents, authenticator.is_admin)
    hook_sending = build_hook_sending(
        settings, hooks, driver, router, sending, outcomes, guard, waits, hooks_address, rooms, remote, incidents
    )  # fmt: skip
    longest = settings.rest.iq_max_timeout + max(settings.rest.iq_max_timeout, settings.rooms_anywhere.join_timeout + 2 * TURNS)
    idempotency = Idempotency(driver, longest)  # longer than a request can take
    sessions = Sessions(online, streams, presences, sending, events)
    by_session = build_session_sending(
        settings, driver, own_sessions, router, sending, rooms, outcomes, longest, waits, remote, incidents, counts
    )

    dead = DeadLetters(driver, domain)
    apart = build_domains(beside, data_dir, router, outcomes, dead, counts, accounts.exists, authenticator.is_admin)
    callbacks = Callbacks(
        callbacks_at(settings, domain), router, dead, promises.journals, remote, say=rooms.speaking.say_later,
        exists=accounts.exists, is_admin=authenticator.is_admin, incidents=incidents, counts=counts,
        beside=[base.callbacks for base in apart.values()],
    )  # fmt: skip
    hearing, session_hearing = build_hearing(
        settings, rooms, callbacks, kept_room_messages, streams, clock, guard, router, events, remote, incidents
    )  # fmt: skip
    of_light, of_conference = (
        (apart[place].router, apart[place].remote) if place in apart else (router, remote) for place in (rooms_domain, conference_domain)
    )
    muclight, muclight_entity = (
        build_muclight(
            driver, rooms_domain, domains, of_light[0], archive, clock, settings.rooms, incidents, of_light[1], guard.blocks,
            callbacks.may_bring,
        )
        if rooms_domain
        else (None, None)
    )  # fmt: skip
    conference = (
        build_conference(
            driver, conference_domain, of_conference[0], archive, clock, settings.conference, incidents, of_conference[1],
            callbacks.may_bring,
        )
        if conference_domain
        else None
    )  # fmt: skip
    for base in apart.values():
        OwnerChanges(rooms.memberships, base.domain, base.remote)  # works by itself
    led = build_leaders(beside, apart, archive, conference)
    own_conference = None if conference_domain in apart else conference

    foreign_client = build_foreign_client(router, waits, remote, by_session.sending)
    vcards = VCards(driver, PublishedCards(Pep(driver, roster)))
    data_usage = Usage(driver, settings.data)
    data_rights = DataRights(driver, settings.gateway.domains, authenticator.is_admin)
    changed = dict.fromkeys(("blocklist", "privacy"), guard.lists_changed)
    data = Data(driver, accounts, data_usage, before={"vcard": vcards.require_stored}, changed=changed, unarchived=promises.unarchived)
    jobs = Jobs(driver, domain, incidents)
    filing = build_files(settings, data_dir, driver, accounts, authenticator, remote, incidents)
    AccountEnds(  # works by signals alone
        events, tokens, hooks, contacts, SharedGroups(driver, domain), sessions, muclight, conference, archive, filing.files
    )  # fmt: skip

    own, on_pruned = KeepSettings(driver, incidents), own_conference.pruned if own_conference else _ignored
    pruned = [place for place in settings.gateway.domains if place not in apart]
    retention = Retention(archive, own, pruned, settings.archive, remote, incidents, on_pruned, [each.retention for each in led])
    hook_settings = HookSettingsInForce(settings)
    published = Published(driver, domain, streams, hook_settings.cache, incidents)
    hooks.removed.subscribe(published.forget)
    scheduled, runner = build_scheduled(
        settings, driver, sending, accounts, outcomes, hooks, hook_sending.sender, published, remote, incidents
    )  # fmt: skip
    limits = RateLimits(remote)
    file_sending, foreign_files = build_file_sending(
        settings, data_dir, filing.files, rooms, router, sending, by_session.sending, waits, remote
    )  # fmt: skip
    pictures = HookPictures(
        settings.hooks.address, file_sending.fetching, file_sending.uploads, filing.files, hook_sending.sender, incidents
    )  # fmt: skip
    asked = build_hook_requests(
        settings, driver, waits, limits, hooks, hook_sending.sender, scheduled, published, hook_settings, counts, pictures
    )  # fmt: skip
    listening = build_listening(
        settings.streams, own_sessions, by_session.presences, foreign_client, streams, router, remote, incidents,
        has_successor=joined.cluster is not None,
    )  # fmt: skip
    session_inbound = build_session_inbound(
        own_sessions, router, (rooms.stanzas.handle, listening.sessions.handle), incidents, counts
    )
    own_sessions.observers.subscribe(listening.sessions)
    leader = Leader(
        uplink, promises.sent, domain, inbound, callbacks, own_conference, router, retention, runner, hook_sending.rooms, rooms.lifecycle,
        rooms.outbox, filing.pruning, own_sessions.lifecycle, incidents, remote,
        build_handover(joined, settings, driver, own_conference, router.occupancy, incidents),
        build_session_handover(
            joined, settings, driver, own_sessions, session_inbound, by_session, foreign_client, rooms.memberships, session_hearing,
            listening, incidents
        ),
        build_transfers(beside, domain, router), build_left(joined, settings, driver, router, incidents),
    )  # fmt: skip
    remote.on_broadcast("log_level", set_level)
    remote.on_broadcast("forget", passwords.forget)
    remote.on_broadcast("unban", Unbanning(authenticator, own_sessions.accounts).unban)
    access_log = AccessLog(settings.server.access_log)
    cluster = build_control(joined, settings, streams, uplink, remote, incidents, led)
    gauges = Gauges(
        settings, under_way, streams, pending, uplink, callbacks, dead, runner, rooms.calls, filing.files, own_sessions.views, cluster,
        [GaugedDomain(base.remote, base.uplink, base.pending, base.callbacks) for base in apart.values()],
    )  # fmt: skip
    collection = Collection(counts, gauges, KeptReports(data_dir), remote, incidents)
    parts = Parts(
        passwords=passwords, tokens=tokens, authenticator=authenticator, accounts=accounts, last=last, vcards=vcards,
        data=data, data_usage=data_usage, data_rights=data_rights, jobs=jobs, router=router, waits=waits, archive=archive,
        retention=retention,
        streams=streams, online=online, sessions=sessions, mailbox=mailbox, offline=offline, sending=sending,
        hosted=AccountServices(
            sending=sending, answers=idempotency, history=HostedHistory(archive), contacts=contacts, muclight=lambda _: muclight,
            listening=streams, room_verbs=RoomVerbs(rooms.calls, sending), heard=hearing, files=file_sending,
            rooms_domain=lambda _: rooms_domain,
        ),
        foreign=AccountServices(
            sending=by_session.sending, answers=by_session.answers, history=foreign_client.history, contacts=foreign_client.contacts,
            muclight=foreign_client.muclight.of, listening=listening.streams,
            room_verbs=RoomVerbs(rooms.calls, by_session.sending), heard=session_hearing, files=foreign_files,
            rooms_domain=foreign_client.muclight.domain,
        ),
        foreign_accounts=own_sessions.accounts, foreign_sending=by_session.sending, process_key=own_sessions.key,
        session_views=own_sessions.views, server_features=foreign_client.features,
        idempotency=idempotency, announcements=announcements, contacts=contacts, guard=guard, privacy=privacy, blocking=blocking,
        hooks_address=hooks_address, hook_sender=hook_sending.sender, hook_rooms=hook_sending.rooms,
        memberships=rooms.memberships, speaking=rooms.speaking, room_calls=rooms.calls,
        room_stanzas=rooms.stanzas, discovery=rooms.discovery,
        limits=limits, scheduled=scheduled, hearing=hearing,
        hook_requests=asked.requests, sayings=asked.sayings, published=published, hook_limits=asked.limits,
        hook_settings=hook_settings,
        callbacks=callbacks, hooks=hooks, files=filing.files, file_sending=file_sending,
        muclight=muclight, muclight_entity=muclight_entity, conference=conference,
        access_log=access_log, observers=(access_log.answered, *((counts.answered,) if counts.enabled else ())),
        gauges=gauges, collection=collection, counts=counts, leader=leader, remote=remote,
        link_status=LinkStatus(leader, [each.leader for each in led]) if led else leader.status, apart=led,
        census=Census(remote), cluster=cluster, joined=joined,
        lease=StorageLease(driver, data_dir, settings.gateway.domains, incidents, settings.cluster, remote.follows),
    )  # fmt: skip
    for place, ordered in handlers(parts, settings).items():
        for handler in ordered:
            (apart[place].router if place in apart else router).subscribe(place, handler)
    router.accept_together(mailbox.together)
    for preparer in (guard.prepare, accounts.prepare):
        router.prepare_with(domain, preparer)
    return parts


def _ignored(*_: object) -> None:
    """There is no journal."""
