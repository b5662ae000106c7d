"""The memberships from the start of the leader to its end (rooms-anywhere §7.1)."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping

from xmpp_rest.config.room_readers import CallbackRoom
from xmpp_rest.config.table import CallbackSettings
from xmpp_rest.processes.on_leader import on_leader
from xmpp_rest.processes.remote import Remote
from xmpp_rest.protocol.jid import JID
from xmpp_rest.service.rooms.attempt import CALLBACK, HOOK, default_nick
from xmpp_rest.service.rooms.core import RoomCore
from xmpp_rest.service.rooms.memberships import Memberships
from xmpp_rest.service.rooms.presences import leaving
from xmpp_rest.service.rooms.store import KeptMembership
from xmpp_rest.service.rooms.values import Reason, RoomPlace, RoomState, Wish

log = logging.getLogger("xmpp_rest.rooms")

PATIENCE = 1.5  # seconds for other processes to say that they stop too
LOOK = 0.02  # seconds between two looks


class RoomsLifecycle:
    """Owned by the Leader, which calls `begin`, or `give_up`, and `end`, once each."""

    def __init__(self, core: RoomCore, memberships: Memberships, callbacks: Mapping[str, CallbackSettings], remote: Remote) -> None:
        self._core = core
        self._memberships = memberships
        self._configured = {
            memberships.place(callback.address[0], entry.room): (f"{CALLBACK}{name}", entry)
            for name, callback in callbacks.items()
            for entry in callback.rooms
        }
        self._stopping: set[str] = set()  # ids of other processes
        self._has_ended = self._has_waited = False
        self._remote = remote
        remote.offer(self)

    def begin(self, *, takes_over: bool) -> None:
        """Come into all rooms that are wanted, as the link comes up. Raises StorageError.

        `takes_over`: whether this process was there with the leader before: then all is as it was. Otherwise memberships on demand are
        forgotten, and who was put out for good tries once more.
        """
        for kept in list(self._core.store.all()):
            if self._is_over(kept):
                self._leave_silently(kept)
            elif takes_over or kept.is_ours:
                self._restore(kept, kept.out)
            elif kept.wish.stay:
                self._restore(kept)
            else:
                self._core.store.remove(kept.place)
        for place, (by, entry) in self._configured.items():
            if self._memberships.state(place) is not RoomState.OUT:
                self._memberships.want(place, self._wish(by, place.actor, entry))

    def give_up(self) -> None:
        """Leave what an earlier process has left on demand, as this one is about to stop too. Raises StorageError."""
        for kept in [kept for kept in self._core.store.all() if not kept.wish.stay]:
            if kept.own_nick:
                self._core.work.send(leaving(kept.place, kept.own_nick))
            self._core.store.remove(kept.place)

    def _wish(self, by: str, actor: JID, entry: CallbackRoom) -> Wish:
        nick = entry.nick or default_nick(actor, self._core.settings.nick)
        return Wish(nick, is_named=bool(entry.nick), password=entry.password, stay=True, by=by)

    def _is_over(self, kept: KeptMembership) -> bool:
        """Whether the configuration does not want it any more."""
        if kept.wish.by.startswith(HOOK):
            return False
        has_other_resource = kept.place != self._memberships.place(kept.place.actor, kept.place.room)
        return has_other_resource or (kept.wish.by.startswith(CALLBACK) and kept.place not in self._configured)

    def _leave_silently(self, kept: KeptMembership) -> None:
        """Leave what an earlier process has let in, and come in by the present resource where it is still wanted."""
        self._core.work.send(leaving(kept.place, kept.own_nick))
        self._core.store.remove(kept.place)
        place = self._memberships.place(kept.place.actor, kept.place.room)
        if kept.wish.stay and place != kept.place and not kept.wish.by.startswith(CALLBACK):
            self._restore(kept._replace(place=place))

    def _restore(self, kept: KeptMembership, out: Reason | None = None) -> None:
        self._memberships.want(kept.place, kept.wish, since=kept.since, own_nick=kept.own_nick, out=out)

    # -- the end

    @on_leader
    def stops(self, process: str) -> None:
        """Another process has begun to stop."""
        self._stopping.add(process)

    def wait_for_others(self) -> None:
        """Wait for the other processes to say that they stop too (bounded), if it matters; while they still call. May be called again."""
        waited, self._has_waited = self._has_waited, True
        until = time.monotonic() + PATIENCE
        while not waited and self._is_followed() and self._has_passing() and time.monotonic() < until:
            time.sleep(LOOK)

    def end(self) -> None:
        """Leave rooms that nobody has asked to stay in, if no other process follows; before the link ends. May be called again."""
        ended, self._has_ended = self._has_ended, True
        if not ended and self._has_passing() and not self._is_followed():
            self._memberships.leave_all(self._is_passing, "The gateway shuts down")
        self.stop()

    def stop(self) -> None:
        """Do what is left. May be called again."""
        self._core.work.stop()

    def _is_followed(self) -> bool:
        """Whether there is a process of this node that has not said that it stops."""
        return bool(set(self._remote.group.node_followers) - self._stopping)

    def _has_passing(self) -> bool:
        """Whether an occupant is in a room in which nobody has asked it to stay."""
        with self._core.lock:
            return any(self._is_passing(membership.place, membership.wish) for membership in self._core.table.values())

    def _is_passing(self, place: RoomPlace, wish: Wish) -> bool:
        """Accounts elsewhere leave with their sessions."""
        return not wish.stay and self._core.addresses.is_hosted(place.occupant)
