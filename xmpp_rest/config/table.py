"""Which settings are there, what may they be, and what are they now?

One table, the dataclasses below: each field is a key of a section of `wsgi.ini`, with its default as it would be written, the
function that reads it, and its sentence for the manual. A value comes from the environment (`XMPP_REST_<SECTION>_<KEY>`), else from
the file, else the default; a secret may also stand in a file of its own (`<key>_file`). `<domain>` in a value stands for `[gateway]
domain`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import Field, dataclass, field
from typing import Any, TypeVar

from xmpp_rest.config.readers import (
    EVENTS,
    Network,
    address,
    api_version,
    bearer,
    callers,
    choice,
    class_name,
    commands,
    content_type,
    domain_name,
    folder,
    front_ends,
    generation,
    header_text,
    host_name,
    http_url,
    jids,
    networks,
    number,
    number_or_auto,
    optional,
    origins,
    portion,
    processes,
    scopes,
    seconds,
    signing_secret,
    some_of,
    text,
    url_prefix,
    yes_or_no,
)
from xmpp_rest.protocol.jid import JID

T = TypeVar("T")


def setting(default: str, read: Callable[[str], T], doc: str, *, secret: bool = False, required: bool = False) -> T:
    """One line of the table: the default as written, how it is read, what the manual says of it."""
    metadata = {"default": default, "read": read, "doc": doc, "secret": secret, "required": required}
    value: Any = field(metadata=metadata)
    return value  # type: ignore[no-any-return]


@dataclass(frozen=True)
class Server:
    """The HTTP server."""

    bind: tuple[str, int] = setting("127.0.0.1:8080", address, "Address and port to listen on. Put a proxy with TLS before anything but loopback.")
    workers: int = setting("auto", processes(4), "Processes; auto: as many as processors, up to 4. One of them holds the link, and the others reach it: docs/running.md.")
    threads: int = setting("64", number(2, 1024), "Threads of each process: how many requests, waiting ones included, are served at once.")
    waits_per_account: int = setting("auto", number_or_auto(1, 1024), "Requests of one account that may wait at once in a process, for the answer to an iq or with `Prefer: wait`; further ones get 503. auto: half of `threads`. All accounts together, event streams included: three quarters.")
    pin_workers: bool = setting("yes", yes_or_no, "yes: each process stays on one processor (Linux). Its threads cannot use two, and lose much by moving between them.")
    worker_class: str = setting("xmpp_rest.serving.worker.Worker", class_name, "gunicorn's worker class. This one is gthread with deadlines for slow clients; gthread and gevent work, too.")
    data_dir: str = setting("data", folder, "Folder of everything the gateway keeps, relative to this file. Made when missing, mode 0700.")
    public_url: str = setting("", optional(http_url), "The gateway's URL as clients see it, if not http://<bind>; used in Location fields.")
    proxies: int = setting("0", number(0, 9), "How many trusted proxies stand before it: their X-Forwarded-For, -Proto and -Host are believed. 0: nobody's are.")
    proxy_networks: tuple[Network, ...] = setting("127.0.0.0/8, ::1, 10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16, fc00::/7", networks, "Where these proxies are: addresses and networks, separated by commas. Others who connect are not believed.")
    origins: frozenset[str] = setting("*", origins, "Web pages that browsers let use the APIs (CORS): origins such as https://app.example.net. *: any, but none with passwords that browsers keep. Empty: none.")
    body_limit: int = setting("10485760", number(1024, 1 << 30), "Bytes of a request body that are read at the most, whatever the API; but see batch_size_limit.")
    log_level: str = setting("info", choice("debug", "info", "warning", "error"), "How much is logged to standard error.")


@dataclass(frozen=True)
class Gateway:
    """The XMPP entity that the gateway is."""

    domain: str = setting("localhost", domain_name, "The hosted domain: its accounts are kept here.")
    rooms_domain: str = setting("muclight.<domain>", optional(domain_name), "The domain of MUC Light rooms. Empty: none.")
    conference_domain: str = setting("conference.<domain>", optional(domain_name), "The domain of rooms of XEP-0045. Empty: none.")

    @property
    def domains(self) -> list[str]:
        """The hosted domains, the gateway's own first; each has a stream of its own."""
        return list(dict.fromkeys(d for d in (self.domain, self.rooms_domain, self.conference_domain) if d))


