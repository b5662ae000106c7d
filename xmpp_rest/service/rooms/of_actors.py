"""The rooms of an actor, as any process asks for them (rooms-anywhere §6)."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from xmpp_rest.protocol.jid import JID
from xmpp_rest.service.rooms.refused import RoomRefusal
from xmpp_rest.service.rooms.values import RoomView, Wish
from xmpp_rest.threads.waits import Wait


class Joined(NamedTuple):
    """What came of a join: the membership as it is then, or why there is none. One of the two is there."""

    view: RoomView | None = None
    refusal: RoomRefusal | None = None


class RoomsOfActors(Protocol):
    """What /rest/rooms uses. All of it runs in the leader. Raises GatewayError: link-down, where there is no leader to ask."""

    def of(self, actor: JID) -> list[RoomView]:
        """All memberships of the managed occupant of an actor."""

    def get(self, actor: JID, room: JID) -> RoomView | None:
        """The membership; None without one."""

    def join(self, actor: JID, room: JID, wish: Wish, wait: Wait) -> Joined:
        """Join, or take the new wish of who is in (another nick, `stay`, a password), and wait for it. Of what is refused nothing is kept.

        What the link being down makes impossible is refused with 503.
        """

    def join_later(self, actor: JID, room: JID, wish: Wish) -> Joined:
        """As `join`, without waiting: the wish is kept, whatever the link is, and the view says how far it is."""

    def leave_room(self, actor: JID, room: JID, reason: str) -> bool:
        """Leave, and forget the membership, also one that is joining; False: there is none."""
