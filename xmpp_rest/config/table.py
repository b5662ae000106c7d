"""The table of settings: names, types, defaults and descriptions. `make manual` generates wsgi.ini and docs/settings.md from it.

One table, the dataclasses below: each field is a key of a section of `wsgi.ini`, with its default as it would be written, the
function that reads it, and its sentence for the manual. A value comes from the environment (`XMPP_REST_<SECTION>_<KEY>`), else from
the file, else the default; a secret may also stand in a file of its own (`<key>_file`). `<domain>` in a value stands for `[gateway]
domain`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import Field, dataclass, field, fields
from typing import Any

from xmpp_rest.config import readers
from xmpp_rest.config.binds import Bind
from xmpp_rest.config.binds import parse as parse_binds
from xmpp_rest.config.cluster_tables import ClusterSettings
from xmpp_rest.config.file_tables import FileSettings
from xmpp_rest.config.hook_tables import (
    AppriseSettings,
    GotifySettings,
    HookSettings,
    HooksSettings,
    LimitSettings,
    NtfySettings,
    PostMsgSettings,
)
from xmpp_rest.config.login_tables import LoginSettings, SessionsSettings
from xmpp_rest.config.room_readers import CallbackRoom, rooms
from xmpp_rest.config.room_tables import RoomsAnywhereSettings
from xmpp_rest.config.setting import setting
from xmpp_rest.logs.areas import parse_levels
from xmpp_rest.protocol.jid import JID


@dataclass(frozen=True)
class ServerSettings:
    """The HTTP server."""

    bind: tuple[Bind, ...] = setting("127.0.0.1:8080", parse_binds, "Where to listen: HOST:PORT, [IPV6]:PORT, PORT or :PORT (loopback), or unix:PATH (relative to this file); several are separated by commas. Put a proxy with TLS in front of anything but loopback, or set `certificate`.")
    socket_mode: int = setting("660", readers.mode, "Permissions of Unix sockets, octal.")
    certificate: str = setting("", readers.optional(readers.file_path), "The server's certificate and those between it and the root, a PEM file, relative to this file. With it and `key` the gateway speaks HTTPS only, TLS 1.2 and newer. Empty: HTTP.")
    key: str = setting("", readers.optional(readers.file_path), "The private key of the certificate, a PEM file without a password, relative to this file.")
    compress: bool = setting("no", readers.yes_or_no, "yes: compress answers by gzip for clients that ask for it. Leave it to a proxy where there is one.")
    workers: int = setting("auto", readers.processes(4), "Number of processes; auto: one per processor, at most 4. One of them holds the link and the others go through it: docs/running.md.")
    threads: int = setting("64", readers.number(2, 1024), "Threads per process: how many requests may block or compute at once. Those that wait for an answer or for the disk hold none; under a server that holds a thread for each request, they do.")
    waits_per_account: int = setting("auto", readers.number_or_auto(1, 1024), "Maximum number of requests of one account that wait at once in a process, for the answer to an iq or with `Prefer: wait`; more get 503. auto: half of `threads`. All accounts together, event streams included: 10,000; under a server that holds a thread for each request, three quarters of `threads`.")
    pin_workers: bool = setting("no", readers.yes_or_no, "yes: each process stays on one processor (Linux). Worth trying where nothing else uses the machine; elsewhere it costs time.")
    worker_class: str = setting("xmpp_rest.serving.worker.Worker", readers.class_name, "gunicorn's worker class. This one serves from one event loop; where the system has no epoll, or greenlet is not installed, gthread serves in its place. gevent works too.")
    data_dir: str = setting("data", readers.folder, "Folder for everything the gateway keeps, relative to this file. Created if missing, with mode 0700.")
    public_url: str = setting("", readers.optional(readers.http_url), "The gateway's URL as clients see it, if it is not http://<bind>; used in Location fields.")
    proxies: int = setting("0", readers.number(0, 9), "Number of trusted proxies in front of the gateway: their X-Forwarded-For, -Proto, -Host and -Prefix are trusted. 0: these fields are ignored.")
    proxy_networks: tuple[readers.Network, ...] = setting("127.0.0.0/8, ::1, 10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16, fc00::/7", readers.networks, "Addresses and networks of these proxies, separated by commas. The fields are ignored on connections from anywhere else.")
    origins: frozenset[str] = setting("*", readers.origins, "Origins whose web pages may use the APIs (CORS), such as https://app.example.net. *: any, but not with passwords that browsers remember. Empty: none.")
    body_limit: int = setting("10485760", readers.number(1024, 1 << 30), "Maximum request body size in bytes, for all APIs (batches: batch_size_limit).")
    log_level: str = setting("info", readers.choice("debug", "info", "warning", "error"), "Lowest level of messages that are logged to standard error.")
    log_levels: tuple[tuple[str, str], ...] = setting("", parse_levels, "Levels of single areas, which outrank log_level: AREA=LEVEL, separated by commas, such as link=debug. The areas: docs/logs.md.")
    log_format: str = setting("text", readers.choice("text", "json"), "Form of a line of the log. text: key=value after the message. json: one object.")
    access_log: str = setting("all", readers.choice("all", "errors", "off"), "Which answers leave a line in the log. errors: those with status 400 and above.")


@dataclass(frozen=True)
class GatewaySettings:
    """The domains that the gateway hosts."""

    domain: str = setting("localhost", readers.domain_name, "The hosted domain. Its accounts are kept by the gateway.")
    rooms_domain: str = setting("muclight.<domain>", readers.optional(readers.domain_name), "The domain of MUC Light rooms. Empty: none.")
    conference_domain: str = setting("conference.<domain>", readers.optional(readers.domain_name), "The domain of rooms of XEP-0045. Empty: none.")

    @property
    def domains(self) -> list[str]:
        """The domains of accounts and rooms, the gateway's own first; each has a stream of its own."""
        return list(dict.fromkeys(d for d in (self.domain, self.rooms_domain, self.conference_domain) if d))


