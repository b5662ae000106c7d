"""The timeline of an archive: the bounds of a time in the order of arrival, so that a page from the middle costs as little as the last one.

Items usually arrive in the order of their times, but not always: a clock is set back, old messages are imported. `back` is the largest
number of seconds that an item was older than the latest one before it. Items later than `t + back` have arrived after all items that
are not later than `t`; items earlier than `t - back` before all that are not earlier. So two look-ups by time bound a search in the
order of arrival, and none of its results can be outside.
"""

from __future__ import annotations

import math
import threading
from collections import OrderedDict
from functools import partial
from typing import NamedTuple

from drivers import ArchiveQuery
from drivers.names import Key
from drivers.sql import summary
from drivers.sql.session import DatabaseSession, Engine
from drivers.sql.summary import OF_KEY, Summary

ONE = f'SELECT a."sort_id" FROM "prosodyarchive" AS a WHERE {OF_KEY} AND a."when"'  # noqa: S608
LATER = f'{ONE}>? ORDER BY a."when", a."sort_id" LIMIT 1'
EARLIER = f'{ONE}<? ORDER BY a."when" DESC, a."sort_id" DESC LIMIT 1'
SLACK = 60
"""Seconds on top of `back`, for items whose writer commits after one that has come later."""
REMEMBERED = 10_000
"""Archives whose `back` is cached; the least recently used one is dropped first."""
LAST = 2**62
"""A `sort_id` that no item has."""


class PositionBounds(NamedTuple):
    """`sort_id`s between which the items of a query are, both exclusive; None: no bound is known."""

    above: int | None = None
    below: int | None = None


NOWHERE = PositionBounds()
"""Nothing has been looked up."""


class Timeline:
    """Caches how far the archives of one storage are out of order, as their summaries say, and what has come later."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._known: OrderedDict[Key, Summary] = OrderedDict()
        self._lock = threading.Lock()

    def prepare(self, key: Key, query: ArchiveQuery) -> None:
        """Before a search: have the summary continued, if there is much that it does not know."""
        if _needs_bounds(query) and self._engine.has_summaries and self._engine.read(partial(self._is_behind, key=key)):
            summary.advance(self._engine, key)
            with self._lock:
                self._known.pop(key, None)

    def bounds(self, session: DatabaseSession, key: Key, query: ArchiveQuery) -> PositionBounds:
        """The bounds of the items between the query's times; NOWHERE if another index is better."""
        if not _needs_bounds(query):
            return NOWHERE
        reach = self._look(session, key).back + SLACK
        earlier = None if query.start is None else session.rows(EARLIER, *key, math.floor(query.start) - reach)
        later = None if query.end is None else session.rows(LATER, *key, math.floor(query.end) + reach)
        return PositionBounds(earlier[0][0] if earlier else None, later[0][0] if later else None)

    def _is_behind(self, session: DatabaseSession, key: Key) -> bool:
        return summary.is_behind(session, key, self._state(session, key).upto)

    def _state(self, session: DatabaseSession, key: Key) -> Summary:
        """The latest known state of the archive."""
        with self._lock:
            known = self._known.get(key)
        return known or (summary.load(session, key) if self._engine.has_summaries else Summary())

    def _look(self, session: DatabaseSession, key: Key) -> Summary:
        """The state of the archive, updated by the items added since."""
        known = summary.continued(session, key, self._state(session, key), LAST)
        with self._lock:
            self._known[key] = known
            self._known.move_to_end(key)
            if len(self._known) > REMEMBERED:
                self._known.popitem(last=False)
        return known


def _needs_bounds(query: ArchiveQuery) -> bool:
    """Whether a search is made in the order of arrival: with a limit, as it reads no more, or a partner, whose index has that order."""
    return (query.start is not None or query.end is not None) and (query.limit is not None or query.with_ is not None)
