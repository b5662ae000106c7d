"""Journals in the database. What is promised, and what is to be readable with the promise, is one transaction."""

# many-machines §7

from __future__ import annotations

from collections.abc import Callable, Sequence

from drivers.shared import JournalChange, JournalRow, JournalRows, TransferMark, TransferRow
from drivers.sql.fences import Fence, behind
from drivers.sql.postgresadditions import Extension
from drivers.sql.postgresengine import PostgresEngine
from drivers.sql.session import DatabaseSession

READ = 'SELECT "number", "text" FROM "xmpprest_journal" WHERE "name"=? ORDER BY "number"'
ADD = (
    'INSERT INTO "xmpprest_journal" ("name", "number", "epoch", "text") SELECT ?, j."number", ?, j."text" '
    'FROM UNNEST(?::bigint[], ?::text[]) AS j("number", "text") '
    'ON CONFLICT ("name", "number") DO UPDATE SET "epoch"=EXCLUDED."epoch", "text"=EXCLUDED."text"'
)
REMOVE = 'DELETE FROM "xmpprest_journal" WHERE "name"=? AND "number"=ANY(?::bigint[])'
SIZES = 'SELECT "name", COUNT(*) FROM "xmpprest_journal" GROUP BY "name"'
HAND_ON = (
    'INSERT INTO "xmpprest_transfer" ("hosted", "source", "number", "text") SELECT t."hosted", t."source", t."number", t."text" '
    'FROM UNNEST(?::text[], ?::text[], ?::bigint[], ?::text[]) WITH ORDINALITY AS t("hosted", "source", "number", "text", "at") '
    'ORDER BY t."at" ON CONFLICT ("source", "number") DO NOTHING'
)
PASSED_ON = 'SELECT "seq", "hosted", "source", "number", "text" FROM "xmpprest_transfer" WHERE "hosted"=? ORDER BY "seq" LIMIT ?'
MARKS = 'SELECT "source", "number" FROM "xmpprest_transfer" WHERE "hosted"=?'
TAKEN = 'DELETE FROM "xmpprest_transfer" WHERE "seq"=ANY(?::bigint[])'


class PostgresJournal(JournalRows):
    """One journal. Its changes share the pool of the driver with everything else that is written."""

    def __init__(self, engine: PostgresEngine, name: str, hosted: str, require_tables: Callable[[], None]) -> None:
        """`require_tables` makes them if they are missing; it raises StorageError."""
        self._engine, self._name, self._hosted = engine, name, hosted
        self._require_tables = require_tables

    def read(self) -> list[JournalRow]:
        self._require_tables()
        return [JournalRow(*row) for row in self._engine.read(lambda session: session.rows(READ, self._name))]

    def commit(self, change: JournalChange) -> list[Exception | None]:
        self._require_tables()
        extension = Extension(change.additions)
        fence = self._engine.fences.of_domain(self._hosted) if self._hosted else None

        def work(session: DatabaseSession) -> None:
            self._write(session, change, fence)
            extension.write(session)

        self._engine.change(behind([fence], work) if fence else work)
        return extension.errors

    def _write(self, session: DatabaseSession, change: JournalChange, fence: Fence | None) -> None:
        if change.added:
            numbers, texts = [row.number for row in change.added], [row.text for row in change.added]
            session.run(ADD, self._name, fence.epoch if fence else 0, numbers, texts)
        if change.removed:
            session.run(REMOVE, self._name, list(change.removed))
        if change.passed_on:
            session.run(HAND_ON, *_columns(change.passed_on))
        if change.taken:
            session.run(TAKEN, list(change.taken))


def _columns(rows: Sequence[TransferRow]) -> list[list[object]]:
    return [list(column) for column in zip(*(row[1:] for row in rows), strict=True)]


def sizes(session: DatabaseSession) -> dict[str, int]:
    """How many entries each journal has, of those that have any."""
    return {str(name): int(count) for name, count in session.rows(SIZES)}


def transfers(session: DatabaseSession, hosted: str, most: int) -> list[TransferRow]:
    """The first stanzas passed on to a domain."""
    return [TransferRow(*row) for row in session.rows(PASSED_ON, hosted, most)]


def transfer_marks(session: DatabaseSession, hosted: str) -> list[TransferMark]:
    """What was passed on to a domain."""
    return [TransferMark(*row) for row in session.rows(MARKS, hosted)]
