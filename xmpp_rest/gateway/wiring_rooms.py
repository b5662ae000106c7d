"""Builds what keeps hosted actors in rooms on other servers. Starts nothing."""

from __future__ import annotations

from dataclasses import dataclass

from drivers import Driver
from xmpp_rest.config.table import Settings
from xmpp_rest.gateway.events import Events
from xmpp_rest.incidents import Incidents
from xmpp_rest.link.journals import Journals
from xmpp_rest.link.router import Router
from xmpp_rest.processes.remote import Remote
from xmpp_rest.protocol.jid import JID
from xmpp_rest.service.contacts.privacy_guard import Guard
from xmpp_rest.service.messages.mailbox import Mailbox
from xmpp_rest.service.messages.outcomes import Outcomes
from xmpp_rest.service.rooms.calls import RoomCalls
from xmpp_rest.service.rooms.core import RoomCore
from xmpp_rest.service.rooms.discovery import Discovery
from xmpp_rest.service.rooms.kept_messages import KeptMessages
from xmpp_rest.service.rooms.lifecycle import RoomsLifecycle
from xmpp_rest.service.rooms.memberships import Memberships
from xmpp_rest.service.rooms.occupant_addresses import OccupantAddresses
from xmpp_rest.service.rooms.raw_occupants import RawOccupants
from xmpp_rest.service.rooms.room_outbox import RoomOutbox
from xmpp_rest.service.rooms.speaking import Speaking
from xmpp_rest.service.rooms.speech_core import SpeechCore
from xmpp_rest.service.rooms.stanzas import RoomStanzas
from xmpp_rest.service.rooms.store import RoomStore
from xmpp_rest.threads.waits import Waits


@dataclass(frozen=True)
class RoomParts:
    """Who is in which room, and how processes ask for that."""

    addresses: OccupantAddresses
    memberships: Memberships
    discovery: Discovery
    speaking: Speaking
    outbox: RoomOutbox
    calls: RoomCalls
    stanzas: RoomStanzas
    lifecycle: RoomsLifecycle


def build_rooms(
    settings: Settings, driver: Driver, journals: Journals, router: Router, mailbox: Mailbox, guard: Guard, outcomes: Outcomes,
    waits: Waits, events: Events, remote: Remote, incidents: Incidents, began: float,
) -> RoomParts:  # fmt: skip
    """The parts of one process."""
    domain, anywhere, link = settings.gateway.domain, settings.rooms_anywhere, settings.link
    addresses = OccupantAddresses(router, domain, anywhere.resource)
    discovery = Discovery(router, JID("", domain, ""), addresses)
    core = RoomCore(anywhere, router, addresses, discovery, RoomStore(driver, domain, incidents, began), remote, incidents)
    memberships = Memberships(core)
    router.on_link(memberships.link_changed)
    router.accounts.on_stream(memberships.sessions.changed)
    router.accounts.on_left(memberships.sessions.left)
    kept = KeptMessages(journals if link.outbox == "disk" else None, domain)
    elsewhere = settings.sessions.queue_size
    outbox = RoomOutbox(SpeechCore(router, memberships, outcomes, kept, anywhere, domain, link.outbox_size, link.share, elsewhere, remote))
    raw = RawOccupants(router, mailbox, outcomes)
    speaking = Speaking(router, memberships, outbox, raw, guard, anywhere, domain, settings.sessions.send_limit, waits, remote)
    calls = RoomCalls(memberships, lambda: outbox.held, remote)
    stanzas = RoomStanzas(memberships, router.occupancy, addresses, (outbox,), (), incidents)
    events.unregistering.subscribe(calls.account_removed)
    lifecycle = RoomsLifecycle(core, memberships, settings.callbacks, remote)
    return RoomParts(addresses, memberships, discovery, speaking, outbox, calls, stanzas, lifecycle)
