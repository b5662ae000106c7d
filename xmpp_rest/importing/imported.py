"""The import: takes the entities of a source one by one, and has each written to the target."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple

from drivers import Driver
from xmpp_rest.auth.passwords import Passwords
from xmpp_rest.importing import records as r
from xmpp_rest.importing.accounts import AccountWriter, OnConflict
from xmpp_rest.importing.domain_wide import GroupWriter, LightBlockListWriter, NickWriter
from xmpp_rest.importing.domains import Domains
from xmpp_rest.importing.report import READ, ImportReport
from xmpp_rest.importing.rooms import LightRoomWriter, RoomWriter
from xmpp_rest.importing.sources import ImportSource
from xmpp_rest.importing.target import ImportTarget

EVERY = 2.0
"""Seconds between lines of progress."""


class HostedDomains(NamedTuple):
    """The domains of the gateway: of its accounts, of MUC Light rooms, of rooms of XEP-0045."""

    accounts: str
    light_rooms: str | None
    rooms: str | None


class Import:
    """One import to `driver` (None: a storage that does not exist, for a dry run)."""

    def __init__(
        self,
        driver: Driver | None,
        report: ImportReport,
        domains: Domains,
        hosted: HostedDomains,
        passwords: Passwords,
        on_conflict: OnConflict = "skip",
        *,
        dry_run: bool = False,
        say: Callable[[str], object] = lambda _: None,
    ) -> None:
        """`say` takes lines of progress."""
        self._report, self._say, self._dry_run = report, say, dry_run
        self._target = ImportTarget(driver, report, dry_run=dry_run)
        writes_to = None if dry_run else driver
        self._accounts = AccountWriter(self._target, report, domains, hosted.accounts, passwords, on_conflict)
        self._rooms = RoomWriter(self._target, report, domains, hosted.rooms, on_conflict, writes_to)
        self._light_rooms = LightRoomWriter(self._target, report, domains, hosted.light_rooms, on_conflict, writes_to)
        self._block_lists = LightBlockListWriter(report, domains, hosted.light_rooms, on_conflict, driver)
        self._groups = GroupWriter(report, domains, hosted.accounts, on_conflict, driver)
        self._nicks = NickWriter(report, domains, hosted.rooms, on_conflict, driver)

    def run(self, source: ImportSource) -> None:
        """Import everything. What was taken before an error is written. Raises NoSource, BadSource, Conflict, StorageError."""
        due, begun = time.monotonic() + EVERY, time.monotonic()
        try:
            for entity in source.entities:
                self._write(entity)
                if (now := time.monotonic()) >= due:
                    self._say(self._progress(source.share(), now - begun))
                    due = now + EVERY
            self._groups.end(dry_run=self._dry_run)
        finally:
            self._target.flush()

    def _write(self, entity: r.Entity) -> None:
        match entity:
            case r.Account():
                self._accounts.write(entity)
            case r.ConferenceRoom():
                self._rooms.write(entity)
            case r.LightRoom():
                self._light_rooms.write(entity)
            case r.LightBlockList():
                self._block_lists.write(entity, dry_run=self._dry_run)
            case r.SharedGroup():
                self._groups.take(entity)
            case r.ReservedNick():
                self._nicks.write(entity, dry_run=self._dry_run)
            case r.Unreadable(who, kind, reason):
                self._report.left_out(who, kind, reason)

    def _progress(self, share: float, seconds: float) -> str:
        done = f"{self._report.count(r.ACCOUNTS, READ)} accounts, {self._report.count(r.ROOMS, READ)} rooms"
        rest = f", {share:.0%}, about {seconds * (1 - share) / share:.0f} s left" if 0 < share <= 1 else ""
        return done + rest
