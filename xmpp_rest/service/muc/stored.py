"""The tables of rooms in the storage."""

from __future__ import annotations

from typing import Any

from drivers import Table
from xmpp_rest.protocol.jid import JID, parse_jid
from xmpp_rest.service.muc.options import DEFAULTS
from xmpp_rest.service.muc.room import Affiliation, Room, Subscriber


def to_table(room: Room) -> Table:
    """The table of a room."""
    # lists: an address can be a reserved key of a table (`__hash`)
    return {
        "options": dict(room.options),
        "affiliations": [{"jid": str(user), "affiliation": a.word, "reason": a.reason} for user, a in room.affiliations.items()],
        "subscribers": [{"jid": str(user), "nick": s.nick, "nodes": list(s.nodes)} for user, s in room.subscribers.items()],
        "created": room.created,
        "used": room.used,
        "subject_at": room.subject_at,
    }


def from_table(jid: JID, table: object) -> Room | None:
    """The room; None for what is not a table."""
    room = without_users(jid, table)
    if room is None or not isinstance(table, dict):
        return None
    room.affiliations = {parse_jid(row["jid"]): Affiliation(row["affiliation"], row["reason"]) for row in _rows(table, "affiliations")}
    room.subscribers = {parse_jid(row["jid"]): Subscriber(row["nick"], tuple(row["nodes"] or ())) for row in _rows(table, "subscribers")}
    room.indexed = room.users
    return room


def without_users(jid: JID, table: object) -> Room | None:
    """The room, without the users that it names; None for what is not a table."""
    if not isinstance(table, dict):
        return None
    known = {name: value for name, value in table["options"].items() if name in DEFAULTS}
    return Room(jid, table["created"], table["used"], {**DEFAULTS, **known}, subject_at=table["subject_at"], stored=True)


def _rows(table: dict[str, Any], name: str) -> list[dict[str, Any]]:
    rows = table.get(name)
    return rows if isinstance(rows, list) else []
