"""Which groups of accounts see each other without asking? Shared roster groups, kept at the domain itself, one table for all."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

from drivers import Driver, Table
from xmpp_rest.protocol.jid import JID

GROUPS = "shared_roster_groups"  # the store
ALL = "all_users"
ONLINE = "online_users"
FLAGS = (ALL, ONLINE)


@dataclass(frozen=True, slots=True)
class Group:
    """One group: what it is called, whose members its own ones see, and who they are (bare JIDs)."""

    label: str = ""
    description: str = ""
    displayed: tuple[str, ...] = ()  # ids of groups
    flags: frozenset[str] = frozenset()  # of FLAGS: who is a member without being named
    members: frozenset[str] = frozenset()
    made: bool = True  # False: it only has members yet, and is there for nobody (COMPAT ejabberd: they may come first)


Groups = dict[str, Group]


class SharedGroups:
    """The shared roster groups of `domain`. Methods raise StorageError."""

    def __init__(self, driver: Driver, domain: str) -> None:
        self._driver = driver
        self._domain = domain

    def all(self) -> Groups:
        """Every group by its id."""
        return _made(self._load())

    def _load(self) -> Groups:
        return _read(self._driver.load(None, self._domain, GROUPS))

    def members(self, name: str) -> list[str]:
        """Who was named a member of the group, which need not have been made yet."""
        group = self._load().get(name)
        return list(group.members) if group else []

    def join(self, name: str, member: JID) -> None:
        """Name somebody a member of the group; if there is none, of the one that is made under this id later."""

        def edit(groups: Groups) -> bool:
            group = groups.get(name, Group(made=False))
            groups[name] = replace(group, members=group.members | {str(member)})
            return groups[name] != group

        self._change(edit)

    def part(self, name: str, member: JID) -> None:
        """Somebody is not a member of the group any more; nothing happens where it was not one."""

        def edit(groups: Groups) -> bool:
            return name in groups and _without(groups, name, member)

        self._change(edit)

    def create(self, name: str, group: Group) -> bool:
        """Make the group, or overwrite its settings; its members stay. False if it shows a group that is not there."""

        def edit(groups: Groups) -> bool:
            if not {name, *_made(groups)} >= set(group.displayed):
                return False
            groups[name] = replace(group, members=groups[name].members) if name in groups else group
            return True

        return self._change(edit)

    def edit(self, name: str, change: Callable[[Group, Groups], Group | None]) -> bool:
        """Replace a group by what `change` makes of it and of all; None leaves it. False if it is not there, or was left."""

        def edit(groups: Groups) -> bool:
            made = _made(groups)
            changed = change(made[name], made) if name in made else None
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
        """The account is gone: it is not a member any more."""

        def edit(groups: Groups) -> bool:
            left = [name for name in list(groups) if _without(groups, name, jid)]
            return bool(left)

        self._change(edit)

    def contacts(self, jid: JID, users: Callable[[], Iterable[str]], online: Callable[[], Iterable[JID]]) -> dict[str, list[str]]:
        """Whom the account sees because of its groups: bare JID → labels.

        `users` tells the localparts of all accounts, `online` the addresses of those that have a session.
        """
        groups, seen = self.all(), dict[str, list[str]]()
        flags = frozenset[str]().union(*(g.flags for g in groups.values()))
        everybody = {f"{user}@{self._domain}" for user in users()} if flags else set()
        flagged = {ALL: everybody, ONLINE: {str(who.bare) for who in online()} & everybody if ONLINE in flags else set()}
        mine = [g for g in groups.values() if str(jid) in g.members or (g.flags and str(jid) in everybody)]
        for shown in sorted({d for g in mine for d in g.displayed if d in groups}):
            for member in groups[shown].members.union(*(flagged[flag] for flag in groups[shown].flags)) - {str(jid)}:
                seen.setdefault(member, []).append(groups[shown].label or shown)
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


def _made(groups: Groups) -> Groups:
    return {name: group for name, group in groups.items() if group.made}


def _without(groups: Groups, name: str, member: JID) -> bool:
    """Take somebody out of a group; whether that changes anything."""
    group = groups[name]
    if str(member) not in group.members:
        return False
    groups[name] = replace(group, members=group.members - {str(member)})
    if not groups[name].made and not groups[name].members:
        del groups[name]
    return True


def _read(table: Table | None) -> Groups:
    rows = table if isinstance(table, dict) else {}
    return {name: _group(row) for name, row in rows.items() if isinstance(row, dict)}


def _group(row: dict[str, Any]) -> Group:
    def names(key: str) -> list[str]:
        return [str(name) for name in row.get(key) or ()]

    label, description = (str(row.get(key, "")) for key in ("label", "description"))
    flags, members = frozenset(names("flags")) & frozenset(FLAGS), frozenset(names("members"))
    return Group(label, description, tuple(names("displayed")), flags, members, made=row.get("made") is not False)


def _written(group: Group) -> dict[str, Any]:
    lists = {"displayed": list(group.displayed), "flags": sorted(group.flags), "members": sorted(group.members)}
    return {"label": group.label, "description": group.description, "made": group.made} | lists
