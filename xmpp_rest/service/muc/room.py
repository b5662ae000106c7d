"""What is a room: who is in it, who is what to it, and what follows from that? (XEP-0045 §5)"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple
from xml.etree.ElementTree import Element

from xmpp_rest.protocol.jid import JID
from xmpp_rest.service.messages.archive import Kept
from xmpp_rest.service.muc.options import DEFAULTS

AFFILIATIONS = ("outcast", "none", "member", "admin", "owner")  # §5.2, from the lowest
ROLES = ("none", "visitor", "participant", "moderator")  # §5.1, from the lowest
MAX_ENTRIES = 10_000  # affiliations of a room, or subscribers


class Affiliation(NamedTuple):
    """What somebody is to a room, and why."""

    word: str
    reason: str = ""


class Subscriber(NamedTuple):
    """Somebody who hears of the room without being in it, under a nick, about some kinds of events."""

    nick: str
    nodes: tuple[str, ...]


@dataclass(eq=False, slots=True)
class Occupant:
    """Somebody in a room under one nick, with one or more clients: by their full address, the presence that each sent last."""

    nick: str
    bare: JID
    role: str
    sessions: dict[JID, Element]

    @property
    def presence(self) -> Element:
        """What the client that spoke last said."""
        return next(reversed(self.sessions.values()))


@dataclass(eq=False)
class Room:
    """One room. Whoever reads or changes it holds `lock`; when `gone` is true it is not the room of that name any more."""

    jid: JID
    created: float  # Unix time, seconds
    used: float  # when it was last entered, left or spoken in
    options: dict[str, str] = field(default_factory=lambda: dict(DEFAULTS))
    affiliations: dict[JID, Affiliation] = field(default_factory=dict)
    subscribers: dict[JID, Subscriber] = field(default_factory=dict)
    occupants: dict[str, Occupant] = field(default_factory=dict)
    history: deque[Kept] | None = None  # the newest messages; None: not read yet
    subject_at: float = 0.0  # when the subject was set
    vacant_since: float = field(default_factory=time.monotonic)  # when it was made, or was persistent last; of one that nobody has entered
    configured: bool = True  # False until the owner who made the room by entering it has said how it should be
    stored: bool = False
    gone: bool = False
    lock: threading.RLock = field(default_factory=threading.RLock)
    ghosts: dict[JID, None] = field(default_factory=dict)  # clients that turned out to be unreachable while something was said to them

    def on(self, option: str) -> bool:
        """Whether a boolean option is set."""
        return self.options[option] == "true"

    @property
    def persistent(self) -> bool:
        return self.on("persistent")

    def affiliation(self, user: JID) -> str:
        """What a user is to the room: by the address, else by the domain."""
        entry = self.affiliations.get(user.bare) or self.affiliations.get(JID("", user.domain, ""))
        return entry.word if entry else "none"

    def rank(self, user: JID) -> int:
        """The place of the user's affiliation, from the lowest."""
        return AFFILIATIONS.index(self.affiliation(user))

    def is_admin(self, user: JID) -> bool:
        return self.affiliation(user) in ("admin", "owner")

    def default_role(self, affiliation: str) -> str:
        """The role that somebody of this affiliation comes in with (XEP-0045 §5.1.2)."""
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
        """Whether others see the presence of occupants of this role."""
        return role in self.options["presence_broadcast"][1:-1].split(",")

    def nick_holder(self, nick: str) -> JID | None:
        """Who has this nick in the room, as occupant or subscriber."""
        if occupant := self.occupants.get(nick):
            return occupant.bare
        return next((user for user, s in self.subscribers.items() if s.nick == nick), None)

    @property
    def owners(self) -> list[JID]:
        return [user for user, entry in self.affiliations.items() if entry.word == "owner"]
