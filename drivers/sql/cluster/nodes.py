"""The rows of nodes."""

from __future__ import annotations

import json
from typing import Any

from drivers import Table
from drivers.jsontext import json_text
from drivers.shared import NodeRow
from drivers.sql.session import DatabaseSession, Row

COLUMNS = '"node", "id", "run", "kind", "version", "protocol", "beat", "info"'
OF_NODE = 'WHERE "domain"=? AND "node"=?'
ENTER = (
    f'WITH "before" AS (SELECT {COLUMNS} FROM "xmpprest_nodes" {OF_NODE}), '  # noqa: S608
    f'"now" AS (INSERT INTO "xmpprest_nodes" ("domain", {COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, 1, ?) '
    'ON CONFLICT ("domain", "node") DO UPDATE SET "id"=EXCLUDED."id", "run"=EXCLUDED."run", "kind"=EXCLUDED."kind", '
    '"version"=EXCLUDED."version", "protocol"=EXCLUDED."protocol", "beat"="xmpprest_nodes"."beat"+1, "info"=EXCLUDED."info" RETURNING 1) '
    f'SELECT {COLUMNS} FROM "before"'
)
BEAT = f'UPDATE "xmpprest_nodes" SET "beat"="beat"+1, "info"=? {OF_NODE} AND "run"=?'  # noqa: S608
ALL = f'SELECT {COLUMNS} FROM "xmpprest_nodes" WHERE "domain"=? ORDER BY "node"'  # noqa: S608
IS_THERE = f'SELECT 1 FROM "xmpprest_nodes" {OF_NODE} AND "run"=?'  # noqa: S608
TABLE = "SELECT 1 WHERE to_regclass('xmpprest_nodes') IS NOT NULL"
FORGET = f'DELETE FROM "xmpprest_nodes" {OF_NODE} AND "run"=? AND "beat"=?'  # noqa: S608


def enter(session: DatabaseSession, domain: str, own: NodeRow) -> NodeRow | None:
    """Make or replace a row; what it was before."""
    values = (own.node, own.id, own.run, own.kind, own.version, own.protocol, json_text(own.info))
    rows = session.rows(ENTER, domain, own.node, domain, *values)
    return _node(rows[0]) if rows else None


def beat(session: DatabaseSession, domain: str, own: NodeRow) -> bool:
    """Count up; whether the row is still that run's."""
    return session.run(BEAT, json_text(own.info), domain, own.node, own.run) == 1


def all_of(session: DatabaseSession, domain: str) -> list[NodeRow]:
    """All rows of a domain."""
    return [_node(row) for row in session.rows(ALL, domain)]


def is_there(session: DatabaseSession, domain: str, own: NodeRow) -> bool:
    """Whether the row is there, and that run's."""
    return bool(session.rows(TABLE) and session.rows(IS_THERE, domain, own.node, own.run))


def forget(session: DatabaseSession, domain: str, node: str, seen: NodeRow) -> bool:
    """Remove a row that is as it was seen."""
    return session.run(FORGET, domain, node, seen.run, seen.beat) == 1


def _node(row: Row) -> NodeRow:
    node, id_, run, kind, version, protocol, beat_, info = row
    return NodeRow(node, id_, run, kind, version, protocol, beat_, _table(info))


def _table(text: str) -> Table:
    """What a node says about itself; nothing if it cannot be read."""
    try:
        value: Any = json.loads(text)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
