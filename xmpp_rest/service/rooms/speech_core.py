"""What the parts of speaking in rooms share in the leader: the messages whose end is not known, and the lock that guards them."""

from __future__ import annotations

import logging
import threading
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable, Sequence
from itertools import accumulate, count

from xmpp_rest.config.login_tables import SessionsSettings
from xmpp_rest.config.room_tables import RoomsAnywhereSettings
from xmpp_rest.errors import GatewayError
from xmpp_rest.link.outbox import Label, account_of
from xmpp_rest.link.router import Router
from xmpp_rest.processes.remote import Remote
from xmpp_rest.protocol.jid import JID
from xmpp_rest.service.messages.outcomes import Outcomes
from xmpp_rest.service.rooms.kept_messages import KeptMessages
from xmpp_rest.service.rooms.memberships import Memberships
from xmpp_rest.service.rooms.room_queue import RoomQueue
from xmpp_rest.service.rooms.spoken_message import SpokenMessage
from xmpp_rest.service.rooms.values import RoomPlace
from xmpp_rest.threads.timers import Timer

log = logging.getLogger("xmpp_rest.rooms")

SETTLE = 0.5  # seconds until known ends are on disk, those of many messages together
HOSTED, ELSEWHERE = " hosted", " elsewhere"  # names of all of one kind among those of accounts
REMEMBERED = 1000  # messages that no room has shown in time, which one may still show
BYTES_ELSEWHERE, BYTES_OF_ONE = 64 << 20, 4 << 20  # of what waits of accounts elsewhere, and of one: it is in memory alone
REMEMBERED_BYTES = 16 << 10  # of a message of such an account that no room has shown in time: larger ones are not remembered