@dataclass(frozen=True)
class LinkSettings:
    """The connection to the XMPP network."""

    kind: str = setting("none", readers.choice("none", "component"), "none: standalone. component: external component (XEP-0114) of an XMPP server.")
    host: str = setting("127.0.0.1", readers.host_name, "Host on which the server listens for components.")
    port: int = setting("5347", readers.number(1, 65535), "Port on which the server listens for components.")
    secret: str = setting("", readers.text, "The secret of the component, as configured at the server.", secret=True)
    connect_timeout: float = setting("10", readers.seconds(0.1, 600), "Timeout in seconds for connecting to the server.")
    login_timeout: float = setting("15", readers.seconds(0.1, 600), "Timeout in seconds for opening the stream and the handshake.")
    keepalive: float = setting("60", readers.seconds(1, 3600), "Seconds of silence after which the link is tested; after as long again it is considered dead.")
    retry_max: float = setting("30", readers.seconds(1, 3600), "Maximum number of seconds between two attempts to connect; twice as long after a refused login.")
    outbox: str = setting("disk", readers.choice("disk", "memory"), "Where messages are kept until the server has confirmed them. disk: a crash loses none.")
    outbox_size: int = setting("10000", readers.number(1, 10_000_000), "Maximum number of stanzas that wait for the link; more get 503.")
    outbox_share: int = setting("75", readers.number(1, 100), "Percentage of outbox_size that one account may use; its further stanzas get 503.")
    inbox_size: int = setting("1000", readers.number(1, 1_000_000), "Maximum number of received stanzas that wait to be handled; beyond it the gateway stops reading from the link.")
    send_limit: int = setting("500000", readers.number(10_000, 1 << 30), "Maximum size of a sent stanza in bytes; servers close the stream on a larger one (Prosody: 524288).")
    stanza_size_limit: int = setting("3211264", readers.number(10_000, 1 << 30), "Maximum size of a received stanza in bytes; a larger one is skipped and refused. The default is six times the limit of servers, more than they pass on.")

    @property
    def share(self) -> int:
        """The number of stanzas of one account that may wait."""
        return readers.portion(self.outbox_size, self.outbox_share)


@dataclass(frozen=True)
class StorageSettings:
    """Where accounts, rosters, archives and the rest are kept."""

    url: str = setting("sqlite:gateway.sqlite", readers.line, "Driver and location, relative to data_dir: sqlite:FILE, flatfile:FOLDER, jsonfile:FOLDER, postgresql://USER@HOST[,HOST]/DATABASE[?statement_timeout=SECONDS].", secret=True)


