"""What hooks say in rooms of XEP-0045, and what these answer (hooks §3).

A message counts as said once the room has shown it to its own sender. A room that has lost an occupant says so when that speaks: then it
comes in again, and the same message is sent once more.
"""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable
from functools import partial
from typing import Protocol
from xml.etree.ElementTree import Element

from drivers import StorageError
from xmpp_rest.errors import GatewayError
from xmpp_rest.gateway.events import Signal
from xmpp_rest.incidents import Incidents
from xmpp_rest.link.outbox import Label
from xmpp_rest.link.router import NOT_MINE, Router, Unhandled
from xmpp_rest.processes.remote import Remote
from xmpp_rest.protocol.conditions import StanzaError, stanza_error
from xmpp_rest.protocol.element import BadXML
from xmpp_rest.protocol.jid import JID
from xmpp_rest.protocol.namespaces import STANZA_ID
from xmpp_rest.protocol.stanza import condition_of
from xmpp_rest.request_notes import on_behalf_of
from xmpp_rest.service.hooks.hook import Hook
from xmpp_rest.service.hooks.message import HOOK, error_of_failure
from xmpp_rest.service.hooks.room_sending import HookSpeech, Key, RoomSending
from xmpp_rest.service.hooks.targets import TargetKind, Targets
from xmpp_rest.service.hooks.ways_out import WaysOut
from xmpp_rest.service.messages.outcomes import Outcomes
from xmpp_rest.service.messages.send import Sending
from xmpp_rest.service.rooms.memberships import Memberships
from xmpp_rest.service.rooms.presences import leaving
from xmpp_rest.service.rooms.refused import RoomRefusal, RoomRefused
from xmpp_rest.service.rooms.speaking import Speaking
from xmpp_rest.service.rooms.values import RoomPlace, RoomState, Wish

log = logging.getLogger("xmpp_rest.hooks")

NOT_IN = frozenset(("not-acceptable", "not-allowed"))
"""What rooms say to who speaks and is not in: XEP-0045 §7.4 has the first one, and some services the other."""
LOST = stanza_error("not-acceptable")
MOST = 1000  # messages that no room has shown yet; what comes of older ones only their outcomes tell
_ORIGIN = f"{{{STANZA_ID}}}origin-id"

OnHookEntered = Callable[[StanzaError | None], None]
"""Gets why the room does not let the hook in; None: it is in."""


class FoundHooks(Protocol):
    """Where hooks are found by name, and what tells of their changes in the leader."""

    def named(self, name: str) -> Hook | None: ...
    @property
    def changed(self) -> Signal[Hook]: ...
    @property
    def removed(self) -> Signal[Hook]: ...


