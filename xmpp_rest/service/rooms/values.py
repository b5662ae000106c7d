"""Values: who is in which room, by whose wish, and what is known of that (rooms-anywhere §6.1)."""

from __future__ import annotations

from enum import Enum
from typing import Any, NamedTuple

from xmpp_rest.protocol.datetimes import write_milliseconds
from xmpp_rest.protocol.jid import JID, parse_jid


class RoomState(Enum):
    """The state of a membership."""

    JOINING = "joining"
    IN = "in"
    OUT = "out"


class RoomPlace(NamedTuple):
    """One occupant in one room: what a membership is known by."""

    occupant: JID
    """The full address."""
    room: JID
    """The bare address."""

    @property
    def actor(self) -> JID:
        """The bare address of who acts."""
        return self.occupant.bare


class Wish(NamedTuple):
    """How somebody wants to be in a room."""

    nick: str = ""
    """Empty: the default one."""
    is_named: bool = False
    """Whether the request named the nick, so that no other one will do."""
    password: str | None = None
    history: int = 0
    """Messages of the past."""
    stay: bool = False
    create: bool = False
    by: str = "demand"
    """`demand`, `request`, `callback:NAME` or `hook:NAME`."""


class Reason(NamedTuple):
    """Why somebody is not in a room."""

    condition: str
    text: str = ""
    status: tuple[int, ...] = ()
    """Codes of XEP-0045 §15.6.2."""
    actor: str = ""
    """Who has put them out, as the room tells it."""
    rejoin: bool = False
    next: float | None = None
    """When the next attempt is (Unix time)."""

    def to_json(self) -> dict[str, Any]:
        """The value of the member `reason`."""
        status, at = list(self.status), write_milliseconds(self.next) if self.next is not None else None
        return {**self._asdict(), "status": status, "actor": self.actor or None, "next": at}


class Subject(NamedTuple):
    """The subject of a room, and who has set it."""

    text: str
    nick: str = ""


class RoomOccupant(NamedTuple):
    """Somebody in a room, as the room shows them. Empty: it does not tell."""

    nick: str
    role: str = ""
    affiliation: str = ""
    jid: str = ""
    occupant_id: str = ""

    def to_json(self) -> dict[str, Any]:
        """A value of the member `occupants`."""
        return {key: value for key, value in self._asdict().items() if value or key not in ("jid", "occupant_id")}


class RoomView(NamedTuple):
    """What is known of a membership at one moment. There is no password in it."""

    occupant: str
    """The full address of who is in, or wants to be."""
    room: str
    nick: str
    state: str
    since: float
    """Unix time at which the state was taken."""
    reason: Reason | None = None
    stay: bool = False
    by: str = "demand"
    name: str = ""
    subject: Subject | None = None
    role: str = ""
    affiliation: str = ""
    persistent: bool = False
    features: tuple[str, ...] = ()
    occupants: tuple[RoomOccupant, ...] = ()
    """By nick, as many as are kept."""
    occupants_total: int = 0

    @property
    def place(self) -> RoomPlace:
        """The membership."""
        return RoomPlace(parse_jid(self.occupant), parse_jid(self.room))

    def summary(self) -> dict[str, Any]:
        """The members up to `by`: what lists and events tell."""
        return {
            "room": self.room,
            "nick": self.nick,
            "state": self.state,
            "since": write_milliseconds(self.since),
            "reason": None if self.reason is None else self.reason.to_json(),
            "stay": self.stay,
            "by": self.by,
        }

    def details(self) -> dict[str, Any]:
        """All members."""
        return {
            **self.summary(),
            "name": self.name,
            "subject": None if self.subject is None else self.subject._asdict(),
            "role": self.role or None,
            "affiliation": self.affiliation or None,
            "persistent": self.persistent,
            "features": list(self.features),
            "occupants": [occupant.to_json() for occupant in self.occupants],
            "occupants_total": self.occupants_total,
        }

    def to_json(self) -> list[Any]:
        """As another process reads it."""
        return list(self)

    @classmethod
    def from_json(cls, value: list[Any]) -> RoomView:
        """What `to_json` wrote."""
        view = cls(*value)
        return view._replace(
            reason=None if view.reason is None else Reason(*view.reason)._replace(status=tuple(view.reason[2])),
            subject=None if view.subject is None else Subject(*view.subject),
            features=tuple(view.features),
            occupants=tuple(RoomOccupant(*occupant) for occupant in view.occupants),
        )
