"""How do many threads share one piece of work? Each leaves what it wants done, and whoever has the turn does it for all who wait.

A wait for the disk then counts once for all who came meanwhile, and a thread that waits is woken once, when everything is done for it:
with the interpreter lock, waking is what is dear. (The storage and the outbox do the same for their files.)
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")


class _Place(Generic[T, R]):
    """One thread in the queue. It sleeps in `woken` until its results are there, or the turn is its own."""

    def __init__(self, items: Sequence[T]) -> None:
        self.items = items
        self.results: Sequence[R] | None = None
        self.error: BaseException | None = None
        self.woken = threading.Lock()
        self.woken.acquire()

    @property
    def done(self) -> bool:
        return self.results is not None or self.error is not None


class Turns(Generic[T, R]):
    """A queue before `work`, which gets what several threads left, in the order they came, and gives a result for each item.

    `most`: items after which nothing more is taken into a turn. `entering`: called with the items of a thread in the order of the
    queue; it must be quick. What `work` raises, all whose items it had raise; so its results should hold what concerns one item alone.
    """

    def __init__(
        self, work: Callable[[list[T]], Sequence[R]], most: int, entering: Callable[[Sequence[T]], None] = lambda _items: None
    ) -> None:
        self._work = work
        self._most = most
        self._entering = entering
        self._waiting: list[_Place[T, R]] = []
        self._taken = False  # whether somebody has the turn
        self._leader: int | None = None  # the thread that works
        self._lock = threading.Lock()

    def run(self, items: Sequence[T]) -> Sequence[R]:
        """Have `work` done for these; a result for each. Raises what `work` does. Called by `work` itself, it does these at once."""
        if self._leader == threading.get_ident():
            return self._work(list(items))
        place = _Place[T, R](items)
        with self._lock:
            self._entering(items)
            self._waiting.append(place)
            waits, self._taken = self._taken, True
        if waits:
            place.woken.acquire()
        if not place.done:
            self._lead()
        if place.error is not None:
            raise place.error
        return place.results if place.results is not None else ()

    def _lead(self) -> None:
        """Work for who waits, oneself first; then the next one has the turn."""
        with self._lock:
            places = self._take()
        self._leader = threading.get_ident()
        try:
            results = self._work([item for place in places for item in place.items])
            self._hand_out(places, results)
        except Exception as e:
            _fail(places, e)
        except BaseException as e:  # what interrupts this thread is for it alone to raise
            _fail(places[1:], RuntimeError("the thread that was working for this one was interrupted"))
            places[0].error = e
        finally:
            self._leader = None
            with self._lock:
                following = self._waiting[0] if self._waiting else None
                self._taken = following is not None
            for place in places[1:]:
                place.woken.release()
            if following is not None:
                following.woken.release()

    def _take(self) -> list[_Place[T, R]]:
        """Those whose items make a turn, and at least the first."""
        count, total = 0, 0
        while count < len(self._waiting) and (not count or total + len(self._waiting[count].items) <= self._most):
            total += len(self._waiting[count].items)
            count += 1
        taken, self._waiting = self._waiting[:count], self._waiting[count:]
        return taken

    @staticmethod
    def _hand_out(places: Sequence[_Place[T, R]], results: Sequence[R]) -> None:
        start = 0
        for place in places:
            end = start + len(place.items)
            place.results = results[start:end]
            start = end


def _fail(places: Sequence[_Place[T, R]], error: Exception) -> None:
    for place in places:
        place.error = error
