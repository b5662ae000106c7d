"""Messages in MongooseIM's tables: `offline_message`, and the archives `mam_message` and `mam_muc_message`.

A message is an Erlang term, perhaps compressed, or XML, as `db_message_format` says; its first byte shows which. The id of an archived
message holds its time: microseconds, and in the last byte the number of the node. Clients know the id in base 32.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any
from xml.etree.ElementTree import Element

from xmpp_rest.importing import records as r
from xmpp_rest.importing.erlang.binary import VERSION, decode_term
from xmpp_rest.importing.erlang.elements import element_text
from xmpp_rest.importing.mongooseim.addresses import expanded
from xmpp_rest.importing.sql.account_tables import parsed
from xmpp_rest.importing.sql.accounts import Attached, SourceAccount, each_row
from xmpp_rest.importing.sql.database import Row, SourceTable

MICROSECONDS = 1e6
OF = {"server": "users.server", "username": "users.username"}
ARCHIVE_ID = SourceTable("mam_server_user", {}, {"server": "users.server", "user_name": "users.username"})
_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUV"
_BEHAVIOURS = {"A": "always", "N": "never", "R": "roster"}


def message_tables(*, full_addresses: bool) -> list[Attached]:
    """The tables of messages of accounts. `full_addresses`: the archive has addresses in full, not shortened by what the owner's has."""

    def archive(owner: SourceAccount, rows: Iterator[Row]) -> Iterator[r.AccountPart]:
        for row in rows:
            try:
                yield _archived(owner, row, full_addresses)
            except ValueError as e:
                yield r.LeftOut(kinds[r.Archived], str(e))

    def preferences(owner: SourceAccount, rows: Iterator[Row]) -> Iterator[r.AccountPart]:
        listed = [
            (expanded(owner, text_of(row["remote_jid"]), full_addresses) if row["remote_jid"] else "", row["behaviour"]) for row in rows
        ]
        if listed:
            default = next((_BEHAVIOURS.get(word, "always") for jid, word in listed if not jid), "always")
            always, never = (tuple(jid for jid, word in listed if jid and word == wanted) for wanted in "AN")
            yield r.ArchivePreferences(default, always, never)

    kinds = r.KINDS
    offline = SourceTable("offline_message", {"timestamp": 0, "expire": None, "from_jid": "", "packet": ""}, OF)
    of_archive = {"user_id": "mam_server_user.id"}
    columns = {"id": 0, "from_jid": "", "remote_bare_jid": "", "direction": "I", "message": b""}
    message = SourceTable("mam_message", columns, of_archive)
    wanted = SourceTable("mam_config", {"remote_jid": "", "behaviour": ""}, of_archive)
    return [
        Attached(kinds[r.OfflineMessage], (offline,), ("offline_message.id",), each_row(kinds[r.OfflineMessage], _offline)),
        Attached(kinds[r.Archived], (ARCHIVE_ID, message), ("mam_message.id",), archive, others=None),
        Attached(kinds[r.ArchivePreferences], (ARCHIVE_ID, wanted), ("mam_config.remote_jid",), preferences, others=None),
    ]


def stanza_of(column: Any) -> Element:
    """The stanza in a column. Raises BadTerm, BadXML, ValueError."""
    if isinstance(column, str) and column.startswith("\\x"):  # COMPAT pg_dump: bytea
        column = bytes.fromhex(column[2:])
    if isinstance(column, bytes) and column[:1] == bytes((VERSION,)):
        return parsed(element_text(decode_term(column)))
    return parsed(column)


def text_of(column: str | bytes) -> str:
    """The text of a column, which MySQL keeps as bytes."""
    return column.decode(errors="replace") if isinstance(column, bytes) else column


def identity(number: int) -> tuple[str, float]:
    """The id of an archived message as clients know it, and its time."""
    text, rest = "", number
    while rest:
        rest, digit = divmod(rest, 32)
        text = _DIGITS[digit] + text
    return text or "0", (number >> 8) / MICROSECONDS


def _archived(owner: SourceAccount, row: Row, full_addresses: bool) -> r.Archived:
    stanza = stanza_of(row["message"])
    source, partner = (expanded(owner, text_of(row[name]), full_addresses) for name in ("from_jid", "remote_bare_jid"))
    stanza.attrib.setdefault("from", source)
    stanza.attrib.setdefault("to", partner if row["direction"] == "O" else str(owner))
    identifier, when = identity(int(row["id"]))
    return r.Archived(identifier, when, partner, stanza)


def _offline(row: Row) -> Iterator[r.AccountPart]:
    if row["expire"] is not None and int(row["expire"]) / MICROSECONDS < time.time():
        yield r.LeftOut(r.KINDS[r.OfflineMessage], "the message has expired")
        return
    message = stanza_of(row["packet"])
    message.attrib.setdefault("from", row["from_jid"])
    yield r.OfflineMessage(message, int(row["timestamp"]) / MICROSECONDS)
