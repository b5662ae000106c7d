"""The parts of a gateway in one process."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from xmpp_rest.answered import Observer
from xmpp_rest.api.gateway import ApiParts
from xmpp_rest.auth.passwords import Passwords
from xmpp_rest.gateway.gauges import Gauges
from xmpp_rest.gateway.group_parts import ClusterParts, GroupParts
from xmpp_rest.gateway.leader import Leader
from xmpp_rest.gateway.storage_lease import StorageLease
from xmpp_rest.logs.access import AccessLog
from xmpp_rest.processes.group import ProcessGroup
from xmpp_rest.processes.remote import Remote
from xmpp_rest.service.accounts.data_usage import Usage
from xmpp_rest.service.contacts.blocking_iq import BlockingQueries
from xmpp_rest.service.contacts.privacy_guard import Guard
from xmpp_rest.service.hooks.address import HooksAddress
from xmpp_rest.service.hooks.in_force import HookSettingsInForce
from xmpp_rest.service.hooks.rooms import HookRooms
from xmpp_rest.service.limits.of_hooks import HookLimits
from xmpp_rest.service.messages.mailbox import Mailbox
from xmpp_rest.service.muclight.entity import MucLightEntity
from xmpp_rest.service.rooms.discovery import Discovery
from xmpp_rest.service.rooms.memberships import Memberships
from xmpp_rest.service.rooms.speaking import Speaking
from xmpp_rest.service.rooms.stanzas import RoomStanzas
from xmpp_rest.service.sessions.process_key import ProcessKey
from xmpp_rest.service.sessions.sending import ForeignSending
from xmpp_rest.threads.sockets import SocketLoop

if TYPE_CHECKING:  # loaded only where it is needed
    from xmpp_rest.gateway.domain_parts import DomainParts


@dataclass(frozen=True)
class Parts(ApiParts):
    """All parts: those that the APIs use, and what the gateway itself needs besides."""

    passwords: Passwords
    data_usage: Usage
    mailbox: Mailbox
    guard: Guard
    hooks_address: HooksAddress
    hook_rooms: HookRooms
    memberships: Memberships
    speaking: Speaking
    room_stanzas: RoomStanzas
    discovery: Discovery
    hook_limits: HookLimits
    foreign_sending: ForeignSending
    process_key: ProcessKey
    hook_settings: HookSettingsInForce
    blocking: BlockingQueries
    muclight_entity: MucLightEntity | None
    gauges: Gauges
    leader: Leader
    access_log: AccessLog
    observers: tuple[Observer, ...]
    """Those of answers: each is told of every one."""
    lease: StorageLease
    joined: GroupParts
    apart: Sequence[DomainParts]
    """Of the hosted domains that have owners of their own."""

    @property
    def groups(self) -> tuple[ProcessGroup, ...]:
        """Those that this process takes part in, that of the accounts first."""
        return tuple(remote.group for remote in self.remotes)

    @property
    def remotes(self) -> tuple[Remote, ...]:
        """How the leader of each is called."""
        return (self.remote, *(each.base.remote for each in self.apart))

    @property
    def clusters(self) -> tuple[ClusterParts, ...]:
        """What this process has of each cluster of owners; none on one machine."""
        return () if self.joined.cluster is None else (self.joined.cluster, *(each.base.cluster for each in self.apart))

    def read_by(self, loop: SocketLoop) -> None:
        """Have the event loop of the server read what other processes say."""
        for group in self.groups:
            group.read_by(loop)
        self.gauges.read_by(loop)
