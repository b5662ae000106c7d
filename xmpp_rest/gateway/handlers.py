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
    from xmpp_rest.gateway.gateway import Gateway


def subscribe_handlers(gateway: Gateway) -> None:
    """Bots first, then what belongs to accounts, then the callback of the whole domain, and last what every entity answers.

    Rooms have subscribed before, and come before all of these at their domains.
    """
    own, *others = gateway.domains
    accounts = (
        gateway.guard.handle,
        gateway.contacts.handle,
        gateway.privacy.handle,
        gateway.blocking.handle,
        RosterQueries(gateway.contacts).handle,
        ArchiveQueries(gateway.archive, gateway.router.send).handle,
        VCardQueries(gateway.vcards, gateway.accounts.exists).handle,
    )
    for domain in gateway.domains:
        identity, items, features = (GATEWAY, tuple(others), PRIVACY + BLOCKING) if domain == own else (COMPONENT, (), ())
        entity = Entity(identity, items, gateway.accounts.exists, ARCHIVE + VCARD + BLOCKING, features)
        for handler in (
            gateway.callbacks.handle_bot,
            *(accounts if domain == own else ()),
            gateway.mailbox.handle,
            gateway.callbacks.handle_domain,
            entity.handle,
        ):
            gateway.router.subscribe(domain, handler)
