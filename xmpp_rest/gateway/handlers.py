"""Subscribes the handlers of each hosted domain to the router, in the order in which they are asked about a stanza."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xmpp_rest.service.accounts.vcard_iq import FEATURES as VCARD
from xmpp_rest.service.accounts.vcard_iq import VCardQueries
from xmpp_rest.service.contacts.blocking_iq import FEATURES as BLOCKING
from xmpp_rest.service.contacts.privacy_iq import FEATURES as PRIVACY
from xmpp_rest.service.contacts.roster_iq import RosterQueries
from xmpp_rest.service.messages.disco import COMPONENT, GATEWAY, Entity
from xmpp_rest.service.messages.mam import FEATURES as ARCHIVE
from xmpp_rest.service.messages.mam import ArchiveQueries

if TYPE_CHECKING:
    from xmpp_rest.gateway.wiring import Parts


def subscribe_handlers(parts: Parts, domains: list[str]) -> None:
    """Bots first, then what belongs to accounts, then the callback of the whole domain, and last what every entity answers.

    Rooms have subscribed before, and come before all of these at their domains.
    """
    own, *others = domains
    accounts = (
        parts.guard.handle,
        parts.contacts.handle,
        parts.privacy.handle,
        parts.blocking.handle,
        RosterQueries(parts.contacts).handle,
        ArchiveQueries(parts.archive, parts.router.send).handle,
        VCardQueries(parts.vcards, parts.accounts.exists).handle,
    )
    for domain in domains:
        identity, items, features = (GATEWAY, tuple(others), PRIVACY + BLOCKING) if domain == own else (COMPONENT, (), ())
        entity = Entity(identity, items, parts.accounts.exists, ARCHIVE + VCARD + BLOCKING, features)
        for handler in (
            parts.callbacks.handle_bot,
            *(accounts if domain == own else ()),
            parts.mailbox.handle,
            parts.callbacks.handle_domain,
            entity.handle,
        ):
            parts.router.subscribe(domain, handler)
