"""Stores of accounts: reads, replaces, extends and removes their content (data-api §2)."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from functools import partial

from drivers import Driver, Table, Value, Write
from xmpp_rest.auth.record import ACCOUNTS
from xmpp_rest.protocol.jid import JID
from xmpp_rest.service.accounts.accounts import Accounts
from xmpp_rest.service.accounts.data_rights import USAGE, StoreKey
from xmpp_rest.service.accounts.data_usage import OverLimit, Usage
from xmpp_rest.service.messages.archive import ARCHIVE, NothingToSettle, Settler
from xmpp_rest.threads.joining import Join, JoiningExecutor
from xmpp_rest.threads.tasks import offload

MAX_RECORD = 65_536  # bytes
MOST = 64  # writes of one transaction
QUICK = 0.001  # seconds: other tasks may wait for so long
Check = Callable[[Value | None], None]
"""Called with the content of the store (None: empty); raises if it must not be changed."""
OfAccount = Callable[[JID], None]
_NONE: Mapping[str, OfAccount] = {}


def _anything(content: Value | None) -> None:
    """The default check: any content may be changed."""


class Data:
    """The stores of the hosted domains' accounts. A store has a table (keyval), or a list, or both.

    The table of `accounts` is the account itself: writing it sets a password, removing it removes the account and everything stored for
    it. Methods raise StorageError, BadValue for values that cannot be stored, OverLimit and GatewayError.
    """

    def __init__(
        self,
        driver: Driver,
        accounts: Accounts,
        usage: Usage,
        before: Mapping[str, OfAccount] = _NONE,
        changed: Mapping[str, OfAccount] = _NONE,
        unarchived: Settler | None = None,
    ) -> None:
        """`before`: store → a check that raises GatewayError if it must not be written; `changed`: store → a callback after a change.

        `unarchived`: what is accepted and belongs to stores named `archive`; None: there is nothing of this kind.
        """
        self._driver = driver
        self._accounts = accounts
        self._usage = usage
        self._before = before
        self._changed = changed
        self._unarchived: Settler = unarchived or NothingToSettle()
        self._writes: JoiningExecutor[Write, Exception | None] = JoiningExecutor(self._write_all, MOST, parks=True)
        self._seconds = 0.0  # that the latest writes took

    def table(self, place: StoreKey) -> Table | None:
        """The table, None if there is none."""
        return self._driver.load(place.user, place.host, place.store)

    def items(self, place: StoreKey, start: int = 0, stop: int | None = None) -> list[Value] | None:
        """The items of the list from `start` up to, not including, `stop`; None if there is no list."""
        if place.store == ARCHIVE:
            self._unarchived.settle(_account_of(place))
        return self._driver.list_load(place.user, place.host, place.store, start, stop)

    def content(self, place: StoreKey) -> Value | None:
        """The content of the store: its table, else its list, else None."""
        table = self.table(place)
        return self.items(place) if table is None else table

    def replace(self, place: StoreKey, table: Table | None, size: int, check: Check | None = None) -> None:
        """Replace the table by one of `size` bytes, or remove it (None or empty); a list is kept. `check` and the change are atomic."""
        if self._is_account(place) and not table:
            self._remove_account(place, check)
            return
        if self._is_account(place) and size > MAX_RECORD:
            raise OverLimit(f"The record of an account has at most {MAX_RECORD} bytes: it is read with every request that names it")
        if table:
            _call(self._before, place)
        with self._usage.replacing(place, table, size if table else 0):
            self._replace(place, table, check)
        _call(self._changed, place)

    def _replace(self, place: StoreKey, table: Table | None, check: Check | None) -> None:
        if self._is_account(place) and table:
            self._accounts.replace(place.user, table, self._table_check(place, check or _anything))
        elif check is None:
            self._write(Write(place.user, place.host, place.store, table))
        else:
            checked = self._table_check(place, check)

            def change(old: Table | None) -> Table | None:
                checked(old)
                return table

            self._driver.update(place.user, place.host, place.store, change)

    def _write(self, write: Write) -> None:
        (error,) = self._writes.run([write])
        if error is not None:
            raise error

    def _write_all(self, writes: list[Write], join: Join[Write]) -> list[Exception | None]:
        """Write what came at once, in one transaction if the storage can. One write that is quick costs more on another thread."""
        work = partial(self._write_timed, writes, join)
        return work() if len(writes) == 1 and self._seconds < QUICK else offload(work)

    def _write_timed(self, writes: list[Write], join: Join[Write]) -> list[Exception | None]:
        began = time.monotonic()
        try:
            return self._driver.write_all(writes, join)
        finally:
            self._seconds = time.monotonic() - began

    def append(self, place: StoreKey, item: Value, size: int, check: Check | None = None) -> None:
        """Add an item, of `size` bytes, to the list; the table is kept.

        `check` and the change are atomic; without `check`, appending is fast.
        """
        if place.store == ARCHIVE:
            self._unarchived.settle(_account_of(place))
        _call(self._before, place)
        with self._usage.appending(place, size):
            self._append(place, item, check)

    def _append(self, place: StoreKey, item: Value, check: Check | None) -> None:
        if check is None:
            self._write(Write(place.user, place.host, place.store, item, appends=True))
            return
        checked = self._list_check(place, check)

        def change(items: list[Value] | None) -> list[Value]:
            checked(items)
            return [*(items or ()), item]

        self._driver.list_update(place.user, place.host, place.store, change)

    def remove(self, place: StoreKey, check: Check | None = None) -> None:
        """Remove table and list, if there are any. `check` and the removal of what was checked are atomic."""
        if self._is_account(place):
            self._remove_account(place, check)
            return
        if place.store == ARCHIVE:
            self._unarchived.settle_for_good(_account_of(place))
        if check is None:
            self._replace(place, None, None)
            self._driver.list_store(place.user, place.host, place.store, [])
        else:
            self._remove_checked(place, check)
        self._usage.removed(place)
        _call(self._changed, place)

    def _remove_checked(self, place: StoreKey, check: Check) -> None:
        tables: list[bool] = []

        def seen(content: Value | None) -> None:
            check(content)
            tables.append(self.table(place) is not None)

        self._replace(place, None, seen)
        # a table that was checked is removed by now; a list is checked again when it is removed
        gone = tables[-1]
        checked = self._list_check(place, check)
        self._driver.list_update(place.user, place.host, place.store, lambda items: None if gone else checked(items))

    def _is_account(self, place: StoreKey) -> bool:
        return place.store == ACCOUNTS and place.host == self._accounts.domain

    def _remove_account(self, place: StoreKey, check: Check | None) -> None:
        """Remove the account as a whole; without an account there is nothing of that name."""
        if check is not None:
            checked = self._table_check(place, check)

            def seen(old: Table | None) -> Table | None:
                checked(old)
                return old

            self._driver.update(place.user, place.host, place.store, seen)
        account = _account_of(place)
        if self._accounts.exists(account):
            self._accounts.unregister(account)
        else:
            self._driver.list_store(place.user, place.host, place.store, [])

    def _table_check(self, place: StoreKey, check: Check) -> Callable[[Table | None], None]:
        """The check for a change of the table: the content of the store may be a list."""
        return lambda table: check(self.items(place) if table is None else table)

    def _list_check(self, place: StoreKey, check: Check) -> Callable[[list[Value] | None], None]:
        """The check for a change of the list: the content of the store may be a table."""
        return lambda items: check(items if (table := self.table(place)) is None else table)

    def stores(self, place: StoreKey) -> list[tuple[str, str]]:
        """The stores of the account, by name, each with its kind: keyval, list or archive."""
        self._unarchived.settle(_account_of(place))
        return sorted((store, sort) for store, sort in self._driver.stores(place.user, place.host) if store != USAGE)


def _call(by_store: Mapping[str, OfAccount], place: StoreKey) -> None:
    if place.store in by_store:
        by_store[place.store](_account_of(place))


def _account_of(place: StoreKey) -> JID:
    return JID(place.user, place.host, "")
