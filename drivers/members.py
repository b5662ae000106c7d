"""Members of a table: what a driver does with some of them that has no cheaper way than the whole table."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from drivers.batches import MemberChange, Table
from drivers.values import entries_of, from_entries


def is_member(key: Any) -> bool:
    """Whether this is the key of a member, which can be read and written alone. The others belong together."""
    return isinstance(key, str) and key != "" and "\0" not in key


def members_of(table: Table | None, keys: Collection[str]) -> Table | None:
    """The members with these keys, and the entries that are not members; None without any."""
    entries = entries_of(table) if table else ()
    found: Table = from_entries((key, value) for key, value in entries if key in keys or not is_member(key))
    return found or None


def changed_members(table: Table | None, keys: Collection[str], change: MemberChange) -> Table:
    """The whole table after a change of these members."""
    entries = [*entries_of(table)] if table else []
    new = change(members_of(table, keys), lambda: sum(is_member(key) for key, _ in entries))
    others = ((key, value) for key, value in entries if is_member(key) and key not in keys)
    changed: Table = from_entries([*others, *(entries_of(new) if new else ())])
    return changed
