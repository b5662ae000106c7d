"""Builds what sends the messages of hooks. Starts nothing."""

from __future__ import annotations

from dataclasses import dataclass

from drivers import Driver
from xmpp_rest.config.table import Settings
from xmpp_rest.gateway.wiring_rooms import RoomParts
from xmpp_rest.incidents import Incidents
from xmpp_rest.link.router import Router
from xmpp_rest.processes.remote import Remote
from xmpp_rest.service.contacts.privacy_guard import Guard
from xmpp_rest.service.hooks.address import HooksAddress
from xmpp_rest.service.hooks.hooks import Hooks
from xmpp_rest.service.hooks.matters import Matters
from xmpp_rest.service.hooks.rooms import HookRooms
from xmpp_rest.service.hooks.sender import HookSender
from xmpp_rest.service.hooks.targets import Targets
from xmpp_rest.service.hooks.to_one import ToOne
from xmpp_rest.service.hooks.updates import Updates
from xmpp_rest.service.messages.outcomes import Outcomes
from xmpp_rest.service.messages.send import Sending
from xmpp_rest.threads.waits import Waits


@dataclass(frozen=True)
class HookSending:
    """What sends, and what takes what rooms say to hooks."""

    sender: HookSender
    rooms: HookRooms


def hook_sending(
    settings: Settings,
    hooks: Hooks,
    driver: Driver,
    router: Router,
    sending: Sending,
    outcomes: Outcomes,
    guard: Guard,
    waits: Waits,
    address: HooksAddress,
    elsewhere: RoomParts,
    remote: Remote,
    incidents: Incidents,
) -> HookSending:
    """The parts of one process."""
    targets = Targets(router, settings.gateway.rooms_domain, settings.gateway.conference_domain)
    rooms = HookRooms(router, sending, outcomes, elsewhere.memberships, elsewhere.speaking, targets, hooks, remote, incidents)
    elsewhere.stanzas.add_speaker(rooms)
    updates = Updates(Matters(driver, settings.gateway.domain), router.spoken, outcomes, hooks.removed, remote, incidents)
    to_one = ToOne(router, sending, outcomes, guard, targets, rooms, updates, address.is_nobody, remote, incidents)
    return HookSending(HookSender(settings.hooks, to_one, waits, remote, incidents), rooms)
