"""The neutral records that every reader yields, whatever the source.

A source is a sequence of entities: accounts, rooms, and what belongs to a whole domain. An entity has an address in the source and `parts`,
an iterator that is consumed once, before the next entity is asked for. So a reader keeps no more than one part in memory.
Addresses are text as the source has them; the writer prepares them, and applies `--domain`. Elements follow protocol/element.py:
names in `jabber:client` are bare tags. Times are Unix time in seconds. Archived items are in order of arrival.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal, NamedTuple
from xml.etree.ElementTree import Element

from xmpp_rest.protocol.privacy import PrivacyItem


class Password(NamedTuple):
    """The password in plain text."""

    text: str


class Scram(NamedTuple):
    """What SCRAM keeps of a password, decoded. An account may have several, of different mechanisms (`SCRAM-SHA-256`)."""

    mechanism: str
    iterations: int
    salt: bytes
    stored_key: bytes
    server_key: bytes


class Made(NamedTuple):
    """When the account was made."""

    when: float


class Disabled(NamedTuple):
    """The account is banned: why, since when, and its last activity at that time.

    `credentials`: the true ones, where the source hides them, and has others that nobody knows among the parts.
    """

    reason: str = ""
    when: float | None = None
    last_when: float | None = None
    last_status: str = ""
    credentials: tuple[Password | Scram, ...] = ()


class RosterItem(NamedTuple):
    """A contact of an account (RFC 6121 §2.1.2). An item that is not `listed` is only a request of that address."""

    jid: str
    subscription: str = "none"
    name: str = ""
    groups: tuple[str, ...] = ()
    ask_out: bool = False  # the account has asked, and waits for the answer
    ask_in: bool = False  # the contact has asked
    approved: bool = False  # in advance (RFC 6121 §3.4)
    listed: bool = True
    request: Element | None = None  # the presence stanza with which the contact has asked


class Card(NamedTuple):
    """A vCard of XEP-0054: `{vcard-temp}vCard`."""

    element: Element


class Private(NamedTuple):
    """An element of private XML storage (XEP-0049)."""

    element: Element


class PrivacyList(NamedTuple):
    """A privacy list (XEP-0016)."""

    name: str
    items: tuple[PrivacyItem, ...]
    default: bool = False


class BlockedAddress(NamedTuple):
    """An address on the block list (XEP-0191)."""

    jid: str


class OfflineMessage(NamedTuple):
    """A message that waits for the account to come online."""

    stanza: Element
    when: float


class Archived(NamedTuple):
    """An item of the archive of an account or room. `with_`: the partner; for a room its address, or ""."""

    id: str
    when: float
    with_: str
    stanza: Element


class ArchivePreferences(NamedTuple):
    """XEP-0441: `default` is always, never or roster."""

    default: str
    always: tuple[str, ...] = ()
    never: tuple[str, ...] = ()


class PepNode(NamedTuple):
    """A node of the account's own (XEP-0163). `config`: its options by the names that Prosody keeps, such as `access_model`."""

    name: str
    config: Mapping[str, str | bool | int] = {}
    affiliations: Mapping[str, str] = {}  # address → affiliation
    subscribers: tuple[str, ...] = ()


class PepItem(NamedTuple):
    """A published item; `when` is None if the source does not know it."""

    node: str
    id: str
    publisher: str
    payload: Element
    when: float | None = None


class LastSeen(NamedTuple):
    """When the account was online last, and its last status."""

    when: float
    status: str = ""


class LeftOut(NamedTuple):
    """Something of the entity that the reader cannot read, or that has no place here: its kind, one of KINDS or another word, and why."""

    kind: str
    reason: str
    number: int = 1


class RoomOption(NamedTuple):
    """An option of a room, by name and in the text form of service/muc/options.py; of a MUC Light room a field of its configuration."""

    name: str
    value: str


class RoomAffiliation(NamedTuple):
    """The affiliation of an address: owner, admin, member or outcast; in a MUC Light room owner or member."""

    jid: str
    affiliation: str
    reason: str = ""


class RoomSubscriber(NamedTuple):
    """A subscriber of a room (ejabberd's urn:xmpp:mucsub:0), and the nodes of the subscription."""

    jid: str
    nick: str
    nodes: tuple[str, ...]


class RoomSubject(NamedTuple):
    """The subject of a room, who set it (a nick), and when."""

    text: str
    author: str = ""
    when: float = 0.0


class LightBlockList(NamedTuple):
    """Whom and which rooms an account has blocked at a domain of MUC Light rooms: ("user" or "room", address) each."""

    host: str
    jid: str
    items: tuple[tuple[Literal["user", "room"], str], ...]


KINDS: dict[type, str] = {
    RosterItem: "roster items", Card: "vCards", Private: "private elements", PrivacyList: "privacy lists",
    BlockedAddress: "blocked addresses",
    OfflineMessage: "offline messages", Archived: "archived messages", ArchivePreferences: "archive preferences", PepNode: "nodes",
    PepItem: "published items", LastSeen: "last activities", RoomAffiliation: "affiliations", RoomSubscriber: "subscribers",
    RoomOption: "room options", LightBlockList: "block lists of MUC Light",
}  # fmt: skip
"""Type of a part → its name in the report, also for LeftOut. Credentials count with the account."""
ACCOUNTS, ROOMS, LIGHT_ROOMS, GROUPS, NICKS = "accounts", "rooms", "MUC Light rooms", "shared roster groups", "reserved nicks"

AccountPart = (
    Password | Scram | Made | Disabled | RosterItem | Card | Private | PrivacyList | BlockedAddress | OfflineMessage | Archived
    | ArchivePreferences | PepNode | PepItem | LastSeen | LeftOut
)  # fmt: skip
RoomPart = RoomOption | RoomAffiliation | RoomSubscriber | RoomSubject | Archived | Made | LeftOut


class Account(NamedTuple):
    """An account of the source."""

    localpart: str
    host: str
    parts: Iterator[AccountPart]


class ConferenceRoom(NamedTuple):
    """A room of XEP-0045. `host` is the domain of the rooms."""

    localpart: str
    host: str
    parts: Iterator[RoomPart]


class LightRoom(NamedTuple):
    """A MUC Light room, of RoomOption, RoomAffiliation, Archived and LeftOut."""

    localpart: str
    host: str
    parts: Iterator[RoomPart]


class SharedGroup(NamedTuple):
    """A shared roster group of an account domain. `members` are addresses; `flags` of service/accounts/shared_groups.py."""

    name: str
    host: str
    label: str = ""
    description: str = ""
    displayed: tuple[str, ...] = ()
    flags: frozenset[str] = frozenset()
    members: tuple[str, ...] = ()


class ReservedNick(NamedTuple):
    """A nick that is reserved for an address at a domain of rooms."""

    host: str
    jid: str
    nick: str


class Unreadable(NamedTuple):
    """Something outside an account or room that is left out: whose, what, and why."""

    who: str
    kind: str
    reason: str


Entity = Account | ConferenceRoom | LightRoom | LightBlockList | SharedGroup | ReservedNick | Unreadable
