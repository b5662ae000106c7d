"""The parts of a gateway, as the rest of the gateway and the APIs reach them."""

from __future__ import annotations

from dataclasses import dataclass

from xmpp_rest.auth.authenticator import Authenticator
from xmpp_rest.auth.passwords import Passwords
from xmpp_rest.auth.tokens import Tokens
from xmpp_rest.gateway.leader import Leader
from xmpp_rest.gateway.storage_lease import StorageLease
from xmpp_rest.link.router import Router
from xmpp_rest.processes.remote import Remote
from xmpp_rest.service.accounts.accounts import Accounts
from xmpp_rest.service.accounts.data import Data
from xmpp_rest.service.accounts.data_rights import DataRights
from xmpp_rest.service.accounts.data_usage import Usage
from xmpp_rest.service.accounts.jobs import Jobs
from xmpp_rest.service.accounts.last_activity import LastActivity
from xmpp_rest.service.accounts.vcards import VCards
from xmpp_rest.service.callbacks.routes import Callbacks
from xmpp_rest.service.contacts.blocking_iq import BlockingQueries
from xmpp_rest.service.contacts.contacts import Contacts
from xmpp_rest.service.contacts.privacy_guard import Guard
from xmpp_rest.service.contacts.privacy_iq import PrivacyQueries
from xmpp_rest.service.messages.announcements import Announcements
from xmpp_rest.service.messages.archive import Archive
from xmpp_rest.service.messages.idempotency import Idempotency
from xmpp_rest.service.messages.mailbox import Mailbox
from xmpp_rest.service.messages.offline import Offline
from xmpp_rest.service.messages.outcomes import Outcomes
from xmpp_rest.service.messages.send import Sending
from xmpp_rest.service.muc.conference import Conference
from xmpp_rest.service.muclight.entity import MucLightEntity
from xmpp_rest.service.muclight.muclight import MucLight
from xmpp_rest.service.streams.online import Online
from xmpp_rest.service.streams.registry import Streams
from xmpp_rest.service.streams.sessions import Sessions
from xmpp_rest.threads.waits import Waits


@dataclass(frozen=True)
class Parts:
    """The parts of a gateway in one process; all of them are rebuilt in a process that was forked off after the start."""

    passwords: Passwords
    tokens: Tokens
    authenticator: Authenticator
    accounts: Accounts
    last: LastActivity
    vcards: VCards
    data: Data
    data_usage: Usage
    data_rights: DataRights
    jobs: Jobs
    router: Router
    waits: Waits
    archive: Archive
    streams: Streams
    online: Online
    sessions: Sessions
    mailbox: Mailbox
    offline: Offline
    outcomes: Outcomes
    sending: Sending
    idempotency: Idempotency
    announcements: Announcements
    contacts: Contacts
    guard: Guard
    privacy: PrivacyQueries
    blocking: BlockingQueries
    callbacks: Callbacks
    muclight: MucLight | None
    """None: there is no `rooms_domain`."""
    muclight_entity: MucLightEntity | None
    conference: Conference | None
    """None: there is no `conference_domain`."""
    leader: Leader
    remote: Remote
    lease: StorageLease
