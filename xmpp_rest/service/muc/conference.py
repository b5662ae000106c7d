"""What can be done with the rooms of the conference domain? The one service object; plain values in and out, so that any process may ask.

Rooms are named by their localpart, users by their address as text. Methods raise StorageError, and GatewayError as they say.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

from drivers import StorageError
from xmpp_rest.errors import GatewayError
from xmpp_rest.link.router import Handler
from xmpp_rest.protocol.datetimes import write_datetime
from xmpp_rest.protocol.element import serialise
from xmpp_rest.protocol.jid import JID, InvalidJID, local_jid, parse_jid
from xmpp_rest.service.muc.broadcast import News, Voice
from xmpp_rest.service.muc.configure import Configuration
from xmpp_rest.service.muc.join import Doors
from xmpp_rest.service.muc.moderation import AffiliationChange, Moderation
from xmpp_rest.service.muc.nicks import Nicks, prepared
from xmpp_rest.service.muc.notices import SHUTDOWN, direct_invitation
from xmpp_rest.service.muc.options import FIXED, read_options
from xmpp_rest.service.muc.pattern import search
from xmpp_rest.service.muc.remote import Ask, offered
from xmpp_rest.service.muc.room import AFFILIATIONS, Affiliation, Room, Subscriber
from xmpp_rest.service.muc.rooms import Rooms
from xmpp_rest.service.muc.subscribe import Subscriptions
from xmpp_rest.service.muc.vacancy import Vacancy

log = logging.getLogger(__name__)

DAY = 86400  # seconds


class Conference:
    """The rooms of one domain. Built by `build.conference`; `handle` is the router's handler for the domain."""

    def __init__(
        self,
        rooms: Rooms,
        voice: Voice,
        nicks: Nicks,
        parts: tuple[Doors, Configuration, Moderation, Subscriptions],
        handle: Handler,
        vacancy: Vacancy,
    ) -> None:
        self.domain = rooms.domain
        self.handle = handle
        self.vacancy = vacancy  # started where the rooms are
        self.away: Ask | None = None
        self._rooms = rooms
        self._voice = voice
        self._nicks = nicks
        self._doors, self._configuration, self._moderation, self._subscriptions = parts

    # -- rooms

    @offered
    def create(self, name: str, options: dict[str, str], affiliations: list[list[str]], subscribers: list[list[Any]]) -> None:
        """Make a room. `affiliations`: address, affiliation; `subscribers`: address, nick, list of nodes.

        Raises GatewayError: room-exists, rooms-full, bad-room-name, bad-room-option, bad-affiliation, bad-nick, room-banned.
        """
        local = self._name(name)
        entries = {_bare(jid): Affiliation(_affiliation(word)) for jid, word in affiliations}
        known = {_bare(jid): Subscriber(prepared(nick, self.domain), tuple(nodes)) for jid, nick, nodes in subscribers}
        options_read = read_options(options.items())
        if any(_is_banned(user, entries) for user in known):
            raise GatewayError("room-banned")
        self._rooms.make(local, options_read, entries)
        if known:
            with self._rooms.held(local) as room:
                room.subscribers.update(known)
                self._rooms.save(room)

    @offered
    def destroy(self, name: str, reason: str, quietly: bool) -> None:
        """End a room; `quietly`: without telling its subscribers. Raises GatewayError: room-unknown."""
        with self._rooms.held(self._known(name)) as room:
            self._configuration.destroy(room, reason, quietly=quietly)

    @offered
    def names(self) -> list[str]:
        """The localparts of all rooms."""
        return self._rooms.names()

    @offered
    def matching(self, pattern: str) -> list[list[Any]]:
        """Rooms in whose name the regular expression is found: name, value of `public`, number of occupants. Raises re.error."""
        names = search(pattern, self._rooms.names())
        return [[room.jid.local, room.options["public"], _crowd(room)] for room in self._each(names)]

    @offered
    def unused(self, days: int) -> list[str]:
        """Rooms without occupants that nobody has used for at least so many days."""
        until = self._rooms.clock() - days * DAY
        idle = (room for room in self._each(self._rooms.names()) if not room.occupants)
        return [room.jid.local for room in idle if self._rooms.history.last_use(room) <= until]

    @offered
    def empty(self) -> list[str]:
        """Rooms whose messages are archived, and of which nothing is."""
        return [room.jid.local for room in self._each(self._rooms.names()) if room.on("mam") and self._rooms.history.is_empty(room)]

    # -- options

    @offered
    def options(self, name: str) -> dict[str, str]:
        """All options with their values. Raises GatewayError: room-unknown."""
        with self._rooms.held(self._known(name)) as room:
            return {**FIXED, **room.options}

    @offered
    def set_option(self, name: str, option: str, value: str) -> None:
        """Raises GatewayError: room-unknown, bad-room-option."""
        with self._rooms.held(self._known(name)) as room:
            self._configuration.change(room, read_options([(option, value)]))

    # -- affiliations

    @offered
    def affiliations(self, name: str) -> list[list[str]]:
        """Address, affiliation and reason of everybody who has one. Raises GatewayError: room-unknown."""
        with self._rooms.held(self._known(name)) as room:
            return [[str(user), entry.word, entry.reason] for user, entry in room.affiliations.items()]

    @offered
    def affiliation(self, name: str, user: str) -> str:
        """What a user is to the room. Raises GatewayError: room-unknown."""
        with self._rooms.held(self._known(name)) as room:
            return room.affiliation(_bare(user))

    @offered
    def affiliate(self, name: str, user: str, affiliation: str, reason: str) -> None:
        """Change what a user is to the room, as no rule of the room forbids it. Raises GatewayError: room-unknown, bad-affiliation."""
        with self._rooms.held(self._known(name)) as room:
            self._moderation.affiliate(room, [AffiliationChange(_bare(user), _affiliation(affiliation), reason)])
            self._doors.sweep(room)

    # -- occupants

    @offered
    def occupants(self, name: str) -> list[list[str]]:
        """Full address, nick and role of every client in the room. Raises GatewayError: room-unknown."""
        with self._rooms.held(self._known(name)) as room:
            return [[str(session), occupant.nick, occupant.role] for session, occupant in room.sessions()]

    @offered
    def history(self, name: str) -> list[list[str]]:
        """Time and XML of the messages that newcomers are shown. Raises GatewayError: room-unknown."""
        with self._rooms.held(self._known(name)) as room:
            return [[write_datetime(kept.when), serialise(kept.stanza)] for kept in self._rooms.history.of(room)]

    @offered
    def occupied(self, user: str) -> list[str]:
        """The rooms that a user is in."""
        bare = _bare(user)
        return [room.jid.local for room in self._each(self._rooms.live()) if room.is_present(bare)]

    @offered
    def invite(self, name: str, users: list[str], password: str, reason: str) -> None:
        """Send direct invitations to those who are not in the room. Raises GatewayError: room-unknown, outbox-full, link-down."""
        with self._rooms.held(self._known(name)) as room:
            absent = [user for user in map(parse_jid, users) if not room.is_present(user.bare)]
        for user in absent:
            self._voice.send(direct_invitation(room.jid, str(user), reason, password))

    # -- subscriptions

    @offered
    def subscribe(self, name: str, user: str, nick: str, nodes: list[str]) -> list[str]:
        """The nodes that were subscribed to.

        Raises GatewayError: room-unknown, subscriptions-off, room-banned, nick-taken, bad-nick, room-crowded.
        """
        with self._rooms.held(self._known(name)) as room:
            return self._subscriptions.subscribe(room, _bare(user), nick, nodes)

    @offered
    def unsubscribe(self, name: str, user: str) -> None:
        """Raises GatewayError: room-unknown."""
        with self._rooms.held(self._known(name)) as room:
            self._subscriptions.unsubscribe(room, _bare(user))

    @offered
    def subscribers(self, name: str) -> list[str]:
        """The addresses of those who subscribe. Raises GatewayError: room-unknown."""
        with self._rooms.held(self._known(name)) as room:
            return [str(user) for user in room.subscribers]

    @offered
    def subscriptions(self, user: str) -> list[list[Any]]:
        """Room, nick and nodes of a user's subscriptions."""
        return [[room.local, s.nick, list(s.nodes)] for room, s in self._subscriptions.of(_bare(user))]

    # -- nicks

    @offered
    def reserve_nick(self, nick: str, user: str) -> None:
        """Raises GatewayError: nick-taken, bad-nick."""
        self._nicks.reserve(nick, _bare(user))

    @offered
    def release_nick(self, user: str) -> None:
        self._nicks.release(_bare(user))

    @offered
    def reserved_nicks(self) -> list[list[str]]:
        """Address and nick of every reservation."""
        return [[str(user), nick] for user, nick in self._nicks.all()]

    # -- comings and goings

    @offered
    def forget_user(self, user: str) -> None:
        """The account is about to be removed: whoever gets its name later is nobody to any room."""
        bare = _bare(user)
        self._nicks.release(bare)
        for room in self._each(self._rooms.names()):
            for occupant in [o for o in room.occupants.values() if o.bare == bare]:
                self._doors.remove(room, occupant, News(leaving=True))
            if bare in room.affiliations and not room.gone:
                self._moderation.affiliate(room, [AffiliationChange(bare, "none")])
            if not room.gone:
                self._subscriptions.unsubscribe(room, bare)

    def close(self) -> None:
        """The gateway stops: nobody is left to believe that the room still hears them (XEP-0045 §7.14, status 332)."""
        for room in self._each(self._rooms.live()):
            self._doors.vacate(room, News((SHUTDOWN,), leaving=True))
            try:
                self._rooms.save(room)
            except StorageError as e:
                log.warning("when %s was used last is not kept: %s", room.jid, e)

    def _each(self, names: list[str]) -> Iterator[Room]:
        """The rooms of these names that are still there, each held while it is looked at."""
        for name in names:
            try:
                with self._rooms.held(name) as room:
                    yield room
            except GatewayError as e:
                if e.name != "room-unknown":
                    raise

    def _name(self, name: str) -> str:
        try:
            return local_jid(name, self.domain).local
        except InvalidJID as e:
            raise GatewayError("bad-room-name", f"{name[:100]!r} cannot be the name of a room: {e}") from e

    def _known(self, name: str) -> str:
        """The name of a room that may be there. Raises GatewayError: room-unknown for what cannot be one."""
        try:
            return self._name(name)
        except GatewayError as e:
            raise GatewayError("room-unknown") from e


def _bare(text: str) -> JID:
    return parse_jid(text).bare


def _is_banned(user: JID, entries: dict[JID, Affiliation]) -> bool:
    entry = entries.get(user) or entries.get(JID("", user.domain, ""))
    return entry is not None and entry.word == "outcast"


def _affiliation(word: str) -> str:
    if word not in AFFILIATIONS:
        raise GatewayError("bad-affiliation")
    return word


def _crowd(room: Room) -> int:
    return sum(1 for _ in room.sessions())
