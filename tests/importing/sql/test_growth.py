"""What reading a database costs grows with the database, and no faster: by the steps of SQLite's virtual machine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.importing.sql.filled import fill
from xmpp_rest.importing.domains import Domains
from xmpp_rest.importing.ejabberd.source import open_ejabberd
from xmpp_rest.importing.records import Account, ConferenceRoom
from xmpp_rest.importing.sources import BadSource
from xmpp_rest.importing.sql.database import GroupedRows
from xmpp_rest.importing.sql.sqlitefile import SQLiteFile

SCHEMA = """
CREATE TABLE users (username text PRIMARY KEY, password text NOT NULL, serverkey text, salt text, iterationcount integer);
CREATE TABLE rosterusers (username text, jid text, nick text, subscription character(1), ask character(1), askmessage text);
CREATE UNIQUE INDEX i_rosteru_user_jid ON rosterusers (username, jid);
CREATE TABLE rostergroups (username text, jid text, grp text);
CREATE INDEX pk_rosterg_user_jid ON rostergroups (username, jid);
CREATE TABLE archive (username text, timestamp BIGINT, bare_peer text, xml text, id INTEGER PRIMARY KEY AUTOINCREMENT, kind text, nick text);
CREATE INDEX i_username_timestamp ON archive (username, timestamp);
CREATE TABLE muc_room (name text, host text, opts text);
CREATE UNIQUE INDEX i_muc_room_name_host ON muc_room (name, host);
"""
"""As ejabberd 23.01 has them, with their indexes."""


class Counting(SQLiteFile):
    """Counts steps of the virtual machine, and notes how each query is done."""

    steps = 0

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.plans: dict[str, str] = {}
        self._connection.set_progress_handler(self._count, 100)

    def _count(self) -> None:
        self.steps += 1

    def rows(self, sql: str) -> Any:
        self.plans[sql] = "\n".join(row[3] for row in self._connection.execute(f"EXPLAIN QUERY PLAN {sql}"))
        return super().rows(sql)


def database(path: Path, size: int) -> Path:
    names = [f"user{n * 7919 % size:05}" for n in range(size)]
    message = "<message xmlns='jabber:client'><body>hi</body></message>"
    room = [(f"room{n:05}@c.x", n) for n in range(size)]
    fill(
        path,
        {
            "users": [{"username": name, "password": "x", "serverkey": "", "salt": "", "iterationcount": 0} for name in names],
            "rosterusers": [{"username": name, "jid": f"{n}@x", "nick": "", "subscription": "B", "ask": "N", "askmessage": ""} for n in range(2) for name in names],
            "rostergroups": [{"username": name, "jid": "0@x", "grp": "G"} for name in names],
            "archive": [{"username": name, "timestamp": n, "bare_peer": "a@x", "xml": message, "kind": "chat", "nick": ""} for name, n in [*room, *((name, n) for n in range(2) for name in names)]],
            "muc_room": [{"name": name.partition("@")[0], "host": "c.x", "opts": "[]"} for name, _ in room],
        },
        SCHEMA,
    )  # fmt: skip
    return path


def read(path: Path) -> tuple[Counting, int]:
    """The database after everything was read, and the number of parts."""
    counting = Counting(path)
    entities = open_ejabberd(counting, Domains({"x": "y"})).entities
    return counting, sum(sum(1 for _ in entity.parts) for entity in entities if isinstance(entity, Account | ConferenceRoom))


def test_reading_is_linear(tmp_path: Path) -> None:
    small, parts = read(database(tmp_path / "small", 200))
    large, more = read(database(tmp_path / "large", 2000))
    assert more == 10 * parts
    assert large.steps < 15 * small.steps


def test_archives_and_rosters_are_read_by_their_indexes(tmp_path: Path) -> None:
    counting, _ = read(database(tmp_path / "some", 10))
    plans = {sql: plan for sql, plan in counting.plans.items() if 'FROM "users" JOIN' in sql}
    assert len(plans) == 2
    assert not [plan for plan in plans.values() if "TEMP B-TREE" in plan]
    assert not [plan for plan in counting.plans.values() if "CORRELATED" in plan]


def test_rows_in_another_order_are_never_lost_silently() -> None:
    grouped = GroupedRows(iter([{"key": 2}, {"key": 1}]), lambda row: row["key"])
    for key in (1, 2):
        grouped.skip(key)
    with pytest.raises(BadSource, match="in two ways"):
        grouped.require_end()
