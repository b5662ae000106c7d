"""The state of a room: occupants, affiliations, options, and what follows from them (XEP-0045 §5)."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple
from xml.etree.ElementTree import Element

from xmpp_rest.protocol.jid import JID
from xmpp_rest.service.messages.archive import ArchivedMessage
from xmpp_rest.service.muc.options import DEFAULTS
from xmpp_rest.threads.tasks import OrderLock

AFFILIATIONS = ("outcast", "none", "member", "admin", "owner")  # §5.2, from the lowest
ROLES = ("none", "visitor", "participant", "moderator")  # §5.1, from the lowest
MAX_ENTRIES = 10_000  # affiliations of a room, or subscribers


class Affiliation(NamedTuple):
    """The affiliation of a user, and the reason for it."""

    word: str
    reason: str = ""


class Subscriber(NamedTuple):
    """The nick of a user who subscribes to the room without being in it, and the nodes of the subscription."""

    nick: str
    nodes: tuple[str, ...]


@dataclass(eq=False, slots=True)
class Occupant:
    """A user in a room under one nick, with the latest presence of each client by its full address."""

    nick: str
    bare: JID
    role: str
    sessions: dict[JID, Element]

    @property
    def presence(self) -> Element:
        """The presence of the client that sent one last."""
        return next(reversed(self.sessions.values()))


@dataclass(eq=False)
class Room:
    """One room. `lock` is held while it is read or changed; if `gone` is true, it is not the room of that name any more."""

    jid: JID
    created: float  # Unix time, seconds
    used: float  # when somebody last entered, left or spoke
    options: dict[str, str] = field(default_factory=lambda: dict(DEFAULTS))
    affiliations: dict[JID, Affiliation] = field(default_factory=dict)
    subscribers: dict[JID, Subscriber] = field(default_factory=dict)
    occupants: dict[str, Occupant] = field(default_factory=dict)
    history: deque[ArchivedMessage] | None = None  # the newest messages; None: not read yet
    subject_at: float = 0.0  # when the subject was set
    vacant_since: float = field(default_factory=time.monotonic)  # when it was made, or ceased to be persistent
    configured: bool = True  # False until the owner who made the room by entering it has configured it
    stored: bool = False
    indexed: frozenset[JID] = frozenset()  # the users under which the index in the storage has it
    gone: bool = False
    lock: OrderLock = field(default_factory=lambda: OrderLock(reentrant=True))
    stale_sessions: dict[JID, None] = field(default_factory=dict)  # clients that could not be reached

    def on(self, option: str) -> bool:
        """Whether a boolean option is set."""
        return self.options[option] == "true"

    @property
    def persistent(self) -> bool:
        return self.on("persistent")

    def affiliation(self, user: JID) -> str:
        """The affiliation of a user: that of the address, else that of the domain."""
        entry = self.affiliations.get(user.bare) or self.affiliations.get(JID("", user.domain, ""))
        return entry.word if entry else "none"

    def rank(self, user: JID) -> int:
        """The rank of the user's affiliation, from the lowest."""
        return AFFILIATIONS.index(self.affiliation(user))

    def is_admin(self, user: JID) -> bool:
        return self.affiliation(user) in ("admin", "owner")

    def default_role(self, affiliation: str) -> str:
        """The role with which a user of this affiliation enters (XEP-0045 §5.1.2)."""
        if affiliation in ("owner", "admin"):
            return "moderator"
        if affiliation == "member":
            return "participant"
        if affiliation == "outcast" or self.on("members_only"):
            return "none"
        return "participant" if self.on("members_by_default") else "visitor"

    def sessions(self) -> Iterator[tuple[JID, Occupant]]:
        """Every client in the room with its occupant."""
        return ((session, o) for o in list(self.occupants.values()) for session in list(o.sessions))

    def occupant(self, session: JID) -> Occupant | None:
        """The occupant that this client (full address) belongs to."""
        return next((o for o in self.occupants.values() if session in o.sessions), None)

    def is_present(self, user: JID) -> bool:
        """Whether any client of this bare address is in the room."""
        return any(o.bare == user for o in self.occupants.values())

    def sees_addresses(self, role: str) -> bool:
        """Whether an occupant of this role is shown the real addresses of others (XEP-0045 §4.2)."""
        return role == "moderator" or not self.on("anonymous")

    def may_speak(self, role: str) -> bool:
        return role in ("moderator", "participant") or not self.on("moderated")

    def shows(self, role: str) -> bool:
        """Whether the presence of occupants of this role is broadcast."""
        return role in self.options["presence_broadcast"][1:-1].split(",")

    def nick_holder(self, nick: str) -> JID | None:
        """The user who has this nick in the room, as occupant or subscriber."""
        if occupant := self.occupants.get(nick):
            return occupant.bare
        return next((user for user, s in self.subscribers.items() if s.nick == nick), None)

    @property
    def users(self) -> frozenset[JID]:
        """The users that the room names, whether they are in it or not."""
        return frozenset((*self.affiliations, *self.subscribers))

    def has_named(self, user: JID) -> bool:
        """Whether this user is among them."""
        return user in self.affiliations or user in self.subscribers

    @property
    def owners(self) -> list[JID]:
        return [user for user, entry in self.affiliations.items() if entry.word == "owner"]
