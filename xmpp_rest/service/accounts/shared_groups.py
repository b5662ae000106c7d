"""Shared roster groups: accounts that see each other without subscriptions. One table of the domain for all groups."""

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
    """One group: its label, the groups whose members its own members see, and its members (bare JIDs)."""

    label: str = ""
    description: str = ""
    displayed: tuple[str, ...] = ()  # ids of groups
    flags: frozenset[str] = frozenset()  # of FLAGS: implicit members
    members: frozenset[str] = frozenset()
    made: bool = True  # False: it has members, but does not exist yet (COMPAT ejabberd: members may be added first)


Groups = dict[str, Group]


class SharedGroups:
    """The shared roster groups of `domain`. Methods raise StorageError."""

    def __init__(self, driver: Driver, domain: str) -> None:
        self._driver = driver
        self._domain = domain

    def all(self) -> Groups:
        """Every group by its id."""
        return _made(_from_table(self._driver.load(None, self._domain, GROUPS)))

    def members(self, name: str) -> list[str]:
        """The explicit members of the group, which need not have been made yet."""
        group = _from_table(self._driver.load(None, self._domain, GROUPS)).get(name)
        return list(group.members) if group else []

    def join(self, name: str, member: JID) -> None:
        """Add a member to the group; if there is none, to the one that is made with this id later."""

        def edit(groups: Groups) -> bool:
            group = groups.get(name, Group(made=False))
            groups[name] = replace(group, members=group.members | {str(member)})
            return groups[name] != group

        self._change(edit)

    def part(self, name: str, member: JID) -> None:
        """Remove a member from the group, if it is one."""

        def edit(groups: Groups) -> bool:
            return name in groups and _without(groups, name, member)

        self._change(edit)

    def create(self, name: str, group: Group) -> bool:
        """Make the group, or overwrite its settings; its members are kept. False if it displays a group that does not exist."""

        def edit(groups: Groups) -> bool:
            if not {name, *_made(groups)} >= set(group.displayed):
                return False
            groups[name] = replace(group, members=groups[name].members) if name in groups else group
            return True

        return self._change(edit)

    def edit(self, name: str, change: Callable[[Group, Groups], Group | None]) -> bool:
        """Replace a group by the result of `change` (None: no change). False if the group does not exist, or is unchanged."""

        def edit(groups: Groups) -> bool:
            made = _made(groups)
            changed = change(made[name], made) if name in made else None
            if changed is not None:
                groups[name] = changed
            return changed is not None

        return self._change(edit)

    def delete(self, name: str) -> None:
        """Remove the group, also from those that display it."""

        def edit(groups: Groups) -> bool:
            groups.pop(name, None)
            shown = {n: tuple(d for d in g.displayed if d != name) for n, g in groups.items()}
            groups |= {n: replace(g, displayed=shown[n]) for n, g in groups.items()}
            return True

        self._change(edit)

    def account_removed(self, account: JID) -> None:
        """Remove a deleted account from all groups."""

        def edit(groups: Groups) -> bool:
            return bool([name for name in list(groups) if _without(groups, name, account)])

        self._change(edit)

    def contacts(
        self, jid: JID, users: Callable[[], Iterable[str]], online: Callable[[], Iterable[JID]], exists: Callable[[JID], bool]
    ) -> dict[str, list[str]]:
        """The contacts that the account has through its groups: bare JID → labels.

        `users` returns the localparts of all accounts, and is called only if the account sees everybody; `online` the addresses of those
        with a session.
        """
        groups, seen = self.all(), dict[str, list[str]]()
        mine = [g for g in groups.values() if str(jid) in g.members or (g.flags and exists(jid))]
        displayed = sorted({d for g in mine for d in g.displayed if d in groups})
        flags = frozenset[str]().union(*(groups[name].flags for name in displayed))
        flagged = {
            ALL: {f"{user}@{self._domain}" for user in users()} if ALL in flags else set(),
            ONLINE: {str(who) for who in {o.bare for o in online()} if exists(who)} if ONLINE in flags else set(),
        }
        for shown in displayed:
            for member in groups[shown].members.union(*(flagged[flag] for flag in groups[shown].flags)) - {str(jid)}:
                seen.setdefault(member, []).append(groups[shown].label or shown)
        return seen

    def _change(self, edit: Callable[[Groups], bool]) -> bool:
        done = False

        def step(table: Table | None) -> Table | None:
            nonlocal done
            groups = _from_table(table)
            done = edit(groups)
            return {name: _to_row(group) for name, group in groups.items()} if done else table

        self._driver.update(None, self._domain, GROUPS, step)
        return done


def _made(groups: Groups) -> Groups:
    return {name: group for name, group in groups.items() if group.made}


def _without(groups: Groups, name: str, member: JID) -> bool:
    """Remove a member from a group; whether it was one."""
    group = groups[name]
    if str(member) not in group.members:
        return False
    groups[name] = replace(group, members=group.members - {str(member)})
    if not groups[name].made and not groups[name].members:
        del groups[name]
    return True


def _from_table(table: Table | None) -> Groups:
    rows = table if isinstance(table, dict) else {}
    return {name: _group(row) for name, row in rows.items() if isinstance(row, dict)}


def _group(row: dict[str, Any]) -> Group:
    def names(key: str) -> list[str]:
        return [str(name) for name in row.get(key) or ()]

    label, description = (str(row.get(key, "")) for key in ("label", "description"))
    flags, members = frozenset(names("flags")) & frozenset(FLAGS), frozenset(names("members"))
    return Group(label, description, tuple(names("displayed")), flags, members, made=row.get("made") is not False)


def _to_row(group: Group) -> dict[str, Any]:
    lists = {"displayed": list(group.displayed), "flags": sorted(group.flags), "members": sorted(group.members)}
    return {"label": group.label, "description": group.description, "made": group.made} | lists
