"""The tables, indexes and triggers of a PostgreSQL storage."""

from __future__ import annotations

import logging

import psycopg

from drivers.sql import schema
from drivers.sql.postgressession import Connection, PostgresSession, transaction
from drivers.sql.session import DatabaseSession

log = logging.getLogger("xmpp_rest.storage")
NOT_FOR_US = frozenset({"42501", "0A000", "42601", "42704"})
"""insufficient_privilege; feature_not_supported, syntax_error, undefined_object: of engines without triggers"""
CREATED_MEANWHILE = frozenset({"23505", "42P07", "42710"})

TABLES = {
    name: columns.format(serial="BIGSERIAL NOT NULL PRIMARY KEY", key="BIGINT NOT NULL PRIMARY KEY", double="DOUBLE PRECISION NOT NULL")
    for name, columns in schema.TABLES.items()
} | {
    # a row to lock per store that is written: prosody has no unique index, and no row for stores that do not exist yet
    "xmpprest_lock": '"host" TEXT NOT NULL, "user" TEXT NOT NULL, "store" TEXT NOT NULL, PRIMARY KEY ("host", "user", "store")',
}
THERE = (
    "SELECT c.relname, COALESCE(i.indisvalid, true) FROM pg_class AS c JOIN pg_namespace AS n ON n.oid=c.relnamespace "
    "LEFT JOIN pg_index AS i ON i.indexrelid=c.oid WHERE n.nspname = ANY (current_schemas(false))"
)
TRIGGERS_THERE = "SELECT tgname FROM pg_trigger WHERE tgrelid=to_regclass('\"prosodyarchive\"') AND tgname LIKE 'xmpprest%'"
# Prosody may be another user, who may not write our table. Each statement in it sees what was committed before that statement; the row
# that it locks, and makes if there is none, keeps a step of drivers/sql/summary.py and this apart.
FUNCTION = """
CREATE OR REPLACE FUNCTION "{name}"() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
{body}
    RETURN NULL;
END $$"""
DELETED = """
DECLARE
    place record;
    last bigint;
BEGIN
    FOR place IN SELECT DISTINCT "host", "user", "store" FROM gone ORDER BY 1, 2, 3 LOOP
        INSERT INTO "xmpprest_archive" ("host", "user", "store", "upto", "items", "latest", "back")
            VALUES (place."host", place."user", place."store", 0, 0, -1099511627776, 0) ON CONFLICT DO NOTHING;
        SELECT "upto" INTO last FROM "xmpprest_archive"
            WHERE "host"=place."host" AND "user"=place."user" AND "store"=place."store" FOR UPDATE;
        UPDATE "xmpprest_archive" SET "items"="items"-(SELECT COUNT(*) FROM gone
            WHERE "host"=place."host" AND "user"=place."user" AND "store"=place."store" AND "sort_id"<=last)
            WHERE "host"=place."host" AND "user"=place."user" AND "store"=place."store";
    END LOOP;"""
MOVED = """
BEGIN
    INSERT INTO "xmpprest_archive" AS a ("host", "user", "store", "upto", "items", "latest", "back")
        SELECT DISTINCT p."host", p."user", p."store", 0, 0, -1099511627776, 0
        FROM (VALUES (OLD."host", OLD."user", OLD."store"), (NEW."host", NEW."user", NEW."store")) AS p ("host", "user", "store")
        ON CONFLICT ("host", "user", "store") DO UPDATE SET "upto"=0, "items"=0, "latest"=-1099511627776, "back"=0;"""
EMPTIED = """
BEGIN
    DELETE FROM "xmpprest_archive";"""
TRIGGERS = {  # name: (the body of its function, when it runs); all are to be there, or none is of use
    "xmpprest_archive_deleted": (DELETED, 'AFTER DELETE ON "prosodyarchive" REFERENCING OLD TABLE AS gone FOR EACH STATEMENT'),
    "xmpprest_archive_moved": (
        MOVED,
        'AFTER UPDATE OF "sort_id", "host", "user", "store", "when" ON "prosodyarchive" FOR EACH ROW WHEN ((OLD."sort_id", OLD."host", '
        'OLD."user", OLD."store", OLD."when") IS DISTINCT FROM (NEW."sort_id", NEW."host", NEW."user", NEW."store", NEW."when"))',
    ),
    "xmpprest_archive_emptied": (EMPTIED, 'AFTER TRUNCATE ON "prosodyarchive" FOR EACH STATEMENT'),
}


def _make_missing(connection: Connection) -> None:
    """Make the tables that are missing, and the indexes of those. Two processes may try at once: one of them fails, and tries again."""
    session = PostgresSession(connection)
    missing = TABLES.keys() - names(session).keys()
    for table in TABLES:
        if table in missing:
            session.run(f'CREATE TABLE IF NOT EXISTS "{table}" ({TABLES[table]})')
    for name, index in schema.INDEXES.items():
        if index.table in missing:
            session.run(schema.create_index(name))


def names(session: DatabaseSession) -> dict[str, bool]:
    """The tables and indexes that there are, and whether each is valid."""
    return {str(name): bool(valid) for name, valid in session.rows(THERE)}


def ensure_schema(connection: Connection) -> dict[str, bool]:
    """Make the tables if they are missing; the names that there are then. Raises psycopg.Error."""
    there = names(PostgresSession(connection))
    if there.keys() >= TABLES.keys():
        return there
    try:
        transaction(connection, _make_missing)
    except psycopg.Error as e:
        if e.sqlstate not in CREATED_MEANWHILE:
            raise
        transaction(connection, _make_missing)
    return names(PostgresSession(connection))


def ensure_triggers(connection: Connection) -> bool:
    """Make the triggers that are missing; whether all are there then."""
    if has_triggers(PostgresSession(connection)):
        return True
    try:
        transaction(connection, _make_triggers)
    except psycopg.Error as e:  # the tables may be another user's, and another process may be making the same
        if e.sqlstate not in NOT_FOR_US and e.sqlstate not in CREATED_MEANWHILE:
            raise
        log.warning("a trigger could not be made in the PostgreSQL database, and archives are counted item by item: %s", e)
    return has_triggers(PostgresSession(connection))


def _make_triggers(connection: Connection) -> None:
    session = PostgresSession(connection)
    session.run('LOCK TABLE "prosodyarchive" IN SHARE ROW EXCLUSIVE MODE')  # in one process at a time: a function cannot be made by two
    for name in TRIGGERS.keys() - _triggers(session):
        body, when = TRIGGERS[name]
        session.run(FUNCTION.format(name=name, body=body))
        session.run(f'CREATE TRIGGER "{name}" {when} EXECUTE FUNCTION "{name}"()')
        session.run('DELETE FROM "xmpprest_archive"')  # nobody has kept it right


def _triggers(session: DatabaseSession) -> set[str]:
    return {str(name) for (name,) in session.rows(TRIGGERS_THERE)}


def has_triggers(session: DatabaseSession) -> bool:
    """Whether the triggers are there that keep the summaries of archives right."""
    return TRIGGERS.keys() <= _triggers(session)
