"""MongooseIM's rooms: MUC Light (`muc_light_rooms` and what belongs to them), and those of XEP-0045 (`muc_rooms`)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import groupby
from typing import Any, Literal

from xmpp_rest.importing import records as r
from xmpp_rest.importing.domains import Domains
from xmpp_rest.importing.mongooseim.messages import identity, stanza_of, text_of
from xmpp_rest.importing.sql.database import Database, GroupedRows, Row, SourceTable, count, select
from xmpp_rest.protocol.namespaces import MUC_LIGHT, MUC_USER
from xmpp_rest.service.muc.options import DEFAULTS
from xmpp_rest.service.muclight.room import FIELDS

_LIGHT = SourceTable("muc_light_rooms", {"lserver": "", "luser": "", "id": 0})
_LIGHT_ORDER = ("muc_light_rooms.lserver", "muc_light_rooms.luser")
_LIGHT_AFFILIATIONS = {1: "owner", 2: "member"}
_ROOM = SourceTable("muc_rooms", {"muc_host": "", "room_name": "", "id": 0})
_ROOM_ORDER = ("muc_rooms.muc_host", "muc_rooms.room_name")
_AFFILIATIONS = {1: "owner", 2: "member", 3: "admin", 4: "outcast"}
_MESSAGE = {"message_id": 0, "nick_name": "", "message": b""}
_BLOCKS: dict[int, Literal["user", "room"]] = {1: "room", 2: "user"}
_DERIVED = frozenset(("persistent", "affiliations", "subject", "subject_author", "allow_private_messages", "instance", "maygetmemberlist"))
_LIGHT_USER = f"{{{MUC_LIGHT}#affiliations}}user"
_MUC_USER = f"{{{MUC_USER}}}x"


def light_rooms(database: Database, domains: Domains) -> Iterator[r.LightRoom]:
    """The MUC Light rooms."""
    here = {"room_id": "muc_light_rooms.id"}
    config = SourceTable("muc_light_config", {"opt": "", "val": ""}, here)
    occupant = SourceTable(
        "muc_light_occupants", {"user": "", "server": "", "aff": 0}, here, renamed={"user": "luser", "server": "lserver"}
    )
    options = _grouped(database, _LIGHT, [config], [*_LIGHT_ORDER, "muc_light_config.opt"])
    occupants = _grouped(database, _LIGHT, [occupant], [*_LIGHT_ORDER, "muc_light_occupants.lserver", "muc_light_occupants.luser"])
    messages = _grouped(
        database, _LIGHT, _archive("muc_light_rooms.lserver", "muc_light_rooms.luser"), [*_LIGHT_ORDER, "mam_muc_message.id"]
    )

    def parts(row: Row) -> Iterator[r.RoomPart]:
        for each in options.of(row["id"]):
            if each["opt"] in FIELDS:
                yield r.RoomOption(each["opt"], each["val"])
            else:
                yield r.LeftOut(r.KINDS[r.RoomOption], f"MUC Light rooms here have no field {each['opt']}")
        for each in occupants.of(row["id"]):
            if (word := _LIGHT_AFFILIATIONS.get(int(each["aff"]))) is not None:
                yield r.RoomAffiliation(f"{each['user']}@{each['server']}", word)
        yield from _archived(f"{row['luser']}@{row['lserver']}", messages.of(row["id"]), domains)

    for row in select(database, [_LIGHT], _LIGHT_ORDER):
        yield r.LightRoom(row["luser"], row["lserver"], parts(row))
        for grouped in (options, occupants, messages):
            grouped.skip(row["id"])
    for grouped in (options, occupants, messages):
        grouped.require_end()


def light_blocks(database: Database) -> Iterator[r.LightBlockList]:
    """Whom and which rooms accounts have blocked, for each domain of rooms: the table names none."""
    hosts = [row["lserver"] for row in select(database, [SourceTable("muc_light_rooms", {"lserver": ""}, distinct=("lserver",))])]
    wanted = SourceTable("muc_light_blocking", {"lserver": "", "luser": "", "what": 0, "who": ""})
    rows = select(database, [wanted], ["muc_light_blocking.lserver", "muc_light_blocking.luser", "muc_light_blocking.who"])
    for user, same in groupby(rows, lambda row: f"{row['luser']}@{row['lserver']}"):
        items = tuple((_BLOCKS[int(row["what"])], row["who"]) for row in same if int(row["what"]) in _BLOCKS)
        yield from (r.LightBlockList(host, user, items) for host in hosts)


def rooms(database: Database) -> Iterator[r.ConferenceRoom]:
    """The rooms of XEP-0045."""
    entry = SourceTable(
        "muc_room_aff", {"user": "", "server": "", "aff": 0}, {"room_id": "muc_rooms.id"}, renamed={"user": "luser", "server": "lserver"}
    )
    affiliations = _grouped(database, _ROOM, [entry], [*_ROOM_ORDER, "muc_room_aff.lserver", "muc_room_aff.luser"])
    messages = _grouped(database, _ROOM, _archive("muc_rooms.muc_host", "muc_rooms.room_name"), [*_ROOM_ORDER, "mam_muc_message.id"])

    def parts(row: Row) -> Iterator[r.RoomPart]:
        yield from _options(row["options"])
        for each in affiliations.of(row["id"]):
            if (word := _AFFILIATIONS.get(int(each["aff"]))) is not None:
                address = f"{each['user']}@{each['server']}" if each["user"] else each["server"]
                yield r.RoomAffiliation(address, word)
        yield from _archived(f"{row['room_name']}@{row['muc_host']}", messages.of(row["id"]), None)

    for row in select(database, [_ROOM._replace(wanted={**_ROOM.wanted, "options": "{}"})], _ROOM_ORDER):
        yield r.ConferenceRoom(row["room_name"], row["muc_host"], parts(row))
        affiliations.skip(row["id"])
        messages.skip(row["id"])
    affiliations.require_end()
    messages.require_end()


def reserved_nicks(database: Database) -> Iterator[r.ReservedNick]:
    """The nicks that are reserved at a service."""
    wanted = SourceTable("muc_registered", {"muc_host": "", "luser": "", "lserver": "", "nick": ""})
    for row in select(database, [wanted], ["muc_registered.muc_host", "muc_registered.lserver", "muc_registered.luser"]):
        yield r.ReservedNick(row["muc_host"], f"{row['luser']}@{row['lserver']}", row["nick"])


def size(database: Database) -> int:
    """The number of rooms of both kinds."""
    return count(database, [_LIGHT]) + count(database, [_ROOM])


def _grouped(database: Database, room: SourceTable, tables: list[SourceTable], order: list[str]) -> GroupedRows:
    return GroupedRows(select(database, [room, *tables], order), lambda row: row["id"])


def _archive(host: str, name: str) -> list[SourceTable]:
    of_archive = SourceTable("mam_muc_message", _MESSAGE, {"room_id": "mam_server_user.id"}, renamed={"message_id": "id"})
    return [SourceTable("mam_server_user", {}, {"server": host, "user_name": name}), of_archive]


def _archived(room: str, rows: Iterator[Row], domains: Domains | None) -> Iterator[r.Archived | r.LeftOut]:
    """The archive of a room; with `domains` of a MUC Light room, whose nicks are addresses."""
    for row in rows:
        try:
            stanza, (identifier, when) = stanza_of(row["message"]), identity(int(row["message_id"]))
        except ValueError as e:
            yield r.LeftOut(r.KINDS[r.Archived], str(e))
            continue
        nick = text_of(row["nick_name"])
        stanza.attrib.pop("to", None)
        stanza.set("from", f"{room}/{domains.text(nick) if domains else nick}" if nick else room)
        stanza.set("type", "groupchat")
        for child in stanza.findall(_MUC_USER):
            stanza.remove(child)
        if domains:
            for element in stanza.iter(_LIGHT_USER):
                element.text = domains.text(element.text or "")
        yield r.Archived(identifier, when, nick if domains and "@" in nick else "", stanza)


def _options(text: Any) -> Iterator[r.RoomPart]:
    kind = r.KINDS[r.RoomOption]
    try:
        options = json.loads(text) if isinstance(text, str | bytes) else text  # psycopg reads JSON by itself
        names = options.items()
    except (ValueError, AttributeError) as e:
        yield r.LeftOut(kind, f"the options of the room cannot be read: {e}")
        return
    if options.get("allow_private_messages") is False:
        yield r.RoomOption("allowpm", "none")
    for name, value in names:
        if name in _DERIVED or (value in ("", None, [], False) and name not in DEFAULTS):
            continue
        if name not in DEFAULTS or not isinstance(value, str | int):
            yield r.LeftOut(kind, f"rooms here have no option {name}")
            continue
        yield r.RoomOption(name, _word(value))
    if isinstance(subject := options.get("subject"), str) and subject:
        author = options.get("subject_author")
        yield r.RoomSubject(subject, author if isinstance(author, str) else "")


def _word(value: str | int) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