@dataclass(frozen=True)
class AuthSettings:
    """Authentication."""

    admins: tuple[JID, ...] = setting("admin@<domain>", readers.jids, "Administrators, separated by commas. The first one is created at the first start.")
    admin_password: str = setting("", readers.text, "Password of the administrator that the first start creates. Empty: a random one, kept in data_dir/admin-password, and printed to a terminal alone.", secret=True)
    password_hash: str = setting("SHA-1", readers.choice("SHA-1", "SHA-256"), "Hash of new SCRAM records. Prosody and ejabberd read SHA-1 by default.")
    iterations: int = setting("10000", readers.number(4096, 10_000_000), "PBKDF2 iterations of new password records.")
    failures: int = setting("30", readers.number(1, 1_000_000), "Wrong passwords per minute for one account from one address; more get 429 and are slowed down. The right password still passes.")


@dataclass(frozen=True)
class RestSettings:
    """The stanza API, /rest."""

    credentials: str = setting("", readers.optional(readers.bearer), "A fixed `Bearer TOKEN` for the gateway's domain itself. Make it long and random: the right one is accepted however many wrong ones were sent. Empty: none.", secret=True)
    iq_timeout: float = setting("120", readers.seconds(0.1, 86400), "Seconds to wait for the answer to an iq, unless the request has Prosody-Rest-Timeout.")
    iq_max_timeout: float = setting("300", readers.seconds(0.1, 86400), "Maximum number of seconds that Prosody-Rest-Timeout may ask for.")
    stanza_size_limit: int = setting("196608", readers.number(1024, 1 << 28), "Maximum request body size in bytes.")
    batch_size_limit: int = setting("67108864", readers.number(1024, 1 << 34), "Maximum size of a batch (application/x-ndjson) in bytes; stanza_size_limit applies to each line.")
    batch_stanzas: int = setting("100000", readers.number(1, 100_000_000), "Maximum number of lines in a batch.")
    recipients: int = setting("100", readers.number(1, 10_000), "Maximum number of recipients of one message; more get 413.")
    iq_waiting: int = setting("4096", readers.number(1, 100_000), "Maximum number of requests that wait for the answer to an iq; more get 500.")


@dataclass(frozen=True)
class DataSettings:
    """The data API, /data."""

    size_limit: int = setting("2097152", readers.number(1024, 1 << 28), "Maximum request body size in bytes. A MiB of Lua text can take a second to read.")
    store_limit: int = setting("16777216", readers.number(65_536, 1 << 40), "Maximum size of a store in bytes, counting what was written through this API.")
    account_limit: int = setting("67108864", readers.number(65_536, 1 << 40), "Maximum size of all stores of an account together in bytes, counted likewise.")
    stores_limit: int = setting("100", readers.number(1, 1_000_000), "Maximum number of stores of an account, counted likewise.")
    members_limit: int = setting("50000", readers.number(100, 10_000_000), "Maximum number of members of an object: each is a row in SQL storage.")


@dataclass(frozen=True)
class CommandsSettings:
    """The command API, /api."""

    fit_version: bool = setting("yes", readers.yes_or_no, "yes: a call without a version, whose argument names fit only an older version, is run as that version.")
    default_version: int = setting("3", readers.api_version, "API version of calls without one: 0 to 3, or the ejabberd release that clients were written for.")


@dataclass(frozen=True)
class OAuthSettings:
    """Tokens that programs obtain with a password, at /oauth/token."""

    expire: int = setting("3600", readers.number(60, 10**9), "Lifetime of such a token in seconds, unless the program asks for another.")
    client_check: str = setting("db", readers.choice("db", "allow", "deny"), "Which programs may obtain a token with a password. db: clients registered with oauth_add_client_password. allow: any. deny: none.")
    expire_max: int = setting("31536000", readers.number(60, 10**9), "Maximum lifetime in seconds that a program may ask for (`ttl` in the form).")


@dataclass(frozen=True)
class ClientSettings:
    """The client API: messages, rooms, contacts and events."""

    prefix: str = setting("/api", readers.url_prefix, "Path below which the API is served.")
    generation: int = setting("6", readers.generation, "6: answers like MongooseIM 6. 3: like MongooseIM 2 to 5, with empty error bodies.")
    realm: str = setting("mongooseim", readers.header_text, "Realm in WWW-Authenticate.")
    body_limit: int = setting("1048576", readers.number(1024, 1 << 28), "Maximum request body size in bytes.")
    page_limit: int = setting("500", readers.number(50, 10_000), "Maximum number of messages in a history page.")
    sse_timestamp_unit: str = setting("us", readers.choice("us", "ms"), "Unit of `timestamp` in events: us, as clients of this API expect, or ms as everywhere else.")


