"""Rooms in ejabberd's tables: `muc_room` with `muc_room_subscribers` and `archive`, and the reserved nicks of `muc_registered`."""

from __future__ import annotations

from collections.abc import Iterator

from xmpp_rest.importing import records as r
from xmpp_rest.importing.ejabberd.messages import ARCHIVE, archived
from xmpp_rest.importing.ejabberd.room_options import nodes_of, room_parts
from xmpp_rest.importing.erlang.terms import BadTerm
from xmpp_rest.importing.sql.database import Database, GroupedRows, Row, SourceTable, count, select

_ROOM = SourceTable("muc_room", {"host": "", "name": ""})
_ORDER = ("muc_room.host", "muc_room.name")
_SUBSCRIBERS = SourceTable(
    "muc_room_subscribers", {"jid": "", "nick": "", "nodes": "[]"}, {"host": "muc_room.host", "room": "muc_room.name"}
)
_ADDRESS = "muc_room.name || '@' || muc_room.host"
_ARCHIVE = SourceTable("archive", ARCHIVE, {"username": _ADDRESS, "server_host": "muc_room.server_host"})
_OF_ROOMS = '"archive"."username" LIKE \'%@%\''


def rooms(database: Database) -> Iterator[r.ConferenceRoom]:
    """The rooms that the database keeps, which are persistent or have subscribers."""
    every = select(database, [_ROOM._replace(wanted={**_ROOM.wanted, "opts": "[]"})], _ORDER)
    subscribers = GroupedRows(select(database, [_ROOM, _SUBSCRIBERS], [*_ORDER, "muc_room_subscribers.jid"]), _key)
    messages = GroupedRows(select(database, [_ROOM, _ARCHIVE], [*_ORDER, "archive.timestamp", "archive.id"]), _key)
    for row in every:
        key = _key(row)
        yield r.ConferenceRoom(row["name"], row["host"], _parts(row, subscribers, messages))
        subscribers.skip(key)
        messages.skip(key)
    subscribers.require_end()
    messages.require_end()


def without_room(database: Database) -> Iterator[r.Unreadable]:
    """The archives of rooms that are not in the database."""
    # not EXISTS, which SQLite would search for each message again
    unknown = f'"archive"."username" NOT IN (SELECT {_ADDRESS} FROM muc_room)'  # noqa: S608
    where = f"{_OF_ROOMS} AND {unknown}" if database.columns("muc_room") else _OF_ROOMS
    number = count(database, [SourceTable("archive")], where)
    if number:
        yield r.Unreadable("the database", r.KINDS[r.Archived], f"{number} messages are of rooms that do not exist any more")


def size(database: Database) -> int:
    """The number of rooms."""
    return count(database, [_ROOM])


def reserved_nicks(database: Database) -> Iterator[r.ReservedNick | r.Unreadable]:
    """The nicks that are reserved at a service; those of a single room have no place here."""
    for row in select(
        database, [SourceTable("muc_registered", {"jid": "", "host": "", "nick": ""})], ["muc_registered.host", "muc_registered.jid"]
    ):
        if "@" in row["host"]:
            yield r.Unreadable(row["jid"], r.NICKS, f"the nick {row['nick']!r} is reserved in the room {row['host']} alone")
        else:
            yield r.ReservedNick(row["host"], row["jid"], row["nick"])


def _key(row: Row) -> tuple[str, str]:
    return row["host"], row["name"]


def _parts(row: Row, subscribers: GroupedRows, messages: GroupedRows) -> Iterator[r.RoomPart]:
    yield from room_parts(row["opts"])
    for each in subscribers.of(_key(row)):
        try:
            yield r.RoomSubscriber(each["jid"], each["nick"], nodes_of(each["nodes"]))
        except BadTerm as e:
            yield r.LeftOut(r.KINDS[r.RoomSubscriber], f"{each['jid']}: {e}")
    yield from archived(messages.of(_key(row)), f"{row['name']}@{row['host']}")
