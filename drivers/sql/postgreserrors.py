"""What PostgreSQL's errors mean: which are conflicts, and the sentences of the others."""

from __future__ import annotations

import re

import psycopg

from drivers import BadValue, StorageError

AGAIN = frozenset({"40001", "40P01"})  # serialization_failure, deadlock_detected: nothing was written
UNIQUE = frozenset({"prosody_unique_index", "prosodyarchive_index"})
"""Indexes whose violation (23505, unique_violation) shows a row of a writer without locks, such as a running Prosody."""
READ_ONLY = "25006"
"""read_only_sql_transaction: after a failover the connection may be to the server that was the primary before."""

SENTENCES = {
    READ_ONLY: "the database is read-only",
    "28": "the database refused the user or the password",
    "3D": "there is no such database",
    "42501": "the user may not read or write the tables",
    "42": "the tables are not those of this storage",
    "53100": "the database has no space left",
    "53": "the database has run out of something",
    "25P03": "the process stood still in the midst of a change, which was not made",
    "55P03": "others have been writing the same store for {:.0f} s",
    "57014": "the database took longer than {:.0f} s",
    "57P": "the database is being shut down",
    "08": "the database cannot be reached, or its connection was lost",
}
LASTING = ("28", "3D")
"""Errors that do not go away by waiting."""
REFUSALS = {
    "3D": re.compile(r'FATAL: +database ".*" does not exist'),
    "28": re.compile(r'FATAL: +(role ".*" does not exist|password authentication failed|no pg_hba\.conf entry)'),
}
"""The server's English texts for refused connections; libpq has no code for them."""
UNKNOWN = "the connection was lost while a change was being committed; it may have been made"


class TransactionConflict(Exception):
    """The database aborted a transaction; it is to be run again."""


class OutcomeUnknown(Exception):
    """The connection was lost during a commit, or the commit was not confirmed by a standby that has to."""


def is_conflict(error: psycopg.Error) -> bool:
    """Whether the transaction was aborted for what another one has done, and may succeed if it is run again."""
    return error.sqlstate in AGAIN or (error.sqlstate == "23505" and error.diag.constraint_name in UNIQUE)


def leaves_doubt(error: psycopg.Error) -> bool:
    """Whether a commit that failed so may have succeeded in the server."""
    return not is_conflict(error) and (error.sqlstate is None or error.sqlstate[:3] in ("57P", "400") or error.sqlstate[:2] == "08")


def storage_error(name: str, error: psycopg.Error, timeout: float) -> StorageError:
    """The error of the storage contract; `name` is that of the database, `timeout` its limit in seconds."""
    if isinstance(error, psycopg.DataError):
        return BadValue(f"the database cannot keep the value: {error}")
    code = error.sqlstate or next((code for code, said in REFUSALS.items() if said.search(str(error))), "08")
    known = next((SENTENCES[code[:n]] for n in (5, 3, 2) if code[:n] in SENTENCES), "the database refused")
    sentence = known.format(timeout)
    return StorageError(f"{name}: {sentence} ({error})", told=sentence, lasting=code[:2] in LASTING)
