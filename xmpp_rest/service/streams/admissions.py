"""Looks at intervals whether the readers of event streams are still admitted: once for all who came with the same credentials."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Hashable, Sequence
from weakref import WeakSet

from drivers import StorageError
from xmpp_rest.errors import GatewayError
from xmpp_rest.service.streams.stream import Stream
from xmpp_rest.threads.backlog import Backlog
from xmpp_rest.threads.pool import CompletingPool
from xmpp_rest.threads.timers import Timers

log = logging.getLogger("xmpp_rest.streams")

GRAIN = 0.1  # of the interval: so many looks share a wake-up
NOT_ADMITTED = "the credentials are no longer good"


class _Readers:
    """The streams of those who came with the same credentials; one that is closed is forgotten with the last reference to it."""

    def __init__(self, key: Hashable, admitted: Callable[[], bool], interval: float) -> None:
        self.key = key
        self.admitted = admitted
        self.interval = interval
        self.streams: WeakSet[Stream] = WeakSet()


class Admissions:
    """Ends the streams of readers who are no longer admitted. Safe to be used by several threads."""

    def __init__(self, timers: Timers, pool: CompletingPool) -> None:
        self._timers = timers
        self._readers: dict[Hashable, _Readers] = {}
        self._lock = threading.Lock()  # guards the line above, and the streams in it
        self._due: Backlog[_Readers] = Backlog(pool, self._look)

    def watch(self, stream: Stream, key: Hashable, admitted: Callable[[], bool], interval: float) -> None:
        """End the stream once its reader is not `admitted`, as is asked every `interval` seconds. `key`: what that depends on."""
        with self._lock:
            readers = self._readers.get(key)
            is_new = readers is None
            if readers is None:
                readers = self._readers[key] = _Readers(key, admitted, interval)
            readers.streams.add(stream)
        if is_new:
            self._later(readers)

    def _later(self, readers: _Readers) -> None:
        self._timers.after(readers.interval, lambda: self._due.put(readers), readers.interval * GRAIN)

    def _look(self, due: Sequence[_Readers]) -> None:
        for readers in due:
            if not self._is_watched(readers):
                continue
            if reason := _refusal(readers):
                with self._lock:
                    streams = list(readers.streams)
                for stream in streams:
                    stream.end(reason, at_once=True, ended_as="credentials")
            self._later(readers)

    def _is_watched(self, readers: _Readers) -> bool:
        """Whether any of their streams is open; else nobody needs to look at these credentials any more."""
        with self._lock:
            watched = any(not stream.ended for stream in readers.streams)
            if not watched:
                del self._readers[readers.key]
        return watched


def _refusal(readers: _Readers) -> str:
    """Why the readers are not admitted; "" if they are."""
    try:
        return "" if readers.admitted() else NOT_ADMITTED
    except (StorageError, GatewayError) as e:
        return str(e)
    except Exception:
        log.exception("whether readers are still admitted could not be found out")
        return "the credentials could not be checked"
