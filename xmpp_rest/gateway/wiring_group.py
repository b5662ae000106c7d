"""Builds what joins a process to the others: those of one machine, or of all nodes of a cluster."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from drivers import Driver
from xmpp_rest.api.gateway import ClusterControl
from xmpp_rest.config.table import Settings
from xmpp_rest.gateway.group_parts import ClusterParts, GroupParts, OnLoss
from xmpp_rest.gateway.leader import ForNextOwner, TakesLeft
from xmpp_rest.gateway.left_list import Term
from xmpp_rest.gateway.room_handover import RoomHandover
from xmpp_rest.gateway.transfers_taken_back import TransfersTakenBack
from xmpp_rest.gateway.unclaimed_sessions import UnclaimedSessions
from xmpp_rest.gateway.wiring_foreign_client import ForeignClientParts
from xmpp_rest.gateway.wiring_listening import ListeningParts
from xmpp_rest.gateway.wiring_session_sending import SessionSendingParts
from xmpp_rest.gateway.wiring_sessions import SessionParts
from xmpp_rest.incidents import Incidents
from xmpp_rest.link.occupancy import Occupancy
from xmpp_rest.link.router import Router
from xmpp_rest.link.uplink import Uplink
from xmpp_rest.metrics.counts import Counts
from xmpp_rest.processes.election import LocalGroup
from xmpp_rest.processes.remote import Remote
from xmpp_rest.service.monitoring.one_machine import OneMachine
from xmpp_rest.service.muc.conference import Conference
from xmpp_rest.service.rooms.memberships import Memberships
from xmpp_rest.service.rooms.session_hearing import SessionHearing
from xmpp_rest.service.sessions.inbound import SessionInbound
from xmpp_rest.service.streams.registry import Streams

if TYPE_CHECKING:  # loaded only where it is needed
    from xmpp_rest.gateway.domain_parts import DomainParts


def join_group(
    settings: Settings, driver: Driver, data_dir: Path, on_loss: OnLoss, incidents: Incidents, counts: Counts
) -> GroupParts:
    """The group that is configured. Nothing is started."""
    if not settings.cluster.is_on:
        return GroupParts(LocalGroup(data_dir))
    from xmpp_rest.gateway.wiring_cluster import join_cluster  # one machine has no use for it

    return join_cluster(settings, driver, data_dir, on_loss, incidents, counts)


def build_control(
    joined: GroupParts, settings: Settings, streams: Streams, uplink: Uplink | None, remote: Remote, incidents: Incidents,
    apart: Sequence[DomainParts] = (),
) -> ClusterControl:  # fmt: skip
    """What administrators see of the cluster, and do to this node."""
    if joined.cluster is None:
        return OneMachine()
    from xmpp_rest.gateway.wiring_cluster import build_control as build

    return build(joined.cluster, settings, streams, uplink, remote, incidents, apart)


def build_left(joined: GroupParts, settings: Settings, driver: Driver, router: Router, incidents: Incidents) -> Sequence[TakesLeft]:
    """What takes what the owners of hosted domains have passed on to each other when they were several."""
    if joined.cluster is None:
        return [TransfersTakenBack(driver, settings.gateway.domains, router, incidents)] if driver.shared else ()
    from xmpp_rest.gateway.wiring_cluster import build_left as build

    return build(settings, joined.cluster, router, incidents)


def build_handover(
    joined: GroupParts, settings: Settings, driver: Driver, conference: Conference | None, occupancy: Occupancy, incidents: Incidents
) -> RoomHandover | None:
    """What an owner leaves for the next; None: there are no other nodes."""
    if (cluster := joined.cluster) is None:
        return None
    rooms = conference.handed_over if conference else None
    term = partial(_term, cluster)
    return RoomHandover(driver, settings.gateway.domain, rooms, occupancy, term, incidents)


def build_session_handover(
    joined: GroupParts, settings: Settings, driver: Driver, sessions: SessionParts, inbound: SessionInbound, sending: SessionSendingParts,
    client: ForeignClientParts, memberships: Memberships, hearing: SessionHearing, listening: ListeningParts, incidents: Incidents,
) -> ForNextOwner | None:  # fmt: skip
    """The same, of sessions of accounts of other servers; None: no other gateway has ever used the storage."""
    if (cluster := joined.cluster) is None or not settings.logins:
        return UnclaimedSessions(driver, settings.gateway.domain, incidents) if driver.shared else None
    from xmpp_rest.gateway.wiring_session_handover import build as build_for_nodes  # one machine has no use for it

    term = partial(_term, cluster)
    return build_for_nodes(settings, driver, sessions, inbound, sending, client, memberships, hearing, listening, term, incidents)


def _term(cluster: ClusterParts) -> Term:
    return Term(cluster.keeper.epoch, cluster.shared().clock())
