"""Keys that all machines of one gateway sign with: kept in the storage, made by the process that needs one first (many-machines §9)."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any

from drivers import Driver, Table

STORE = "gateway_keys"  # of the host: name → key, in hex
BYTES = 32


class SharedKeys:
    """The keys of one domain. Safe to be used by several threads, and on several machines at once."""

    def __init__(self, driver: Driver, domain: str) -> None:
        self._driver = driver
        self._domain = domain
        self._known: dict[str, bytes] = {}

    def get(self, name: str, first: Callable[[], bytes | None] = lambda: None) -> bytes:
        """The key of this name; `first`: what it is to be where there is none yet, None: a random one. Raises StorageError."""
        known = self._known.get(name) or _key_in(self._driver.load(None, self._domain, STORE), name)
        if known is None:
            known = self._make(name, first() or secrets.token_bytes(BYTES))
        self._known[name] = known
        return known

    def _make(self, name: str, wanted: bytes) -> bytes:
        """Keep a key, unless another machine was first; the one that is kept."""

        def change(table: Table | None) -> Table:
            return _members(table) if _key_in(table, name) else _members(table) | {name: wanted.hex()}

        self._driver.update(None, self._domain, STORE, change)
        return _key_in(self._driver.load(None, self._domain, STORE), name) or wanted


def _members(table: Table | None) -> dict[str, Any]:
    return table if isinstance(table, dict) else {}


def _key_in(table: Table | None, name: str) -> bytes | None:
    """The key of this name; None if there is none, or what another program has left."""
    text = _members(table).get(name)
    try:
        key = bytes.fromhex(text) if isinstance(text, str) else b""
    except ValueError:
        return None
    return key if len(key) == BYTES else None
