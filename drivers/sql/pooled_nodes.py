"""The rows of nodes by the connections of the pool, for a gateway without a cluster: it needs no others beside them."""

# many-machines §4

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TypeVar

from drivers import NOTE
from drivers.names import Key
from drivers.shared import NodeRow
from drivers.sql.cluster import nodes
from drivers.sql.cluster.schema import ensure_tables
from drivers.sql.postgresengine import PostgresEngine
from drivers.sql.session import DatabaseSession

T = TypeVar("T")
KEY = Key("", "", f"{NOTE}nodes")
UNSYNCED = "SET LOCAL synchronous_commit = off"
"""A beat is not a promise: its commit waits for no disk."""


class PooledNodes:
    """The rows of one domain."""

    def __init__(self, engine: PostgresEngine, domain: str) -> None:
        self._engine = engine
        self._domain = domain
        self._has_tables = False

    def enter(self, own: NodeRow) -> NodeRow | None:
        return self._change(partial(nodes.enter, domain=self._domain, own=own))

    def beat(self, own: NodeRow) -> bool:
        return self._change(partial(nodes.beat, domain=self._domain, own=own))

    def nodes(self) -> list[NodeRow]:
        self._prepare()
        return self._engine.read(partial(nodes.all_of, domain=self._domain))

    def forget(self, node: str, seen: NodeRow) -> bool:
        return self._change(partial(nodes.forget, domain=self._domain, node=node, seen=seen))

    def _change(self, work: Callable[[DatabaseSession], T]) -> T:
        self._prepare()

        def unsynced(session: DatabaseSession) -> T:
            session.run(UNSYNCED)
            return work(session)

        return self._engine.write(KEY, unsynced)

    def _prepare(self) -> None:
        if not self._has_tables:
            self._engine.make(ensure_tables)
            self._has_tables = True
