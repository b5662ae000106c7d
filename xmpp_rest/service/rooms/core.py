"""What the parts of the memberships share: the lock, the work to be done, and the way to tell others of a change."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Sequence
from functools import partial

from xmpp_rest.config.room_tables import RoomsAnywhereSettings
from xmpp_rest.errors import RETRY_AFTER
from xmpp_rest.gateway.events import Signal
from xmpp_rest.incidents import Incidents
from xmpp_rest.link.router import Router
from xmpp_rest.processes.remote import Remote
from xmpp_rest.protocol.conditions import StanzaError
from xmpp_rest.protocol.jid import JID
from xmpp_rest.service.rooms.attempt import OnEntered
from xmpp_rest.service.rooms.discovery import Discovery
from xmpp_rest.service.rooms.membership import RoomMembership
from xmpp_rest.service.rooms.occupant_addresses import OccupantAddresses
from xmpp_rest.service.rooms.occupant_list import OccupantBudget
from xmpp_rest.service.rooms.refused import RoomRefusal, join_refused
from xmpp_rest.service.rooms.store import RoomStore
from xmpp_rest.service.rooms.values import Reason, RoomPlace, RoomState, RoomView
from xmpp_rest.service.rooms.work import RoomWork
from xmpp_rest.threads.future import OneShot
from xmpp_rest.threads.timers import Timer

MOST_OCCUPANTS_ELSEWHERE = 1 << 20  # characters of all occupants of one account's rooms
MOST_OCCUPANTS_OF_ALL = 128 << 20  # likewise, of all accounts elsewhere
PATIENCE = 10.0  # seconds for the storage
log = logging.getLogger("xmpp_rest.rooms")


class RoomCore:
    """In the leader. What needs the lock says so; nothing that waits is done with it held."""

    def __init__(
        self,
        settings: RoomsAnywhereSettings,
        router: Router,
        addresses: OccupantAddresses,
        discovery: Discovery,
        store: RoomStore,
        remote: Remote,
        incidents: Incidents,
    ) -> None:
        self.lock = threading.RLock()
        self.table: dict[RoomPlace, RoomMembership] = {}
        self._of_actor: dict[JID, dict[RoomPlace, RoomMembership]] = {}
        self._budgets: dict[JID, OccupantBudget] = {}
        self._budget_elsewhere = OccupantBudget(MOST_OCCUPANTS_OF_ALL)  # what is within those
        self.elsewhere = 0
        """How many are of accounts of other servers."""
        self.settings = settings
        self.router = router
        self.addresses = addresses
        self.discovery = discovery
        self.store = store
        self.timers = remote.timers
        self.work = RoomWork(router, incidents)
        self.incidents = incidents
        self.changed: Signal[RoomView] = Signal("room-changed", incidents)
        """A membership has another state, or wish. Told in order, by the thread of the work."""
        self._pool = remote.pool
        self._on_taken: list[Callable[[RoomMembership], object]] = []

    def when_taken(self, act: Callable[[RoomMembership], object]) -> None:
        """Call this, with the lock held, for each membership that has another state. Called while building."""
        self._on_taken.append(act)

    def configure(self, settings: RoomsAnywhereSettings) -> None:
        """Work by these settings from now on. Needs the lock."""
        self.settings = settings

    def is_current(self, membership: RoomMembership) -> bool:
        """Whether it is still one. Needs the lock."""
        return self.table.get(membership.place) is membership

    def can_reach(self, place: RoomPlace) -> bool:
        """Whether what is sent to the room now goes out at once."""
        if not self.addresses.is_hosted(place.occupant):
            return self.router.accounts.stream(place.occupant) != 0
        return place.room.domain in self.router.domains or not self.router.has_link or self.router.stream(place.occupant.domain) != 0

    def add(self, membership: RoomMembership) -> None:
        """There is another one. Needs the lock."""
        self.table[membership.place] = membership
        self._of_actor.setdefault(membership.place.actor, {})[membership.place] = membership
        self.elsewhere += not self.addresses.is_hosted(membership.place.occupant)

    def occupant_budget(self, place: RoomPlace) -> OccupantBudget:
        """What the lists of occupants may take, of all rooms of an account elsewhere: its server may say anything. Needs the lock."""
        if self.addresses.is_hosted(place.occupant):
            return OccupantBudget()
        return self._budgets.setdefault(place.actor, OccupantBudget(MOST_OCCUPANTS_ELSEWHERE, self._budget_elsewhere))

    def of_actor(self, actor: JID) -> list[RoomMembership]:
        """All of this bare address, those of its hooks included. Needs the lock."""
        return list(self._of_actor.get(actor, {}).values())

    def take(self, membership: RoomMembership, state: RoomState, reason: Reason | None = None, *, is_told: bool = False) -> None:
        """It has this state now, which others are told. Needs the lock. `is_told`: whether the log has it."""
        before = membership.state, _said(membership.reason)
        membership.take(state, reason)
        if before != (state, _said(reason)):
            if not is_told:
                log_state(membership)
                if state is RoomState.OUT and membership.is_established:  # so that the next leader leaves it at that
                    self.keep(membership)
            self.tell(membership)
            for act in self._on_taken:
                act(membership)

    def tell(self, membership: RoomMembership) -> None:
        """Tell others how it is. Needs the lock."""
        self.work.call(partial(self.changed.emit, membership.summary()))

    def keep(self, membership: RoomMembership) -> None:
        """Have the storage know what is wanted. Needs the lock."""
        out = membership.reason if membership.state is RoomState.OUT else None
        row = self.store.row_of(membership.place, membership.wish, membership.nick, membership.own_nick, membership.since, out)
        self.work.call(partial(self.store.put, membership.place, row))

    def drop(self, membership: RoomMembership) -> None:
        """Forget it. Needs the lock."""
        self.cancel(membership.retry, membership.watch, membership.next_ping)
        if self.is_current(membership):
            del self.table[membership.place]
            membership.occupants.clear()  # others may have what they have taken
            self.elsewhere -= not self.addresses.is_hosted(membership.place.occupant)
            own = self._of_actor[membership.place.actor]
            del own[membership.place]
            if not own:
                del self._of_actor[membership.place.actor]
                self._budgets.pop(membership.place.actor, None)
            self.router.occupancy.unmanage(*membership.place)
            self.work.call(partial(self.store.remove, membership.place))

    def cancel(self, *timers: Timer | None) -> None:
        """Call these timers off."""
        for timer in timers:
            if timer is not None:
                self.timers.cancel(timer)

    def answer(self, waiting: Iterable[OnEntered], refusal: RoomRefusal | None) -> None:
        """Tell those who wait, each by a thread that may wait."""
        for then in waiting:
            self._pool.submit(partial(self._tell_one, then, refusal))

    def answer_once_kept(self, waiting: Sequence[OnEntered], membership: RoomMembership) -> None:
        """Tell those who wait that it is in, once the storage has what was to be kept before. Needs the lock."""
        if waiting:
            self.work.call(partial(self._answer_kept, waiting, membership))

    def _answer_kept(self, waiting: Sequence[OnEntered], membership: RoomMembership) -> None:
        with self.lock:
            is_promised = membership.wish.stay and membership.wish.by == "request" and self.is_current(membership)
            if not is_promised or membership.place not in self.store.unkept:
                self.answer(waiting, None)
                return
            membership.wish = membership.wish._replace(stay=False)
            self.tell(membership)
        self.answer(waiting, unkept(membership.place))

    def is_kept(self, place: RoomPlace) -> bool:
        """Whether the storage has all that was wanted of this membership so far; waits for that (bounded), without the lock."""
        done: OneShot[bool] = OneShot()

        def look() -> None:
            done.give(place not in self.store.unkept)

        self.work.call(look)
        return bool(done.wait(PATIENCE))

    def _tell_one(self, then: OnEntered, refusal: RoomRefusal | None) -> None:
        try:
            then(None if refusal is None else refusal.raised)
        except Exception as e:
            self.incidents.report(log, "room-entered", "what waits for a room failed: %r", e, level=logging.ERROR, trace=True)


def unkept(place: RoomPlace) -> RoomRefusal:
    """What who is to stay gets where the storage has failed: it is in, and nothing more."""
    error = StanzaError("wait", "internal-server-error", "The storage failed: it is not kept that the account stays; try again later")
    return join_refused(error, str(place.room), code=503, retry_after=RETRY_AFTER)


def _said(reason: Reason | None) -> Reason | None:
    """What is news of a reason: not when the next attempt is."""
    return None if reason is None else reason._replace(next=None)


def log_state(membership: RoomMembership) -> None:
    """Log a join, a loss, or that it is tried again."""
    occupant, room, reason = membership.place.occupant, membership.place.room, membership.reason
    if membership.state is RoomState.IN:
        log.info("%s is in %s as %r", occupant, room, membership.own_nick)
    elif reason is not None:
        status = f" {','.join(map(str, reason.status))}" if reason.status else ""
        by = f" by {reason.actor!r}" if reason.actor else ""
        then = "; it comes in again" if reason.rejoin else ""
        log.info("%s is not in %s: %s%s%s %r%s", occupant, room, reason.condition, status, by, reason.text, then)
