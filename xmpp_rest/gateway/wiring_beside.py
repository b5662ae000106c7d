"""Builds what leads the domains of rooms that have owners of their own, beside that of the accounts (many-machines §11).

Not loaded where one node owns all hosted domains.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from drivers import Addition, Driver, StorageError
from drivers.shared import JournalChange
from xmpp_rest.cluster.transfer_in import OF_ROOMS, IncomingTransfers
from xmpp_rest.cluster.transfer_out import Bounds, Destination, OutgoingTransfers
from xmpp_rest.config.spread import callbacks_at, owned_with, spread_domains
from xmpp_rest.config.table import Settings
from xmpp_rest.gateway.domain_parts import DomainBase, DomainParts
from xmpp_rest.gateway.group_parts import ClusterParts, GroupParts, OnLoss
from xmpp_rest.gateway.left_list import Term
from xmpp_rest.gateway.room_handover import RoomHandover
from xmpp_rest.gateway.rooms_leader import RoomsLeader
from xmpp_rest.gateway.transfers import Transfers
from xmpp_rest.gateway.wiring_cluster import join_beside
from xmpp_rest.gateway.wiring_promises import build_uplink, shared_journals
from xmpp_rest.incidents import Incidents
from xmpp_rest.link.inbound_queue import InboundQueue
from xmpp_rest.link.outbox import account_of
from xmpp_rest.link.passed_stanzas import PassedStanzas
from xmpp_rest.link.pending import Pending
from xmpp_rest.link.router import Router
from xmpp_rest.link.stanza_names import sender_in
from xmpp_rest.metrics.counts import Counts
from xmpp_rest.processes.remote import Remote
from xmpp_rest.protocol.jid import JID
from xmpp_rest.service.callbacks.callbacks import Callbacks
from xmpp_rest.service.callbacks.dead_letters import DeadLetters
from xmpp_rest.service.messages.archive import Archive
from xmpp_rest.service.messages.archive_keep import KeepSettings
from xmpp_rest.service.messages.archived_by_journal import ArchivedByJournal
from xmpp_rest.service.messages.outcomes import Outcomes
from xmpp_rest.service.messages.retention import Retention
from xmpp_rest.service.muc.conference import Conference
from xmpp_rest.service.rooms.plain_speech import PlainSpeech
from xmpp_rest.threads.waits import Waits

# what rooms may pass on: what some of them say at once to all who are in, and by calls that come while they take nothing in
ROOMS_MOST, ROOMS_LEAST = 10, 100_000  # times the size of an outbox; stanzas, if that is more


@dataclass(frozen=True)
class Beside:
    """What joins the owners of all hosted domains to each other, in one process."""

    settings: Settings
    driver: Driver
    incidents: Incidents
    remotes: Mapping[str, Remote]
    """By hosted domain; also that of the accounts."""
    joined: Mapping[str, GroupParts]
    outgoing: Mapping[str, OutgoingTransfers]


def join_all(
    settings: Settings, driver: Driver, data_dir: Path, joined: GroupParts, remote: Remote, waits: Waits, on_loss: OnLoss,
    incidents: Incidents, counts: Counts,
) -> Beside:  # fmt: skip
    """`joined` and `remote`: of the accounts. Nothing is started."""
    domain = settings.gateway.domain
    groups = {domain: joined, **join_beside(settings, driver, data_dir, _cluster(joined).info, on_loss, incidents, counts)}
    remotes = {domain: remote} | {each: Remote(groups[each].group, waits, StorageError) for each in spread_domains(settings)}
    at = {hosted: _destination(owner, groups[owner]) for owner in groups for hosted in owned_with(settings, owner)}
    outgoing = {owner: _outgoing(settings, owner, _cluster(groups[owner]), at) for owner in groups}
    return Beside(settings, driver, incidents, remotes, groups, outgoing)


def _cluster(joined: GroupParts) -> ClusterParts:
    assert joined.cluster is not None
    return joined.cluster


def _destination(owner: str, joined: GroupParts) -> Destination:
    return Destination(owner, _cluster(joined).shared, _cluster(joined).has_owner)


def _outgoing(settings: Settings, owner: str, cluster: ClusterParts, at: Mapping[str, Destination]) -> OutgoingTransfers:
    others = {hosted: to for hosted, to in at.items() if hosted not in owned_with(settings, owner)}
    return OutgoingTransfers(owner, cluster.shared, others, cluster.keeper.identity.run, partial(_epoch, cluster), _bounds(settings, owner))


def _bounds(settings: Settings, owner: str) -> Bounds:
    """What accounts say is refused beyond the bounds of an outbox. What rooms say to accounts is not: they take nothing in meanwhile."""
    size = settings.link.outbox_size
    if owner == settings.gateway.domain:
        return Bounds(size, size, settings.link.share, _account_in)
    most = max(ROOMS_MOST * size, ROOMS_LEAST)
    return Bounds(most, size, most, _nobody)


def _account_in(text: str) -> str:
    return account_of(sender_in(text.encode()))


def _nobody(_: str) -> str:
    """Rooms have no share."""
    return ""


def _epoch(cluster: ClusterParts) -> int:
    return cluster.keeper.epoch


def build_domains(
    beside: Beside, data_dir: Path, router: Router, outcomes: Outcomes, dead: DeadLetters, counts: Counts,
    exists: Callable[[JID], bool], is_admin: Callable[[JID], bool],
) -> dict[str, DomainBase]:  # fmt: skip
    """What the services of each domain of rooms are built with. `router`: that of the accounts' owner."""
    settings = beside.settings
    bases = {
        domain: _base(beside, domain, data_dir, outcomes, dead, counts, exists, is_admin) for domain in spread_domains(settings)
    }
    routers = dict.fromkeys(owned_with(settings, settings.gateway.domain), router) | {d: base.router for d, base in bases.items()}
    for each in {id(router): router for router in routers.values()}.values():
        each.beyond.are(routers)
    return bases


