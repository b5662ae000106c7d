"""Speaking in rooms on other servers: who is not in comes in, and nothing is said to have happened that has not (rooms-anywhere §3).

`Sending` is the one way here. The leader does the work; a follower calls it, and holds the request.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from functools import partial
from itertools import groupby
from xml.etree.ElementTree import Element

from drivers import StorageError
from xmpp_rest.config.login_tables import SessionsSettings
from xmpp_rest.config.room_tables import RoomsAnywhereSettings
from xmpp_rest.errors import GatewayError
from xmpp_rest.link.router import Router
from xmpp_rest.processes.group import End, Reply
from xmpp_rest.processes.on_leader import on_leader
from xmpp_rest.processes.remote import Remote
from xmpp_rest.protocol.element import BadXML
from xmpp_rest.protocol.jid import JID, parse_jid
from xmpp_rest.protocol.stanza import condition_of
from xmpp_rest.request_notes import current_id
from xmpp_rest.service.contacts.privacy_guard import Guard
from xmpp_rest.service.messages.batch import OutboundMessage, OutboundMessages
from xmpp_rest.service.rooms.memberships import Memberships
from xmpp_rest.service.rooms.raw_occupants import RawOccupants
from xmpp_rest.service.rooms.refused import message_refused
from xmpp_rest.service.rooms.room_outbox import RoomOutbox
from xmpp_rest.service.rooms.said import BLOCKED, UNSENT, OneListens, OnSaid, SpeechListener, SpokenResult
from xmpp_rest.service.rooms.said_many import SaidMany
from xmpp_rest.service.rooms.spoken_message import SpokenMessage, as_said, nick_in
from xmpp_rest.service.rooms.values import RoomPlace, Wish
from xmpp_rest.threads.future import OneShot
from xmpp_rest.threads.waits import Wait, Waits

log = logging.getLogger("xmpp_rest.rooms")

TURNS = 30.0  # seconds, on top of those for a join, that it may wait for its turn and for service discovery
Results = Callable[[], list[SpokenResult]]
"""Waits for what becomes of messages."""


class Speaking:
    """What the APIs, hooks and callbacks say in rooms."""

    def __init__(
        self,
        router: Router,
        memberships: Memberships,
        outbox: RoomOutbox,
        raw: RawOccupants,
        guard: Guard,
        settings: RoomsAnywhereSettings,
        domain: str,
        send_limit: int,
        waits: Waits,
        remote: Remote,
    ) -> None:
        """`domain`: of the hosted ones who speak; `send_limit`: bytes of what accounts elsewhere say."""
        self._router = router
        self._memberships = memberships
        self._outbox = outbox
        self._raw = raw
        self._guard = guard
        self._settings = settings
        self._domain = domain
        self._send_limit = send_limit
        self._waits = waits
        self._remote = remote
        remote.offer(self)

    def configure(self, settings: RoomsAnywhereSettings, sessions: SessionsSettings) -> None:
        """Work by these settings from now on."""
        self._settings = settings
        self._send_limit = sessions.send_limit
        self._outbox.configure(settings, sessions)

    # -- in any process

    def is_for_room(self, stanza: Element, sender: JID, to: JID) -> bool:
        """Whether this is said in a room elsewhere, which its sender has to be in."""
        return (
            stanza.get("type") == "groupchat"  # first, as it is true of no message to a person
            and stanza.tag == "message"
            and bool(to.local)
            and not to.resource
            and to.domain not in self._settings.no_join
            and self._takes_part(sender, to)
        )

    def _takes_part(self, sender: JID, to: JID) -> bool:
        """Whether the gateway keeps this sender in rooms at the domain of `to`: an account elsewhere in all."""
        if sender.domain == self._domain:
            return to.domain not in self._router.domains and self._router.has_link
        return sender.domain not in self._router.domains

    def say(self, outgoing: OutboundMessage, nick: str = "", seconds: float | None = None, wait: Wait | None = None) -> SpokenResult:
        """Say it; `nick`: that the request names, for coming in.

        `seconds`: for which the room is waited for, once the message is accepted; None: not at all. `wait` says when the client has gone.
        Raises GatewayError: waits-full, before anything is done; client-gone, unanswered.
        """
        result = self._begin((outgoing,), nick, seconds, wait)
        with nullcontext() if seconds is None else self._waits.holding(str(outgoing.sender.bare)):
            (said,) = result()
        return said

    def begin_many(self, stanzas: Sequence[OutboundMessage], nick: str = "") -> Results:
        """Say these, in order for each room; waits for no room to show them. What is returned waits until they are accepted, or not.

        `nick`: as of `say`.
        """
        return self._begin(stanzas, nick, None, None)

    def begin_and_wait(self, stanzas: Sequence[OutboundMessage], nick: str, seconds: float, wait: Wait) -> Results:
        """As `begin_many`, and what is returned waits so many seconds for the rooms to show them, all side by side; `nick`: as of `say`.

        The caller has a place for the wait.
        """
        return self._begin(stanzas, nick, seconds, wait)

    def _begin(self, stanzas: Sequence[OutboundMessage], nick: str, seconds: float | None, wait: Wait | None) -> Results:
        gone = {} if wait is None else {"gone": wait.gone}
        longest = Wait(self._settings.join_timeout + TURNS + (seconds or 0.0), **gone)
        messages = OutboundMessages(stanzas)
        if seconds is None and not self._remote.follows():
            wait_for = self._begin_here(messages, nick, seconds, longest)
        else:
            wait_for = partial(self._say_on_leader, messages, nick, seconds, longest)
        return partial(self._counted, wait_for) if seconds is None else wait_for

    def _say_on_leader(self, stanzas: OutboundMessages, nick: str, seconds: float | None, wait: Wait) -> list[SpokenResult]:
        try:
            return self.say_all(stanzas, nick, seconds, wait)
        except GatewayError as e:
            if e.name != "unanswered":
                raise
        return self.say_all(stanzas, nick, seconds, wait, again=True)  # the next leader knows what the last one has accepted

    def _begin_here(self, stanzas: OutboundMessages, nick: str, seconds: float | None, wait: Wait, *, again: bool = False) -> Results:
        ended: OneShot[list[SpokenResult]] = OneShot()
        end = self._say(stanzas, nick, seconds, wait.seconds, ended.give, again=again)

        def result() -> list[SpokenResult]:
            said = ended.wait(*wait)
            if said is None:
                end()
                said = ended.wait()
            assert said is not None
            return said

        return result

    def _counted(self, wait: Results) -> list[SpokenResult]:
        """Wait, as one of those who may."""
        with self._waits.calling():
            return wait()

    # -- in the leader

    def _say_deferred(
        self, reply: Reply, stanzas: OutboundMessages, nick: str, seconds: float | None, wait: Wait, again: bool = False
    ) -> End:
        return self._say(stanzas, nick, seconds, wait.seconds, reply, in_pool=True, again=again)

    @on_leader(deferred=_say_deferred)
    def say_all(self, stanzas: OutboundMessages, nick: str, seconds: float | None, wait: Wait, again: bool = False) -> list[SpokenResult]:
        """As `say` for each of these; the caller is counted among those who wait.

        `again`: an earlier leader may have accepted them, and has not said so.
        """
        return self._begin_here(stanzas, nick, seconds, wait, again=again)()

    def _say(
        self, stanzas: Sequence[OutboundMessage], nick: str, seconds: float | None, longest: float,
        tell: Callable[[list[SpokenResult]], object], *, in_pool: bool = False, again: bool = False,
    ) -> End:  # fmt: skip
        """Hand these in; `tell` is called once. `in_pool`: this thread may not wait for the disk."""
        collected = SaidMany([outgoing.to for outgoing in stanzas], seconds, longest, self._remote.timers, tell)
        runs = [list(run) for _, run in groupby(enumerate(stanzas), lambda pair: (pair[1].sender.bare, pair[1].to))]
        work = [partial(self._hand_in, [(outgoing, collected.of(n)) for n, outgoing in run], nick, again=again) for run in runs]
        if in_pool:
            self._remote.pool.submit(partial(_each, work))
        else:
            _each(work)
        return collected.end

    def _hand_in(self, pairs: Sequence[tuple[OutboundMessage, SpeechListener]], nick: str, *, again: bool) -> None:
        """Hand in messages of one actor to one room."""
        sender, room = pairs[0][0].sender, pairs[0][0].to
        place, messages = self._memberships.place(sender.bare, room), []
        for outgoing, listener in pairs:
            try:
                if (refusal := self._blocked(outgoing)) is not None:
                    listener.failed(SpokenResult(BLOCKED, stanza=refusal))
                elif self._raw.is_in(who := sender if sender.domain == self._domain else place.occupant, room):
                    self._raw.say(outgoing._replace(sender=who), listener)
                elif not (again and self._outbox.adopt(place, outgoing.stanza.get("id", ""), listener)):
                    messages.append(self.message(outgoing, place, _wish(outgoing.stanza, nick), listener))
            except (GatewayError, BadXML, StorageError) as e:
                listener.failed(SpokenResult(UNSENT, why=e))
            except Exception:
                log.exception("a message of %s to %s is not sent", sender, room)
                listener.failed(SpokenResult(UNSENT, why=GatewayError("internal")))
        self.hand_in(messages)

    def _blocked(self, outgoing: OutboundMessage) -> Element | None:
        if not self._guard.watches(outgoing.sender):
            return None
        return self._guard.refuse(outgoing.stanza, outgoing.sender, outgoing.to)

    def message(self, outgoing: OutboundMessage, place: RoomPlace, wish: Wish, listener: SpeechListener) -> SpokenMessage:
        """A message for `hand_in`. Raises BadXML; GatewayError, stanza-too-big."""
        message = SpokenMessage(place, as_said(outgoing.stanza, place), wish, listener, outgoing.request_id)
        data = message.text.encode()
        if place.occupant.domain == self._domain:
            self._router.require_size(data)
        elif len(data) > self._send_limit:
            raise GatewayError("stanza-too-big", f"The stanza is larger than {self._send_limit} bytes")
        return message

    def hand_in(self, messages: Sequence[SpokenMessage]) -> None:
        """Take messages of one occupant to one room, in order; their listeners are told. May wait for the disk. Raises nothing."""
        if not messages:
            return
        try:
            self._outbox.hand_in(messages)
        except Exception as e:
            log.exception("messages of %s to %s are not sent", *messages[0].place)
            for message in messages:
                message.listener.failed(SpokenResult(UNSENT, why=e if isinstance(e, GatewayError) else GatewayError("internal")))

    def say_later(self, stanza: Element, on_said: OnSaid) -> None:
        """Say it as the occupant that it is from, after what was said there before, without waiting for the room; it may wait for the disk.

        Raises BadXML, StorageError; GatewayError, such as stanza-too-big.
        """
        place = RoomPlace(parse_jid(stanza.attrib["from"]), parse_jid(stanza.attrib["to"]))
        if place.room.domain in self._router.domains:  # one of the gateway's own rooms
            refused = self._router.send(stanza)
            on_said(None if refused is None else message_refused(condition_of(refused), str(place.room)).raised)
            return
        outgoing = OutboundMessage(stanza, *place, request_id=current_id() or "")
        self.hand_in((self.message(outgoing, place, Wish(), OneListens(on_said)),))

    def has(self, outgoing: OutboundMessage) -> bool:
        """Whether an earlier process has accepted it, and its end is not known."""
        return self._outbox.has(self._memberships.place(outgoing.sender.bare, outgoing.to), outgoing.stanza.get("id", ""))


def _each(work: Sequence[Callable[[], None]]) -> None:
    for step in work:
        step()


def _wish(stanza: Element, nick: str) -> Wish:
    named = nick or nick_in(stanza)
    return Wish() if named is None else Wish(nick=named, is_named=True)
