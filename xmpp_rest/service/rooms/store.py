"""Keeps the memberships that are wanted, in a table of each actor (rooms-anywhere §7.1). Those on demand are there for the next leader."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any, NamedTuple

from drivers import Driver, StorageError, Table
from xmpp_rest.incidents import Incidents
from xmpp_rest.protocol.jid import JID, InvalidJID, parse_jid
from xmpp_rest.service.rooms.values import Reason, RoomPlace, Wish

log = logging.getLogger("xmpp_rest.rooms")

STORE = "rooms_anywhere"
Row = dict[str, Any]


class KeptMembership(NamedTuple):
    """A membership that was kept. `nick`: that it wants; `own_nick`: that it had; `since`: Unix time.

    `is_ours`: whether a process of this gateway has kept it, since that was started.
    """

    place: RoomPlace
    wish: Wish
    nick: str
    own_nick: str
    since: float
    is_ours: bool = False
    out: Reason | None = None
    """Why it was out for good."""


class RoomStore:
    """What fails is reported, and remembered in `unkept`."""

    def __init__(self, driver: Driver, domain: str, incidents: Incidents, began: float = 0.0) -> None:
        """`began`: what all processes that are forked for this gateway have in common, and no later ones."""
        self._began = began
        self._driver = driver
        self._domain = domain
        self._incidents = incidents
        self.unkept: set[RoomPlace] = set()
        """The memberships whose latest change the storage did not take."""

    def row_of(self, place: RoomPlace, wish: Wish, nick: str, own_nick: str, since: float, out: Reason | None = None) -> Row:
        """The membership as it is kept."""
        row: Row = {"room": str(place.room), "resource": place.occupant.resource, "nick": nick, "own_nick": own_nick, "since": since}
        row |= {"is_named": wish.is_named, "stay": wish.stay, "by": wish.by, "began": self._began}
        row |= {} if out is None else {"out": [out.condition, out.text, list(out.status), out.actor]}
        return row if wish.password is None else {**row, "password": wish.password}

    def put(self, place: RoomPlace, row: Row) -> None:
        """Keep it."""
        if place.occupant.domain == self._domain:  # others have their rooms as long as their sessions
            self._change(place, row)

    def remove(self, place: RoomPlace) -> None:
        """Keep it no longer."""
        if place.occupant.domain == self._domain:
            self._change(place, None)

    def _change(self, place: RoomPlace, row: Row | None) -> None:
        key = _key(place)

        def change(old: Table | None, _: Any) -> Table | None:
            rest = {name: value for name, value in _members(old).items() if name != key}
            return {**rest, key: row} if row is not None else rest

        try:
            self._driver.update_members(place.occupant.local or None, place.occupant.domain, STORE, (key,), change)
            self.unkept.discard(place)
        except StorageError as e:
            if row is not None:
                self.unkept.add(place)
            self._incidents.report(log, "room-unkept", "the storage does not keep that %s is in %s: %s", *place, e)

    def all(self) -> Iterator[KeptMembership]:
        """All of them. Raises StorageError."""
        for user in (None, *self._driver.users(self._domain, STORE)):
            for row in _members(self._driver.load(user or None, self._domain, STORE)).values():
                try:
                    kept = _read(JID(user or "", self._domain, ""), row)
                    yield kept._replace(is_ours=bool(self._began) and row.get("began") == self._began)
                except (InvalidJID, KeyError, TypeError, ValueError) as e:  # another program has written it
                    self._incidents.report(log, "room-unread", "a room of %s in the storage cannot be read: %r", user or self._domain, e)


def _members(table: Table | None) -> dict[str, Any]:
    return table if isinstance(table, dict) else {}


def _key(place: RoomPlace) -> str:
    return f"{place.room}/{place.occupant.resource}"


def _read(actor: JID, row: Any) -> KeptMembership:
    place = RoomPlace(actor.at(str(row["resource"])), parse_jid(str(row["room"])).bare)
    password = row.get("password")
    wish = Wish(
        nick=str(row["nick"]),
        is_named=bool(row["is_named"]),
        password=None if password is None else str(password),
        stay=bool(row["stay"]),
        by=str(row["by"]),
    )
    return KeptMembership(place, wish, str(row["nick"]), str(row["own_nick"]), float(row["since"]), out=_read_reason(row.get("out")))


def _read_reason(value: Any) -> Reason | None:
    if value is None:
        return None
    condition, text, status, actor = value
    return Reason(str(condition), str(text), tuple(int(code) for code in status), str(actor))
