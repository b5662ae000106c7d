"""How do many threads share one piece of work? Each leaves what it wants done, and whoever has the turn does it for all who wait.

A wait for the disk then counts once for all who came meanwhile, and a thread that waits is woken once, when everything is done for it:
with the interpreter lock, waking is what is dear. (The storage and the outbox do the same for their files.) Who has no thread to wait with
leaves a function to be called instead.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

log = logging.getLogger(__name__)

T = TypeVar("T")
R = TypeVar("R")
Then = Callable[[Sequence[R] | Exception], None]
"""Gets the results, or what the work raised. Must not wait for anybody."""
Elsewhere = Callable[[Callable[[], None]], object]
"""Has a function called on a thread that may work."""


class _Place(Generic[T, R]):
    """One that waits in the queue: a thread, which sleeps in `woken` until its results are there or the turn is its own; or a function."""

    def __init__(self, items: Sequence[T], then: Then[R] | None = None, elsewhere: Elsewhere | None = None) -> None:
        self.items = items
        self.then = then
        self.elsewhere = elsewhere
        self.results: Sequence[R] | None = None
        self.error: Exception | None = None
        self.woken = threading.Lock()
        self.woken.acquire()

    @property
    def done(self) -> bool:
        return self.results is not None or self.error is not None

    def tell(self) -> None:
        """It is done."""
        if self.then is None:
            self.woken.release()
            return
        try:
            self.then(self.error or self.results or ())
        except Exception:
            log.exception("the results of a turn could not be told")


class Turns(Generic[T, R]):
    """A queue before `work`, which gets what several left, in the order they came, and gives a result for each item.

    `most`: items after which nothing more is taken into a turn. `entering`: called with what one leaves in the order of the queue; it must
    be quick. What `work` raises, all whose items it had get; so its results should hold what concerns one item alone.
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
        if not self._enter(place):
            place.woken.acquire()
        while not place.done:
            self._lead(place)
        if place.error is not None:
            raise place.error
        return place.results if place.results is not None else ()

    def run_then(self, items: Sequence[T], then: Then[R], elsewhere: Elsewhere) -> None:
        """As `run`, for a thread that must not wait: `then` is called by whoever works, which `elsewhere` finds if no thread waits."""
        if self._enter(_Place[T, R](items, then, elsewhere)):
            self._have_led(elsewhere)

    def _enter(self, place: _Place[T, R]) -> bool:
        """Whether the turn is the one's own who enters."""
        with self._lock:
            self._entering(place.items)
            self._waiting.append(place)
            free, self._taken = not self._taken, True
        return free

    def _lead(self, mine: _Place[T, R] | None = None) -> None:
        """Work for the first of those who wait; then the first thread that waits has the turn, which is perhaps this one again."""
        with self._lock:
            places = self._take()
        self._leader = threading.get_ident()
        try:
            results = self._work([item for place in places for item in place.items])
            self._hand_out(places, results)
        except Exception as e:
            _fail(places, e)
        except BaseException:  # what interrupts this thread is for it alone to raise
            _fail(places, RuntimeError("the thread that was working for this one was interrupted"))
            with self._lock:
                self._waiting = [place for place in self._waiting if place is not mine]
            raise
        finally:
            self._leader = None
            for place in places:
                if place is not mine:
                    place.tell()
            self._pass_on(mine)

    def _pass_on(self, mine: _Place[T, R] | None) -> None:
        with self._lock:
            self._taken = bool(self._waiting)
            following = next((place for place in self._waiting if place.elsewhere is None), next(iter(self._waiting), None))
        if following is None or following is mine:
            return
        if following.elsewhere is None:
            following.woken.release()
        else:
            self._have_led(following.elsewhere)

    def _have_led(self, elsewhere: Elsewhere) -> None:
        """The turn must not be lost, for all who come would wait for ever: if no other thread can have it, this one has."""
        try:
            elsewhere(self._lead)
        except Exception:
            log.exception("no thread could be found for a turn")
            self._lead()

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
