"""Which groups of accounts see each other without asking? Shared roster groups, kept at the domain itself, one table for all."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

from drivers import Driver, Table
from xmpp_rest.protocol.jid import JID

GROUPS = "shared_roster_groups"  # the store
ALL = "all_users"
FLAGS = (ALL, "online_users")


@dataclass(frozen=True, slots=True)
class Group:
    """One group: what it is called, whose members its own ones see, and who they are (bare JIDs)."""

    label: str = ""
    description: str = ""
    displayed: tuple[str, ...] = ()  # ids of groups
    flags: frozenset[str] = frozenset()  # of FLAGS: who is a member without being named
    members: frozenset[str] = frozenset()


Groups = dict[str, Group]


class SharedGroups:
    """The shared roster groups of `domain`. Methods raise StorageError."""

    def __init__(self, driver: Driver, domain: str) -> None:
        self._driver = driver
        self._domain = domain

    def all(self) -> Groups:
        """Every group by its id."""
        return _read(self._driver.load(None, self._domain, GROUPS))

    def create(self, name: str, group: Group) -> bool:
        """Make the group, or overwrite its settings; its members stay. False if it shows a group that is not there."""

        def edit(groups: Groups) -> bool:
            if not {name, *groups} >= set(group.displayed):
                return False
            groups[name] = replace(group, members=groups[name].members) if name in groups else group
            return True

        return self._change(edit)

    def edit(self, name: str, change: Callable[[Group, Groups], Group | None]) -> bool:
        """Replace a group by what `change` makes of it and of all; None leaves it. False if it is not there, or was left."""

        def edit(groups: Groups) -> bool:
            changed = change(groups[name], groups) if name in groups else None
            if changed is not None:
                groups[name] = changed
            return changed is not None

        return self._change(edit)

    def delete(self, name: str) -> None:
        """Remove the group, also from what others show."""

        def edit(groups: Groups) -> bool:
            groups.pop(name, None)
            shown = {n: tuple(d for d in g.displayed if d != name) for n, g in groups.items()}
            groups |= {n: replace(g, displayed=shown[n]) for n, g in groups.items()}
            return True

        self._change(edit)

    def forget(self, jid: JID) -> None:
        """The account is gone: it is no member any more."""

        def edit(groups: Groups) -> bool:
            theirs = {n: replace(g, members=g.members - {str(jid)}) for n, g in groups.items() if str(jid) in g.members}
            groups.update(theirs)
            return bool(theirs)

        self._change(edit)

    def contacts(self, jid: JID, users: Callable[[], Iterable[str]]) -> dict[str, tuple[str, list[str]]]:
        """Whom the account sees because of its groups: bare JID → (name, labels). `users` tells the localparts of all accounts."""
        groups, seen = self.all(), dict[str, tuple[str, list[str]]]()
        everybody = {f"{user}@{self._domain}" for user in users()} if any(ALL in g.flags for g in groups.values()) else set()
        mine = [g for g in groups.values() if str(jid) in _members(g, everybody)]
        for shown in sorted({d for g in mine for d in g.displayed if d in groups}):
            for member in _members(groups[shown], everybody) - {str(jid)}:
                seen.setdefault(member, (member.partition("@")[0], []))[1].append(groups[shown].label or shown)
        return seen

    def _change(self, edit: Callable[[Groups], bool]) -> bool:
        done = False

        def step(table: Table | None) -> Table | None:
            nonlocal done
            groups = _read(table)
            done = edit(groups)
            return {name: _written(group) for name, group in groups.items()} if done else table

        self._driver.update(None, self._domain, GROUPS, step)
        return done


def _members(group: Group, everybody: set[str]) -> set[str]:
    return set(group.members) | (everybody if ALL in group.flags else set())


def _read(table: Table | None) -> Groups:
    rows = table if isinstance(table, dict) else {}
    return {name: _group(row) for name, row in rows.items() if isinstance(row, dict)}


def _group(row: dict[str, Any]) -> Group:
    def names(key: str) -> list[str]:
        return [str(name) for name in row.get(key) or ()]

    text = {key: str(row.get(key, "")) for key in ("label", "description")}
    return Group(**text, displayed=tuple(names("displayed")), flags=frozenset(names("flags")), members=frozenset(names("members")))


def _written(group: Group) -> dict[str, Any]:
    lists = {"displayed": list(group.displayed), "flags": sorted(group.flags), "members": sorted(group.members)}
    return {"label": group.label, "description": group.description} | lists
