"""The tables of a PostgreSQL storage: those of mod_storage_sql, and four of ours."""

from __future__ import annotations

from drivers.sql.session import DatabaseSession

TABLES = {
    "prosody": '"host" TEXT NOT NULL, "user" TEXT NOT NULL, "store" TEXT NOT NULL, "key" TEXT NOT NULL, '
    '"type" TEXT NOT NULL, "value" TEXT NOT NULL',
    "prosodyarchive": '"sort_id" BIGSERIAL NOT NULL PRIMARY KEY, "host" TEXT NOT NULL, "user" TEXT NOT NULL, '
    '"store" TEXT NOT NULL, "key" TEXT NOT NULL, "when" INTEGER NOT NULL, "with" TEXT NOT NULL, '
    '"type" TEXT NOT NULL, "value" TEXT NOT NULL',
    "xmpprest_list": '"id" BIGSERIAL NOT NULL PRIMARY KEY, "host" TEXT NOT NULL, "user" TEXT NOT NULL, '
    '"store" TEXT NOT NULL, "value" TEXT NOT NULL',
    "xmpprest_time": '"sort_id" BIGINT NOT NULL PRIMARY KEY, "at" DOUBLE PRECISION NOT NULL',
    "xmpprest_note": '"name" TEXT NOT NULL PRIMARY KEY, "value" TEXT NOT NULL',
    # a row to lock per store that is written: prosody has no unique index, and no row for stores that do not exist yet
    "xmpprest_lock": '"host" TEXT NOT NULL, "user" TEXT NOT NULL, "store" TEXT NOT NULL, PRIMARY KEY ("host", "user", "store")',
}
INDEXES = {
    "prosody_index": '"prosody" ("host", "user", "store", "key")',
    "prosodyarchive_with_when": '"prosodyarchive" ("host", "user", "store", "with", "when")',
    "prosodyarchive_when": '"prosodyarchive" ("host", "user", "store", "when")',
    "prosodyarchive_sort": '"prosodyarchive" ("host", "user", "store", "sort_id")',
    "xmpprest_archive_with_sort": '"prosodyarchive" ("host", "user", "store", "with", "sort_id")',
    "xmpprest_list_index": '"xmpprest_list" ("host", "user", "store", "id")',
}
UNIQUE = {"prosodyarchive_index": '"prosodyarchive" ("host", "user", "store", "key")'}
THERE = "SELECT table_name FROM information_schema.tables WHERE table_schema = ANY (current_schemas(false))"


def ensure_schema(session: DatabaseSession) -> None:
    """Make the tables that are missing, and the indexes of those. Two processes may try at once: one of them fails, and tries again."""
    missing = TABLES.keys() - {name for (name,) in session.rows(THERE)}
    for table in TABLES:
        if table in missing:
            session.run(f'CREATE TABLE IF NOT EXISTS "{table}" ({TABLES[table]})')
    for kind, indexes in (("INDEX", INDEXES), ("UNIQUE INDEX", UNIQUE)):
        for name, columns in indexes.items():
            if columns.split('"')[1] in missing:
                session.run(f'CREATE {kind} IF NOT EXISTS "{name}" ON {columns}')