@dataclass(frozen=True)
class ArchiveSettings:
    """The archives of accounts and rooms."""

    keep: float = setting("forever", readers.keep, "How long items are kept: a number of days, months or years, such as 30d, 12m or 1y, or forever. Older ones are removed every hour. An account may have its own time (command `set_archive_keep`).")


@dataclass(frozen=True)
class RoomsSettings:
    """MUC Light rooms. Their domain is [gateway] rooms_domain."""

    all_can_configure: bool = setting("no", readers.yes_or_no, "yes: every occupant may change name and subject. no: only the owner.")
    all_can_invite: bool = setting("no", readers.yes_or_no, "yes: every occupant may add others over XMPP. no: only the owner. In the client API it is always only the owner.")
    max_occupants: int = setting("1000", readers.number(1, 100_000), "Maximum number of occupants of a room.")
    per_owner: int = setting("1000", readers.number(1, 10_000), "Maximum number of rooms that one account owns; more get 403.")
    foreign_per_owner: int = setting("2000", readers.number(0, 1_000_000), "Maximum number of occupants from other servers in all rooms of one owner together.")


@dataclass(frozen=True)
class ConferenceSettings:
    """Rooms of XEP-0045. Their domain is [gateway] conference_domain."""

    persistent: bool = setting("no", readers.yes_or_no, "yes: new rooms are kept after everybody has left, and over a restart of the gateway.")
    archive: bool = setting("yes", readers.yes_or_no, "yes: new rooms archive their messages (room option `mam`).")
    allow_subscription: bool = setting("no", readers.yes_or_no, "yes: new rooms accept subscriptions (MUC/Sub; room option of this name), as in ejabberd's packages.")
    history_size: int = setting("20", readers.number(0, 1000), "Maximum number of messages shown to a user who enters.")
    unused_after: float = setting("3600", readers.seconds(0, 31_536_000), "Seconds after which a room is removed that is not persistent, was never entered and has no subscribers, such as one made by a command. 0: never.")


@dataclass(frozen=True)
class StreamSettings:
    """Event streams of all APIs. Under a WSGI server that is not the gateway's own each takes a thread, so at most three quarters of [server] threads are open at once."""

    total: int = setting("10000", readers.number(1, 10_000), "Maximum number of open streams per process; more get 503.")
    per_account: int = setting("10", readers.number(1, 10_000), "Maximum number of open streams per account; more get 503.")
    queue_size: int = setting("1000", readers.number(1, 1_000_000), "Maximum number of events that wait for a slow reader; beyond it the stream ends.")
    heartbeat: float = setting("15", readers.seconds(0.1, 300), "Seconds of silence after which a comment is sent, so that no proxy cuts the stream.")
    write_timeout: float = setting("30", readers.seconds(0.1, 600), "Seconds for which a reader may accept no data; then its stream ends.")


@dataclass(frozen=True)
class PagesSettings:
    """Pages for people with a browser."""

    landing: bool = setting("yes", readers.yes_or_no, "yes: `/` says what this is and how to send a first message. no: 404, as for all files of a page that is switched off.")
    docs: bool = setting("yes", readers.yes_or_no, "yes: `/docs/` shows the APIs, and lets try them.")
    console: bool = setting("yes", readers.yes_or_no, "yes: `/console/` lets an account log in, send, and see what arrives.")
    version: bool = setting("no", readers.yes_or_no, "yes: `/` tells everybody the version of the gateway.")


@dataclass(frozen=True)
class MetricsSettings:
    """`/metrics`, for Prometheus. Administrators may always read it."""

    enabled: bool = setting("yes", readers.yes_or_no, "no: nothing is counted, and `/metrics` is 404.")
    allow: tuple[readers.Network, ...] = setting("127.0.0.0/8, ::1", readers.networks, "Addresses and networks whose clients need no credentials, separated by commas. A request with X-Forwarded-For or Forwarded is from none of them, unless [server] proxies says whose these fields are. Empty: none.")
    token: str = setting("", readers.optional(readers.opaque_token), "A Bearer token that may read the metrics and nothing else. Empty: none.", secret=True)


