"""Ends the event streams of this process one after the other, so that not all of their readers come back elsewhere at once."""

from __future__ import annotations

from collections.abc import Callable

from xmpp_rest.service.streams.registry import Streams

STEPS = 50
DRAINS = "this node is taken away: resume at another one"


class SpreadEnds:
    """Of one process."""

    def __init__(self, streams: Streams) -> None:
        self._streams = streams

    @property
    def count(self) -> int:
        """How many streams are open."""
        return self._streams.count

    def end_over(self, seconds: float, goes_on: Callable[[], bool]) -> None:
        """End those that are open or are opened meanwhile, spread over this time, as long as it `goes_on`. Returns at once."""
        self._later(seconds / STEPS, STEPS, 0.0, goes_on)

    def _later(self, pause: float, steps: int, due: float, goes_on: Callable[[], bool]) -> None:
        if steps:
            self._streams.timers.after(pause, lambda: self._step(pause, steps, due, goes_on))

    def _step(self, pause: float, steps: int, due: float, goes_on: Callable[[], bool]) -> None:
        """`steps`: how many there are, with this one; `due`: the part of a stream that the steps before have left."""
        if not goes_on():
            return
        streams = [stream for stream in self._streams.all() if not stream.ended]
        due += len(streams) / steps
        number = round(due) if steps > 1 else len(streams)
        for stream in streams[:number]:
            stream.end(DRAINS, ended_as="stopping")
        self._later(pause, steps - 1, due - number, goes_on)
