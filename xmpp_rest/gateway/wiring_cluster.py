"""Builds what joins a process to all nodes of its cluster."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from drivers import Driver
from xmpp_rest.cluster.domain_control import DomainControl
from xmpp_rest.cluster.group import ClusterGroup
from xmpp_rest.cluster.identity import identify
from xmpp_rest.cluster.joining import CannotJoin, require_fit
from xmpp_rest.cluster.lasting_clock import lasting_clock
from xmpp_rest.cluster.lease_keeper import LeaseKeeper
from xmpp_rest.cluster.link_patience import LinkPatience
from xmpp_rest.cluster.node_control import NodeControl
from xmpp_rest.cluster.node_info import NodeInfo
from xmpp_rest.cluster.opened_shared import OpenedShared
from xmpp_rest.cluster.rounds import NodeRounds
from xmpp_rest.cluster.transfer_in import IncomingTransfers
from xmpp_rest.config.spread import owned_with, spread_domains
from xmpp_rest.config.table import Settings
from xmpp_rest.gateway.domain_parts import DomainParts
from xmpp_rest.gateway.exit_codes import CannotStart, Exit
from xmpp_rest.gateway.group_parts import ClusterParts, GroupParts, OnLoss
from xmpp_rest.incidents import Incidents
from xmpp_rest.link.passed_stanzas import PassedStanzas
from xmpp_rest.link.router import Router
from xmpp_rest.link.uplink import Uplink
from xmpp_rest.metrics.counts import Counts
from xmpp_rest.processes.remote import Remote
from xmpp_rest.service.streams.registry import Streams
from xmpp_rest.service.streams.spread_ends import SpreadEnds


def join_cluster(
    settings: Settings, driver: Driver, data_dir: Path, on_loss: OnLoss, incidents: Incidents, counts: Counts
) -> GroupParts:
    """The group of all nodes, whose leader has the accounts. Nothing is started, and no connection made."""
    return _joined(settings, driver, data_dir, "", NodeInfo(settings, data_dir), on_loss, incidents, counts)


def join_beside(
    settings: Settings, driver: Driver, data_dir: Path, info: NodeInfo, on_loss: OnLoss, incidents: Incidents, counts: Counts
) -> dict[str, GroupParts]:
    """The groups whose leaders have other domains, by domain; each has a folder of its own for what its processes meet by."""
    folders = {settings.gateway.conference_domain: "conference", settings.gateway.rooms_domain: "rooms"}
    return {
        domain: _joined(settings, driver, data_dir, folders[domain], info, on_loss, incidents, counts, domain)
        for domain in spread_domains(settings)
    }


def _joined(
    settings: Settings, driver: Driver, data_dir: Path, folder: str, info: NodeInfo, on_loss: OnLoss, incidents: Incidents,
    counts: Counts, apart: str = "",
) -> GroupParts:  # fmt: skip
    """`apart`: the domain, if it is not that of the accounts."""
    cluster, domain = settings.cluster, apart or settings.gateway.domain
    place, spread = data_dir / "spread" / folder if folder else data_dir, spread_domains(settings)
    if folder:
        for each in (place.parent, place):
            each.mkdir(mode=0o700, exist_ok=True)
    shared, bell = OpenedShared(driver, domain, cluster), threading.Event()
    keeper = LeaseKeeper(
        shared, domain, owned_with(settings, domain), identify(data_dir, cluster.node), cluster, info, incidents, drains=info.drains,
        spread=(settings.gateway.domain, *spread) if spread else (),
    )  # fmt: skip
    keeper.on_loss(on_loss)
    group = ClusterGroup(place, domain, shared, keeper, cluster.lease, incidents, counts.called_owner, bell=bell)
    parts = ClusterParts(keeper, shared, info, partial(_require_fit, keeper, shared, cluster.lease), group.has_leader, shared.close, bell)
    return GroupParts(group, keeper.may_write, parts)


def _require_fit(keeper: LeaseKeeper, shared: OpenedShared, lease: float) -> None:
    """Raise CannotStart where a node that lives says that this one must not serve, StorageError."""
    try:
        require_fit(keeper.own_row(), shared().nodes, lease)
    except CannotJoin as e:
        raise CannotStart(Exit.CONFIG, str(e)) from e


def build_left(settings: Settings, parts: ClusterParts, router: Router, incidents: Incidents) -> list[IncomingTransfers]:
    """What takes what owners have passed on before one node owned all hosted domains; none where each has an owner of its own."""
    if spread_domains(settings):
        return []
    domain, taker = settings.gateway.domain, PassedStanzas(router, incidents)
    return [IncomingTransfers(hosted, parts.shared, taker, parts.bell, incidents, domain) for hosted in settings.gateway.domains]


def build_control(
    parts: ClusterParts, settings: Settings, streams: Streams, uplink: Uplink | None, remote: Remote, incidents: Incidents,
    apart: Sequence[DomainParts] = (),
) -> NodeControl:  # fmt: skip
    """What administrators see of the cluster, and do to this node. `apart`: the hosted domains that have owners of their own."""
    for keeper_of, streams_of in ((parts.keeper, uplink), *((each.base.cluster.keeper, each.base.uplink) for each in apart)):
        if streams_of is not None:
            keeper_of.on_look(LinkPatience(keeper_of, streams_of.is_up, lasting_clock).look)
    controls = [
        DomainControl(each.base.domain, each.base.cluster.keeper, each.base.cluster.shared, parts.info.drains, each.base.remote)
        for each in apart
    ]

    def keeper() -> LeaseKeeper | None:
        return parts.keeper if remote.group.is_speaker else None

    rounds = NodeRounds(keeper, parts.shared, parts.info, settings.cluster, lambda: streams.count, remote, incidents, apart=controls)
    return NodeControl(keeper, parts.shared, parts.info, settings, SpreadEnds(streams), rounds, remote, apart=controls)
