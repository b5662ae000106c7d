"""Who is asked about a stanza for a hosted domain, and in which order."""

from __future__ import annotations

from xmpp_rest.config.table import Settings
from xmpp_rest.gateway.parts import Parts
from xmpp_rest.link.router import Handler
from xmpp_rest.service.accounts.vcard_iq import FEATURES as VCARD
from xmpp_rest.service.accounts.vcard_iq import VCardQueries
from xmpp_rest.service.contacts.blocking_iq import FEATURES as BLOCKING
from xmpp_rest.service.contacts.privacy_iq import FEATURES as PRIVACY
from xmpp_rest.service.contacts.roster_iq import RosterQueries
from xmpp_rest.service.files.upload_service import UploadService
from xmpp_rest.service.messages.disco import COMPONENT, GATEWAY, Entity
from xmpp_rest.service.messages.mam import FEATURES as ARCHIVE
from xmpp_rest.service.messages.mam import ArchiveQueries


def handlers(parts: Parts, settings: Settings) -> dict[str, tuple[Handler, ...]]:
    """Domain → its handlers. The first that takes the stanza ends the search: occupants of rooms elsewhere, bots and hooks, then what
    belongs to accounts, and at the end the callback of the whole domain, and what every entity answers. Rooms come before all of these
    at their domains.
    """
    account_features = ARCHIVE + VCARD + BLOCKING
    gateway = Entity(GATEWAY, tuple(settings.domains[1:]), parts.accounts.exists, account_features, PRIVACY + BLOCKING)
    component = Entity(COMPONENT, (), parts.accounts.exists, account_features)
    domains, upload = settings.gateway, _upload(parts, settings, gateway, component)
    own = upload if settings.files.domain == domains.domain else None
    table: dict[str, tuple[Handler, ...]] = {
        domains.domain: (
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
            *([own.handle] if own else []),
            parts.callbacks.handle_domain,
            own.handle_discovery if own else gateway.handle,
        ),
    }
    after_rooms = (parts.callbacks.handle_bot, parts.callbacks.handle_domain, component.handle)
    if parts.muclight_entity:
        table[domains.rooms_domain] = (parts.muclight_entity.handle, *after_rooms)
    if parts.conference:
        table[domains.conference_domain] = (parts.conference.handle, *after_rooms)
    if upload and not own:
        callbacks = (parts.callbacks.handle_bot, parts.callbacks.handle_domain)
        table[settings.files.domain] = (upload.handle, *callbacks, upload.handle_discovery)
    return table


def _upload(parts: Parts, settings: Settings, gateway: Entity, component: Entity) -> UploadService | None:
    """The upload service, at the gateway's own domain or at one of its own."""
    domain = settings.files.domain
    if not domain:
        return None
    return UploadService(parts.files, domain, (gateway if domain == settings.gateway.domain else component).handle)
