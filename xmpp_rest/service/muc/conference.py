"""The conference service: all operations on the rooms of the domain, with plain values in and out, so that any process can call them.

Rooms are named by their localpart, users by their address as text. Methods raise StorageError, and GatewayError as they say.
"""

from __future__ import annotations

import logging
from typing import Any

from drivers import StorageError
from xmpp_rest.errors import GatewayError
from xmpp_rest.link.router import Handler
from xmpp_rest.processes.on_leader import on_leader
from xmpp_rest.processes.remote import Remote
from xmpp_rest.protocol.datetimes import write_datetime
from xmpp_rest.protocol.element import serialise
from xmpp_rest.protocol.jid import JID, InvalidJID, local_jid, parse_jid
from xmpp_rest.service.muc.affiliations import AffiliationChange, Affiliations
from xmpp_rest.service.muc.broadcast import Broadcaster, OccupantChange
from xmpp_rest.service.muc.configure import Configuration
from xmpp_rest.service.muc.handed_over import HandedOverRooms
from xmpp_rest.service.muc.join import JoinHandler
from xmpp_rest.service.muc.nicks import Nicks, prepared
from xmpp_rest.service.muc.notices import SHUTDOWN, direct_invitation
from xmpp_rest.service.muc.options import FIXED, read_options
from xmpp_rest.service.muc.pattern import search
from xmpp_rest.service.muc.room import AFFILIATIONS, Affiliation, Subscriber
from xmpp_rest.service.muc.rooms import MucRooms
from xmpp_rest.service.muc.subscribe import Subscriptions
from xmpp_rest.service.muc.unused import UnusedRooms
from xmpp_rest.service.muc.vacancy import Vacancy

log = logging.getLogger("xmpp_rest.rooms")

DAY = 86400  # seconds


