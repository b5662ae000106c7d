"""The thread of the leader that sends messages at their times, and removes them then."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Iterable
from functools import partial
from queue import Empty, SimpleQueue

from drivers import StorageError
from xmpp_rest.incidents import Incidents
from xmpp_rest.protocol.jid import JID
from xmpp_rest.service.scheduled.hints import Hints
from xmpp_rest.service.scheduled.message import ScheduledMessage
from xmpp_rest.service.scheduled.queue import DueHint, DueQueue
from xmpp_rest.service.scheduled.sending import ScheduledSending
from xmpp_rest.service.scheduled.side_by_side import SideBySide
from xmpp_rest.service.scheduled.store import Hint, ScheduledStore
from xmpp_rest.threads.backoff import Backoff
from xmpp_rest.threads.tasks import OrderLock

log = logging.getLogger("xmpp_rest.link")

FIRST, LONGEST = 1.0, 15.0  # seconds between two attempts to send what cannot be sent now
TICK = 1.0  # seconds between two looks at the clock, which may have been set
MOST = 128  # messages that are sent together
LEFT = 3.0  # seconds at the end for what hooks say to be settled
END = 5.0  # seconds that the end of the process waits for those that are being sent


class ScheduledRunner:
    """Sends what is due. In the leader alone, which calls `start` and `stop`."""

    def __init__(self, store: ScheduledStore, sending: ScheduledSending, incidents: Incidents, side_by_side: SideBySide) -> None:
        """`side_by_side`: for the calls of this and of `sending`; it is stopped here."""
        self._store = store
        self._side_by_side = side_by_side
        self._sending = sending
        self._incidents = incidents
        self._queue = DueQueue()
        self._hints = Hints(store, self._queue)
        self._under_way: set[str] = set()  # ids of what is being sent, or was and could not be removed
        self._unremoved: dict[JID, set[str]] = {}
        self._lock = OrderLock()  # of the two above: nobody is told that a message is removed that is being sent
        self._settled: SimpleQueue[tuple[str, bool]] = SimpleQueue()  # of what hooks say: the id, and whether it is done
        self._later: dict[str, DueHint] = {}  # what hooks say and is not settled
        self._aside: dict[JID, list[DueHint]] = {}  # what cannot be sent now, though others' messages can
        self._aside_until = 0.0  # monotonic time
        self._backoff = Backoff()
        self._began = 0.0  # Unix time
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to send, with what fell due before."""
        self._began = time.time()
        thread = threading.Thread(target=self._run, name="scheduled messages", daemon=True)
        thread.start()
        self._thread = thread

    def stop(self) -> None:
        """End after the messages that are being sent."""
        self._queue.stop()
        if self._thread is not None:
            self._thread.join(END)
        self._side_by_side.stop()

    @property
    def soon(self) -> int:
        """Messages that fall due in this hour, or are late; in the leader."""
        return len(self._queue) + len(self._waiting())

    @property
    def late(self) -> float:
        """Seconds for which the oldest of them has been due; in the leader."""
        times = [due.at for due in self._waiting()]
        if (first := self._queue.first()) is not None:
            times.append(first)
        return max(0.0, time.time() - min(times)) if times else 0.0

    def _waiting(self) -> list[DueHint]:
        """Those that are not in the queue, as they cannot be sent now, or are being said by a hook."""
        return [*self._later.copy().values(), *(due for hints in self._aside.copy().values() for due in hints)]

    def told(self, hint: Hint) -> None:
        """There is a new message."""
        self._hints.told(hint)

    def remove(self, owner: JID, identifier: str) -> bool:
        """Remove a message; False if there is none, or it is being sent. Raises StorageError."""
        with self._lock:
            return identifier not in self._under_way and bool(self._store.remove(owner, (identifier,)))

    def _run(self) -> None:
        pause = 0.0
        while self._queue.wait(pause, for_due=False) and self._queue.wait(self._until_look()):
            pause = 0.0
            try:
                self._hints.look()
                self._settle()
                self._end_aside()
                if self._send_due():
                    self._backoff.reset()
                else:
                    pause = self._backoff.next(FIRST, LONGEST)
            except Exception as e:  # of the storage
                self._report(e, trace=not isinstance(e, StorageError))
                pause = self._backoff.next(FIRST, LONGEST)
        self._end()

    def _end(self) -> None:
        """Wait for what hooks say, so that it is not said again."""
        end = time.monotonic() + LEFT
        try:
            while self._later and (left := end - time.monotonic()) > 0:
                self._settle(left)
        except Exception as e:  # of the storage, or there was no time
            log.warning("some messages of hooks may be sent again: %r", e)

    def _on_settled(self, identifier: str, done: bool) -> None:
        self._settled.put((identifier, done))
        self._queue.wake()

    def _settle(self, seconds: float = 0.0) -> None:
        """Remove what hooks have said, and put aside what they could not; wait so long for the first."""
        said = []
        with contextlib.suppress(Empty):
            while True:
                identifier, done = self._settled.get(timeout=seconds) if seconds else self._settled.get_nowait()
                seconds = 0.0
                due = self._later.pop(identifier)
                if done:
                    said.append(due.hint)
                else:
                    self._release((identifier,))
                    self._put_aside((due,))
        self._remove(said)

    def _put_aside(self, hints: Iterable[DueHint]) -> None:
        self._aside_until = time.monotonic() + FIRST
        for due in hints:
            self._aside.setdefault(due.hint.owner, []).append(due)

    def _until_look(self) -> float:
        """Seconds until there is something to do besides what is in the queue."""
        seconds = min(TICK, self._hints.until_look())
        return min(seconds, max(0.0, self._aside_until - time.monotonic())) if self._aside else seconds

    def _end_aside(self) -> None:
        if self._aside and time.monotonic() >= self._aside_until:
            for hints in self._aside.values():
                self._queue.put_back(hints)
            self._aside.clear()

    def _send_due(self) -> bool:
        """Send some of what is due; False if nothing can be sent now."""
        self._remove_again()
        left = {due.hint.id: due for due in self._queue.take(time.time(), MOST)}
        for identifier, due in [*left.items()]:
            if due.hint.owner in self._aside:  # in order, for each owner
                self._aside[due.hint.owner].append(left.pop(identifier))
        messages: list[ScheduledMessage] = []
        try:
            messages = self._claim(left)
            self._later |= {m.id: left[m.id] for m in messages if m.said is not None}
            unsent = self._sending.send(messages, self._on_settled, known_before=self._began)
            done = [left.pop(m.id) for m in messages if m.id not in unsent.ids]
            sent = [due.hint for due in done if due.hint.id not in self._later]
        except BaseException:  # before anything was sent
            for message in messages:
                self._later.pop(message.id, None)
            self._release(message.id for message in messages)
            self._queue.put_back(left.values())
            raise
        self._release(left)
        self._remove(sent)
        if unsent.all_wait:
            self._queue.put_back(left.values())
        elif left:
            self._put_aside(left.values())
        return not unsent.all_wait

    def _claim(self, left: dict[str, DueHint]) -> list[ScheduledMessage]:
        """The messages of these hints, in order; hints without one leave `left`. From now on nobody else removes them."""
        owners: dict[JID, list[str]] = {}
        for due in left.values():
            owners.setdefault(due.hint.owner, []).append(due.hint.id)
        found: dict[str, ScheduledMessage | ValueError] = {}
        with self._lock:
            for owner, ids in owners.items():
                try:
                    found |= {k: m for k, m in self._store.some(owner, ids).items() if k not in self._under_way}
                except StorageError as e:  # of one owner alone, maybe
                    self._report(e)
                    self._put_aside([left.pop(identifier) for identifier in ids])
            self._under_way.update(found)
        for identifier in [i for i in left if i not in found]:
            self._hints.absent(left.pop(identifier).hint)
        messages = []
        for identifier in [*left]:
            message = found[identifier]
            if isinstance(message, ValueError):
                log.error("a scheduled message cannot be read, and is not sent: %s", message)
                del left[identifier]
            else:
                messages.append(message)
        return messages

    def _release(self, ids: Iterable[str]) -> None:
        with self._lock:
            self._under_way.difference_update(ids)

    def _remove(self, sent: Iterable[Hint]) -> None:
        """Remove what was sent; what cannot be removed now is not sent again, and removed later."""
        for hint in sent:
            self._unremoved.setdefault(hint.owner, set()).add(hint.id)
        self._remove_again()

    def _remove_again(self) -> None:
        self._side_by_side.run([partial(self._remove_of, owner) for owner in self._unremoved])

    def _remove_of(self, owner: JID) -> None:
        """Remove what an owner's messages have left. The storage may fail that of one owner alone, which holds nobody else up."""
        ids = self._unremoved[owner]
        try:
            self._store.remove(owner, ids)
        except StorageError as e:
            self._report(e)
            return
        del self._unremoved[owner]
        self._release(ids)

    def _report(self, error: Exception, *, trace: bool = False) -> None:
        self._incidents.report(log, "scheduled-unsent", "scheduled messages cannot be sent now: %r", error, trace=trace)