@dataclass(frozen=True)
class Link:
    """The connection to the XMPP network."""

    kind: str = setting("none", choice("none", "component"), "none: standalone. component: external component (XEP-0114) of an XMPP server.")
    host: str = setting("127.0.0.1", host_name, "Where the server listens for components.")
    port: int = setting("5347", number(1, 65535), "Its port for components.")
    secret: str = setting("", text, "The secret that the server knows for the component.", secret=True)
    connect_timeout: float = setting("10", seconds(0.1, 600), "Seconds for reaching the server.")
    login_timeout: float = setting("15", seconds(0.1, 600), "Seconds for the stream's opening and the handshake.")
    keepalive: float = setting("60", seconds(1, 3600), "Seconds of silence after which the link is tried; as long again and it counts as dead.")
    retry_max: float = setting("30", seconds(1, 3600), "Seconds between two attempts at the most; a refused login waits twice as long.")
    outbox: str = setting("disk", choice("disk", "memory"), "Where messages wait that the server has not confirmed. disk: none is lost by a crash.")
    outbox_size: int = setting("10000", number(1, 10_000_000), "Stanzas that wait for the link at the most; further ones get 503.")
    outbox_share: int = setting("75", number(1, 100), "Percent of outbox_size that the stanzas of one account may take; further ones of it get 503.")
    inbox_size: int = setting("1000", number(1, 1_000_000), "Received stanzas that wait for the gateway at the most; then the link is read no further.")
    send_limit: int = setting("500000", number(10_000, 1 << 30), "Bytes of a sent stanza at the most; servers end the stream over a larger one (Prosody: 524288).")
    stanza_size_limit: int = setting("3211264", number(10_000, 1 << 30), "Bytes of a received stanza at most; a larger one is skipped and refused. Above what servers pass on: six times their own limit.")

    @property
    def share(self) -> int:
        """How many stanzas of one account may wait."""
        return portion(self.outbox_size, self.outbox_share)


@dataclass(frozen=True)
class Storage:
    """Where accounts, rosters, archives and the rest are kept."""

    url: str = setting("sqlite:gateway.sqlite", text, "Driver and place, relative to data_dir: sqlite:FILE, flatfile:FOLDER, jsonfile:FOLDER, postgres:…", secret=True)


@dataclass(frozen=True)
class Auth:
    """Who may come in."""

    admins: tuple[JID, ...] = setting("admin@<domain>", jids, "Administrators, separated by commas. The first is created at the first start.")
    admin_password: str = setting("", text, "Its password then. Empty: a random one, printed once and kept in data_dir/admin-password.", secret=True)
    password_hash: str = setting("SHA-1", choice("SHA-1", "SHA-256"), "Hash of new SCRAM records. SHA-1 is what Prosody and ejabberd read by default.")
    iterations: int = setting("10000", number(4096, 10_000_000), "PBKDF2 iterations of new records.")
    failures: int = setting("30", number(1, 1_000_000), "Wrong passwords for one account from one address in a minute; further ones get 429 and are slowed, and the right one passes.")


@dataclass(frozen=True)
class Rest:
    """The stanza API, /rest."""

    credentials: str = setting("", optional(bearer), "A fixed `Bearer TOKEN` that stands for the gateway's domain itself; long and random, for the right one passes however many wrong ones come. Empty: none.", secret=True)
    iq_timeout: float = setting("120", seconds(0.1, 86400), "Seconds to wait for the answer to an iq, unless Prosody-Rest-Timeout says otherwise.")
    iq_max_timeout: float = setting("300", seconds(0.1, 86400), "Seconds that Prosody-Rest-Timeout may ask for at the most.")
    stanza_size_limit: int = setting("196608", number(1024, 1 << 28), "Bytes of a request body at the most.")
    batch_size_limit: int = setting("67108864", number(1024, 1 << 34), "Bytes of a batch (application/x-ndjson) at the most; stanza_size_limit holds for each line.")
    batch_stanzas: int = setting("100000", number(1, 100_000_000), "Lines of a batch at the most.")
    iq_waiting: int = setting("256", number(1, 100_000), "Requests that wait for the answer to an iq at the most; further ones get 500.")


@dataclass(frozen=True)
class Data:
    """The data API, /data."""

    size_limit: int = setting("2097152", number(1024, 1 << 28), "Bytes of a request body at the most: a MiB of Lua text can take a second to read.")
    store_limit: int = setting("16777216", number(65_536, 1 << 40), "Bytes of one store at the most, as far as they came through this API.")
    account_limit: int = setting("67108864", number(65_536, 1 << 40), "Bytes of all stores of an account together at the most, likewise.")
    stores_limit: int = setting("100", number(1, 1_000_000), "Stores of an account at the most, likewise.")
    members_limit: int = setting("50000", number(100, 10_000_000), "Members of an object at the most: each is a row where SQL is the storage.")


