"""The state of a MUC Light room, and the rules for changing it (XEP Multi-User Chat Light §5.3, §5.4); nothing is stored here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from xmpp_rest.errors import GatewayError
from xmpp_rest.protocol.jid import JID, InvalidJID
from xmpp_rest.protocol.stanza import new_id

OWNER, MEMBER, NONE = "owner", "member", "none"
AFFILIATIONS = frozenset((OWNER, MEMBER, NONE))
DEFAULTS = {"roomname": "Untitled", "subject": ""}
"""The default configuration of a room."""
FIELDS = frozenset((*DEFAULTS, "description"))
"""Every field of the configuration."""


class NewAffiliation(NamedTuple):
    """A new affiliation for one user (bare address)."""

    user: JID
    affiliation: str


@dataclass(frozen=True)
class Rules:
    """The choices that the XEP leaves to the service (XEP §8.2)."""

    all_can_configure: bool = False
    all_can_invite: bool = False
    max_occupants: int = 1000
    per_owner: int = 1000
    foreign_per_owner: int = 2000


@dataclass(frozen=True, slots=True)
class MucLightRoom:
    """A room as it is stored. It has at most one owner, and at least one occupant."""

    jid: JID
    config: Mapping[str, str]
    affiliations: Mapping[JID, str]
    version: str
    birth: str  # unique among all rooms that have had or will have this name

    def affiliation(self, user: JID) -> str:
        return self.affiliations.get(user, NONE)

    def require(self, actor: JID, *, owner: bool = False) -> None:
        """Raise GatewayError, not-occupant or not-owner, unless `actor` is in the room, or is its owner."""
        if actor not in self.affiliations:
            raise GatewayError("not-occupant")
        if owner and self.affiliations[actor] != OWNER:
            raise GatewayError("not-owner")


class RoomSummary(NamedTuple):
    """What lists of rooms tell of one."""

    jid: JID
    config: Mapping[str, str]
    version: str


def new_room(jid: JID, config: Mapping[str, str], affiliations: Mapping[JID, str]) -> MucLightRoom:
    """A new room, not stored yet. Raises GatewayError: bad-room-change."""
    require_nicknames(jid, affiliations)
    return MucLightRoom(jid, DEFAULTS | checked_config(config), affiliations, new_id(), new_id())


def require_nicknames(room: JID, users: Iterable[JID]) -> None:
    """Raise GatewayError, bad-room-change, for an address that cannot be a nickname (XEP §4.1).

    As a resource it may be too long, or mix two writing directions (RFC 3454 §6).
    """
    for user in users:
        try:
            room.at(str(user))
        except InvalidJID as e:
            raise GatewayError("bad-room-change", f"{user} cannot be in a room, where the address serves as a nickname: {e}") from e


def checked_config(config: Mapping[str, str]) -> dict[str, str]:
    """The configuration, if each of its fields is known. Raises GatewayError: bad-room-change."""
    if unknown := config.keys() - FIELDS:
        raise GatewayError("bad-room-change", f"a room has the fields {', '.join(sorted(FIELDS))}, and no {min(unknown)!r}")
    return dict(config)


def configured(room: MucLightRoom, actor: JID, config: Mapping[str, str], rules: Rules) -> MucLightRoom:
    """The room with these fields changed; others stay. Raises GatewayError: not-occupant, not-owner, bad-room-change."""
    room.require(actor, owner=not rules.all_can_configure)
    changed = {**room.config, **checked_config(config)}
    return room if changed == room.config else replace(room, config=changed, version=new_id())


def first_affiliations(creator: JID, others: Sequence[NewAffiliation], rules: Rules) -> dict[JID, str]:
    """The affiliations of a new room: the creator is its owner, unless another one is named (XEP §5.1).

    Raises GatewayError: bad-room-change, room-full.
    """
    users = [change.user for change in others]
    owners = [change for change in others if change.affiliation == OWNER]
    if len(set(users)) != len(users) or creator in users or len(owners) > 1:
        raise GatewayError("bad-room-change", "name each user once, with at most one owner, and not yourself")
    if any(change.affiliation == NONE for change in others):
        raise GatewayError("bad-room-change", "who is named at the creation of a room is its owner or a member")
    return _bounded({creator: MEMBER if owners else OWNER} | dict(others), rules)


def changed(
    room: MucLightRoom, actor: JID, wanted: Sequence[NewAffiliation], rules: Rules
) -> tuple[MucLightRoom | None, list[NewAffiliation]]:
    """The room after `actor` asked for these affiliations (None: nobody is left), and all that changed, a new owner first.

    Raises GatewayError: not-occupant, not-owner, bad-room-change, room-full.
    """
    room.require(actor)
    if len({change.user for change in wanted}) != len(wanted) or not wanted:
        raise GatewayError("bad-room-change", "name at least one user, and none twice")
    if not _permitted(room, actor, wanted, rules):
        raise GatewayError("not-owner")
    if any(room.affiliation(change.user) == change.affiliation for change in wanted):
        raise GatewayError("bad-room-change", "every change must change something")
    if sum(change.affiliation == OWNER for change in wanted) > 1:
        raise GatewayError("bad-room-change", "a room has at most one owner")
    after = _with_one_owner(room, {**room.affiliations, **dict(wanted)})
    changes = _difference(room, after, wanted)
    if not changes:
        raise GatewayError("bad-room-change", "the room must have an owner")
    if not after:
        return None, changes
    require_nicknames(room.jid, after.keys() - room.affiliations.keys())
    if len(after) > len(room.affiliations):
        _bounded(after, rules)
    return replace(room, affiliations=after, version=new_id()), changes


def _permitted(room: MucLightRoom, actor: JID, wanted: Sequence[NewAffiliation], rules: Rules) -> bool:
    if room.affiliations[actor] == OWNER or list(wanted) == [(actor, NONE)]:
        return True
    strangers = all(change.user not in room.affiliations and change.affiliation == MEMBER for change in wanted)
    return rules.all_can_invite and strangers


def _with_one_owner(room: MucLightRoom, wanted: Mapping[JID, str]) -> dict[JID, str]:
    """The affiliations without leavers and with one owner: a new owner replaces the present one; else the first address inherits."""
    after = {user: affiliation for user, affiliation in wanted.items() if affiliation != NONE}
    old = next((user for user, affiliation in room.affiliations.items() if affiliation == OWNER), None)
    owners = [user for user, affiliation in after.items() if affiliation == OWNER]
    if old in owners and len(owners) > 1:
        after[old] = MEMBER
    if old is not None and not owners and after:
        heirs = [user for user in after if user != old] or [old]
        after[min(heirs, key=str)] = OWNER
    return after


def _difference(room: MucLightRoom, after: Mapping[JID, str], wanted: Sequence[NewAffiliation]) -> list[NewAffiliation]:
    users = dict.fromkeys([*(change.user for change in wanted), *room.affiliations])
    changes = [NewAffiliation(user, after.get(user, NONE)) for user in users if after.get(user, NONE) != room.affiliation(user)]
    return sorted(changes, key=lambda change: change.affiliation != OWNER)


def _bounded(affiliations: dict[JID, str], rules: Rules) -> dict[JID, str]:
    if len(affiliations) > rules.max_occupants:
        raise GatewayError("room-full", f"A room holds at most {rules.max_occupants} occupants")
    return affiliations
