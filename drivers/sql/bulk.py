"""Whole stores, thousands in a transaction: for migrations and imports."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

from drivers import ArchiveItem, Content, Sort
from drivers.archives import checked_item
from drivers.jsontext import json_text
from drivers.names import Key, checked_key
from drivers.sql import archive, keyval, lists
from drivers.sql.rows import to_rows
from drivers.sql.session import DatabaseSession, Row
from drivers.values import canonical, canonical_table

OWNER = ("host", "user", "store")
COLUMNS = {
    "prosody": (*OWNER, "key", "type", "value"),
    "xmpprest_list": (*OWNER, "value"),
    "prosodyarchive": (*OWNER, "key", "when", "with", "type", "value"),
}

STORE: dict[Sort, Callable[[DatabaseSession, Key, Any], None]] = {"keyval": keyval.store, "list": lists.store, "archive": archive.extend}


class Contents:
    """Checked contents: rows for what is new, and what has to be compared with what is there."""

    def __init__(self, contents: Iterable[Content]) -> None:
        """Raises BadValue if one of them cannot be kept."""
        self.tables: list[Key] = []
        self._rows: dict[str, list[Row]] = {table: [] for table in COLUMNS}
        self._times: list[Row] = []
        self._old: list[tuple[Content, Key, Any]] = []
        for content in contents:
            key = checked_key(content.user, content.host, content.store)
            if content.sort == "keyval":
                self.tables.append(key)
            {"keyval": self._table, "list": self._list, "archive": self._archive}[content.sort](content, key)

    def _table(self, content: Content, key: Key) -> None:
        table = canonical_table(content.content)
        if content.new:
            self._rows["prosody"] += [(*key, name, *typed) for name, typed in to_rows(table or {}).items()]
        else:
            self._old.append((content, key, table))

    def _list(self, content: Content, key: Key) -> None:
        items = [canonical(item) for item in content.content or ()]
        if content.new:
            self._rows["xmpprest_list"] += [(*key, json_text(item)) for item in items]
        else:
            self._old.append((content, key, items))

    def _archive(self, content: Content, key: Key) -> None:
        items: list[ArchiveItem] = [checked_item(item) for item in content.content or ()]
        if content.new and len({item.id for item in items}) == len(items):
            rows = [(*key, item.id, math.floor(item.when), item.with_, "xml", item.stanza) for item in items]
            self._rows["prosodyarchive"] += rows
            self._times += [(*key, item.id, item.when) for item in items if item.when != math.floor(item.when)]
        else:
            self._old.append((content, key, items))

    def write(self, session: DatabaseSession) -> None:
        """Write all of them."""
        for content, key, value in self._old:
            STORE[content.sort](session, key, value)
        for table, rows in self._rows.items():
            if rows:
                session.copy(table, COLUMNS[table], rows)
        if self._times:
            session.insert(*archive.INSERT_TIME, self._times)
