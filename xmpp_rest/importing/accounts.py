"""Writes accounts of a source to the target, in the form in which the services keep them."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Literal

from drivers import ArchiveItem
from xmpp_rest.auth.passwords import Passwords
from xmpp_rest.auth.record import ACCOUNTS
from xmpp_rest.importing import records as r
from xmpp_rest.importing.archived import ArchiveWriting, Present, item_of
from xmpp_rest.importing.collected import Collected, CollectedTable
from xmpp_rest.importing.domains import Domains
from xmpp_rest.importing.report import ImportReport
from xmpp_rest.importing.target import ImportTarget, Owner, steady_id
from xmpp_rest.protocol.element import BadXML
from xmpp_rest.protocol.jid import InvalidJID, local_jid
from xmpp_rest.service.messages.archive import ARCHIVE
from xmpp_rest.service.messages.archive_policy import is_archivable
from xmpp_rest.service.messages.offline import OFFLINE

OnConflict = Literal["skip", "replace", "fail"]
UNREAD = "offline messages, archived"
EXISTS = "there is an account of this name, which is left as it is"


class Conflict(Exception):
    """The target has something already, and `--on-conflict fail` was given."""


class AccountWriter:
    """Writes accounts of `domain`. Methods raise StorageError, and Conflict."""

    def __init__(
        self, target: ImportTarget, report: ImportReport, domains: Domains, domain: str, passwords: Passwords, on_conflict: OnConflict
    ) -> None:
        self._target, self._report, self._domains = target, report, domains
        self._domain, self._passwords, self._on_conflict = domain, passwords, on_conflict

    def write(self, account: r.Account) -> None:
        """Write one account. Its record comes last: an account whose import was interrupted does not exist, and is imported again."""
        self._report.read(r.ACCOUNTS)
        owner = self._owner(account)
        exists = owner is not None and self._target.load(owner, ACCOUNTS) is not None
        if exists and self._on_conflict == "fail":
            raise Conflict(f"{owner}: {EXISTS}; nothing of it was written")
        if owner is None or (exists and self._on_conflict == "skip"):
            if owner is not None:
                self._report.skipped(str(owner), r.ACCOUNTS, EXISTS)
            self._pass_over(account.parts)
            return
        present = Present.REPLACE if exists else Present.NOTHING if self._target.is_empty(owner) else Present.GO_ON
        writing = _AccountWriting(self._target, self._report, self._domains, owner, present)
        for part in self._counted(account.parts):
            writing.take(part)
        writing.end(self._passwords)

    def _owner(self, account: r.Account) -> Owner | None:
        host = self._domains.host(account.host)
        who = f"{account.localpart}@{account.host}"
        try:
            jid = local_jid(account.localpart, host)
            if jid.domain == self._domain and jid.local:
                return Owner(jid.local, jid.domain)
            reason = f"this gateway hosts {self._domain}; --domain {account.host}={self._domain} imports it to there"
        except InvalidJID as e:
            reason = str(e)
        self._report.left_out(who, r.ACCOUNTS, reason)
        return None

    def _counted(self, parts: Iterator[r.AccountPart]) -> Iterator[r.AccountPart]:
        """The parts, each counted as read; contacts and nodes, of which sources have several parts, once."""
        seen: set[tuple[type, str]] = set()
        for part in parts:
            name = part.jid if isinstance(part, r.RosterItem) else part.name if isinstance(part, r.PepNode) else ""
            if (kind := r.KINDS.get(type(part))) is not None and (type(part), name) not in seen:
                self._report.read(kind)
            if name:
                seen.add((type(part), name))
            yield part

    def _pass_over(self, parts: Iterator[r.AccountPart]) -> None:
        for _ in self._counted(parts):
            pass


class _AccountWriting:
    """The writing of one account."""

    def __init__(self, target: ImportTarget, report: ImportReport, domains: Domains, owner: Owner, present: Present) -> None:
        self._target, self._report, self._domains = target, report, domains
        self._owner, self._present = owner, present
        self._collected = Collected(domains, self._refuse)
        self._archives: dict[str, tuple[str, ArchiveWriting]] = {}  # store → kind, writing
        self._number = 0  # of the part: messages without ids may be equal
        self._unread: list[ArchiveItem] = []
        self._has_archive = False
        self._now = float(int(time.time()))
        self._streamed: dict[type, Callable[..., None]] = {
            r.OfflineMessage: self._take_offline,
            r.Archived: self._take_archived,
            r.PepItem: self._take_item,
            r.LeftOut: self._take_left_out,
        }

    def take(self, part: r.AccountPart) -> None:
        """Write a part, or collect it."""
        taker: Callable[[Any], None] = self._streamed.get(type(part), self._collected.take)
        taker(part)

    def _archive_unread(self) -> None:
        """Archive the offline messages, if the source has no archive that holds them: the APIs read archives, and clear what is offline."""
        if self._unread and not self._has_archive:
            present = Present.ADD if self._present is Present.REPLACE else self._present
            writing = ArchiveWriting(self._target, self._owner, ARCHIVE, UNREAD, present)
            self._report.read(UNREAD, len(self._unread))
            for item in self._unread:
                writing.add(item)
            self._archives[UNREAD] = UNREAD, writing

    def end(self, passwords: Passwords) -> None:
        """Write what is left, the record of the account last."""
        self._archive_unread()
        for kind, writing in self._archives.values():
            writing.end()
            if writing.kept_back:
                reason = "there is an archive with other messages, which is left as it is"
                self._report.skipped(str(self._owner), kind, reason, writing.kept_back)
        for table in self._collected.tables():
            self._put(table)
        old = self._target.load(self._owner, ACCOUNTS) if self._present is Present.REPLACE else None
        record = self._collected.record(passwords, partial(self._report.remark, str(self._owner)), old if isinstance(old, dict) else {})
        self._target.put(self._owner, ACCOUNTS, record, Counter({r.ACCOUNTS: 1}), new=self._present is not Present.REPLACE)

    def _put(self, collected: CollectedTable) -> None:
        store, table, counts = collected
        self._target.put(self._owner, store, table, counts, new=self._present is Present.NOTHING)

    def _take_offline(self, part: r.OfflineMessage) -> None:
        self._number += 1
        partner = part.stanza.get("from", "").partition("/")[0]
        archived = r.Archived(steady_id(part.stanza, part.when, self._number), part.when, partner, part.stanza)
        if (item := self._add(part, OFFLINE, archived)) and is_archivable(part.stanza):
            self._unread.append(item)

    def _take_archived(self, part: r.Archived) -> None:
        self._has_archive = True
        self._number += 1
        self._add(part, ARCHIVE, part._replace(id=part.id or steady_id(part.stanza, part.when, self._number)))

    def _take_item(self, part: r.PepItem) -> None:
        when = self._now if part.when is None else part.when
        self._add(part, f"pep_{part.node}", r.Archived(part.id, when, part.publisher or str(self._owner), part.payload))

    def _add(self, part: r.AccountPart, store: str, archived: r.Archived) -> ArchiveItem | None:
        kind = r.KINDS[type(part)]
        try:
            item = item_of(self._domains, archived)
        except BadXML as e:
            self._refuse(kind, str(e))
            return None
        if store not in self._archives:
            self._archives[store] = kind, ArchiveWriting(self._target, self._owner, store, kind, self._present)
        self._archives[store][1].add(item)
        return item

    def _take_left_out(self, part: r.LeftOut) -> None:
        self._report.left_out(str(self._owner), part.kind, part.reason, part.number)

    def _refuse(self, kind: str, reason: str) -> None:
        self._report.left_out(str(self._owner), kind, reason)
