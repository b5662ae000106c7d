"""Writes what belongs to a whole domain: shared roster groups, reserved nicks, and block lists of MUC Light."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from drivers import Driver
from xmpp_rest.errors import GatewayError
from xmpp_rest.importing import records as r
from xmpp_rest.importing.accounts import Conflict, OnConflict
from xmpp_rest.importing.domains import Domains
from xmpp_rest.importing.report import ImportReport
from xmpp_rest.protocol.jid import InvalidJID
from xmpp_rest.service.accounts.shared_groups import FLAGS, Group, Groups, SharedGroups
from xmpp_rest.service.muc.nicks import Nicks
from xmpp_rest.service.muclight.blocking import Blocked, Blocking


class GroupWriter:
    """Writes the shared roster groups of `domain`, all at the end: they name each other."""

    def __init__(self, report: ImportReport, domains: Domains, domain: str, on_conflict: OnConflict, driver: Driver | None) -> None:
        """`driver`: None for a storage that does not exist."""
        self._report, self._domains, self._domain, self._on_conflict = report, domains, domain, on_conflict
        self._groups = SharedGroups(driver, domain) if driver else None
        self._read: dict[str, Group] = {}

    def take(self, group: r.SharedGroup) -> None:
        """Add one group."""
        self._report.read(r.GROUPS)
        host = self._domains.host(group.host)
        who = f"{group.name} at {group.host}"
        if host != self._domain:
            self._report.left_out(who, r.GROUPS, f"this gateway hosts {self._domain}")
            return
        members = set()
        for member in group.members:
            try:
                members.add(str(self._domains.jid(member).bare))
            except InvalidJID as e:
                self._report.left_out(who, "members", str(e))
        flags = group.flags & frozenset(FLAGS)
        self._read[group.name] = Group(group.label, group.description, group.displayed, flags, frozenset(members))

    def end(self, *, dry_run: bool) -> None:
        """Write all groups. Raises Conflict, StorageError."""
        there = self._groups.all() if self._groups and self._read else {}
        if self._on_conflict == "fail" and (both := there.keys() & self._read):
            raise Conflict(f"there is a shared roster group {min(both)} already; none was written")
        new = {name: group for name, group in self._read.items() if name not in there or self._on_conflict == "replace"}
        for name in self._read.keys() - new.keys():
            self._report.skipped(f"{name} at {self._domain}", r.GROUPS, "there is a group of this name, which is left as it is")
        if self._groups and not dry_run:
            for name, group in new.items():
                self._groups.create(name, replace(group, displayed=()))
            for name, group in new.items():
                self._groups.edit(name, _whole(group))
        if new:
            self._report.written(r.GROUPS, len(new))


def _whole(group: Group) -> Callable[[Group, Groups], Group]:
    def change(_: Group, there: Groups) -> Group:
        return replace(group, displayed=tuple(name for name in group.displayed if name in there))

    return change


class NickWriter:
    """Writes the reserved nicks of the conference domain."""

    def __init__(self, report: ImportReport, domains: Domains, domain: str | None, on_conflict: OnConflict, driver: Driver | None) -> None:
        """`driver`: None for a storage that does not exist."""
        self._report, self._domains, self._domain, self._on_conflict = report, domains, domain, on_conflict
        self._nicks = Nicks(driver, domain) if driver and domain else None

    def write(self, reserved: r.ReservedNick, *, dry_run: bool) -> None:
        """Reserve one nick. Raises Conflict, StorageError."""
        self._report.read(r.NICKS)
        who = f"{reserved.nick} at {reserved.host}"
        if self._domains.host(reserved.host) != self._domain:
            reason = f"the rooms of this gateway are at {self._domain}" if self._domain else "this gateway has no rooms"
            self._report.left_out(who, r.NICKS, reason)
            return
        try:
            user = self._domains.jid(reserved.jid).bare
            if self._nicks and (own := self._nicks.of(user)) and own != reserved.nick and self._on_conflict != "replace":
                if self._on_conflict == "fail":
                    raise Conflict(f"{user} has the nick {own} already")
                self._report.skipped(who, r.NICKS, f"{user} has the nick {own} already")
                return
            if self._nicks and not dry_run:
                self._nicks.reserve(reserved.nick, user)
            self._report.written(r.NICKS)
        except (InvalidJID, GatewayError) as e:
            self._report.left_out(who, r.NICKS, e.text if isinstance(e, GatewayError) else str(e))


class LightBlockListWriter:
    """Writes whom and which rooms accounts have blocked at the domain of MUC Light rooms."""

    def __init__(self, report: ImportReport, domains: Domains, domain: str | None, on_conflict: OnConflict, driver: Driver | None) -> None:
        """`driver`: None for a storage that does not exist."""
        self._report, self._domains, self._domain, self._on_conflict = report, domains, domain, on_conflict
        self._lists = Blocking(driver, domain, lambda *_: False) if driver and domain else None

    def write(self, blocked: r.LightBlockList, *, dry_run: bool) -> None:
        """Write the list of one account. Raises Conflict, StorageError."""
        kind = r.KINDS[r.LightBlockList]
        self._report.read(kind)
        try:
            user = self._domains.jid(blocked.jid).bare
            items = {Blocked(what, self._domains.jid(jid).bare): True for what, jid in blocked.items}
            if self._domains.host(blocked.host) != self._domain:
                reason = f"the MUC Light rooms of this gateway are at {self._domain}" if self._domain else "this gateway has no such rooms"
                self._report.left_out(f"{blocked.jid} at {blocked.host}", kind, reason)
                return
            if self._lists and self._on_conflict != "replace" and self._lists.items(user):
                if self._on_conflict == "fail":
                    raise Conflict(f"{user} has a block list at {self._domain} already")
                self._report.skipped(str(user), kind, f"there is a block list at {self._domain}, which is left as it is")
                return
            if self._lists and not dry_run:
                self._lists.change(user, items)
            self._report.written(kind)
        except (InvalidJID, GatewayError) as e:
            self._report.left_out(blocked.jid, kind, e.text if isinstance(e, GatewayError) else str(e))
