"""How often hooks were used, and when last: counted in the leader, and written now and then."""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass
from typing import Any, NamedTuple

from drivers import Driver, Place, StorageError, Table, Write
from xmpp_rest.processes.on_leader import on_leader
from xmpp_rest.processes.remote import Remote
from xmpp_rest.service.hooks.stored import HOOK_USE, user_of
from xmpp_rest.threads.tasks import OrderLock

log = logging.getLogger("xmpp_rest.hooks")

AHEAD = 100  # running numbers that are written as taken before they are: after a crash they are left out, and none comes twice
WRITTEN_EVERY = 5.0  # seconds: what was counted in the last of them is lost by a crash
UNWRITTEN = "how often hooks were used is not written: %s"


class HookUse(NamedTuple):
    """How many requests were delivered, and when the last one was (Unix time)."""

    deliveries: int = 0
    used: float | None = None


@dataclass(slots=True)
class _UseCount:
    """What is counted of one hook, which is known by its number. `serial`: the last running number.

    `taken`: up to which they are written.
    """

    number: int
    deliveries: int
    used: float | None
    serial: int
    taken: int
    unwritten: bool = False

    def count(self) -> int:
        """One more; its running number."""
        self.deliveries, self.used, self.unwritten = self.deliveries + 1, time.time(), True
        self.serial += 1
        return self.serial

    def has_taken(self, serial: int) -> None:
        """The running numbers up to this one are written."""
        self.taken = serial

    def is_written(self, yes: bool) -> None:
        """Whether what is counted is in the storage."""
        self.unwritten = not yes

    def to_table(self, taken: int) -> dict[str, Any]:
        return {"hook": self.number, "deliveries": self.deliveries, "serial": taken} | ({} if self.used is None else {"used": self.used})


class Uses:
    """The uses of all hooks."""

    def __init__(self, driver: Driver, domain: str, remote: Remote) -> None:
        self._driver = driver
        self._domain = domain
        self._remote = remote
        self._counted: dict[str, _UseCount] = {}
        self._lock = threading.Lock()
        self._writing = OrderLock()
        self._is_due = False  # what is not written yet is about to be
        remote.offer(self)

    @on_leader
    def count(self, name: str, number: int) -> int:
        """Count a delivered request of this hook, and return its running number. Raises StorageError, GatewayError."""
        loaded = None if self._knows(name, number) else self._load(name, number)
        with self._lock:
            counted = self._counted[name] if self._knows(name, number) else loaded or _read(None, number)
            self._counted[name] = counted
            serial = counted.count()
            is_new = serial > counted.taken
            is_due, self._is_due = not self._is_due, True
        if is_new:
            self._take(name, counted)
        if is_due:
            self._remote.timers.after(WRITTEN_EVERY, self._write_soon)
        return serial

    def _take(self, name: str, counted: _UseCount) -> None:
        """Write some running numbers as taken. A failure is logged, and the next request tries again."""
        with self._writing:
            table = counted.to_table(counted.serial + AHEAD)
            try:
                self._driver.store(user_of(name), self._domain, HOOK_USE, table)
            except StorageError as e:
                log.warning(UNWRITTEN, e)
            else:
                counted.has_taken(table["serial"])

    @on_leader
    def all_of(self, hooks: list[tuple[str, int]]) -> list[HookUse]:
        """The uses of these hooks, by name and number. Raises StorageError, GatewayError."""
        unknown = [name for name, number in hooks if not self._knows(name, number)]
        tables = self._driver.bulk_read([Place(user_of(name), self._domain, HOOK_USE, "keyval") for name in unknown])
        read = dict(zip(unknown, tables, strict=True))
        return [self._use_of(name, number, read.get(name)) for name, number in hooks]

    def _knows(self, name: str, number: int) -> bool:
        counted = self._counted.get(name)
        return counted is not None and counted.number == number

    def _use_of(self, name: str, number: int, table: Any) -> HookUse:
        counted = self._counted.get(name)
        if counted is None or counted.number != number:
            if isinstance(table, Exception):
                raise table
            counted = _read(table, number)
        return HookUse(counted.deliveries, counted.used)

    def settle(self) -> None:
        """Write what is not written yet; before this process ends. A failure is logged."""
        with self._writing:
            with self._lock:
                self._is_due = False
                waiting = {name: counted for name, counted in self._counted.items() if counted.unwritten}
                writes = [Write(user_of(n), self._domain, HOOK_USE, c.to_table(max(c.taken, c.serial))) for n, c in waiting.items()]
                for counted in waiting.values():
                    counted.is_written(True)
            if writes:
                for counted, error in zip(waiting.values(), self._driver.write_all(writes), strict=True):
                    if error is not None:
                        counted.is_written(False)
                        log.warning(UNWRITTEN, error)

    def removed(self, name: str, number: int) -> None:
        """The hook is gone. Raises StorageError."""
        with self._lock:
            if self._knows(name, number):
                del self._counted[name]
        self._driver.update(user_of(name), self._domain, HOOK_USE, lambda table: None if _number(table) in (number, None) else table)

    def _write_soon(self) -> None:
        self._remote.pool.submit(self.settle)

    def _load(self, name: str, number: int) -> _UseCount:
        return _read(self._driver.load(user_of(name), self._domain, HOOK_USE), number)


def _number(table: Table | None) -> int | None:
    number = table.get("hook") if isinstance(table, dict) else None
    return number if isinstance(number, int) else None


def _read(table: Table | None, number: int) -> _UseCount:
    """What a table says of the hook of this number."""
    if isinstance(table, dict) and _number(table) == number:
        try:
            used, serial = table.get("used"), int(table["serial"])
            return _UseCount(number, int(table["deliveries"]), None if used is None else float(used), serial, serial)
        except (KeyError, TypeError, ValueError):
            log.warning("the uses of hook %d cannot be read, and are counted again from 0", number)
    return _UseCount(number, 0, None, 0, 0)