class HookRooms:
    """A handler for the router, and the way into rooms. In the leader, but for `handle`, which is the router's."""

    def __init__(
        self,
        router: Router,
        sending: Sending,
        outcomes: Outcomes,
        memberships: Memberships,
        speaking: Speaking,
        targets: Targets,
        hooks: FoundHooks,
        remote: Remote,
        incidents: Incidents,
    ) -> None:
        self._router = router
        self._sending = sending
        self._outcomes = outcomes
        self._memberships = memberships
        self._speaking = speaking
        self._ways_out = WaysOut()
        self._targets = targets
        self._hooks = hooks
        self._remote = remote
        self._incidents = incidents
        self._unheard: OrderedDict[Key, RoomSending] = OrderedDict()
        self._lock = threading.Lock()
        memberships.changed.subscribe(self._ways_out.changed)
        hooks.changed.subscribe(self.changed)
        hooks.removed.subscribe(self.removed)

    def enter(self, actor: JID, room: JID, nick: str, then: OnHookEntered) -> None:
        """Call `then`, by any thread, once the actor is in the room, or is not let in: that says how it was put out before."""
        place = RoomPlace(actor, room)
        self._note_way_out(place)

        def entered(refused: RoomRefused | None) -> None:
            then(self._ways_out.explained(place, None if refused is None else refused.refusal))

        self._memberships.enter(place, _wish(place, nick), entered)

    def _note_way_out(self, place: RoomPlace) -> None:
        """Know how the hook was put out, if it is out; the signal of that may come later."""
        if self._memberships.state(place) is RoomState.OUT and (view := self._memberships.view(place)) is not None:
            self._ways_out.note(place, view.reason)

    def _explained(self, place: RoomPlace, refusal: RoomRefusal) -> StanzaError:
        self._note_way_out(place)
        return self._ways_out.told(place, refusal)

    def nick(self, actor: JID, room: JID) -> str:
        """How the room calls the actor, which is in."""
        return self._memberships.own_nick(RoomPlace(actor, room))

    def say(self, message: RoomSending) -> bool:
        """Send a message of an actor that is in; whether it was accepted. What the room does with it comes to its listener."""
        if self._speaking.is_for_room(*message.outgoing[:3]):
            return self._say_elsewhere(message)
        with self._lock:
            self._unheard[message.key] = message
            self._unheard.move_to_end(message.key)
            if len(self._unheard) > MOST:
                self._unheard.popitem(last=False)
        with on_behalf_of(message.outgoing.request_id):
            (result,) = self._sending.send_many([message.outgoing])
        if isinstance(result, Exception):
            self._refused(message.key, error_of_failure(result), by_room=False)
        elif result is not None:
            self._refused(message.key, condition_of(result))
        else:
            message.listener.accepted()
        return result is None

    def _say_elsewhere(self, message: RoomSending) -> bool:
        outgoing, place = message.outgoing, RoomPlace(message.outgoing.sender, message.outgoing.to)
        told = HookSpeech(message.listener, partial(self._explained, place))
        try:
            spoken = self._speaking.message(outgoing, place, _wish(place, message.nick), told)
        except (GatewayError, BadXML) as e:
            message.listener.heard(error_of_failure(e))
            return False
        self._speaking.hand_in((spoken,))
        return told.is_accepted

    def _take(self, key: Key) -> RoomSending | None:
        with self._lock:
            return self._unheard.pop(key, None)

    def _refused(self, key: Key, error: StanzaError, *, by_room: bool = True) -> None:
        message = self._take(key)
        if message is None:
            return
        place = RoomPlace(*key[:2])
        if by_room and error.condition in NOT_IN and message.begin_again():
            self._memberships.refused(place, LOST)
            message.listener.held()
            self._remote.pool.submit(lambda: self._come_again(message))
        else:
            if error.condition in ("item-not-found", "gone"):
                self._memberships.refused(place, error)
            message.listener.heard(error)

    def _come_again(self, message: RoomSending) -> None:
        """The room has lost the actor: it comes in, and speaks."""
        actor, room, identifier = message.key

        def entered(error: StanzaError | None) -> None:
            if error is not None:
                message.listener.heard(error)
                return
            self._outcomes.forget([Label(str(actor.bare), identifier)])  # it is not refused after all
            self._remote.pool.submit(lambda: self._say_again(message))

        self.enter(actor, room, message.nick, entered)

    def _say_again(self, message: RoomSending) -> None:
        self.say(message)

    # -- what rooms say

    def refused(self, place: RoomPlace, identifier: str, error: StanzaError, by: str) -> None:
        """The room has sent back a message of this id."""
        self._refused((*place, identifier), error)

    def shown(self, place: RoomPlace, stanza: Element) -> None:
        """The room shows a message of the hook."""
        origin = stanza.find(_ORIGIN)
        for identifier in (stanza.get("id"), origin.get("id") if origin is not None else None):
            if identifier and (message := self._take((*place, identifier))) is not None:
                message.listener.heard(stanza)
                return

    def handle(self, stanza: Element, sender: JID, to: JID) -> Element | Unhandled | None:
        """Take what rooms say to hooks that an earlier leader has let in, and drop it: rooms put out who answers errors."""
        if stanza.tag == "iq" or not to.resource.startswith(HOOK):
            return NOT_MINE
        key = (to, sender.bare, stanza.get("id", ""))
        if key in self._unheard:
            if stanza.get("type") == "error" and not sender.resource:  # of the room, not of one who is in it
                self._refused(key, condition_of(stanza))
            return None
        return None if self._router.is_of_room(stanza, sender, to) and self._is_hook(to) else NOT_MINE

    def _is_hook(self, actor: JID) -> bool:
        """Whether there is a hook with this address in rooms: then an earlier leader may have let it into one."""
        try:
            return self._hook_of(actor) is not None
        except StorageError:
            return True

    def _hook_of(self, actor: JID) -> Hook | None:
        if not actor.resource.startswith(HOOK):
            return None
        hook = self._hooks.named(actor.resource.removeprefix(HOOK))
        return hook if hook is not None and hook.speaks_as == actor.bare else None

    # -- changes of hooks

    def changed(self, hook: Hook) -> None:
        """The hook has other members: it leaves the rooms that are no longer its targets, or where it has another nick or address."""
        rooms = {target.jid for target in hook.targets}
        self._memberships.leave_all(
            lambda place, wish: (
                place.occupant.resource == f"{HOOK}{hook.name}"
                and (place.actor != hook.speaks_as or place.room not in rooms or wish.nick != hook.called)
            )
        )

    def removed(self, hook: Hook) -> None:
        """The hook is no longer there: it leaves its rooms, those too in which an earlier leader has let it in."""
        actor = hook.speaks_as._replace(resource=f"{HOOK}{hook.name}")
        left = self._memberships.leave_all(lambda place, _: place.occupant.resource == actor.resource)
        for target in hook.targets:
            if target.jid not in left and self._targets.settled(target.jid, target.room) is TargetKind.ROOM:
                try:
                    self._router.send(leaving(RoomPlace(actor, target.jid), hook.called))
                except Exception as e:
                    self._incidents.report(log, "hook-room", "%s is not told that %s leaves: %r", target.jid, actor, e)


def _wish(place: RoomPlace, nick: str) -> Wish:
    return Wish(nick, is_named=True, by=f"hook:{place.occupant.resource.removeprefix(HOOK)}")
