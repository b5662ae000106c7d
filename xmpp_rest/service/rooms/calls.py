"""The memberships of actors, as any process asks the leader for them (`RoomsOfActors`)."""

from __future__ import annotations

from collections.abc import Callable

from xmpp_rest.processes.group import End, Reply
from xmpp_rest.processes.on_leader import on_leader
from xmpp_rest.processes.remote import Remote
from xmpp_rest.protocol.jid import JID
from xmpp_rest.service.rooms.core import unkept
from xmpp_rest.service.rooms.memberships import Memberships
from xmpp_rest.service.rooms.of_actors import Joined
from xmpp_rest.service.rooms.refused import RoomRefused, not_answered
from xmpp_rest.service.rooms.values import RoomPlace, RoomView, Wish
from xmpp_rest.threads.future import OneShot
from xmpp_rest.threads.timers import Timer
from xmpp_rest.threads.waits import Wait


class RoomCalls:
    """Safe to be used by several threads."""

    def __init__(self, memberships: Memberships, held: Callable[[], int], remote: Remote) -> None:
        """`held`: how many messages wait for rooms, in the leader."""
        self._memberships = memberships
        self._held = held
        self._remote = remote
        remote.offer(self)

    @on_leader(repeatable=True)
    def of(self, actor: JID) -> list[RoomView]:
        """All memberships of the managed occupant of an actor, by room, with the members up to `by`."""
        return self._memberships.of(actor)

    @on_leader(repeatable=True)
    def get(self, actor: JID, room: JID) -> RoomView | None:
        """The membership with all that is known; None without one."""
        return self._memberships.view(self._memberships.place(actor, room))

    @on_leader(repeatable=True)
    def figures(self) -> dict[str, int]:
        """How many memberships have which state, and how many messages are held."""
        return self.own_figures()

    def own_figures(self) -> dict[str, int]:
        """As `figures`, of this process, which leads."""
        return {**self._memberships.counts(), "held": self._held()}

    def _begin_join(self, actor: JID, room: JID, wish: Wish, give: Callable[[Joined], object]) -> Callable[[], None]:
        """Begin; what is returned is called when nobody waits for it any more."""
        place = self._memberships.place(actor, room)

        def entered(refused: RoomRefused | None) -> None:
            give(Joined(refusal=refused.refusal) if refused is not None else self._joined(place))

        self._memberships.enter(place, wish, entered)
        return lambda: self._memberships.withdraw(place, entered)

    def _joined(self, place: RoomPlace) -> Joined:
        view = self._memberships.view(place)
        return Joined(view=view) if view is not None else Joined(refusal=not_answered(str(place.room), "The room was left meanwhile"))

    def _join_deferred(self, reply: Reply, actor: JID, room: JID, wish: Wish, wait: Wait) -> End:
        ended: OneShot[Joined] = OneShot()

        def end(joined: Joined) -> None:
            if ended.give(joined):
                timers.cancel(timer)
                reply(joined)

        timers, late = self._remote.timers, Joined(refusal=not_answered(str(room)))
        withdraw = OneShot[Callable[[], None]]()

        def give_up() -> None:
            end(late)
            if (begun := withdraw.value) is not None:
                begun()

        timer = Timer(give_up)
        timers.set(timer, wait.seconds)
        withdraw.give(self._begin_join(actor, room, wish, end))
        return give_up

    @on_leader(deferred=_join_deferred)
    def join(self, actor: JID, room: JID, wish: Wish, wait: Wait) -> Joined:
        """Join, or take the new wish of who is in (another nick, `stay`, a password), and wait for it.

        Of what is refused nothing is kept.
        """
        ended: OneShot[Joined] = OneShot()
        withdraw = self._begin_join(actor, room, wish, ended.give)
        if (joined := ended.wait(*wait)) is not None:
            return joined
        withdraw()
        return Joined(refusal=not_answered(str(room)))

    @on_leader
    def join_later(self, actor: JID, room: JID, wish: Wish) -> Joined:
        """As `join`, without waiting: the wish is kept, whatever the link is, and the view says how far it is."""
        place = self._memberships.place(actor, room)
        refusal = self._memberships.enter_later(place, wish)
        if refusal is None and wish.stay and not self._memberships.is_kept(place):
            self._memberships.leave(place)
            return Joined(refusal=unkept(place))
        return Joined(refusal=refusal) if refusal is not None else self._joined(place)

    @on_leader
    def leave_room(self, actor: JID, room: JID, reason: str) -> bool:
        """Leave, and forget the membership, also one that is joining; False: there is none."""
        return self._memberships.leave(self._memberships.place(actor, room), reason)

    @on_leader
    def account_removed(self, account: JID) -> None:
        """Leave all rooms of an account."""
        self._memberships.actor_removed(account)
