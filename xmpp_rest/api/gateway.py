"""What the APIs need of a gateway, which they must not import; mypy compares the real one with it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from drivers import Driver
from xmpp_rest.auth.authenticator import Authenticator
from xmpp_rest.auth.tokens import Tokens
from xmpp_rest.config.live import Merged
from xmpp_rest.config.table import Settings
from xmpp_rest.incidents import Incidents
from xmpp_rest.link.router import Router
from xmpp_rest.metrics.counts import Counts
from xmpp_rest.metrics.families import Figures
from xmpp_rest.processes.census import Census
from xmpp_rest.processes.remote import Remote
from xmpp_rest.service.accounts.accounts import Accounts
from xmpp_rest.service.accounts.data import Data
from xmpp_rest.service.accounts.data_rights import DataRights
from xmpp_rest.service.accounts.jobs import Jobs
from xmpp_rest.service.accounts.last_activity import LastActivity
from xmpp_rest.service.accounts.ports import AccountServices
from xmpp_rest.service.accounts.vcards import VCards
from xmpp_rest.service.callbacks.callbacks import Callbacks
from xmpp_rest.service.contacts.contacts import Contacts
from xmpp_rest.service.contacts.privacy_iq import PrivacyQueries
from xmpp_rest.service.files.files import FileService
from xmpp_rest.service.files.sending import FileSending
from xmpp_rest.service.hooks.hooks import Hooks
from xmpp_rest.service.hooks.published import Published
from xmpp_rest.service.hooks.requests import HookRequests
from xmpp_rest.service.hooks.saying import Sayings
from xmpp_rest.service.hooks.sender import HookSender
from xmpp_rest.service.limits.limits import RateLimits
from xmpp_rest.service.messages.announcements import Announcements
from xmpp_rest.service.messages.archive import Archive
from xmpp_rest.service.messages.idempotency import Idempotency
from xmpp_rest.service.messages.offline import Offline
from xmpp_rest.service.messages.retention import Retention
from xmpp_rest.service.messages.send import Sending
from xmpp_rest.service.monitoring.collection import Collection
from xmpp_rest.service.muc.conference import Conference
from xmpp_rest.service.muclight.muclight import MucLight
from xmpp_rest.service.rooms.calls import RoomCalls
from xmpp_rest.service.rooms.hearing import Hearing
from xmpp_rest.service.scheduled.scheduled import Scheduled
from xmpp_rest.service.sessions.foreign_accounts import ForeignAccounts
from xmpp_rest.service.sessions.server_features import ServerFeatures
from xmpp_rest.service.sessions.session_views import SessionViews
from xmpp_rest.service.streams.online import Online
from xmpp_rest.service.streams.registry import Streams
from xmpp_rest.service.streams.sessions import Sessions
from xmpp_rest.threads.waits import Waits


class ClusterControl(Protocol):
    """The machines that serve this gateway together, as administrators see and steer them. Methods raise GatewayError."""

    @property
    def draining(self) -> bool:
        """Whether this node is about to be taken away: it serves on, and is not ready. Raises nothing."""

    @property
    def grace(self) -> float:
        """Seconds without an owner for which a node counts as ready, since requests wait so long."""

    @property
    def owner_elsewhere(self) -> str:
        """The node that owns the link, if it is another one and this process speaks for its node; else "". Raises nothing."""

    def gauges(self) -> Figures:
        """Those of the node; nothing in a process that does not speak for it. Raises nothing."""

    def configure(self, settings: Settings) -> None:
        """Have the other nodes compare these settings with theirs from now on. Raises nothing."""

    def figures(self) -> dict[str, Any]:
        """The nodes and owners, as far as this node knows (many-machines §13)."""

    def living(self) -> list[str]:
        """The names of the nodes that live; none where there is one machine."""

    def move(self, domain: str, node: str) -> str:
        """Have another node own a domain: "" once that has begun, or why not. `drain`, `undrain` and `forget` likewise."""

    def drain(self) -> str:
        """Have this node be not ready, own nothing, and end its event streams."""

    def undrain(self) -> str:
        """Have it be ready again."""

    def forget(self, node: str) -> str:
        """Remove a node that is silent."""


@dataclass(frozen=True)
class ApiParts:
    """The parts of a gateway that dialects use. They are rebuilt after a fork: look them up in each request."""

    tokens: Tokens
    authenticator: Authenticator
    accounts: Accounts
    last: LastActivity
    vcards: VCards
    data: Data
    data_rights: DataRights
    jobs: Jobs
    router: Router
    waits: Waits
    archive: Archive
    retention: Retention
    streams: Streams
    online: Online
    sessions: Sessions
    offline: Offline
    sending: Sending
    hosted: AccountServices
    foreign: AccountServices
    """What is done for hosted accounts, and for those of other servers."""
    foreign_accounts: ForeignAccounts
    session_views: SessionViews
    server_features: ServerFeatures
    idempotency: Idempotency
    announcements: Announcements
    contacts: Contacts
    privacy: PrivacyQueries
    callbacks: Callbacks
    hook_sender: HookSender
    hooks: Hooks
    hook_requests: HookRequests
    sayings: Sayings
    published: Published
    files: FileService
    file_sending: FileSending
    muclight: MucLight | None
    conference: Conference | None
    remote: Remote
    census: Census
    collection: Collection
    counts: Counts
    limits: RateLimits
    room_calls: RoomCalls
    scheduled: Scheduled
    hearing: Hearing
    link_status: Callable[[], list[dict[str, Any]]]
    """How the streams of the link are. Raises GatewayError."""
    cluster: ClusterControl


class Check(NamedTuple):
    """One thing that the gateway needs for its work. `reason`: why it is not all right, "" if it is; `domain`: of the link's checks."""

    check: str
    reason: str = ""
    domain: str = ""


class Gateway(Protocol):
    """One gateway, as a dialect sees it."""

    settings: Settings
    """Those in force now: they are replaced when the configuration is read again."""

    incidents: Incidents

    began: float
    """When it was built, in Unix time: before the fork, so that all its processes say the same."""

    @property
    def driver(self) -> Driver: ...

    @property
    def parts(self) -> ApiParts: ...

    @property
    def stopping(self) -> bool:
        """Whether the server is about to stop."""

    @property
    def lost(self) -> bool:
        """Whether another gateway has the storage."""

    @property
    def has_begun(self) -> bool:
        """Whether this process serves: until the storage is there for the first time, it does not."""

    def checks(self) -> list[Check]:
        """Whether it can do its work: all checks. Does not raise, and takes a few seconds at most."""

    def storage_answers(self) -> bool:
        """Whether the storage can be read. Does not raise, and takes a few seconds at most."""

    def start(self) -> None:
        """Begin to serve in this process, if that has not been done. Raises StorageError, GatewayError."""

    def reload(self) -> Merged:
        """Read the configuration again and put in force what can be. Raises SettingsError, and then all is as it was."""

    def reload_elsewhere(self, known: Sequence[str]) -> list[str]:
        """Have the other processes do the same; a sentence for each node where not all is in force. Raises GatewayError.

        `known`: what needs a restart, which is not told again.
        """
