"""The tables and indexes of SQL storages: those that mod_storage_sql makes, and ours. What is in braces is a type of the database."""

from __future__ import annotations

from typing import NamedTuple

TABLES = {
    "prosody": '"host" TEXT NOT NULL, "user" TEXT NOT NULL, "store" TEXT NOT NULL, "key" TEXT NOT NULL, '
    '"type" TEXT NOT NULL, "value" TEXT NOT NULL',
    "prosodyarchive": '"sort_id" {serial}, "host" TEXT NOT NULL, "user" TEXT NOT NULL, '
    '"store" TEXT NOT NULL, "key" TEXT NOT NULL, "when" INTEGER NOT NULL, "with" TEXT NOT NULL, '
    '"type" TEXT NOT NULL, "value" TEXT NOT NULL',
    "xmpprest_list": '"id" {serial}, "host" TEXT NOT NULL, "user" TEXT NOT NULL, "store" TEXT NOT NULL, "value" TEXT NOT NULL',
    "xmpprest_position": '"host" TEXT NOT NULL, "user" TEXT NOT NULL, "store" TEXT NOT NULL, "position" BIGINT NOT NULL, '
    '"id" BIGINT NOT NULL, PRIMARY KEY ("host", "user", "store", "position")',
    "xmpprest_time": '"sort_id" {key}, "at" {double}',
    "xmpprest_archive": '"host" TEXT NOT NULL, "user" TEXT NOT NULL, "store" TEXT NOT NULL, "upto" BIGINT NOT NULL, '
    '"items" BIGINT NOT NULL, "latest" BIGINT NOT NULL, "back" BIGINT NOT NULL, PRIMARY KEY ("host", "user", "store")',
    "xmpprest_note": '"name" TEXT NOT NULL PRIMARY KEY, "value" TEXT NOT NULL',
}


class Index(NamedTuple):
    """An index: its table, its columns, whether it is unique, and the condition of the rows in it."""

    table: str
    columns: str
    unique: bool = False
    where: str = ""


# in the order of code points, whatever the database's own one is: an engine knows another name for it
USER = '"user" COLLATE BINARY'
UNLISTED = "roster"
LISTED = f"\"store\"<>'{UNLISTED}'"
"""Rows of `prosody` whose users can be looked up by store: not those of rosters, a row per contact, whose owners all have accounts."""
NUMBER = 'CAST("value" AS DOUBLE PRECISION)'
USED = "\"store\"='muc' AND \"key\"='used' AND \"type\"='number'"
"""Rows of `prosody` with the times at which rooms were last used, which are looked up by these."""
# not prosodyarchive_with_when, which no query of ours needs: Prosody makes it when it starts (docs/decisions/0039)
INDEXES = {
    "prosody_index": Index("prosody", '"host", "user", "store", "key"'),
    "prosodyarchive_index": Index("prosodyarchive", '"host", "user", "store", "key"', unique=True),
    "prosodyarchive_when": Index("prosodyarchive", '"host", "user", "store", "when"'),
    "prosodyarchive_sort": Index("prosodyarchive", '"host", "user", "store", "sort_id"'),
    "xmpprest_list_index": Index("xmpprest_list", '"host", "user", "store", "id"'),
    "xmpprest_by_store": Index("prosody", f'"host", "store", {USER}', where=LISTED),
    "xmpprest_room_used": Index("prosody", f'"host", ({NUMBER})', where=USED),
    "xmpprest_list_by_store": Index("xmpprest_list", f'"host", "store", {USER}'),
    "xmpprest_archive_by_store": Index("prosodyarchive", f'"host", "store", {USER}, "with", "sort_id"'),
}
OURS = "xmpprest_"
"""Prefix of the tables and indexes that Prosody does not know."""
FORMER = ("xmpprest_archive_with_sort",)
"""Indexes of former versions, which others replace."""


def create_index(name: str) -> str:
    """The statement that makes an index, unless it is there."""
    index = INDEXES[name]
    unique, where = "UNIQUE " if index.unique else "", f" WHERE {index.where}" if index.where else ""
    return f'CREATE {unique}INDEX IF NOT EXISTS "{name}" ON "{index.table}" ({index.columns}){where}'
