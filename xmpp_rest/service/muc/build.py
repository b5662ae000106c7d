"""How are the parts of the conference domain put together?"""

from __future__ import annotations

from drivers import Driver
from xmpp_rest.config.table import Conference as Settings
from xmpp_rest.incidents import Incidents
from xmpp_rest.link.router import Router
from xmpp_rest.protocol.jid import JID
from xmpp_rest.service.messages.archive import Archive
from xmpp_rest.service.messages.clock import Stamps
from xmpp_rest.service.messages.mam import ArchiveQueries
from xmpp_rest.service.muc.admin import AdminQueries
from xmpp_rest.service.muc.broadcast import Voice
from xmpp_rest.service.muc.conference import Conference
from xmpp_rest.service.muc.configure import Configuration
from xmpp_rest.service.muc.disco import Disco
from xmpp_rest.service.muc.entity import MucEntity
from xmpp_rest.service.muc.history import SHADOW, History
from xmpp_rest.service.muc.invite import Invitations
from xmpp_rest.service.muc.join import Doors
from xmpp_rest.service.muc.messages import Speech
from xmpp_rest.service.muc.moderation import Moderation
from xmpp_rest.service.muc.nicks import Nicks
from xmpp_rest.service.muc.owner import OwnerQueries
from xmpp_rest.service.muc.relay import Relay
from xmpp_rest.service.muc.requests import VoiceRequests
from xmpp_rest.service.muc.rooms import Rooms
from xmpp_rest.service.muc.subscribe import MayBring, Subscriptions
from xmpp_rest.service.muc.vacancy import Vacancy


def conference(
    driver: Driver,
    domain: str,
    router: Router,
    archive: Archive,
    stamps: Stamps,
    settings: Settings,
    incidents: Incidents,
    may_bring: MayBring = lambda _actor, _user: True,
) -> Conference:
    """The rooms of `domain`; their handler is not subscribed yet."""
    flags = {"persistent": settings.persistent, "mam": settings.archive, "allow_subscription": settings.allow_subscription}
    defaults = {name: str(flag).lower() for name, flag in flags.items()}
    history = History(archive, Archive(driver, SHADOW), settings.history_size, incidents)
    rooms = Rooms(driver, domain, history, stamps.next, defaults)
    voice, nicks = Voice(router.send, incidents), Nicks(driver, domain)
    doors = Doors(rooms, voice, nicks)
    subscriptions = Subscriptions(rooms, voice, nicks, may_bring)
    configuration, moderation = Configuration(rooms, voice, doors, subscriptions), Moderation(rooms, voice, doors, subscriptions)
    speech = Speech(rooms, voice, doors, Invitations(rooms, voice), VoiceRequests(rooms, voice, moderation), incidents)
    queries = (
        Disco(rooms, nicks),
        AdminQueries(rooms, moderation, doors),
        OwnerQueries(rooms, configuration),
        subscriptions,
        nicks,
    )

    def may_ask(asker: JID, owner: JID) -> bool:
        """Whether somebody may read the archive of a room: whoever could come in, or hears of it anyway."""
        with rooms.held(owner.local) as room:
            affiliation = room.affiliation(asker)
            if room.is_present(asker.bare) or asker.bare in room.subscribers or affiliation in ("member", "admin", "owner"):
                return True
            return affiliation == "none" and not room.on("members_only") and not room.on("password_protected")

    archives = ArchiveQueries(archive, router.send, may_ask)
    entity = MucEntity(domain, doors, speech, Relay(rooms, voice), archives.handle, queries)
    vacancy = Vacancy(rooms, settings.unused_after, incidents)
    return Conference(rooms, voice, nicks, (doors, configuration, moderation, subscriptions), entity.handle, vacancy)
