"""Builds the parts of the MUC Light domain."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from drivers import Driver
from xmpp_rest.config.table import RoomsSettings as Settings
from xmpp_rest.incidents import Incidents
from xmpp_rest.link.router import Router
from xmpp_rest.processes.remote import Remote
from xmpp_rest.protocol.jid import JID
from xmpp_rest.service.messages.archive import Archive
from xmpp_rest.service.messages.clock import MonotonicClock
from xmpp_rest.service.messages.mam import ArchiveQueries
from xmpp_rest.service.muclight.blocking import Blocking
from xmpp_rest.service.muclight.broadcast import MucLightBroadcaster
from xmpp_rest.service.muclight.entity import MucLightEntity
from xmpp_rest.service.muclight.muclight import MayBring, MucLight
from xmpp_rest.service.muclight.quotas import Quotas
from xmpp_rest.service.muclight.room import Rules
from xmpp_rest.service.muclight.rooms import MucLightRooms


def muclight(
    driver: Driver,
    domain: str,
    hosted: Sequence[str],
    router: Router,
    archive: Archive,
    clock: MonotonicClock,
    settings: Settings,
    incidents: Incidents,
    remote: Remote,
    blocks: Callable[[JID, JID], bool],
    may_bring: MayBring,
) -> tuple[MucLight, MucLightEntity]:
    """The rooms of `domain`, and what answers stanzas there. `hosted`: all hosted domains; `blocks`: see Blocking."""
    rooms, blocking = MucLightRooms(driver, domain), Blocking(driver, domain, blocks)
    broadcaster, rules = MucLightBroadcaster(rooms, archive, clock, router, incidents), Rules(**vars(settings))
    light = MucLight(rooms, blocking, archive, clock, broadcaster, rules, Quotas(rooms, hosted, rules), remote, may_bring)
    return light, MucLightEntity(light, blocking, ArchiveQueries(archive, router.send, light.may_ask).handle)
