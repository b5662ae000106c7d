"""The PostgreSQL driver: `postgresql://USER@HOST/DATABASE`. Prosody's tables, for any engine that speaks PostgreSQL.

Plain SQL only, as distributed engines know it: no advisory locks, LISTEN, extensions or server-side prepared statements; a transaction
that the engine gives up for a conflict is run again. One trigger keeps counts of archives right; an engine without them counts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from drivers import BadStorageURL, NoCopies, doubts

try:
    import psycopg
    from psycopg.conninfo import conninfo_to_dict

    from drivers.sql.postgresengine import PostgresEngine
except ImportError as e:
    raise ImportError(f"psycopg 3 and psycopg_pool are needed ({e}); pip install 'xmpp-rest[postgres]'") from e

from drivers.copies import OnCopied, StorageFile, unsaid
from drivers.generations import Generations
from drivers.names import checked_key
from drivers.sql.driver import SQLDriver

CONNECT_TIMEOUT = {False: 10, True: 3}
"""Seconds, unless the URL has a `connect_timeout`: less with several hosts, as the next one is tried then."""
DEFAULTS: dict[str, str | int | None] = {
    "application_name": "xmpp-rest",
    # a host that has vanished is noticed after 25 s; otherwise a call would wait for its answer for hours
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 25_000,
}
"""Parameters of libpq, unless the URL has them."""
TIMEOUT = 30.0
"""Seconds, unless the URL has a `statement_timeout`."""


class Postgres(SQLDriver):
    """Storage in a PostgreSQL database; see `docs/drivers.md`."""

    def __init__(self, rest: str, base: Path) -> None:
        """`rest` is `//user@host/database` or `host=… dbname=…`, as libpq reads it. Connects at the first call."""
        rest, timeout = _without_timeout(rest)
        conninfo = f"postgresql:{rest}" if rest.startswith("//") else rest
        try:
            parameters = conninfo_to_dict(conninfo, connect_timeout=None)
        except psycopg.ProgrammingError as e:
            raise BadStorageURL(f"the URL of the PostgreSQL storage cannot be read: {e}") from e
        several = "," in str(parameters.get("host", ""))
        parameters = {**DEFAULTS, "connect_timeout": CONNECT_TIMEOUT[several], **parameters}
        self._postgres = PostgresEngine(parameters, timeout)
        super().__init__(self._postgres, Generations(base))

    def doubts(self) -> Iterator[str]:
        yield from doubts.about_twins(self._postgres.look(doubts.TWINS, "prosody"), "ctid")
        yield from doubts.about_roles(self._postgres.look(doubts.ROLES, "prosody"))

    def copies(self, scratch: Path, progress: OnCopied = unsaid) -> Iterator[StorageFile]:
        raise NoCopies("PostgreSQL is backed up by its own program: run `xmpp-rest backup --without-storage` first, then pg_dump")

    def purge(self, user: str, host: str) -> None:
        super().purge(user, host)
        self._postgres.forget(checked_key(user, host, "any"))


def _without_timeout(rest: str) -> tuple[str, float]:
    """The rest of a URL without `statement_timeout=SECONDS`, which is ours and not libpq's; and the seconds. Raises BadStorageURL."""
    found = re.search(r"(^|[?& ])statement_timeout=([^& ]*)(&?)", rest)
    if not found:
        return rest, TIMEOUT
    before, seconds, after = found.groups()
    if not re.fullmatch(r"[1-9][0-9]{0,4}", seconds):
        raise BadStorageURL(f"statement_timeout={seconds} is not a number of seconds from 1 to 99999")
    return rest[: found.start()] + (before if after or before == " " else "") + rest[found.end() :], float(seconds)
