"""Keeps the messages that wait for their time: in a table of each owner, and as hints in a list of the host for each hour.

The hints tell the leader what falls due soon, without reading what else waits. One is written before its message and stays after it,
until its hour is over: a hint without a message means nothing. So no cost grows with what others have stored.
"""

from __future__ import annotations

import re
import time
from collections.abc import Collection, Iterator
from typing import Any, NamedTuple

from drivers import Driver, Table
from xmpp_rest.errors import GatewayError
from xmpp_rest.protocol.jid import JID, InvalidJID, parse_jid
from xmpp_rest.service.scheduled.message import ScheduledMessage, from_row

STORE = "scheduled"  # of each owner; the host's has the hour behind it
HOUR = 3600
_OF_HOUR = re.compile(r"scheduled_([0-9]{6,9})")


class Hint(NamedTuple):
    """When a message falls due (Unix time), and where it is."""

    at: float
    owner: JID
    id: str


class ScheduledStore:
    """The messages of all owners. Methods raise StorageError."""

    def __init__(self, driver: Driver, domain: str) -> None:
        """`domain`: where the hints are kept."""
        self._driver = driver
        self._domain = domain

    def add(self, message: ScheduledMessage, most: int) -> None:
        """Keep a message; it is durable when this returns. Raises GatewayError, schedule-full, if its owner has `most` already."""
        user, host = _place(message.owner)
        row = message.to_row()

        def require_room(old: Table | None, count: Any) -> Table | None:
            if count() >= most:
                raise GatewayError("schedule-full", f"{most} messages of {message.owner} wait for their time, as many as may; delete one")
            return old

        def insert(old: Table | None, count: Any) -> Table:
            require_room(old, count)
            return {**_members(old), message.id: row}

        self._driver.update_members(user, host, STORE, (), require_room)  # so that what is refused leaves no hint
        hour = int(max(message.at, time.time()) // HOUR)  # not one that is over, and whose hints may go at any moment
        self._driver.list_append(None, self._domain, f"{STORE}_{hour}", [message.at, str(message.owner), message.id])
        self._driver.update_members(user, host, STORE, (message.id,), insert)

    def some(self, owner: JID, ids: Collection[str]) -> dict[str, ScheduledMessage | ValueError]:
        """Those of the owner's messages that have these ids, or what is wrong with them."""
        rows = _members(self._driver.load_members(*_place(owner), STORE, ids))
        return {identifier: _read(identifier, owner, rows[identifier]) for identifier in ids if identifier in rows}

    def all(self, owner: JID) -> list[ScheduledMessage]:
        """The messages of the owner that can be read, the next first."""
        rows = _members(self._driver.load(*_place(owner), STORE))
        found = (_read(identifier, owner, row) for identifier, row in rows.items())
        return sorted((m for m in found if isinstance(m, ScheduledMessage)), key=lambda m: (m.at, m.made, m.id))

    def remove(self, owner: JID, ids: Collection[str]) -> frozenset[str]:
        """Remove these; those that there were."""
        removed = frozenset[str]()

        def change(old: Table | None, _: Any) -> Table:
            nonlocal removed
            rows = _members(old)
            removed = frozenset(identifier for identifier in ids if identifier in rows)
            return {key: row for key, row in rows.items() if key not in removed}

        self._driver.update_members(*_place(owner), STORE, tuple(ids), change)
        return removed

    # -- the hints

    def hours(self) -> Iterator[int]:
        """The hours (Unix time by HOUR) for which there are hints, in no particular order."""
        for store, sort in self._driver.stores(None, self._domain):
            if sort == "list" and (match := _OF_HOUR.fullmatch(store)):
                yield int(match[1])

    def hints(self, hour: int, start: int = 0) -> list[Hint | None]:
        """The hints for this hour, in the order in which they were written, from this number on; None for what cannot be read."""
        owners: dict[str, JID] = {}  # to parse an address takes longer than all else
        return [_hint(item, owners) for item in self._driver.list_load(None, self._domain, f"{STORE}_{hour}", start) or ()]

    def forget_hour(self, hour: int) -> None:
        """Remove the hints of an hour that is over."""
        self._driver.list_store(None, self._domain, f"{STORE}_{hour}", ())


def _place(owner: JID) -> tuple[str | None, str]:
    return owner.local or None, owner.domain


def _members(table: Table | None) -> dict[str, Any]:
    return table if isinstance(table, dict) else {}


def _read(identifier: str, owner: JID, row: Any) -> ScheduledMessage | ValueError:
    try:
        return from_row(identifier, owner, row)
    except ValueError as e:
        return e


def _hint(item: Any, owners: dict[str, JID]) -> Hint | None:
    try:
        at, owner, identifier = item
        jid = owners.get(owner) or owners.setdefault(owner, parse_jid(owner))
        return Hint(float(at), jid, str(identifier))
    except (TypeError, ValueError, InvalidJID):
        return None
