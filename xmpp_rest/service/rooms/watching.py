"""Asks whether occupants are still in, after silence and after each reconnect (XEP-0410), and leaves what is idle (rooms-anywhere §7)."""

from __future__ import annotations

import logging
import time
from collections import deque
from functools import partial
from typing import Any

from xmpp_rest.errors import GatewayError
from xmpp_rest.protocol.conditions import stanza_error
from xmpp_rest.protocol.stanza import condition_of
from xmpp_rest.service.rooms.attempt import OnEntered
from xmpp_rest.service.rooms.core import RoomCore
from xmpp_rest.service.rooms.joining import Joining, link_down
from xmpp_rest.service.rooms.losses import reason_of_error
from xmpp_rest.service.rooms.membership import RoomMembership
from xmpp_rest.service.rooms.presences import leaving, self_ping
from xmpp_rest.service.rooms.refused import RoomRefusal, join_refused
from xmpp_rest.service.rooms.values import Reason, RoomState
from xmpp_rest.threads.waits import Wait

log = logging.getLogger("xmpp_rest.rooms")

PATIENCE = 30.0  # seconds for the answer to a self-ping
AT_ONCE = 200  # self-pings under way
SOON = 10.0  # seconds after coming in
SOONEST = 0.05  # seconds between two looks
STILL_IN = frozenset(("service-unavailable", "feature-not-implemented"))
UNKNOWN = frozenset(("remote-server-not-found", "remote-server-timeout"))
"""Conditions of answers to self-pings, by what they tell; after any other one the occupant is out (XEP-0410 §3)."""


