"""Builds what keeps hosted actors in rooms on other servers. Starts nothing."""

from __future__ import annotations

from dataclasses import dataclass

from drivers import Driver
from xmpp_rest.config.table import Settings
from xmpp_rest.gateway.events import Events
from xmpp_rest.incidents import Incidents
from xmpp_rest.link.router import Router
from xmpp_rest.processes.remote import Remote
from xmpp_rest.protocol.jid import JID
from xmpp_rest.service.rooms.calls import RoomCalls
from xmpp_rest.service.rooms.core import RoomCore
from xmpp_rest.service.rooms.discovery import Discovery
from xmpp_rest.service.rooms.lifecycle import RoomsLifecycle
from xmpp_rest.service.rooms.memberships import Memberships
from xmpp_rest.service.rooms.stanzas import RoomStanzas
from xmpp_rest.service.rooms.store import RoomStore


@dataclass(frozen=True)
class RoomParts:
    """Who is in which room, and how processes ask for that."""

    memberships: Memberships
    discovery: Discovery
    calls: RoomCalls
    stanzas: RoomStanzas
    lifecycle: RoomsLifecycle


def build_rooms(settings: Settings, driver: Driver, router: Router, events: Events, remote: Remote, incidents: Incidents) -> RoomParts:
    """The parts of one process."""
    domain, anywhere = settings.gateway.domain, settings.rooms_anywhere
    discovery = Discovery(router, JID("", domain, ""))
    core = RoomCore(anywhere, router, discovery, RoomStore(driver, domain, incidents), remote, incidents)
    memberships = Memberships(core)
    calls = RoomCalls(memberships, lambda: 0, remote)
    stanzas = RoomStanzas(memberships, router.occupancy, anywhere.resource, (), (), incidents)
    router.on_link(memberships.link_changed)
    events.unregistering.subscribe(calls.account_removed)
    return RoomParts(memberships, discovery, calls, stanzas, RoomsLifecycle(core, memberships, settings.callbacks, remote))