def _base(
    beside: Beside, domain: str, data_dir: Path, outcomes: Outcomes, dead: DeadLetters, counts: Counts,
    exists: Callable[[JID], bool], is_admin: Callable[[JID], bool],
) -> DomainBase:  # fmt: skip
    settings, joined, remote, incidents = beside.settings, beside.joined[domain], beside.remotes[domain], beside.incidents
    cluster = _cluster(joined)
    journals = shared_journals(settings, domain, cluster.shared, data_dir, ArchivedByJournal(incidents).of_note, remote, incidents)
    uplink = build_uplink(settings, (domain,), journals, outcomes, counts, joined.may_write, tells_left=True)
    pending = Pending(settings.rest.iq_waiting, counts.iq_timed_out)
    router = Router(
        frozenset(settings.domains), pending, remote, uplink, frozenset(settings.gateway.domains[1:]), (), incidents, frozenset((domain,)),
        beside.outgoing[domain],
    )  # fmt: skip
    inbound = InboundQueue(router, settings.link.inbox_size, incidents, counts, beside.outgoing[domain].has_room)
    callbacks = Callbacks(
        callbacks_at(settings, domain), router, dead.kept_by(partial(_keep, cluster, domain)), journals, remote,
        say=PlainSpeech(router).say_later, exists=exists, is_admin=is_admin, incidents=incidents, counts=counts,
    )  # fmt: skip
    return DomainBase(domain, joined, cluster, remote, uplink, pending, router, inbound, callbacks)


def _keep(cluster: ClusterParts, domain: str, addition: Addition) -> None:
    """Store an item that is not of the domain, under its lease all the same. Raises StorageError."""
    (error,) = cluster.shared().journal("", domain).commit(JournalChange(additions=(addition,)))
    if error is not None:
        raise error


def build_transfers(beside: Beside, owner: str, router: Router) -> Transfers:
    """What the owner of this domain passes on, and takes."""
    cluster = _cluster(beside.joined[owner])
    outgoing = beside.outgoing[owner]
    if owner == beside.settings.gateway.domain:
        taker = PassedStanzas(router, beside.incidents)
        return Transfers(outgoing, IncomingTransfers(owner, cluster.shared, taker, cluster.bell, beside.incidents, settle=outgoing.settle))
    incoming = IncomingTransfers(
        owner, cluster.shared, PassedStanzas(router, beside.incidents, of_rooms=True), cluster.bell, beside.incidents,
        at_once=OF_ROOMS, may_take=outgoing.has_room, settle=outgoing.settle,
    )  # fmt: skip
    return Transfers(outgoing, incoming)


def build_leaders(
    beside: Beside, bases: Mapping[str, DomainBase], archive: Archive, conference: Conference | None
) -> list[DomainParts]:
    """What leads each domain of rooms."""
    return [
        _led(beside, base, archive, conference if conference and conference.domain == domain else None) for domain, base in bases.items()
    ]


def _led(beside: Beside, base: DomainBase, archive: Archive, conference: Conference | None) -> DomainParts:
    settings, driver, incidents, remote = beside.settings, beside.driver, beside.incidents, base.remote
    on_pruned = conference.pruned if conference else _ignored
    retention = Retention(archive, KeepSettings(driver, incidents), (base.domain,), settings.archive, remote, incidents, on_pruned)
    rooms = conference.handed_over if conference else None
    handover = RoomHandover(driver, base.domain, rooms, base.router.occupancy, partial(_term, base.cluster), incidents)
    transfers = build_transfers(beside, base.domain, base.router)
    leader = RoomsLeader(base.uplink, base.inbound, transfers, base.callbacks, conference, retention, handover, remote)
    return DomainParts(base, leader, retention)


def _term(cluster: ClusterParts) -> Term:
    return Term(cluster.keeper.epoch, cluster.shared().clock())


def _ignored(*_: object) -> None:
    """No room keeps anything of it."""