class Watching:
    """The timers of memberships, and their self-pings. What is called with the lock held says so."""

    def __init__(self, core: RoomCore, joining: Joining) -> None:
        self._core = core
        self._joining = joining
        self._pinging = 0
        self._to_ping: deque[RoomMembership] = deque()
        core.when_taken(self.arm)

    def arm(self, membership: RoomMembership) -> None:
        """Look again when there may be something to do. Needs the lock."""
        core, settings, now = self._core, self._core.settings, time.monotonic()
        core.cancel(membership.watch)
        times = []
        if membership.state is RoomState.IN:
            times.append(membership.heard + settings.self_ping)
        if membership.is_on_demand and settings.idle:
            times.append(membership.spoken + settings.idle)
        membership.watch = None
        if times:
            membership.watch = core.timers.after(max(SOONEST, min(times) - now), partial(self._look, membership))

    def _look(self, membership: RoomMembership) -> None:
        core, settings, now = self._core, self._core.settings, time.monotonic()
        with core.lock:
            membership.watch = None
            if not core.is_current(membership):
                return
            if membership.is_on_demand and settings.idle and now - membership.spoken >= settings.idle and not membership.waiting:
                self.leave(membership, "Nothing was said for long")
                return
            if membership.state is RoomState.IN and now - membership.heard >= settings.self_ping:
                membership.heard = now  # so that the next look is after another silence
                self.ping(membership)
            self.arm(membership)

    def leave(self, membership: RoomMembership, reason: str, *, forget: bool = True) -> None:
        """Leave, and forget it if that is said. Needs the lock."""
        nick = membership.own_nick
        if (attempt := membership.attempt) is not None:
            nick = membership.own_nick if attempt.has_self else attempt.nick
            by = str(membership.place.room)
            self._joining.call_off(membership, attempt, called_off(by))
        if membership.state is not RoomState.OUT:
            self._core.work.send(leaving(membership.place, nick, reason))
        self._core.answer(membership.checked(), called_off(str(membership.place.room)))
        log.info("%s has left %s%s", *membership.place, f": {reason}" if reason else "")
        self._core.take(membership, RoomState.OUT, Reason("recipient-unavailable", reason or "Left"), is_told=True)
        if forget:
            self._core.drop(membership)

    # -- self-pings

    def ping(self, membership: RoomMembership) -> None:
        """Ask whether it is in, unless that is being asked. Needs the lock."""
        if membership.is_pinging or membership.state is not RoomState.IN:
            return
        membership.is_pinging = True
        if not self._core.addresses.is_hosted(membership.place.occupant):  # a silent server of another account holds up nobody
            self._core.work.call(partial(self._ask, membership, is_counted=False))
        elif self._pinging >= AT_ONCE:
            self._to_ping.append(membership)
        else:
            self._pinging += 1
            self._core.work.call(partial(self._ask, membership, is_counted=True))

    def _ask(self, membership: RoomMembership, *, is_counted: bool) -> None:
        reply = partial(self._answered, membership, is_counted)
        try:
            self._core.router.begin_ask(reply, self_ping(membership.place, membership.own_nick), Wait(PATIENCE))
        except Exception as e:
            reply(e)

    def _answered(self, membership: RoomMembership, is_counted: bool, answer: Any) -> None:
        """`answer`: what `Router.ask` returns, or its exception."""
        with self._core.lock:
            self._pinging -= is_counted
            membership.is_pinging = False
            if is_counted and self._to_ping:
                following = self._to_ping.popleft()
                following.is_pinging = False
                self.ping(following)
            if self._core.is_current(membership) and membership.state is RoomState.IN:
                self._judge(membership, answer)

    def _judge(self, membership: RoomMembership, answer: Any) -> None:
        core = self._core
        error = stanza_error("remote-server-timeout") if isinstance(answer, Exception) else None
        if not isinstance(answer, Exception) and answer[0].get("type") == "error":
            error = condition_of(answer[0])
        if error is None or error.condition in STILL_IN:
            membership.silences.reset()
            membership.heard = time.monotonic()
            core.answer(membership.checked(), None)
        elif error.condition in UNKNOWN:
            if isinstance(answer, GatewayError) and not core.can_reach(membership.place):
                return  # the link has gone: it is asked again once that is up
            delay = membership.silences.next(1.0, core.settings.retry_max)
            core.cancel(membership.next_ping)  # another one may have been asked for meanwhile: the pauses would not grow
            membership.next_ping = core.timers.after(delay, partial(self._ping_again, membership))
        else:
            self.lost(membership, reason_of_error(error, rejoin=True))

    def _ping_again(self, membership: RoomMembership) -> None:
        with self._core.lock:
            membership.next_ping = None
            if self._core.is_current(membership):
                self.ping(membership)

    def lost(self, membership: RoomMembership, reason: Reason) -> None:
        """It is not in any more, and comes in again. Needs the lock."""
        self._core.discovery.forget(membership.place.room, membership.place.occupant)  # perhaps the room itself is no longer there
        is_soon = time.monotonic() - membership.changed_at < SOON
        membership.losses = membership.losses + 1 if is_soon else 0
        waiting = membership.checked()
        self._joining.later(membership, reason)
        if waiting:
            membership.waiting += waiting
            self._joining.again_now(membership)

    def confirmed(self, membership: RoomMembership, then: OnEntered) -> bool:
        """Whether it is known to be in since the link is up; else `then` is told. It is IN. Needs the lock."""
        if membership.is_checked and self._core.can_reach(membership.place):
            return True
        membership.for_check.append(then)
        if self._core.can_reach(membership.place):
            self.ping(membership)
        return False

    # -- the link

    def link_changed(self, domain: str, online: bool) -> None:
        """The stream of this hosted domain is up, or down."""
        with self._core.lock:
            concerned = [m for m in self._core.table.values() if m.place.occupant.domain == domain and not self._is_hosted(m)]
            for membership in concerned:
                if not online:
                    self._link_lost(membership)
                elif membership.state is RoomState.IN:
                    self.ping(membership)
                else:
                    self._joining.again_now(membership)

    def owner_changed(self, domain: str) -> None:
        """The rooms at this domain, which is hosted, have another owner."""
        with self._core.lock:
            for membership in [m for m in self._core.table.values() if m.place.room.domain == domain]:
                if membership.state is RoomState.IN:
                    self.ping(membership)
                else:
                    self._joining.again_now(membership)

    def _is_hosted(self, membership: RoomMembership) -> bool:
        return membership.place.room.domain in self._core.router.domains

    def _link_lost(self, membership: RoomMembership) -> None:
        membership.is_checked = False
        if (attempt := membership.attempt) is not None:
            self._joining.failed(membership, attempt, link_down(str(membership.place.room)))


def called_off(by: str) -> RoomRefusal:
    """The refusal for who waits for a room that was left meanwhile."""
    return join_refused(stanza_error("recipient-unavailable", "The room was left meanwhile"), by, code=409)