@dataclass(frozen=True)
class HealthSettings:
    """What `/readyz` tells those who watch the gateway."""

    ready_needs: frozenset[str] = setting("auto", readers.some_of_or_auto("storage", "link", "outbox", "lease"), "Checks without which `/readyz` answers 503, separated by commas, any of: storage, link, outbox, lease. Leave out link to have messages collected while the link is down. auto: all of them; in a cluster storage, lease, as link and outbox would make all nodes unready at once.")


@dataclass(frozen=True)
class CallbackSettings:
    """A URL that answers stanzas: one section `[callback.NAME]` each."""

    url: str = setting("", readers.http_url, "URL to which stanzas are POSTed. May contain user:password@ and {kind}, {type}, {to}, {from}.", secret=True, required=True)
    address: tuple[JID, ...] = setting("<domain>", readers.jids, "Addresses of the bot (bare JIDs), separated by commas; a hosted domain stands for all its addresses without an account.")
    kinds: frozenset[str] = setting("message, presence, iq", readers.some_of("message", "presence", "iq"), "Kinds of stanzas that are POSTed.")
    events: frozenset[str] = setting("bare, full, host", readers.some_of(*readers.EVENTS), "Forms of `to` that are POSTed. bare: user@host; full: user@host/resource; host: the domain alone.")
    content_type: str = setting("application/xmpp+xml", readers.content_type, "Format of POSTed stanzas, unless the URL asks for another one: `xml`, `json`, `form` or `cbor`.")
    timeout: float = setting("30", readers.seconds(0.1, 600), "Timeout in seconds for the whole answer.")
    concurrency: int = setting("4", readers.number(1, 256), "Maximum number of requests at once. The stanzas of one sender are always POSTed one after another.")
    queue_size: int = setting("1000", readers.number(1, 1_000_000), "Maximum number of stanzas that wait; more are refused with resource-constraint.")
    queue_share: int = setting("75", readers.number(1, 100), "Percentage of queue_size that one sender may use; its further stanzas are refused.")
    keep: str = setting("disk", readers.choice("disk", "memory"), "Where messages and presences are kept until they are answered. disk: a crash loses none.")
    retries: int = setting("0", readers.number(0, 100), "Number of further attempts if there is no connection, or after 429, 502, 503 or 504. The sender is told the result of the last one only.")
    retry_max: float = setting("300", readers.seconds(0.1, 86400), "Maximum number of seconds between two attempts. The pause doubles from half a second; Retry-After is honoured.")
    reply_rate: int = setting("20", readers.number(1, 1_000_000), "Maximum number of replies to one sender per second; more wait, so that two programs do not answer each other endlessly.")
    invited_by: str = setting("admins", readers.choice("admins", "anyone"), "Who may add the bot to a hosted room: only administrators, or anyone who may add people to the room.")
    rooms: tuple[CallbackRoom, ...] = setting("", rooms, "Rooms on other servers in which the bot (the first address) stays: room@service/nick, separated by commas, each with ` password=TEXT` behind it where it needs one. Without a nick: [rooms_anywhere] nick.", secret=True)
    mentions: bool = setting("no", readers.yes_or_no, "yes: of what is said in `rooms` only that is POSTed which mentions the bot or replies to it.")
    room_replies: int = setting("20", readers.number(1, 100_000), "Maximum number of replies into one of `rooms` in a minute; more are dropped.")
    dead_letters: int = setting("1000", readers.number(0, 100_000), "Maximum number of undelivered stanzas that are kept, to be read and replayed at /rest/callbacks; the oldest are removed first.")
    secret: bytes = setting("", readers.signing_secret, "Key that signs requests (Standard Webhooks): whsec_ and base64, or text. Empty: no signature.", secret=True)

    @property
    def share(self) -> int:
        """The number of stanzas of one sender that may wait."""
        return readers.portion(self.queue_size, self.queue_share)


@dataclass(frozen=True)
class RightSettings:
    """A rule that permits commands of /api: one section `[rights.NAME]` each. One matching rule is enough; administrators have one already."""

    who: tuple[str, ...] = setting("admin", readers.callers, "Callers, any of: admin, account (any), anonymous, all, addresses (also `*@<domain>`), networks (192.0.2.0/24).")
    what: tuple[str, ...] = setting("", readers.commands, "Commands: names, [tag:NAME], or * for all; a leading ! excludes what the others include.", required=True)
    from_: tuple[str, ...] = setting("", readers.front_ends, "Where the call comes from: api, ctl (the command line). Empty: both.")
    scopes: frozenset[str] = setting("", readers.scopes, "The rule applies to tokens with one of these scopes whose owner is among `who`. Empty: to callers without a token.")


