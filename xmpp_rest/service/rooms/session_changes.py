"""What becomes of the rooms of an account elsewhere when its session has another stream, or ends (accounts-anywhere §5.6, §5.7)."""

from __future__ import annotations

from collections.abc import Callable

from xmpp_rest.protocol.jid import JID
from xmpp_rest.service.rooms.core import RoomCore
from xmpp_rest.service.rooms.joining import Joining, session_broke
from xmpp_rest.service.rooms.losses import reason_of_error
from xmpp_rest.service.rooms.membership import RoomMembership
from xmpp_rest.service.rooms.refused import RoomRefusal
from xmpp_rest.service.rooms.values import RoomPlace, RoomState
from xmpp_rest.service.rooms.watching import Watching, called_off

OnMoved = Callable[[RoomMembership, RoomPlace], object]
"""Gets a membership that has gone, and where its occupant is to come in instead. With the lock held."""


class SessionChanges:
    """Rooms are left with the session, by its server: nothing is sent, and nothing is kept."""

    def __init__(self, core: RoomCore, joining: Joining, watching: Watching, moved: OnMoved) -> None:
        self._core = core
        self._joining = joining
        self._watching = watching
        self._moved = moved

    def changed(self, session: JID, stream: int) -> None:
        """The session of this full address has another stream; 0: it has ended. On the sessions' thread."""
        with self._core.lock:
            for membership in self._core.of_actor(session.bare):
                if not stream:
                    self._end(membership, session_broke(membership.place))
                elif membership.place.occupant == session:
                    self._look(membership)
                else:  # its server has given it another resource
                    comes_along = membership.is_established and membership.state is not RoomState.OUT
                    self._end(membership, session_broke(membership.place))
                    if comes_along:
                        self._moved(membership, RoomPlace(session, membership.place.room))

    def has_rooms(self, account: JID) -> bool:
        """Whether the account is in a room, or comes into one."""
        with self._core.lock:
            return bool(self._core.of_actor(account))

    def left(self, session: JID, room: JID) -> None:
        """The account has left a room by a presence of its own: it is not brought back."""
        with self._core.lock:
            if (membership := self._core.table.get(RoomPlace(session, room))) is not None:
                self._end(membership, called_off(str(room)))

    def _end(self, membership: RoomMembership, refusal: RoomRefusal) -> None:
        core = self._core
        if (attempt := membership.attempt) is not None:
            self._joining.call_off(membership, attempt, refusal)
        else:
            core.answer([*membership.settle(), *membership.checked()], refusal)
        if membership.state is not RoomState.OUT:
            core.take(membership, RoomState.OUT, reason_of_error(refusal.error, rejoin=False))
        core.drop(membership)

    def _look(self, membership: RoomMembership) -> None:
        """Its server has taken the occupant out with the stream before; the room is asked."""
        membership.is_checked = False
        if (attempt := membership.attempt) is not None:
            self._joining.failed(membership, attempt, session_broke(membership.place))
        elif membership.state is RoomState.IN:
            self._watching.ping(membership)
        else:
            self._joining.again_now(membership)
