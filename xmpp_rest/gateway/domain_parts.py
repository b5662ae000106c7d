"""DomainParts: what a process has for a domain of rooms that has an owner of its own (many-machines §11, `[cluster] spread`)."""

from __future__ import annotations

from dataclasses import dataclass

from xmpp_rest.gateway.group_parts import ClusterParts, GroupParts
from xmpp_rest.gateway.rooms_leader import RoomsLeader
from xmpp_rest.link.inbound_queue import InboundQueue
from xmpp_rest.link.pending import Pending
from xmpp_rest.link.router import Router
from xmpp_rest.link.uplink import Uplink
from xmpp_rest.processes.remote import Remote
from xmpp_rest.service.callbacks.callbacks import Callbacks
from xmpp_rest.service.messages.retention import Retention


@dataclass(frozen=True)
class DomainBase:
    """What its services are built with."""

    domain: str
    joined: GroupParts
    cluster: ClusterParts
    remote: Remote
    uplink: Uplink | None
    pending: Pending
    router: Router
    inbound: InboundQueue
    callbacks: Callbacks


@dataclass(frozen=True)
class DomainParts:
    """All of it."""

    base: DomainBase
    leader: RoomsLeader
    retention: Retention
