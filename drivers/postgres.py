"""The PostgreSQL driver: `postgresql://USER@HOST/DATABASE`. Prosody's tables, for any engine that speaks PostgreSQL.

Plain SQL only, as distributed engines know it: no advisory locks, LISTEN, extensions or server-side prepared statements; a transaction
that the engine gives up for a conflict is run again. One trigger keeps counts of archives right; an engine without them counts.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from drivers import Addition, BadStorageURL, BadValue, NoCopies, Shared, StorageError, doubts

try:
    import psycopg
    from psycopg.conninfo import conninfo_to_dict, make_conninfo

    from drivers.sql.cluster.connecting import SideConnections
    from drivers.sql.cluster.shared import PostgresShared
    from drivers.sql.pooled_nodes import PooledNodes
    from drivers.sql.postgresadditions import Extension
    from drivers.sql.postgresengine import PostgresEngine
except ImportError as e:
    raise ImportError(f"psycopg 3 and psycopg_pool are needed ({e}); pip install 'xmpp-rest[postgres]'") from e

from drivers.copies import OnCopied, StorageFile, unsaid
from drivers.generations import Generations
from drivers.names import checked_key
from drivers.node_table import NodeTable
from drivers.shared import COMMIT_WAIT
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
IN_CLUSTER: dict[str, str | int | None] = {"connect_timeout": 3, "keepalives_idle": 5, "keepalives_interval": 2, "tcp_user_timeout": 10_000}
"""Others in place of these where several machines meet: requests wait for 10 s."""
STANDSTILL = 2 / 3
"""Of the lease: how long a process that stands still inside a transaction holds others up, who want to take over from it.

The database ends its session then, or in the midst of a statement, where no limit of the database is running, who wants to take over.
"""
TIMEOUT = 30.0
"""Seconds, unless the URL has a `statement_timeout`."""


class Postgres(SQLDriver):
    """Storage in a PostgreSQL database; see `docs/drivers.md`."""

    shared = True

    def __init__(self, rest: str, base: Path) -> None:
        """`rest` is `//user@host/database` or `host=… dbname=…`, as libpq reads it. Connects at the first call."""
        self._given, self._timeout = _parameters(rest)
        several = "," in str(self._given.get("host", ""))
        self._postgres = PostgresEngine({**DEFAULTS, "connect_timeout": CONNECT_TIMEOUT[several], **self._given}, self._timeout)
        self._alone = True
        super().__init__(self._postgres, Generations(base))

    def in_cluster(self, lease: float) -> None:
        self._alone = False
        self._postgres.in_cluster({**DEFAULTS, **IN_CLUSTER, **self._given}, lease * STANDSTILL, min(self._timeout, COMMIT_WAIT))

    def unchanged(self, user: str | None, host: str, store: str) -> Callable[[], bool] | None:
        return super().unchanged(user, host, store) if self._alone else None  # the numbers are those of one data folder

    def open_shared(self, domain: str, *, url: str = "", notify: bool = True, poll: float = 0.02, lease: float = 3.0) -> Shared:
        given = _parameters(re.sub(r"^postgres(ql)?:", "", url))[0] if url else self._given
        conninfo = make_conninfo(**{**DEFAULTS, **IN_CLUSTER, **given})
        connections = SideConnections(conninfo, self._postgres.translated, notify=notify, standstill=lease * STANDSTILL)
        return PostgresShared(self._postgres, domain, connections, notify=notify, poll=poll, lease=lease)

    def node_table(self, domain: str) -> NodeTable:
        return PooledNodes(self._postgres, domain)

    def doubts(self) -> Iterator[str]:
        yield from doubts.about_twins(self._postgres.look(doubts.TWINS, "prosody"), "ctid")
        yield from doubts.about_roles(self._postgres.look(doubts.ROLES, "prosody"))

    def copies(self, scratch: Path, progress: OnCopied = unsaid) -> Iterator[StorageFile]:
        raise NoCopies("PostgreSQL is backed up by its own program: run `xmpp-rest backup --without-storage` first, then pg_dump")

    def archive_extend_all(self, additions: Sequence[Addition]) -> list[Exception | None]:
        extension = Extension(additions)
        try:
            self._postgres.change(self._postgres.fences.around(extension.write, extension.hosts))
        except BadValue:
            return super().archive_extend_all(additions)  # one by one, to learn which of them it was
        except StorageError as e:
            return [error or e for error in extension.errors]
        return extension.errors

    def purge(self, user: str, host: str) -> None:
        super().purge(user, host)
        self._postgres.forget(checked_key(user, host, "any"))


def _parameters(rest: str) -> tuple[dict[str, Any], float]:
    """The parameters of libpq in what follows the scheme of a URL, and the seconds of `statement_timeout`. Raises BadStorageURL."""
    rest, timeout = _without_timeout(rest)
    try:
        return conninfo_to_dict(f"postgresql:{rest}" if rest.startswith("//") else rest, connect_timeout=None), timeout
    except psycopg.ProgrammingError as e:
        raise BadStorageURL(f"the URL of the PostgreSQL storage cannot be read: {e}") from e


def _without_timeout(rest: str) -> tuple[str, float]:
    """The rest of a URL without `statement_timeout=SECONDS`, which is ours and not libpq's; and the seconds. Raises BadStorageURL."""
    found = re.search(r"(^|[?& ])statement_timeout=([^& ]*)(&?)", rest)
    if not found:
        return rest, TIMEOUT
    before, seconds, after = found.groups()
    if not re.fullmatch(r"[1-9][0-9]{0,4}", seconds):
        raise BadStorageURL(f"statement_timeout={seconds} is not a number of seconds from 1 to 99999")
    return rest[: found.start()] + (before if after or before == " " else "") + rest[found.end() :], float(seconds)
