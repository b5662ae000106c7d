"""The tables of a PostgreSQL storage: those of mod_storage_sql, and four of ours."""

from __future__ import annotations

from drivers.sql import schema
from drivers.sql.session import DatabaseSession

TABLES = {
    name: columns.format(serial="BIGSERIAL NOT NULL PRIMARY KEY", key="BIGINT NOT NULL PRIMARY KEY", double="DOUBLE PRECISION NOT NULL")
    for name, columns in schema.TABLES.items()
} | {
    # a row to lock per store that is written: prosody has no unique index, and no row for stores that do not exist yet
    "xmpprest_lock": '"host" TEXT NOT NULL, "user" TEXT NOT NULL, "store" TEXT NOT NULL, PRIMARY KEY ("host", "user", "store")',
}
THERE = "SELECT table_name FROM information_schema.tables WHERE table_schema = ANY (current_schemas(false))"


def ensure_schema(session: DatabaseSession) -> None:
    """Make the tables that are missing, and the indexes of those. Two processes may try at once: one of them fails, and tries again."""
    missing = TABLES.keys() - {name for (name,) in session.rows(THERE)}
    for table in TABLES:
        if table in missing:
            session.run(f'CREATE TABLE IF NOT EXISTS "{table}" ({TABLES[table]})')
    for name, (table, columns, unique) in schema.INDEXES.items():
        if table in missing:
            fields = ", ".join(f'"{column}"' for column in columns)
            session.run(f'CREATE {"UNIQUE " if unique else ""}INDEX IF NOT EXISTS "{name}" ON "{table}" ({fields})')
