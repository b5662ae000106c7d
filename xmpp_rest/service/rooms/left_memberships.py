"""The rooms of an account elsewhere as values, from one process that has its session to the next (many-machines §11)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from xmpp_rest.protocol.jid import JID, parse_jid
from xmpp_rest.service.rooms.core import RoomCore
from xmpp_rest.service.rooms.joining import Joining
from xmpp_rest.service.rooms.membership import RoomMembership
from xmpp_rest.service.rooms.values import Reason, RoomPlace, RoomState, Wish

Row = dict[str, Any]


class LeftMemberships:
    """In the leader, as it ends, or begins."""

    def __init__(self, core: RoomCore, joining: Joining, new: Callable[[RoomPlace, Wish], RoomMembership]) -> None:
        """`new`: makes a membership; with the lock held."""
        self._core = core
        self._joining = joining
        self._new = new

    def rows(self, account: JID) -> list[Row]:
        """All of this bare address that are more than an attempt."""
        with self._core.lock:
            return [_row(membership) for membership in self._core.of_actor(account) if membership.is_established]

    def restore(self, session: JID, row: Row) -> None:
        """The account is in this room, by this session, or was put out. Nothing is sent before `go_on`.

        Raises whatever a row that is none makes it raise.
        """
        place, wish, reason = RoomPlace(session, parse_jid(row["room"])), Wish(*row["wish"]), row["out"]
        with self._core.lock:
            if place in self._core.table:
                return
            membership = self._new(place, wish)
            membership.nick, membership.own_nick, membership.since = row["nick"], row["own_nick"], row["since"]
            membership.is_established = True
            self._core.router.occupancy.manage(*place)
            if reason is None:
                self._core.tell(membership)
            else:
                self._core.take(membership, RoomState.OUT, Reason(*reason)._replace(status=tuple(reason[2])))

    def go_on(self, account: JID) -> None:
        """Have the rooms say who is in: all that came while nobody had the session is handled."""
        with self._core.lock:
            for membership in self._core.of_actor(account):
                self._joining.again_now(membership)


def _row(membership: RoomMembership) -> Row:
    out = list(membership.reason) if membership.state is RoomState.OUT and membership.reason is not None else None
    return {
        "room": str(membership.place.room),
        "wish": list(membership.wish),
        "nick": membership.nick,
        "own_nick": membership.own_nick,
        "since": membership.since,
        "out": out,
    }