@dataclass(frozen=True)
class Commands:
    """The command API, /api."""

    fit_version: bool = setting("yes", yes_or_no, "yes: a call that names no version, and whose argument names only an older one has, is run as that one.")
    default_version: int = setting("3", api_version, "API version of a call that names none: 0 to 3, or the ejabberd release that clients were written for.")


@dataclass(frozen=True)
class Oauth:
    """Tokens that programs get for a password, at /oauth/token."""

    expire: int = setting("3600", number(60, 10**9), "Seconds that such a token lasts where the program asks for no time.")
    client_check: str = setting(
        "db", choice("db", "allow", "deny"),
        "Which programs get a token for a password. db: clients registered with oauth_add_client_password. allow: any. deny: none.",
    )  # fmt: skip
    expire_max: int = setting("31536000", number(60, 10**9), "Seconds that it may be asked to last (`ttl` in the form) at the most.")


@dataclass(frozen=True)
class Client:
    """The client API: messages, rooms, contacts and events."""

    prefix: str = setting("/api", url_prefix, "The path that it stands below.")
    generation: int = setting("6", generation, "6: answers as MongooseIM 6 gave them; 3: as its generations 2 to 5 did, with error bodies empty.")
    realm: str = setting("mongooseim", header_text, "The realm that a 401 names.")
    body_limit: int = setting("1048576", number(1024, 1 << 28), "Bytes of a request body at the most.")
    page_limit: int = setting("500", number(50, 10_000), "Messages of a history page at the most.")
    sse_timestamp_unit: str = setting("us", choice("us", "ms"), "Unit of `timestamp` in events: us, as clients of this API know it, or ms as everywhere else.")


@dataclass(frozen=True)
class Rooms:
    """MUC Light rooms: what their service may decide for itself. [gateway] rooms_domain says where they are."""

    all_can_configure: bool = setting("no", yes_or_no, "yes: every occupant may change name and subject. no: the owner only.")
    all_can_invite: bool = setting("no", yes_or_no, "yes: every occupant may add others, over XMPP. no: the owner only. The client API lets nobody else.")
    max_occupants: int = setting("1000", number(1, 100_000), "Occupants of a room at the most.")
    per_owner: int = setting("1000", number(1, 10_000), "Rooms that one account owns at the most; further ones get 403.")
    foreign_per_owner: int = setting("2000", number(0, 1_000_000), "Occupants of other servers in all rooms of one owner together, at the most.")


@dataclass(frozen=True)
class Conference:
    """Rooms of XEP-0045. [gateway] conference_domain says where they are."""

    persistent: bool = setting("no", yes_or_no, "yes: new rooms are kept when everybody has left, and when the gateway restarts.")
    archive: bool = setting("yes", yes_or_no, "yes: what is said in new rooms is archived (their option `mam`).")
    allow_subscription: bool = setting("no", yes_or_no, "yes: new rooms take subscriptions (MUC/Sub; their option of this name), as ejabberd's packages have it.")
    history_size: int = setting("20", number(0, 1000), "Messages that a newcomer is shown at the most.")
    unused_after: float = setting("3600", seconds(0, 31_536_000), "Seconds after which a room goes that is not persistent, that nobody has entered and nobody subscribes to, such as one that a command made; 0: it stays.")


@dataclass(frozen=True)
class Streams:
    """Event streams, of every API. Each holds a thread: never more than three quarters of [server] threads are open at once."""

    total: int = setting("48", number(1, 10_000), "Open streams in a process at the most; further ones get 503.")
    per_account: int = setting("10", number(1, 10_000), "Open streams of one account at the most; further ones get 503.")
    queue_size: int = setting("1000", number(1, 1_000_000), "Events that wait for a slow reader at the most; then its stream ends.")
    heartbeat: float = setting("15", seconds(0.1, 300), "Seconds of silence after which a comment is sent, so that no intermediary cuts the stream.")
    write_timeout: float = setting("30", seconds(0.1, 600), "Seconds that a reader may take nothing of what is sent; then its stream ends.")