@dataclass(frozen=True)
class Settings:
    """All settings, read and checked. `file`: where they were read, empty for none; `base`: the folder that relative paths are below;
    `given`: what was set, as section.key; `written`: the text of every setting by that name, with which two readings are compared: what
    `auto` comes to depends on the process that reads it.

    `again` reads them once more from where they came from; it raises SettingsError. `notices`: what was read although it is out of date.
    """

    server: ServerSettings
    gateway: GatewaySettings
    link: LinkSettings
    storage: StorageSettings
    auth: AuthSettings
    rest: RestSettings
    data: DataSettings
    commands: CommandsSettings
    oauth: OAuthSettings
    client: ClientSettings
    archive: ArchiveSettings
    rooms: RoomsSettings
    conference: ConferenceSettings
    rooms_anywhere: RoomsAnywhereSettings
    streams: StreamSettings
    metrics: MetricsSettings
    health: HealthSettings
    pages: PagesSettings
    hooks: HooksSettings
    ntfy: NtfySettings
    gotify: GotifySettings
    apprise: AppriseSettings
    post_msg: PostMsgSettings
    files: FileSettings
    limits: LimitSettings
    sessions: SessionsSettings
    cluster: ClusterSettings
    callbacks: dict[str, CallbackSettings]
    rights: dict[str, RightSettings]
    own_hooks: dict[str, HookSettings]
    logins: dict[str, LoginSettings]
    file: str
    base: str
    given: frozenset[str]
    written: Mapping[str, str] = field(repr=False, compare=False)
    again: Callable[[], Settings] = field(repr=False, compare=False)
    notices: tuple[str, ...] = field(default=(), compare=False)

    @property
    def domains(self) -> list[str]:
        """All hosted domains, the gateway's own first; each has a stream of its own."""
        return list(dict.fromkeys([*self.gateway.domains, *([self.files.domain] if self.files.domain else [])]))

    @property
    def ready_needs(self) -> frozenset[str]:
        """The checks without which the gateway is not ready."""
        return self.health.ready_needs or (READY_IN_CLUSTER if self.cluster.is_on else READY_ALONE)


READY_ALONE = frozenset({"storage", "link", "outbox", "lease"})
READY_IN_CLUSTER = frozenset({"storage", "lease"})
"""What `[health] ready_needs = auto` stands for."""


SECTIONS: dict[str, type] = {
    "server": ServerSettings,
    "gateway": GatewaySettings,
    "link": LinkSettings,
    "storage": StorageSettings,
    "auth": AuthSettings,
    "rest": RestSettings,
    "data": DataSettings,
    "commands": CommandsSettings,
    "oauth": OAuthSettings,
    "client": ClientSettings,
    "archive": ArchiveSettings,
    "rooms": RoomsSettings,
    "conference": ConferenceSettings,
    "rooms_anywhere": RoomsAnywhereSettings,
    "streams": StreamSettings,
    "metrics": MetricsSettings,
    "health": HealthSettings,
    "pages": PagesSettings,
    "hooks": HooksSettings,
    "ntfy": NtfySettings,
    "gotify": GotifySettings,
    "apprise": AppriseSettings,
    "post_msg": PostMsgSettings,
    "files": FileSettings,
    "limits": LimitSettings,
    "sessions": SessionsSettings,
    "cluster": ClusterSettings,
}
FAMILIES: dict[str, type] = {"callback": CallbackSettings, "rights": RightSettings, "hook": HookSettings, "login": LoginSettings}
"""Sections that may occur more than once, such as `[callback.NAME]`: the word before the dot."""


def key_of(f: Field[Any]) -> str:
    """The key of a field in the file: `from_` is a keyword of Python otherwise."""
    return f.name.rstrip("_")


def settings_of(table: type) -> list[Field[Any]]:
    """The fields of a section that are settings."""
    return [f for f in fields(table) if f.metadata]


def table_of(section: str) -> type:
    """The dataclass of a section by its name."""
    return SECTIONS.get(section) or FAMILIES[section.partition(".")[0]]
