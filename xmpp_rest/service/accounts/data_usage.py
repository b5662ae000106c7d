"""Usage quotas of /data: counts what each account has stored, so that none fills the storage (decision 0018).

A table of each account has the bytes of every store, rounded up, so that most writes do not change it. Appending reserves a block at
once and uses it up in memory: a list may be counted too high by a block for each process that ended, until it is recounted.
"""

from __future__ import annotations

import json
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from operator import add
from threading import Lock

from drivers import Driver, Table
from xmpp_rest.config.table import DataSettings
from xmpp_rest.service.accounts.data_rights import USAGE, StoreKey

TABLE, LIST = "table", "list"
UNIT = 4096  # bytes
BLOCK = 16_384  # bytes that are reserved for a list at once
REMEMBERED = 10_000  # stores, of each process
RECOUNT = 60.0  # at least this many seconds between two counts of a list

Row = tuple[StoreKey, str]


class OverLimit(Exception):
    """The account would have more than a setting allows; the sentence names it."""


class Usage:
    """The usage of accounts. Methods raise OverLimit and StorageError."""

    def __init__(self, driver: Driver, limits: DataSettings) -> None:
        self._driver = driver
        self._limits = limits
        self._lock = Lock()
        self._known: OrderedDict[Row, int] = OrderedDict()  # the recorded size of a table, or the rest of a list's block, in this process
        self._counted: OrderedDict[StoreKey, float] = OrderedDict()  # monotonic time

    def configure(self, limits: DataSettings) -> None:
        """Set new limits."""
        self._limits = limits

    @contextmanager
    def replacing(self, place: StoreKey, table: Table | None, size: int) -> Iterator[None]:
        """The context of a write of a store's table, of `size` bytes (0: it is removed)."""
        limits, row, rounded = self._limits, (place, TABLE), -(-size // UNIT) * UNIT
        if isinstance(table, dict) and len(table) > limits.members_limit:
            raise OverLimit(f"An object of a store has at most {limits.members_limit} members ([data] members_limit)")
        if self._get(row, -1) == rounded:  # the usual case
            yield
            return
        before = self._record(row, lambda _: rounded)
        try:
            yield
        except BaseException:
            self._record(row, lambda _: before)
            raise
        self._set(row, rounded)

    @contextmanager
    def appending(self, place: StoreKey, size: int) -> Iterator[None]:
        """The context of an addition of `size` bytes to a store's list."""
        row = (place, LIST)
        if not self._use_block(row, size):
            self._grow(place, size)
        try:
            yield
        except BaseException:
            self._return_to_block(row, size)
            raise

    def removed(self, place: StoreKey) -> None:
        """Record that the store is empty."""
        noted = self._driver.load(place.user, place.host, USAGE) or ()
        for row in ((place, TABLE), (place, LIST)):
            if f"{place.store}:{row[1]}" in noted:
                self._record(row, lambda _: 0)
            with self._lock:
                self._known.pop(row, None)

    def _grow(self, place: StoreKey, size: int) -> None:
        """Reserve a block for the list; only `size` bytes if the limits allow no more."""
        row = (place, LIST)
        for block in (max(BLOCK, size), size):
            try:
                self._record(row, partial(add, block))
            except OverLimit:
                continue
            self._return_to_block(row, block - size)
            return
        self._recount(place)
        self._record(row, partial(add, size))

    def _recount(self, place: StoreKey) -> None:
        """Recount the list, unless that was done recently."""
        now = time.monotonic()
        with self._lock:
            if now - self._counted.get(place, -RECOUNT) < RECOUNT:
                return
            self._counted[place] = now
            if len(self._counted) > REMEMBERED:
                self._counted.popitem(last=False)
        items = self._driver.list_load(place.user, place.host, place.store) or []
        size = sum(len(json.dumps(item, ensure_ascii=False).encode("utf-8", "surrogatepass")) for item in items)
        self._record((place, LIST), lambda before: min(before, size))

    def _record(self, row: Row, change: Callable[[int], int]) -> int:
        """Change the recorded size of a table or a list, if the limits allow it; the size before."""
        place, sort = row
        key, before = f"{place.store}:{sort}", 0

        def work(old: Table | None) -> Table | None:
            nonlocal before
            noted = {name: int(bytes_) for name, bytes_ in old.items() if isinstance(bytes_, int | float)} if isinstance(old, dict) else {}
            before = noted.get(key, 0)
            after = change(before)
            others = {name: bytes_ for name, bytes_ in noted.items() if name != key}
            if after > before:
                _require(self._limits, place.store, others | {key: after})
            return others | {key: after} if after else others

        self._driver.update(place.user, place.host, USAGE, work)
        return before

    # -- in memory

    def _get(self, row: Row, default: int) -> int:
        with self._lock:
            return self._known.get(row, default)

    def _set(self, row: Row, amount: int) -> None:
        with self._lock:
            self._known[row] = amount
            if len(self._known) > REMEMBERED:
                self._known.popitem(last=False)

    def _use_block(self, row: Row, size: int) -> bool:
        with self._lock:
            left = self._known.get(row, 0)
            if left < size:
                return False
            self._known[row] = left - size
            return True

    def _return_to_block(self, row: Row, size: int) -> None:
        if size:
            self._set(row, self._get(row, 0) + size)


def _require(limits: DataSettings, store: str, noted: dict[str, int]) -> None:
    """Raise OverLimit if the sizes exceed the limits."""
    of_store = sum(bytes_ for name, bytes_ in noted.items() if name.rpartition(":")[0] == store)
    if of_store > limits.store_limit:
        raise OverLimit(f"The store {store!r} would have more than {limits.store_limit} bytes ([data] store_limit)")
    if sum(noted.values()) > limits.account_limit:
        raise OverLimit(f"The stores of the account would have more than {limits.account_limit} bytes together ([data] account_limit)")
    if len({name.rpartition(":")[0] for name in noted}) > limits.stores_limit:
        raise OverLimit(f"The account would have more than {limits.stores_limit} stores ([data] stores_limit)")
