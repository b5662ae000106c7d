"""The MUC Light service: operations on rooms, with their broadcasts (XEP Multi-User Chat Light; client-api §3, §4).

Users are bare addresses, rooms are named by their localpart. The changes and messages of a room are archived and sent in one order,
so that of several processes one makes them all.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Mapping, Sequence
from xml.etree.ElementTree import Element

from xmpp_rest.errors import GatewayError
from xmpp_rest.processes.on_leader import on_leader
from xmpp_rest.processes.remote import Remote
from xmpp_rest.protocol.jid import JID
from xmpp_rest.protocol.stanza import new_id
from xmpp_rest.service.messages.archive import Archive, ArchivedMessage, ArchiveFilter
from xmpp_rest.service.messages.clock import MonotonicClock
from xmpp_rest.service.muclight.blocking import Blocking
from xmpp_rest.service.muclight.broadcast import MucLightBroadcaster
from xmpp_rest.service.muclight.quotas import Quotas
from xmpp_rest.service.muclight.room import (
    MEMBER,
    NONE,
    MucLightRoom,
    NewAffiliation,
    RoomSummary,
    Rules,
    changed,
    configured,
    first_affiliations,
    new_room,
)
from xmpp_rest.service.muclight.rooms import MucLightRooms
from xmpp_rest.threads.stripes import Stripes
from xmpp_rest.threads.tasks import OrderLock

log = logging.getLogger("xmpp_rest.rooms")

STRIPES = 64
MayBring = Callable[[JID, JID], bool]
"""(asker, user): whether the asker may make that user an occupant."""
Pick = Callable[[MucLightRoom], Sequence[NewAffiliation]]
"""The changes to ask for, given the present room; raises GatewayError. May be called more than once."""


class MucLight:
    """The rooms of one domain. Methods raise StorageError, and GatewayError as they say."""

    def __init__(
        self,
        rooms: MucLightRooms,
        blocking: Blocking,
        archive: Archive,
        clock: MonotonicClock,
        broadcaster: MucLightBroadcaster,
        rules: Rules,
        quotas: Quotas,
        remote: Remote,
        may_bring: MayBring,
    ) -> None:
        self.domain = rooms.domain
        self.rules = rules
        self._rooms = rooms
        self._blocking = blocking
        self._archive = archive
        self._clock = clock
        self._broadcaster = broadcaster
        self._quotas = quotas
        self._may_bring = may_bring
        self.bounces = broadcaster.bounces
        self._remote = remote
        remote.offer(self)
        self._orders = Stripes(STRIPES, reentrant=True)

    @property
    def owner_configures(self) -> bool:
        """Whether only owners may change the configuration."""
        return not self.rules.all_can_configure

    # -- reading

    def occupied(self, user: JID) -> list[RoomSummary]:
        """The rooms that a user is in."""
        return self._rooms.summaries(user)

    def room(self, name: str, user: JID) -> MucLightRoom:
        """A room, for one of its occupants. Raises GatewayError: room-unknown, not-occupant."""
        room = self._existing(name)
        room.require(user)
        return room

    def exists(self, name: str) -> bool:
        """Whether a room of that name exists."""
        return self._rooms.load(name) is not None

    def may_ask(self, asker: JID, room: JID) -> bool:
        """Whether `asker` (full or bare) may read the room's archive: occupants may read all of it."""
        found = self._rooms.load(room.local)
        return found is not None and asker.bare in found.affiliations

    def history(self, name: str, user: JID, wanted: ArchiveFilter, limit: int, fits: Callable[[Element], bool]) -> list[ArchivedMessage]:
        """The newest `limit` archived stanzas that are wanted and that `fits` agrees to, oldest first.

        Raises GatewayError: room-unknown, not-occupant.
        """
        room = self.room(name, user)
        return self._archive.page(room.jid, wanted, limit, newest=True, fits=fits).items if limit else []

    # -- creating and destroying

    @on_leader
    def create(
        self, creator: JID, config: Mapping[str, str], others: Sequence[NewAffiliation] = (), *, name: str = "", announce: str | None = None
    ) -> str:
        """Make a room, with an unguessable name unless one is given; its name.

        `announce`: the id of messages that tell everybody in the room, the creator included (XEP §5.1); without it the others are
        notified as if they had been added after the room was made.
        Raises GatewayError: room-exists, bad-room-change, room-full, bot-kept-out.
        """
        self._require_admissible(creator, [change.user for change in others])
        address = JID(name or str(uuid.uuid4()), self.domain, "")
        willing = self._blocking.willing([change.user for change in others], address, creator)
        others = [change for change in others if change.user in willing]
        room = new_room(address, config, first_affiliations(creator, others, self.rules))
        with self._order(address.local):
            until = self._clock.next()
            if self._rooms.load(address.local):
                raise GatewayError("room-exists")
            self._quotas.require(None, room)
            self._rooms.forget_history(address.local, until)  # of a room of this name whose removal a crash interrupted
            try:
                self._rooms.add_pending(room.affiliations, address.local)
                self._rooms.make(room)
                self._quotas.changed(None, room)
            finally:
                self._rooms.sync_occupants(room.affiliations, address.local)
            told = others if announce is None else [NewAffiliation(user, affiliation) for user, affiliation in room.affiliations.items()]
            if told:
                self._broadcaster.notify_created(room, told, announce or new_id())
        return address.local

    def destroy(self, name: str, actor: JID, identifier: str) -> None:
        """Destroy a room. Raises GatewayError: room-unknown, not-occupant, not-owner."""

        def edit(room: MucLightRoom) -> None:
            room.require(actor, owner=True)

        with self._order(name):
            until = self._clock.next()
            room, _ = self._rooms.change(name, edit)
            self._quotas.changed(room, None)
            self._rooms.sync_occupants(room.affiliations, name)
            self._broadcaster.notify_destroyed(room, identifier)
            self._rooms.forget_history(name, until)

    # -- configuration and occupants

    @on_leader
    def configure(self, name: str, actor: JID, config: Mapping[str, str], identifier: str = "") -> None:
        """Change fields of the configuration, and notify the occupants.

        Raises GatewayError: room-unknown, not-occupant, not-owner, bad-room-change.
        """
        with self._order(name):
            before, after = self._rooms.change(name, lambda room: configured(room, actor, config, self.rules))
            if after and before.version != after.version:
                self._broadcaster.notify_configuration(before, after, identifier or new_id())

    def affiliate(self, name: str, actor: JID, wanted: Sequence[NewAffiliation], identifier: str) -> None:
        """Change affiliations by the rules of XEP §5.4.

        Raises GatewayError: room-unknown, not-occupant, not-owner, bad-room-change, room-full, bot-kept-out.
        """

        def pick(room: MucLightRoom) -> Sequence[NewAffiliation]:
            room.require(actor)
            if not wanted:
                raise GatewayError("bad-room-change", "name at least one user")
            return wanted

        self._affiliate(name, actor, pick, identifier)

    @on_leader
    def add(self, name: str, actor: JID, user: JID) -> None:
        """The owner adds a member, unless the user is in the room already. Raises as `affiliate`."""

        def pick(room: MucLightRoom) -> Sequence[NewAffiliation]:
            room.require(actor, owner=True)
            return () if user in room.affiliations else (NewAffiliation(user, MEMBER),)

        self._affiliate(name, actor, pick, new_id())

    @on_leader
    def remove(self, name: str, actor: JID, user: JID) -> None:
        """The owner removes an occupant, or an occupant leaves; ignored if the user is not in the room. Raises as `affiliate`."""

        def pick(room: MucLightRoom) -> Sequence[NewAffiliation]:
            room.require(actor, owner=user != actor)
            return (NewAffiliation(user, NONE),) if user in room.affiliations else ()

        self._affiliate(name, actor, pick, new_id())

    def account_removed(self, account: JID) -> None:
        """Remove an account that is about to be removed from every room."""
        for room in self._rooms.summaries(account):
            try:
                self.remove(room.jid.local, account, account)
            except GatewayError as e:  # removed, or the room destroyed, in the meantime
                log.info("%s did not have to leave %s: %s", account, room.jid, e)

    def _affiliate(self, name: str, actor: JID, pick: Pick, identifier: str) -> None:
        with self._order(name):
            room = self._existing(name)
            wanted = pick(room)
            if not wanted:
                return
            changed(room, actor, wanted, self.rules)  # refuse what can be refused before anything is written
            newcomers = [user for user, _ in wanted if user not in room.affiliations]
            self._require_admissible(actor, newcomers)
            willing = self._blocking.willing(newcomers, room.jid, actor)
            unwilling = set(newcomers) - willing  # XEP §4.5: skipped silently
            if wanted := [change for change in wanted if change.user not in unwilling]:
                if after := changed(room, actor, wanted, self.rules)[0]:
                    self._quotas.require(room, after, wanted)
                self._change(room, actor, lambda now: [c for c in pick(now) if c.user not in unwilling], willing, identifier)

    def _require_admissible(self, actor: JID, newcomers: Sequence[JID]) -> None:
        """Raise GatewayError, bot-kept-out, if `actor` may not bring one of these into a room."""
        for user in newcomers:
            if not self._may_bring(actor, user):
                raise GatewayError("bot-kept-out", f"{user} is a bot, which only an administrator may bring into a room")

    def _change(self, room: MucLightRoom, actor: JID, pick: Pick, newcomers: set[JID], identifier: str) -> None:
        name = room.jid.local
        changes: list[NewAffiliation] = []

        def edit(before: MucLightRoom) -> MucLightRoom | None:
            wanted = pick(before)
            after, changes[:] = changed(before, actor, wanted, self.rules) if wanted else (before, [])
            return after

        until = self._clock.next()
        self._rooms.add_pending(newcomers, name)
        try:
            before, after = self._rooms.change(name, edit)
        finally:
            self._rooms.sync_occupants([*newcomers, *(user for user, affiliation in changes if affiliation == NONE)], name)
        self._quotas.changed(before, after)
        if changes:
            self._broadcaster.notify_affiliations(before, after, changes, identifier)
        if after is None:
            self._rooms.forget_history(name, until)

    # -- messages

    @on_leader
    def send_message(self, name: str, sender: JID, message: Element) -> str:
        """Send a message to all occupants, the sender included; its id. Raises GatewayError: room-unknown, not-occupant."""
        with self._order(name):
            return self._broadcaster.broadcast(self.room(name, sender), sender, message)

    def _existing(self, name: str) -> MucLightRoom:
        room = self._rooms.load(name)
        if room is None:
            raise GatewayError("room-unknown")
        return room

    def _order(self, name: str) -> OrderLock:
        return self._orders.of(name)