@dataclass(frozen=True)
class Callback:
    """A URL that answers stanzas: one section `[callback.NAME]` each."""

    url: str = setting("", http_url, "Where stanzas are POSTed. May hold user:password@ and {kind}, {type}, {to}, {from}.", secret=True, required=True)
    address: tuple[JID, ...] = setting("<domain>", jids, "Bot addresses (bare JIDs), or a hosted domain for all of it that is no account; separated by commas.")
    kinds: frozenset[str] = setting("message, presence, iq", some_of("message", "presence", "iq"), "Which stanzas.")
    events: frozenset[str] = setting("bare, full, host", some_of(*EVENTS), "By the form of `to`: user@host, user@host/resource, host alone.")
    content_type: str = setting("application/xmpp+xml", content_type, "How stanzas are written, unless the URL asks for another format: `xml`, `json`, `form` or `cbor`.")
    timeout: float = setting("30", seconds(0.1, 600), "Seconds for the whole answer.")
    concurrency: int = setting("4", number(1, 256), "Requests at once; the stanzas of one sender are always sent one after the other.")
    queue_size: int = setting("1000", number(1, 1_000_000), "Stanzas that wait at the most; further ones are refused with resource-constraint.")
    queue_share: int = setting("75", number(1, 100), "Percent of queue_size that the stanzas of one sender may take; further ones of it are refused.")
    keep: str = setting("disk", choice("disk", "memory"), "Where messages and presences wait until they are answered. disk: none is lost by a crash.")
    retries: int = setting("0", number(0, 100), "Further attempts after no connection, 429, 502, 503 or 504; the sender hears of the last one alone.")
    retry_max: float = setting("300", seconds(0.1, 86400), "Seconds between two attempts at the most. They double from half a second; Retry-After counts.")
    reply_rate: int = setting("20", number(1, 1_000_000), "Replies to one sender within a second; further ones wait, so that two programs do not answer each other without end.")
    rooms: str = setting("admins", choice("admins", "anyone"), "Who may bring the bot into a room: administrators alone, or anyone who may add people to the room.")
    dead_letters: int = setting("1000", number(0, 100_000), "Undelivered stanzas that are kept, to be read and replayed at /rest/callbacks; the oldest go first.")
    secret: bytes = setting("", signing_secret, "Signs requests (Standard Webhooks): whsec_ and base64, or text. Empty: no signature.", secret=True)

    @property
    def share(self) -> int:
        """How many stanzas of one sender may wait."""
        return portion(self.queue_size, self.queue_share)


@dataclass(frozen=True)
class Right:
    """A rule that opens commands of /api: one section `[rights.NAME]` each. One rule that fits is enough; administrators have one already."""

    who: tuple[str, ...] = setting("admin", callers, "For whom: admin, account (any), anonymous, all, addresses (`*@<domain>`, too) and networks (192.0.2.0/24), any of them.")
    what: tuple[str, ...] = setting("", commands, "Which commands: names, [tag:NAME], or * for all; behind a ! they are taken away again from what the others add.", required=True)
    from_: tuple[str, ...] = setting("", front_ends, "From where: api, ctl (the command line). Empty: both.")
    scopes: frozenset[str] = setting("", scopes, "The rule is for tokens with one of these scopes, whose owner is among `who`. Empty: for callers without a token.")


@dataclass(frozen=True)
class Settings:
    """All settings, read and checked. `file`: where they were read, empty for none; `base`: the folder that relative paths are below;
    `given`: what was set, as section.key; `written`: the text of every setting by that name, with which two readings are compared: what
    `auto` comes to depends on the process that reads it.

    `again` reads them once more from where they came from; it raises SettingsError. `notices`: what was read although it is out of date.
    """

    server: Server
    gateway: Gateway
    link: Link
    storage: Storage
    auth: Auth
    rest: Rest
    data: Data
    commands: Commands
    oauth: Oauth
    client: Client
    rooms: Rooms
    conference: Conference
    streams: Streams
    callbacks: dict[str, Callback]
    rights: dict[str, Right]
    file: str
    base: str
    given: frozenset[str]
    written: Mapping[str, str] = field(repr=False, compare=False)
    again: Callable[[], Settings] = field(repr=False, compare=False)
    notices: tuple[str, ...] = field(default=(), compare=False)


SECTIONS: dict[str, type] = {
    "server": Server,
    "gateway": Gateway,
    "link": Link,
    "storage": Storage,
    "auth": Auth,
    "rest": Rest,
    "data": Data,
    "commands": Commands,
    "oauth": Oauth,
    "client": Client,
    "rooms": Rooms,
    "conference": Conference,
    "streams": Streams,
}
FAMILIES: dict[str, type] = {"callback": Callback, "rights": Right}
"""Sections that may stand more than once, `[callback.NAME]`: the word before the dot."""


def key_of(f: Field[Any]) -> str:
    """How a field is written in the file: `from_` is a word of Python's otherwise."""
    return f.name.rstrip("_")


def table_of(section: str) -> type:
    """The dataclass of a section by its name."""
    return SECTIONS.get(section) or FAMILIES[section.partition(".")[0]]


__all__ = [
    "FAMILIES", "SECTIONS", "Auth", "Callback", "Client", "Commands", "Data", "Gateway", "Link", "Oauth", "Rest", "Right", "Rooms", "Server", "Settings", "Storage",
    "Streams", "key_of", "table_of",
]  # fmt: skip