class Conference:
    """The rooms of one domain. Built by `build.conference`; `handle` is the router's handler for the domain."""

    def __init__(
        self,
        rooms: MucRooms,
        broadcaster: Broadcaster,
        nicks: Nicks,
        parts: tuple[JoinHandler, Configuration, Affiliations, Subscriptions],
        handle: Handler,
        vacancy: Vacancy,
        remote: Remote,
    ) -> None:
        self.domain = rooms.domain
        self.handle = handle
        self.vacancy = vacancy  # started only in the process that holds the rooms
        self._remote = remote
        remote.offer(self)
        self._rooms = rooms
        self._unused = UnusedRooms(rooms)
        self._broadcaster = broadcaster
        self._nicks = nicks
        self.handed_over = HandedOverRooms(rooms, parts[0].visits)
        self._join_handler, self._configuration, self._affiliations, self._subscriptions = parts

    # -- rooms

    @on_leader
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

    @on_leader
    def destroy(self, name: str, reason: str, quietly: bool) -> None:
        """Destroy a room; `quietly`: without notifying its subscribers. Raises GatewayError: room-unknown."""
        with self._rooms.held(self._known(name)) as room:
            self._configuration.destroy(room, reason, quietly=quietly)

    def pruned(self, owner: JID, until: float) -> None:
        """The archive of `owner`, which may be a room, was removed up to this time (Unix); in the leader."""
        if owner.domain == self.domain:
            self._rooms.pruned(owner.local, until)

    @on_leader
    def names(self) -> list[str]:
        """The localparts of all rooms."""
        return self._rooms.names()

    @on_leader
    def matching(self, pattern: str) -> list[list[Any]]:
        """Rooms whose name matches the regular expression: name, value of `public`, number of occupants. Raises re.error."""
        names = search(pattern, self._rooms.names())
        return [[room.jid.local, room.options["public"], sum(1 for _ in room.sessions())] for room in self._rooms.views(names)]

    @on_leader
    def unused(self, days: int) -> list[str]:
        """Rooms without occupants that have not been used for at least this many days."""
        return self._unused.until(self._rooms.clock() - days * DAY)

    @on_leader
    def empty(self) -> list[str]:
        """Rooms with archiving on whose archive is empty."""
        return [room.jid.local for room in self._rooms.views(self._rooms.names()) if room.on("mam") and self._rooms.history.is_empty(room)]

    # -- options

    @on_leader
    def options(self, name: str) -> dict[str, str]:
        """All options with their values. Raises GatewayError: room-unknown."""
        with self._rooms.held(self._known(name)) as room:
            return {**FIXED, **room.options}

    @on_leader
    def set_option(self, name: str, option: str, value: str) -> None:
        """Raises GatewayError: room-unknown, bad-room-option."""
        with self._rooms.held(self._known(name)) as room:
            self._configuration.change(room, read_options([(option, value)]))

    # -- affiliations

    @on_leader
    def affiliations(self, name: str) -> list[list[str]]:
        """Address, affiliation and reason of all users with an affiliation. Raises GatewayError: room-unknown."""
        with self._rooms.held(self._known(name)) as room:
            return [[str(user), entry.word, entry.reason] for user, entry in room.affiliations.items()]

    @on_leader
    def affiliation(self, name: str, user: str) -> str:
        """The affiliation of a user. Raises GatewayError: room-unknown."""
        with self._rooms.held(self._known(name)) as room:
            return room.affiliation(_bare(user))

    @on_leader
    def affiliate(self, name: str, user: str, affiliation: str, reason: str) -> None:
        """Change the affiliation of a user, whatever the rules of the room. Raises GatewayError: room-unknown, bad-affiliation."""
        with self._rooms.held(self._known(name)) as room:
            self._affiliations.affiliate(room, [AffiliationChange(_bare(user), _affiliation(affiliation), reason)])
            self._join_handler.remove_stale(room)

    # -- occupants

    @on_leader
    def occupants(self, name: str) -> list[list[str]]:
        """Full address, nick and role of every client in the room. Raises GatewayError: room-unknown."""
        with self._rooms.held(self._known(name)) as room:
            return [[str(session), occupant.nick, occupant.role] for session, occupant in room.sessions()]

    @on_leader
    def history(self, name: str) -> list[list[str]]:
        """Time and XML of the messages that new occupants are sent. Raises GatewayError: room-unknown."""
        with self._rooms.held(self._known(name)) as room:
            return [[write_datetime(kept.when), serialise(kept.stanza)] for kept in self._rooms.history.of(room)]

    @on_leader
    def occupied(self, user: str) -> list[str]:
        """The rooms that a user is in."""
        bare = _bare(user)
        visited = self._join_handler.visits.rooms(bare)
        return [room.jid.local for room in self._rooms.each(visited) if room.is_present(bare)]

    @on_leader
    def invite(self, name: str, users: list[str], password: str, reason: str) -> None:
        """Send direct invitations to those who are not in the room. Raises GatewayError: room-unknown, outbox-full, link-down."""
        with self._rooms.held(self._known(name)) as room:
            absent = [user for user in map(parse_jid, users) if not room.is_present(user.bare)]
        for user in absent:
            self._broadcaster.send(direct_invitation(room.jid, str(user), reason, password))

    # -- subscriptions

    @on_leader
    def subscribe(self, name: str, user: str, nick: str, nodes: list[str]) -> list[str]:
        """Subscribe a user; the nodes that were subscribed to.

        Raises GatewayError: room-unknown, subscriptions-off, room-banned, nick-taken, bad-nick, room-crowded.
        """
        with self._rooms.held(self._known(name)) as room:
            return self._subscriptions.subscribe(room, _bare(user), nick, nodes)

    @on_leader
    def unsubscribe(self, name: str, user: str) -> None:
        """Raises GatewayError: room-unknown."""
        with self._rooms.held(self._known(name)) as room:
            self._subscriptions.unsubscribe(room, _bare(user))

    @on_leader
    def subscribers(self, name: str) -> list[str]:
        """The addresses of the subscribers. Raises GatewayError: room-unknown."""
        with self._rooms.held(self._known(name)) as room:
            return [str(user) for user in room.subscribers]

    @on_leader
    def subscriptions(self, user: str) -> list[list[Any]]:
        """Room, nick and nodes of a user's subscriptions."""
        return [[room.local, s.nick, list(s.nodes)] for room, s in self._subscriptions.of(_bare(user))]

    # -- nicks

    @on_leader
    def reserve_nick(self, nick: str, user: str) -> None:
        """Raises GatewayError: nick-taken, bad-nick."""
        self._nicks.reserve(nick, _bare(user))

    @on_leader
    def release_nick(self, user: str) -> None:
        self._nicks.release(_bare(user))

    @on_leader
    def reserved_nick(self, user: str) -> str:
        """The nick that is reserved for a user; "" for none."""
        return self._nicks.of(_bare(user))

    @on_leader
    def reserved_nicks(self) -> list[list[str]]:
        """Address and nick of every reservation."""
        return [[str(user), nick] for user, nick in self._nicks.all()]

    # -- removal and shutdown

    @on_leader
    def account_removed(self, account: JID) -> None:
        """Remove all traces of an account that is about to be removed, so that a later account of this name inherits nothing."""
        bare = account.bare
        self._nicks.release(bare)
        for room in self._rooms.each(self._join_handler.visits.rooms(bare)):
            for occupant in [o for o in room.occupants.values() if o.bare == bare]:
                self._join_handler.remove(room, occupant, OccupantChange(leaving=True))
        for room in self._rooms.to_leave(bare):
            if bare in room.affiliations and not room.gone:
                self._affiliations.affiliate(room, [AffiliationChange(bare, "none")])
            if not room.gone:
                self._subscriptions.unsubscribe(room, bare)

    def close(self) -> None:
        """Tell all occupants that the service shuts down (XEP-0045 §7.14, status 332), and save when each room was last used."""
        for room in self._rooms.each(self._rooms.live()):
            self._join_handler.remove_all(room, OccupantChange((SHUTDOWN,), leaving=True))
            try:
                self._rooms.save(room)
            except StorageError as e:
                log.warning("the time of the last use of %s was not saved: %s", room.jid, e)

    def _name(self, name: str) -> str:
        try:
            return local_jid(name, self.domain).local
        except InvalidJID as e:
            raise GatewayError("bad-room-name", f"{name[:100]!r} cannot be the name of a room: {e}") from e

    def _known(self, name: str) -> str:
        """The prepared name of a room that may exist. Raises GatewayError: room-unknown for an invalid name."""
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
