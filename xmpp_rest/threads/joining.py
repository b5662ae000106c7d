"""A group executor whose groups others may join until its work really begins, as when it has to wait for another process first."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeVar

from xmpp_rest.threads.group import GroupCaller, GroupExecutor

T = TypeVar("T")
R = TypeVar("R")
Join = Callable[[], list[T]]
"""Gives the items that have come meanwhile, which need results too, after those of the others. Called at most once, by any thread."""


class JoiningExecutor(GroupExecutor[T, R]):
    """As `GroupExecutor`, but `work` also gets a Join."""

    def __init__(self, work: Callable[[list[T], Join[T]], Sequence[R]], most: int = sys.maxsize, *, parks: bool = False) -> None:
        super().__init__(lambda items: work(items, list), most, parks=parks)
        self._joining_work = work

    def _results(self, group: list[GroupCaller[T, R]]) -> Sequence[R]:
        return self._joining_work([item for waiter in group for item in waiter.items], partial(self._join, group))

    def _join(self, group: list[GroupCaller[T, R]]) -> list[T]:
        """Add those who wait to a group that is being worked for."""
        with self._lock:
            joined = self._take(sum(len(waiter.items) for waiter in group))
            group += joined
        return [item for waiter in joined for item in waiter.items]
