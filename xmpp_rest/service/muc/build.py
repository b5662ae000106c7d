"""Construction of the conference domain: builds its parts and connects them."""

from __future__ import annotations

from drivers import Driver
from xmpp_rest.config.table import ConferenceSettings
from xmpp_rest.incidents import Incidents
from xmpp_rest.link.router import Router
from xmpp_rest.processes.remote import Remote
from xmpp_rest.protocol.jid import JID
from xmpp_rest.service.messages.archive import Archive
from xmpp_rest.service.messages.clock import MonotonicClock
from xmpp_rest.service.messages.mam import ArchiveQueries
from xmpp_rest.service.muc.admin import AdminQueries
from xmpp_rest.service.muc.affiliations import Affiliations
from xmpp_rest.service.muc.broadcast import Broadcaster
from xmpp_rest.service.muc.conference import Conference
from xmpp_rest.service.muc.configure import Configuration
from xmpp_rest.service.muc.disco import Disco
from xmpp_rest.service.muc.entity import MucEntity
from xmpp_rest.service.muc.history import SHADOW, History
from xmpp_rest.service.muc.invite import Invitations
from xmpp_rest.service.muc.join import JoinHandler
from xmpp_rest.service.muc.messages import MessageHandler
from xmpp_rest.service.muc.nicks import Nicks
from xmpp_rest.service.muc.owner import OwnerQueries
from xmpp_rest.service.muc.relay import IqRelay
from xmpp_rest.service.muc.requests import VoiceRequests
from xmpp_rest.service.muc.rooms import MucRooms
from xmpp_rest.service.muc.subscribe import MayBring, Subscriptions
from xmpp_rest.service.muc.vacancy import Vacancy


def conference(
    driver: Driver,
    domain: str,
    router: Router,
    archive: Archive,
    clock: MonotonicClock,
    settings: ConferenceSettings,
    incidents: Incidents,
    remote: Remote,
    may_bring: MayBring,
) -> Conference:
    """Build the rooms of `domain`; their handler is not registered yet."""
    flags = {"persistent": settings.persistent, "mam": settings.archive, "allow_subscription": settings.allow_subscription}
    defaults = {name: str(flag).lower() for name, flag in flags.items()}
    history = History(archive, Archive(driver, SHADOW), settings.history_size, incidents)
    rooms = MucRooms(driver, domain, history, clock.next, defaults)
    broadcaster, nicks = Broadcaster(router, incidents), Nicks(driver, domain)
    join_handler = JoinHandler(rooms, broadcaster, nicks)
    subscriptions = Subscriptions(rooms, broadcaster, nicks, may_bring)
    configuration, affiliations = (
        Configuration(rooms, broadcaster, join_handler, subscriptions),
        Affiliations(rooms, broadcaster, join_handler, subscriptions),
    )
    message_handler = MessageHandler(
        rooms, broadcaster, join_handler, Invitations(rooms, broadcaster), VoiceRequests(rooms, broadcaster, affiliations), incidents
    )
    queries = (
        Disco(rooms, nicks),
        AdminQueries(rooms, affiliations, join_handler),
        OwnerQueries(rooms, configuration),
        subscriptions,
        nicks,
    )

    def may_ask(asker: JID, owner: JID) -> bool:
        """Whether `asker` may read the archive of a room: occupants, subscribers, and users who could enter."""
        with rooms.held(owner.local) as room:
            affiliation = room.affiliation(asker)
            if room.is_present(asker.bare) or asker.bare in room.subscribers or affiliation in ("member", "admin", "owner"):
                return True
            return affiliation == "none" and not room.on("members_only") and not room.on("password_protected")

    archives = ArchiveQueries(archive, router.send, may_ask)
    entity = MucEntity(domain, join_handler, message_handler, IqRelay(rooms, broadcaster), archives.handle, queries)
    vacancy = Vacancy(rooms, settings.unused_after, incidents)
    return Conference(rooms, broadcaster, nicks, (join_handler, configuration, affiliations, subscriptions), entity.handle, vacancy, remote)
