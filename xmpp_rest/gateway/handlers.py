"""Who is asked about a stanza for a hosted domain, and in which order."""

from __future__ import annotations

from xmpp_rest.config.table import GatewaySettings
from xmpp_rest.gateway.parts import Parts
from xmpp_rest.link.router import Handler
from xmpp_rest.service.accounts.vcard_iq import FEATURES as VCARD
from xmpp_rest.service.accounts.vcard_iq import VCardQueries
from xmpp_rest.service.contacts.blocking_iq import FEATURES as BLOCKING
from xmpp_rest.service.contacts.privacy_iq import FEATURES as PRIVACY
from xmpp_rest.service.contacts.roster_iq import RosterQueries
from xmpp_rest.service.messages.disco import COMPONENT, GATEWAY, Entity
from xmpp_rest.service.messages.mam import FEATURES as ARCHIVE
from xmpp_rest.service.messages.mam import ArchiveQueries


def handlers(parts: Parts, settings: GatewaySettings) -> dict[str, tuple[Handler, ...]]:
    """Domain → its handlers. The first that takes the stanza ends the search: occupants of rooms elsewhere, bots and hooks, then what
    belongs to accounts, and at the end the callback of the whole domain, and what every entity answers. Rooms come before all of these
    at their domains.
    """
    account_features = ARCHIVE + VCARD + BLOCKING
    gateway = Entity(GATEWAY, tuple(settings.domains[1:]), parts.accounts.exists, account_features, PRIVACY + BLOCKING)
    component = Entity(COMPONENT, (), parts.accounts.exists, account_features)
    table: dict[str, tuple[Handler, ...]] = {
        settings.domain: (
            parts.room_stanzas.handle,
            parts.hook_rooms.handle,
            parts.callbacks.handle_bot,
            parts.hooks_address.handle,
            parts.guard.handle,
            parts.contacts.handle,
            parts.privacy.handle,
            parts.blocking.handle,
            RosterQueries(parts.contacts).handle,
            ArchiveQueries(parts.archive, parts.router.send).handle,
            VCardQueries(parts.vcards, parts.accounts.exists).handle,
            parts.mailbox.handle,
            parts.callbacks.handle_domain,
            gateway.handle,
        ),
    }
    after_rooms = (parts.callbacks.handle_bot, parts.callbacks.handle_domain, component.handle)
    if parts.muclight_entity:
        table[settings.rooms_domain] = (parts.muclight_entity.handle, *after_rooms)
    if parts.conference:
        table[settings.conference_domain] = (parts.conference.handle, *after_rooms)
    return table
