"""Messages on their way to rooms on other servers: kept until the room has shown or refused them, and written in order (rooms-anywhere §3).

A message that was accepted is on disk here, and bound to the stream in the outbox of the link: after a break, or where a room has lost the
occupant, it waits until that is known to be in again. In the leader.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from itertools import count
from xml.etree.ElementTree import Element

from xmpp_rest.config.room_tables import RoomsAnywhereSettings
from xmpp_rest.errors import GatewayError
from xmpp_rest.link.outbox import Label, account_of
from xmpp_rest.link.router import Router
from xmpp_rest.processes.remote import Remote
from xmpp_rest.protocol.conditions import StanzaError, stanza_error
from xmpp_rest.protocol.jid import JID
from xmpp_rest.protocol.stanza import refusal as error_stanza
from xmpp_rest.request_notes import on_behalf_of
from xmpp_rest.service.messages.outcomes import Outcomes, RoomShown
from xmpp_rest.service.rooms.attempt import OnEntered
from xmpp_rest.service.rooms.kept_messages import KeptMessages
from xmpp_rest.service.rooms.memberships import Memberships
from xmpp_rest.service.rooms.refused import RoomRefusal, RoomRefused, message_refused
from xmpp_rest.service.rooms.room_queue import RoomQueue
from xmpp_rest.service.rooms.said import UNSENT, NobodyListens, SpokenResult
from xmpp_rest.service.rooms.spoken_message import SpokenMessage, Stage, ids_of, stanza_id_of
from xmpp_rest.service.rooms.standing import Standing, closed, is_joined_again, why_out
from xmpp_rest.service.rooms.values import RoomPlace, RoomState, RoomView
from xmpp_rest.threads.timers import Timer

log = logging.getLogger("xmpp_rest.rooms")

FOR_NOW = (429, 502, 503, 504)  # statuses of joins that may be tried again for what was accepted
AGAIN = 2.0  # seconds until then
FULL_PAUSE = 1.0  # seconds until a message is written again for which the outbox of the link had no room
REMEMBERED = 1000  # messages that no room has shown in time, which one may still show
NOT_IN = "not-acceptable"
SLOW = ("wait", "resource-constraint")
LOST = ("item-not-found", "gone")
NEVER_JOIN = "Not in the room; PUT /rest/rooms/{room} joins it"
"""With [rooms_anywhere] join = never."""
Ask = Callable[[OnEntered], None]
"""Finds out, or brings about, that an occupant is in."""
LATE = "The room could not be reached in time, and the message was not sent"


class RoomOutbox:
    """Safe to be used by several threads. `open` and `close` are called once each, by the leader."""

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
        remote: Remote,
    ) -> None:
        """`domain`: of those who speak; `most`: messages whose end is not known, `share`: of these of one account."""
        self._router = router
        self._memberships = memberships
        self._outcomes = outcomes
        self._kept = kept
        self._settings = settings
        self._domain = domain
        self._most = most
        self._share = share or most
        self._remote = remote
        self._queues: dict[RoomPlace, RoomQueue] = {}
        self._of_room: dict[JID, set[RoomPlace]] = {}
        self._confirmed: dict[RoomPlace, int] = {}  # who is known to be in, and since when: the number of the stream
        self._unshown: OrderedDict[tuple[RoomPlace, str], SpokenMessage] = OrderedDict()
        self._open: Counter[str] = Counter()  # messages whose end is not known, by account; "": all together
        self._next = count(1)
        self._is_stopping = False
        self._lock = threading.Lock()
        router.on_link(self._link_changed)
        memberships.changed.subscribe(self._membership_changed)

    def configure(self, settings: RoomsAnywhereSettings) -> None:
        """Work by these settings from now on."""
        self._settings = settings

    def open(self) -> None:
        """Know what an earlier process has left. Raises OSError."""
        for left in self._kept.open():
            message = SpokenMessage(left.place, left.stanza, left.wish, NobodyListens(), left.request_id)
            with self._lock:
                queue = self._queue(left.place)
                self._count((message,), 1)
                self._keep(queue, message, left.number)
                message.wait(left.since + self._settings.hold)
            self._outcomes.of_rooms([_label(message)])
            self._set_timers(queue)

    def stop(self) -> None:
        """The occupants are about to leave their rooms, as the gateway stops: what waits is left to the next process."""
        self._is_stopping = True

    def close(self) -> None:
        """Give the journal back. Raises OSError."""
        self._kept.close()

    @property
    def held(self) -> int:
        """How many messages wait for their rooms."""
        with self._lock:
            return sum(len(queue.waiting) for queue in self._queues.values())

    def has(self, place: RoomPlace, identifier: str) -> bool:
        """Whether a message of this id was accepted, and its end is not known."""
        with self._lock:
            queue = self._queues.get(place)
            return queue is not None and queue.found((identifier,)) is not None

    # -- handing in

    def hand_in(self, messages: Sequence[SpokenMessage]) -> None:
        """Take messages of one occupant to one room, in order. May wait for the disk, and never for the room."""
        place = messages[0].place
        standing = self._standing(messages[0])
        if isinstance(standing, SpokenResult):
            _fail(messages, standing)
        elif standing is Standing.TO_ENTER:
            self._enter(place, messages)
        else:
            self._accept(place, messages)

    def _standing(self, message: SpokenMessage) -> Standing | SpokenResult:
        """What is to be done for messages of this occupant, or why nothing is."""
        place = message.place
        state = self._memberships.state(place)
        if state is RoomState.IN:  # the usual case
            return Standing.IN
        view = self._memberships.view(place)
        if not message.comes_back and (said := closed(view)) is not None:
            return said
        is_up = bool(self._stream)
        if state is RoomState.JOINING and view is not None and (is_joined_again(view) or not is_up):
            return Standing.IN
        if not is_up:
            return SpokenResult(UNSENT, why=GatewayError("link-down"))
        if state is not RoomState.JOINING and self._settings.join == "never":
            text = NEVER_JOIN.replace("{room}", str(place.room))
            return SpokenResult(UNSENT, why=message_refused(stanza_error(NOT_IN, text), str(place.room)))
        return Standing.TO_ENTER

    def _enter(self, place: RoomPlace, messages: Sequence[SpokenMessage]) -> None:
        with self._lock:
            queue = self._queue(place)
            is_first = not queue.entering
            queue.entering += messages
        if is_first:

            def entered(refused: RoomRefused | None) -> None:
                self._later(partial(self._entered, queue, refused, self._stream))

            self._memberships.enter(place, messages[0].wish, entered)

    @property
    def _stream(self) -> int:
        return self._router.stream(self._domain)

    def _entered(self, queue: RoomQueue, refused: RoomRefused | None, stream: int) -> None:
        with self._lock:
            messages, queue.entering = queue.entering, []
            if refused is None:
                self._confirmed[queue.place] = stream
        if refused is None:
            self._accept(queue.place, messages)
        else:
            self._forget_if_idle(queue)
            _fail(messages, SpokenResult(UNSENT, why=refused.refusal))

    def _accept(self, place: RoomPlace, messages: Sequence[SpokenMessage]) -> None:
        """Keep them, as many as may be, and write what can be written."""
        is_held = self._is_held(place)
        wanted = [m for m in messages if m.listener.claim()]
        with self._lock:
            live, why = self._reserve(place, wanted, is_held)
        numbers: Sequence[int] = ()
        try:
            numbers = self._kept.append(live) if live else ()
        except GatewayError as e:
            why = e
            with self._lock:
                self._release(live)
            live = []
        self._outcomes.of_rooms([_label(m) for m in live])
        with self._lock:
            queue = self._queue(place)
            for message, number in zip(live, numbers, strict=True):
                self._keep(queue, message, number)
                if is_held:
                    message.wait(time.time() + self._settings.hold)
        nick = self._memberships.own_nick(place)
        for message in live:
            message.listener.accepted(nick, is_held=is_held)
        _fail(wanted[len(live) :], SpokenResult(UNSENT, why=why))
        self._pump(queue)

    def _is_held(self, place: RoomPlace) -> bool:
        """Whether a message cannot be written now."""
        if not self._stream or self._memberships.state(place) is not RoomState.IN:
            return True
        with self._lock:
            queue = self._queues.get(place)
            return queue is not None and (queue.is_paced or queue.is_asking)

    def _reserve(self, place: RoomPlace, messages: Sequence[SpokenMessage], is_held: bool) -> tuple[list[SpokenMessage], Exception | None]:
        """As many of these as there is place for, and why not all."""
        account = account_of(str(place.actor))
        free = min(self._most - self._open[""], self._share - self._open[account] if account else self._most)
        why: Exception = GatewayError("outbox-full" if self._open[""] + len(messages) > self._most else "outbox-share")
        if is_held:
            waiting = sum(len(self._queues[p].waiting) for p in self._of_room.get(place.room, ()))
            if (places := self._settings.held - waiting) < free:
                free, why = places, GatewayError("room-held")
        taken = list(messages[: max(0, free)])
        self._count(taken, 1)
        return taken, why if len(taken) < len(messages) else None

    def _release(self, messages: Iterable[SpokenMessage]) -> None:
        self._count(messages, -1)

    def _count(self, messages: Iterable[SpokenMessage], more: int) -> None:
        for message in messages:
            for account in {"", account_of(str(message.place.actor))}:
                self._open[account] += more
                if not self._open[account]:
                    del self._open[account]

    def _keep(self, queue: RoomQueue, message: SpokenMessage, number: int) -> None:
        message.keep(number, next(self._next))
        queue.put(message)

    def _queue(self, place: RoomPlace) -> RoomQueue:
        if (queue := self._queues.get(place)) is None:
            queue = self._queues[place] = RoomQueue(place)
            self._of_room.setdefault(place.room, set()).add(place)
        return queue

    def _forget_if_idle(self, queue: RoomQueue) -> None:
        with self._lock:
            if queue.is_idle and self._queues.get(queue.place) is queue:
                del self._queues[queue.place]
                places = self._of_room[queue.place.room]
                places.discard(queue.place)
                if not places:
                    del self._of_room[queue.place.room]

    # -- writing

    def _pump(self, queue: RoomQueue | None) -> None:
        """Write what can be written; what stands in the way calls again once it does not any more."""
        if queue is None:
            return
        with self._lock:
            if queue.is_pumping:
                queue.pumps_again = True
                return
            queue.is_pumping = True
        while True:
            try:
                ask = self._write_all(queue)
            except Exception:
                log.exception("messages of %s to %s are not written", *queue.place)
                ask = None
            with self._lock:
                queue.is_pumping, again = queue.pumps_again, queue.pumps_again
                queue.pumps_again = False
                if not again and ask is not None:
                    queue.is_asking = True
            if not again:
                break
        if ask is not None:
            self._ask(queue, ask)
        self._set_timers(queue)
        self._forget_if_idle(queue)

    def _ask(self, queue: RoomQueue, ask: Ask) -> None:
        """Find out, or bring about, that the occupant is in; what is known at once counts at once."""
        known: list[RoomRefused | None] = []
        is_called = True

        def then(refused: RoomRefused | None) -> None:
            with self._lock:
                if is_called:
                    known.append(refused)
                    return
            self._later(partial(self._asked, queue, refused))

        ask(then)
        with self._lock:
            is_called = False
        if known:
            self._asked(queue, known[0])

    def _write_all(self, queue: RoomQueue) -> Ask | None:
        """Write until something stands in the way; what finds out whether the occupant is in, or brings it in, if that is missing."""
        while True:
            state, stream = self._memberships.state(queue.place), self._stream
            with self._lock:
                if self._is_stopping or not queue.waiting or not stream or queue.is_asking or state is RoomState.JOINING:
                    return None
                if state is not RoomState.IN:
                    return partial(self._memberships.enter, queue.place, queue.waiting[0].wish)
                if self._confirmed.get(queue.place) != stream:
                    return partial(self._confirm, queue, stream)
                if queue.is_paused or (queue.is_paced and queue.written):
                    return None
                message = queue.take(stream)
            if not self._is_written(queue, message, stream):
                return None
            self._memberships.touched(queue.place)

    def _confirm(self, queue: RoomQueue, stream: int, then: OnEntered) -> None:
        def confirmed(refused: RoomRefused | None) -> None:
            if refused is None:
                with self._lock:
                    self._confirmed[queue.place] = stream
            then(refused)

        self._memberships.confirmed(queue.place, confirmed)

    def _is_written(self, queue: RoomQueue, message: SpokenMessage, stream: int) -> bool:
        was_held = message.take_told_held()
        try:
            with on_behalf_of(message.request_id):
                self._router.send_bound(message.stanza, message.text, message.request_id, stream)
        except GatewayError as e:
            with self._lock:
                queue.put_back((message,), time.time() + self._settings.hold)
            if e.name != "link-down":  # the outbox is full
                self._timer(queue, "again", FULL_PAUSE, partial(self._pump, queue))
            return False
        if was_held:
            message.listener.accepted(self._memberships.own_nick(queue.place), is_held=False)
        return True

    def _asked(self, queue: RoomQueue, refused: RoomRefused | None) -> None:
        """It is known whether the occupant is in."""
        state = self._memberships.state(queue.place)
        with self._lock:
            queue.is_asking = False
        if self._is_stopping:
            return
        if refused is None or state is RoomState.JOINING:
            self._pump(queue)
        elif state is RoomState.IN or not self._stream or refused.status in FOR_NOW:
            self._timer(queue, "again", AGAIN, partial(self._pump, queue))
            self._set_timers(queue)
        else:
            self._refuse_all(queue, refused.refusal)

    # -- what becomes of them

    def shown(self, place: RoomPlace, stanza: Element) -> None:
        """The room shows a message of this occupant."""
        identifiers = ids_of(stanza)
        nick = self._memberships.own_nick(place)
        if stanza.get("from") != f"{place.room}/{nick}":
            return
        with self._lock:
            queue = self._queues.get(place)
            message = queue.found_shown(stanza) if queue is not None else None
            if queue is not None and message is not None:
                queue.remove(message)
                queue.is_shown()
                self._release((message,))
            else:
                message = next((found for i in identifiers if (found := self._unshown.pop((place, i), None)) is not None), None)
        if message is None:
            return
        self._kept.forget(message)
        shown = RoomShown(str(place.room), nick, stanza_id_of(stanza, place.room))
        self._outcomes.shown(_label(message), shown)
        message.listener.ended(stanza, nick)
        if queue is not None:
            self._pump(queue)

    def refused(self, place: RoomPlace, identifier: str, error: StanzaError, by: str) -> None:
        """The room refuses a message of this occupant."""
        with self._lock:
            queue = self._queues.get(place)
            message = (queue.found((identifier,)) if queue is not None else None) or self._unshown.get((place, identifier))
            if message is None or message.stage not in (Stage.WRITTEN, Stage.UNSHOWN):
                return
            until = time.time() + self._settings.hold
            told = message_refused(error, by)
            is_slow = queue is not None and (error.type, error.condition) == SLOW and message.stage is Stage.WRITTEN
            again = queue is not None and error.condition == NOT_IN and message.stage is Stage.WRITTEN and message.begin_again()
            if queue is not None and (is_slow or again):
                queue.put_back((message,), until, told if is_slow else None)
                pause = queue.slow_down() if is_slow else 0.0
        if queue is not None and is_slow:
            self._hold_back(queue, message)
            self._timer(queue, "pace", pause, partial(self._go_on, queue))
        elif queue is not None and again:
            self._hold_back(queue, message)
            self._come_again(queue, message, error)
        else:
            if error.condition in (NOT_IN, *LOST):
                self._memberships.refused(place, error)
            self._refuse(queue, message, told)

    def _hold_back(self, queue: RoomQueue, message: SpokenMessage) -> None:
        message.tell_held()
        self._outcomes.held([_label(message)])
        self._set_timers(queue)

    def _come_again(self, queue: RoomQueue, message: SpokenMessage, error: StanzaError) -> None:
        """The room has lost the occupant, unless it has put it out for good."""
        with self._lock:
            self._confirmed.pop(queue.place, None)
        self._memberships.refused(queue.place, error)
        said = None if message.comes_back else closed(self._memberships.view(queue.place))
        if said is not None and isinstance(said.why, RoomRefusal):
            self._refuse_all(queue, said.why)
        else:
            self._pump(queue)

    def _go_on(self, queue: RoomQueue) -> None:
        """The pause that the room has asked for is over."""
        with self._lock:
            queue.is_paused = False
        self._pump(queue)

    def _refuse(self, queue: RoomQueue | None, message: SpokenMessage, told: RoomRefusal) -> None:
        with self._lock:
            if message.stage is Stage.ENDED:
                return
            if queue is not None and message.stage is not Stage.UNSHOWN:
                queue.remove(message)
                self._release((message,))
            message.end()
            for identifier in message.ids:
                self._unshown.pop((message.place, identifier), None)
        self._kept.forget(message)
        answer = error_stanza(message.stanza, told.error._replace(by=""))
        answer.set("from", told.by)
        self._outcomes.bounced(_label(message), answer)
        message.listener.ended(told, self._memberships.own_nick(message.place))
        if queue is not None:
            self._pump(queue)

    def _refuse_all(self, queue: RoomQueue, told: RoomRefusal) -> None:
        with self._lock:
            waiting = list(queue.waiting)
        for message in waiting:
            self._refuse(queue, message, told)

    # -- what happens to links, memberships, and with time

    def _link_changed(self, domain: str, online: bool) -> None:
        if domain != self._domain:
            return
        back: list[SpokenMessage] = []
        until = time.time() + self._settings.hold
        with self._lock:
            self._confirmed.clear()
            for queue in self._queues.values():
                written = list(queue.written.values())
                queue.put_back(written, until)
                back += written
            queues = list(self._queues.values())
        self._outcomes.held([_label(m) for m in back])
        for queue in queues:
            self._later(partial(self._pump, queue))

    def _membership_changed(self, view: RoomView) -> None:
        place = view.place
        if self._is_stopping:
            return
        with self._lock:
            queue = self._queues.get(place)
            if view.state == RoomState.IN.value:
                self._confirmed[place] = self._stream
            else:
                self._confirmed.pop(place, None)
            back = [] if queue is None else self._written_before(queue, view)
        self._outcomes.held([_label(m) for m in back])
        if queue is not None:
            self._later(partial(self._look_again, queue, view))

    def _written_before(self, queue: RoomQueue, view: RoomView) -> list[SpokenMessage]:
        """What the room has not shown before it lost the occupant is written again, if only once."""
        if view.state != RoomState.JOINING.value:
            return []
        back = [m for m in queue.written.values() if m.written_at <= view.since and m.begin_again()]
        queue.put_back(back, time.time() + self._settings.hold)
        return back

    def _look_again(self, queue: RoomQueue, view: RoomView) -> None:
        reason = view.reason
        with self._lock:
            comes_back = bool(queue.waiting) and queue.waiting[0].comes_back
            is_out = view.state == RoomState.OUT.value and not (reason is not None and reason.rejoin)
            is_over = is_out and not queue.is_asking and not comes_back
        if is_over:
            self._refuse_all(queue, why_out(view))
        self._pump(queue)

    def _set_timers(self, queue: RoomQueue) -> None:
        """Have somebody look when the next message has waited for long enough."""
        with self._lock:
            until = min((m.held_until for m in queue.waiting if m.held_until), default=0.0)
            written = next(iter(queue.written.values()), None)
            looks = written is not None and not queue.is_checking
            due = written.written_at + self._settings.reflection_timeout if written is not None and looks else 0.0
        if until:
            self._timer(queue, "held", max(0.0, until - time.time()), partial(self._end_holding, queue))
        if due:
            self._timer(queue, "shown", max(0.0, due - time.time()), partial(self._look_after, queue))

    def _timer(self, queue: RoomQueue, name: str, seconds: float, act: Callable[[], None]) -> None:
        """Call once, unless a timer of this name runs already."""

        def ring() -> None:
            with self._lock:
                queue.timers.pop(name, None)
            self._later(act)

        timer = Timer(ring)
        with self._lock:
            if name in queue.timers:
                return
            queue.timers[name] = timer
        self._remote.timers.set(timer, seconds)

    def _end_holding(self, queue: RoomQueue) -> None:
        now = time.time()
        with self._lock:
            late = [m for m in queue.waiting if m.held_until and m.held_until <= now]
        for message in late:
            told = message.error or message_refused(stanza_error("remote-server-timeout", LATE), str(queue.place.room))
            self._refuse(queue, message, told)
        self._set_timers(queue)

    def _look_after(self, queue: RoomQueue) -> None:
        """Find out whether an occupant is in whose messages the room does not show (§10)."""
        before = time.time() - self._settings.reflection_timeout
        with self._lock:
            late = [m for m in queue.written.values() if m.written_at <= before]
            asks = bool(late) and not queue.is_checking
            queue.is_checking = queue.is_checking or asks
        if asks:
            self._memberships.check(queue.place, lambda refused: self._later(partial(self._looked, queue, late, refused)))
        self._set_timers(queue)

    def _looked(self, queue: RoomQueue, late: Sequence[SpokenMessage], refused: RoomRefused | None) -> None:
        is_in = refused is None and self._memberships.state(queue.place) is RoomState.IN
        until = time.time() + self._settings.hold
        with self._lock:
            queue.is_checking = False
            open_ = [m for m in late if m.stage is Stage.WRITTEN]
            again = [] if is_in else [m for m in open_ if m.begin_again()]
            queue.put_back(again, until)
            unshown = open_ if is_in else []
            for message in unshown:
                queue.remove(message, Stage.UNSHOWN)
                self._release((message,))
                self._remember(message)
        for message in unshown:
            self._kept.forget(message)
            message.listener.ended(None, self._memberships.own_nick(message.place))
        self._outcomes.held([_label(m) for m in again])
        for message in open_:
            if message.stage is Stage.WRITTEN:  # it was written once more already
                self._refuse(queue, message, message_refused(stanza_error(NOT_IN), str(queue.place.room)))
        self._pump(queue)

    def _remember(self, message: SpokenMessage) -> None:
        for identifier in message.ids:
            self._unshown[message.place, identifier] = message
        while len(self._unshown) > REMEMBERED:
            self._unshown.popitem(last=False)

    def _later(self, work: Callable[[], None]) -> None:
        def guarded() -> None:
            try:
                work()
            except Exception:
                log.exception("what is said in rooms is not looked after")

        self._remote.pool.submit(guarded)


def _label(message: SpokenMessage) -> Label:
    return Label(str(message.place.actor), message.id)


def _fail(messages: Iterable[SpokenMessage], said: SpokenResult) -> None:
    for message in messages:
        message.listener.failed(said)
