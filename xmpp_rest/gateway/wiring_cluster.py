"""Builds what joins a process to all nodes of its cluster."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from drivers import Driver
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
from xmpp_rest.config.table import Settings
from xmpp_rest.gateway.exit_codes import CannotStart, Exit
from xmpp_rest.gateway.group_parts import ClusterParts, GroupParts, OnLoss
from xmpp_rest.incidents import Incidents
from xmpp_rest.link.uplink import Uplink
from xmpp_rest.metrics.counts import Counts
from xmpp_rest.processes.remote import Remote
from xmpp_rest.service.streams.registry import Streams
from xmpp_rest.service.streams.spread_ends import SpreadEnds


def join_cluster(
    settings: Settings, driver: Driver, data_dir: Path, on_loss: OnLoss, incidents: Incidents, counts: Counts
) -> GroupParts:
    """The group of all nodes. Nothing is started, and no connection made."""
    cluster, domain = settings.cluster, settings.gateway.domain
    shared = OpenedShared(driver, domain, cluster)
    info = NodeInfo(settings, data_dir)
    identity = identify(data_dir, cluster.node)
    keeper = LeaseKeeper(shared, domain, tuple(settings.domains), identity, cluster, info, incidents, drains=info.drains)
    keeper.on_loss(on_loss)
    group = ClusterGroup(data_dir, domain, shared, keeper, cluster.lease, incidents, counts.called_owner)
    parts = ClusterParts(keeper, shared, info, partial(_require_fit, keeper, shared, cluster.lease), shared.close)
    return GroupParts(group, keeper.may_write, parts)


def _require_fit(keeper: LeaseKeeper, shared: OpenedShared, lease: float) -> None:
    """Raise CannotStart where a node that lives says that this one must not serve, StorageError."""
    try:
        require_fit(keeper.own_row(), shared().nodes, lease)
    except CannotJoin as e:
        raise CannotStart(Exit.CONFIG, str(e)) from e


def build_control(
    parts: ClusterParts, settings: Settings, streams: Streams, uplink: Uplink | None, remote: Remote, incidents: Incidents
) -> NodeControl:
    """What administrators see of the cluster, and do to this node."""
    if uplink is not None:
        parts.keeper.on_look(LinkPatience(parts.keeper, uplink.is_up, lasting_clock).look)

    def keeper() -> LeaseKeeper | None:
        return parts.keeper if remote.group.is_speaker else None

    rounds = NodeRounds(keeper, parts.shared, parts.info, settings.cluster, lambda: streams.count, remote, incidents)
    return NodeControl(keeper, parts.shared, parts.info, settings, SpreadEnds(streams), rounds, remote)
