"""The tables and indexes of SQL storages: those that mod_storage_sql makes, and ours. What is in braces is a type of the database."""

from __future__ import annotations

TABLES = {
    "prosody": '"host" TEXT NOT NULL, "user" TEXT NOT NULL, "store" TEXT NOT NULL, "key" TEXT NOT NULL, '
    '"type" TEXT NOT NULL, "value" TEXT NOT NULL',
    "prosodyarchive": '"sort_id" {serial}, "host" TEXT NOT NULL, "user" TEXT NOT NULL, '
    '"store" TEXT NOT NULL, "key" TEXT NOT NULL, "when" INTEGER NOT NULL, "with" TEXT NOT NULL, '
    '"type" TEXT NOT NULL, "value" TEXT NOT NULL',
    "xmpprest_list": '"id" {serial}, "host" TEXT NOT NULL, "user" TEXT NOT NULL, "store" TEXT NOT NULL, "value" TEXT NOT NULL',
    "xmpprest_time": '"sort_id" {key}, "at" {double}',
    "xmpprest_note": '"name" TEXT NOT NULL PRIMARY KEY, "value" TEXT NOT NULL',
}
INDEXES = {  # name → table, columns, whether they are unique
    "prosody_index": ("prosody", ["host", "user", "store", "key"], False),
    "prosodyarchive_index": ("prosodyarchive", ["host", "user", "store", "key"], True),
    "prosodyarchive_with_when": ("prosodyarchive", ["host", "user", "store", "with", "when"], False),
    "prosodyarchive_when": ("prosodyarchive", ["host", "user", "store", "when"], False),
    "prosodyarchive_sort": ("prosodyarchive", ["host", "user", "store", "sort_id"], False),
    "xmpprest_archive_with_sort": ("prosodyarchive", ["host", "user", "store", "with", "sort_id"], False),
    "xmpprest_list_index": ("xmpprest_list", ["host", "user", "store", "id"], False),
}
