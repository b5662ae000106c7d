"""Builds what the client API does for accounts of other servers: their archives, rosters and rooms there (accounts-anywhere §7.4)."""

from __future__ import annotations

from typing import NamedTuple

from xmpp_rest.link.router import Router
from xmpp_rest.processes.remote import Remote
from xmpp_rest.service.sessions.contact_requests import ContactRequests
from xmpp_rest.service.sessions.foreign_contacts import ForeignContacts
from xmpp_rest.service.sessions.foreign_history import ForeignHistory
from xmpp_rest.service.sessions.foreign_muclight import ForeignMucLight
from xmpp_rest.service.sessions.muclight_service import MucLightFinder
from xmpp_rest.service.sessions.sending import ForeignSending
from xmpp_rest.service.sessions.server_archive import ServerArchive
from xmpp_rest.service.sessions.server_asks import ServerAsks
from xmpp_rest.service.sessions.server_features import ServerFeatures
from xmpp_rest.threads.waits import Waits


class ForeignClientParts(NamedTuple):
    """`archive`, `features` and `requests` are for listeners too."""

    archive: ServerArchive
    features: ServerFeatures
    requests: ContactRequests
    history: ForeignHistory
    contacts: ForeignContacts
    muclight: ForeignMucLight


def build_foreign_client(router: Router, waits: Waits, remote: Remote, sending: ForeignSending) -> ForeignClientParts:
    """The parts of one process."""
    asks = ServerAsks(router, waits, remote)
    archive = ServerArchive(router, waits)
    features = ServerFeatures(router, waits)
    requests = ContactRequests(remote)
    history = ForeignHistory(archive, features)
    contacts = ForeignContacts(asks, sending.send, requests)
    muclight = ForeignMucLight(MucLightFinder(asks), asks, history, sending.send_directly)
    return ForeignClientParts(archive, features, requests, history, contacts, muclight)
