"""The least of `/data`: one comparison of a remembered password, JSON, one statement of SQLite.

Each process has a database of its own, so that none waits for another; it is set up as the gateway's, and writes that come at once share a
commit.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import sqlite3
from collections.abc import Sequence
from pathlib import Path

from flask import Response, abort, request

from xmpp_rest.threads.group import GroupExecutor

SCHEMA = (
    "CREATE TABLE IF NOT EXISTS documents (store TEXT PRIMARY KEY, value TEXT)",
    "CREATE TABLE IF NOT EXISTS items (id INTEGER PRIMARY KEY, store TEXT, value TEXT)",
    "INSERT OR IGNORE INTO documents VALUES ('settings', '{\"theme\":\"dark\"}')",
)
PUT = "INSERT INTO documents VALUES (?, ?) ON CONFLICT (store) DO UPDATE SET value = excluded.value"
POST = "INSERT INTO items (store, value) VALUES (?, ?)"
Statement = tuple[str, tuple[str, str]]


class LeastData:
    """A view of a store: GET, PUT and POST. `field`: the only Authorization field that is good."""

    def __init__(self, folder: Path, field: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._path = folder / f"{os.getpid()}.sqlite"
        self._known = hashlib.sha256(field.encode()).digest()
        self._writer, self._reader = self._connect(), self._connect()
        self._group: GroupExecutor[Statement, None] = GroupExecutor(self._write)

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False)
        for statement in ("PRAGMA journal_mode=WAL", "PRAGMA synchronous=FULL", *SCHEMA):
            connection.execute(statement)
        return connection

    def _write(self, statements: Sequence[Statement]) -> Sequence[None]:
        self._writer.execute("BEGIN IMMEDIATE")
        for statement in statements:
            self._writer.execute(*statement)
        self._writer.execute("COMMIT")
        return [None] * len(statements)

    def answer(self, store: str) -> Response:
        """200 with the document; 201 for what is on disk."""
        given = hashlib.sha256(request.headers.get("Authorization", "").encode()).digest()
        if not hmac.compare_digest(given, self._known):
            abort(401)
        if request.method == "GET":
            (value,) = self._reader.execute("SELECT value FROM documents WHERE store = ?", (store,)).fetchone()
            return Response(json.dumps(json.loads(value)), content_type="application/json")
        value = json.dumps(json.loads(request.get_data()))
        self._group.run([(PUT if request.method == "PUT" else POST, (store, value))])
        return Response(status=201)