class SpeechCore:
    """What needs the lock says so; nothing that waits, and no part outside, is called with it held."""

    def __init__(
        self,
        router: Router,
        memberships: Memberships,
        outcomes: Outcomes,
        kept: KeptMessages,
        settings: RoomsAnywhereSettings,
        domain: str,
        most: int,
        share: int,
        share_elsewhere: int,
        remote: Remote,
    ) -> None:
        """`domain`: of the hosted ones who speak; `most`: messages of these whose end is not known, and as many of accounts elsewhere.

        `share`: of these of one account, 0: as many; `share_elsewhere`: of one that is elsewhere.
        """
        self.router = router
        self.memberships = memberships
        self.outcomes = outcomes
        self.kept = kept
        self.settings = settings
        self.domain = domain
        self.lock = threading.Lock()
        self.queues: dict[RoomPlace, RoomQueue] = {}
        self.confirmed: dict[RoomPlace, int] = {}
        """Who is known to be in, and since when: the number of the stream."""
        self._unshown: dict[str, OrderedDict[tuple[RoomPlace, str], SpokenMessage]] = {kind: OrderedDict() for kind in (HOSTED, ELSEWHERE)}
        self.is_stopping = False
        """Whether occupants are leaving as the gateway stops: what waits is left to the next process."""
        self._is_settling = False
        self._most = most
        self._shares = {HOSTED: share or most, ELSEWHERE: share_elsewhere}
        self._remote = remote
        self._of_room: dict[tuple[JID, str], set[RoomPlace]] = {}  # of those who share the places of `held`
        self._open: Counter[str] = Counter()  # messages whose end is not known, by account, and of all of the two kinds
        self._bytes: Counter[str] = Counter()  # of these, likewise
        self._next = count(1)

    def configure(self, settings: RoomsAnywhereSettings, sessions: SessionsSettings) -> None:
        """Work by these settings from now on."""
        self.settings = settings
        self._shares[ELSEWHERE] = sessions.queue_size

    def stop(self) -> None:
        """The gateway stops."""
        self.is_stopping = True

    def stream(self, place: RoomPlace) -> int:
        """The number of the stream by which this occupant speaks; 0: none is up."""
        return self.router.stream_of(place.occupant)

    def is_hosted(self, place: RoomPlace) -> bool:
        """Whether the occupant is one of the gateway's, and not an account of another server."""
        return place.occupant.domain == self.domain

    # -- with the lock

    def queue(self, place: RoomPlace) -> RoomQueue:
        """The messages of this occupant to this room."""
        if (queue := self.queues.get(place)) is None:
            queue = self.queues[place] = RoomQueue(place)
            self._of_room.setdefault(self._held_with(place), set()).add(place)
        return queue

    def _held_with(self, place: RoomPlace) -> tuple[JID, str]:
        """Whose messages count with those of this one as held for the room: all that are hosted; of others, each account's alone."""
        return place.room, "" if self.is_hosted(place) else str(place.actor)

    def unshown(self, place: RoomPlace) -> OrderedDict[tuple[RoomPlace, str], SpokenMessage]:
        """The messages that no room has shown in time, of all who are hosted, or of all who are not."""
        return self._unshown[self._kind(place)]

    def _kind(self, place: RoomPlace) -> str:
        return HOSTED if self.is_hosted(place) else ELSEWHERE

    def reserve(
        self, place: RoomPlace, messages: Sequence[SpokenMessage], *, is_held: bool
    ) -> tuple[list[SpokenMessage], Exception | None]:
        """As many of these as there is place for, and why not all."""
        account, kind = account_of(str(place.actor)), self._kind(place)
        free = min(self._most - self._open[kind], self._shares[kind] - self._open[account] if account else self._most)
        why: Exception = GatewayError("outbox-full" if self._open[kind] + len(messages) > self._most else "outbox-share")
        if is_held:
            waiting = sum(len(self.queues[each].waiting) for each in self._of_room.get(self._held_with(place), ()))
            if (places := self.settings.held - waiting) < free:
                free, why = places, GatewayError("room-held")
        taken = list(messages[: max(0, free)])
        if kind == ELSEWHERE and (light := self._light_enough(account, taken)) < len(taken):
            taken, why = taken[:light], GatewayError("outbox-share" if self._bytes[kind] < BYTES_ELSEWHERE else "outbox-full")
        self.count(taken, 1)
        return taken, why if len(taken) < len(messages) else None

    def _light_enough(self, account: str, messages: Sequence[SpokenMessage]) -> int:
        """For how many of these of an account elsewhere there is memory."""
        free = min(BYTES_OF_ONE - self._bytes[account], BYTES_ELSEWHERE - self._bytes[ELSEWHERE])
        before = accumulate((len(message.text) for message in messages[:-1]), initial=0)  # each may be as large as it may
        return sum(taken < free for taken in before)

    def count(self, messages: Iterable[SpokenMessage], more: int) -> None:
        """There are so many more of the senders of these, or with -1 fewer, whose end is not known."""
        for message in messages:
            for account in (self._kind(message.place), account_of(str(message.place.actor))):
                self._open[account] += more
                self._bytes[account] += more * len(message.text)
                if not self._open[account]:
                    del self._open[account], self._bytes[account]

    def keep(self, queue: RoomQueue, message: SpokenMessage, number: int) -> None:
        """It is accepted, under this number of the journal."""
        message.keep(number, next(self._next))
        queue.put(message)

    def remember(self, message: SpokenMessage) -> None:
        """The room may still show it."""
        if not self.is_hosted(message.place) and len(message.text) > REMEMBERED_BYTES:
            return
        unshown = self.unshown(message.place)
        for identifier in message.ids:
            unshown[message.place, identifier] = message
        while len(unshown) > REMEMBERED:
            unshown.popitem(last=False)

    # -- without the lock

    def append(self, messages: Sequence[SpokenMessage]) -> Sequence[int]:
        """Keep these of one occupant on disk, but for an account elsewhere, which waits no longer than its session; their numbers there.

        Raises GatewayError, storage-failed.
        """
        return self.kept.append(messages) if self.is_hosted(messages[0].place) else (0,) * len(messages)

    def forget(self, message: SpokenMessage) -> None:
        """Its end is known, which is on disk a moment later."""
        if not self.kept.forget(message):
            return
        with self.lock:
            begins, self._is_settling = not self._is_settling, True
        if begins:
            self._remote.timers.after(SETTLE, lambda: self.later(self._settle))

    def _settle(self) -> None:
        with self.lock:
            self._is_settling = False
        if not self.is_stopping:
            self.kept.settle()

    def forget_if_idle(self, queue: RoomQueue) -> None:
        """Forget a queue in which there is nothing."""
        with self.lock:
            if not queue.is_idle or self.queues.get(queue.place) is not queue:
                return
            del self.queues[queue.place]
            places = self._of_room[self._held_with(queue.place)]
            places.discard(queue.place)
            if not places:
                del self._of_room[self._held_with(queue.place)]
            timers = list(queue.timers.values())
            queue.timers.clear()
        for timer in timers:
            self._remote.timers.cancel(timer)

    def after(self, queue: RoomQueue, name: str, seconds: float, act: Callable[[], None]) -> None:
        """Call once, by a thread that may wait, unless a timer of this name runs for this queue already."""

        def ring() -> None:
            with self.lock:
                queue.timers.pop(name, None)
            self.later(act)

        timer = Timer(ring)
        with self.lock:
            if name in queue.timers:
                return
            queue.timers[name] = timer
        self._remote.timers.set(timer, seconds)

    def later(self, work: Callable[[], None]) -> None:
        """Have this done by a thread that may wait."""

        def guarded() -> None:
            try:
                work()
            except Exception:
                log.exception("what is said in rooms is not looked after")

        self._remote.pool.submit(guarded)


def label_of(message: SpokenMessage) -> Label:
    """Its name in questions about its outcome."""
    return Label(str(message.place.actor), message.id)
