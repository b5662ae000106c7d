"""Checks of archive items and queries, the same for every driver."""

from __future__ import annotations

import math
from dataclasses import replace

from drivers import EVERY_ITEM, ArchiveItem, ArchiveQuery, BadValue
from drivers.names import check_name, check_text
from drivers.stanzas import check_stanza

MAX_IDS = 10_000
"""Ids in one query; databases limit the parameters of a statement."""
FAR = 2**50
"""Seconds; a query may contain times that no item can have, but not ones that no database can compare."""
TIMES = range(-(2**31), 2**31)
"""Prosody's PostgreSQL column for times has 32 bits."""


def checked_item(item: ArchiveItem) -> ArchiveItem:
    """The item. Raises BadValue for an id, partner, time or stanza that some format cannot store."""
    if not item.id:
        raise BadValue("the id of an archive item must not be empty")
    check_name("the id", item.id)
    check_name("with", item.with_)
    check_text("stanza", item.stanza)
    check_time("when", item.when)
    check_stanza(item.stanza)
    return item


def checked_query(query: ArchiveQuery) -> ArchiveQuery:
    """The query. Raises BadValue."""
    if query.limit is not None and query.limit < 0:
        raise BadValue(f"limit is {query.limit}; it must not be negative")
    if query.ids is not None and len(query.ids) > MAX_IDS:
        raise BadValue(f"{len(query.ids)} ids are asked for at once; at most {MAX_IDS} can be")
    for what, time in (("start", query.start), ("end", query.end)):
        if time is not None and not abs(time) < FAR:
            raise BadValue(f"{what} is {time}; it must be Unix time in seconds")
    for what, text in (("with", query.with_), ("before", query.before), ("after", query.after), *(("ids", i) for i in query.ids or ())):
        check_name(what, text or "")
    return query


def is_whole(query: ArchiveQuery) -> bool:
    """Whether a query has no conditions, whatever its order and limit."""
    return replace(query, limit=None, newest_first=False) == EVERY_ITEM


def check_time(what: str, time: float) -> None:
    """Raise BadValue unless `time` is seconds since 1970 that every format can hold."""
    if not math.isfinite(time) or math.floor(time) not in TIMES:
        raise BadValue(f"{what} is {time}; it must be Unix time in seconds, from 1901 to 2038")


class Conditions:
    """The conditions of a query that depend on one item alone, for drivers that read items one by one."""

    def __init__(self, query: ArchiveQuery) -> None:
        self._query = query
        self._ids = None if query.ids is None else frozenset(query.ids)

    def fit(self, item: str, when: float, with_: str) -> bool:
        """Whether times, partner and ids match (`before`, `after` and `limit` depend on other items)."""
        query = self._query
        return (
            (query.with_ is None or with_ == query.with_)
            and (query.start is None or when >= query.start)
            and (query.end is None or when <= query.end)
            and (self._ids is None or item in self._ids)
        )
