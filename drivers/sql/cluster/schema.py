"""The tables that gateways on several machines share. Prosody knows none of them."""

# many-machines §5

from __future__ import annotations

import logging

import psycopg

from drivers.sql.postgresschema import CREATED_MEANWHILE, NOT_FOR_US, names
from drivers.sql.postgressession import Connection, PostgresSession, transaction

log = logging.getLogger("xmpp_rest.storage")
TABLES = {
    "xmpprest_nodes": '"domain" TEXT NOT NULL, "node" TEXT NOT NULL, "id" TEXT NOT NULL, "run" TEXT NOT NULL, "kind" TEXT NOT NULL, '
    '"version" TEXT NOT NULL, "protocol" BIGINT NOT NULL, "beat" BIGINT NOT NULL, "info" TEXT NOT NULL, PRIMARY KEY ("domain", "node")',
    "xmpprest_leases": '"hosted" TEXT NOT NULL PRIMARY KEY, "node" TEXT NOT NULL, "run" TEXT NOT NULL, "epoch" BIGINT NOT NULL, '
    '"beat" BIGINT NOT NULL',
    "xmpprest_journal": '"name" TEXT NOT NULL, "number" BIGINT NOT NULL, "epoch" BIGINT NOT NULL, "text" TEXT NOT NULL, '
    'PRIMARY KEY ("name", "number")',
    "xmpprest_transfer": '"seq" BIGSERIAL NOT NULL PRIMARY KEY, "hosted" TEXT NOT NULL, "source" TEXT NOT NULL, "number" BIGINT NOT NULL, '
    '"text" TEXT NOT NULL, UNIQUE ("source", "number")',
    "xmpprest_frames": '"id" BIGINT NOT NULL DEFAULT nextval(\'xmpprest_frame\') PRIMARY KEY, "ear" TEXT NOT NULL, "text" TEXT NOT NULL',
}
UNLOGGED = {"xmpprest_frames"}
"""Empty after a crash, and on a standby that takes over: nothing that was promised."""
# a separate one: that of an unlogged table would be unlogged as well, and of no use in a standby that takes over: "bad magic number"
SEQUENCE = 'CREATE SEQUENCE IF NOT EXISTS "xmpprest_frame"'
INDEXES = {
    "xmpprest_frames_by_ear": 'CREATE INDEX IF NOT EXISTS "xmpprest_frames_by_ear" ON "xmpprest_frames" ("ear", "id")',
    "xmpprest_transfer_by_hosted": 'CREATE INDEX IF NOT EXISTS "xmpprest_transfer_by_hosted" ON "xmpprest_transfer" ("hosted", "seq")',
}
"""What was made by an earlier release gets those that it lacks, as nodes of this one begin."""
# small and busy: what was removed is to be gone before there is much of it
TUNING = 'ALTER TABLE "{}" SET (autovacuum_vacuum_scale_factor = 0.01)'
TUNED = ("xmpprest_journal", "xmpprest_frames", "xmpprest_transfer")


def ensure_tables(connection: Connection) -> None:
    """Make those that are missing, and indexes. Raises psycopg.Error."""
    there = names(PostgresSession(connection)).keys()
    if there >= {*TABLES, *INDEXES}:
        return
    try:
        transaction(connection, _make_missing)
    except psycopg.Error as e:
        if e.sqlstate in NOT_FOR_US and there >= TABLES.keys():  # the tables are another user's: slower, and as good
            log.warning("an index could not be made in the PostgreSQL database: %s", e)
            return
        if e.sqlstate not in CREATED_MEANWHILE:
            raise
        transaction(connection, _make_missing)
    for table in TUNED:
        try:
            connection.execute(TUNING.format(table).encode())
        except psycopg.Error as e:
            if e.sqlstate not in NOT_FOR_US:
                raise
            log.info("the database has no autovacuum to set for %s: %s", table, e)


def _make_missing(connection: Connection) -> None:
    session = PostgresSession(connection)
    there = names(session).keys()
    missing = TABLES.keys() - there
    session.run(SEQUENCE)
    for table in sorted(missing):
        unlogged = "UNLOGGED " if table in UNLOGGED else ""
        session.run(f'CREATE {unlogged}TABLE IF NOT EXISTS "{table}" ({TABLES[table]})')
    for name in sorted(INDEXES.keys() - there):
        session.run(INDEXES[name])
