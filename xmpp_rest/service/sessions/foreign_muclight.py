"""Rooms of MUC Light at the servers of foreign accounts (accounts-anywhere §7.4, client-api §3, §4)."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from xml.etree.ElementTree import Element

from xmpp_rest.errors import GatewayError
from xmpp_rest.protocol.jid import JID
from xmpp_rest.protocol.stanza import condition_of, copied
from xmpp_rest.service.messages.archive import ArchivedMessage, ArchiveFilter
from xmpp_rest.service.muclight.room import MEMBER, NONE, MucLightRoom, NewAffiliation, RoomSummary
from xmpp_rest.service.sessions.foreign_contacts import SendOne
from xmpp_rest.service.sessions.foreign_history import Fits, ForeignHistory
from xmpp_rest.service.sessions.muclight_queries import (
    affiliating,
    configuration_query,
    configuring,
    creation,
    info_query,
    read_room,
    read_rooms,
    read_summary,
    room_error,
    rooms_query,
)
from xmpp_rest.service.sessions.muclight_service import MucLightFinder
from xmpp_rest.service.sessions.server_asks import PATIENCE, ServerAsks
from xmpp_rest.threads.waits import Wait

MOST_ROOMS = 500  # of an account that are listed
MOST_PAGES = 10  # of its list
SECONDS = 30.0  # for one list


class ForeignMucLight:
    """Finds the services of accounts."""

    def __init__(
        self, finder: MucLightFinder, asks: ServerAsks, history: ForeignHistory, say: SendOne, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Any process may ask."""
        self._finder = finder
        self._asks = asks
        self._history = history
        self._say = say
        self._clock = clock

    def of(self, account: JID) -> MucLightAt | None:
        """The service of the account's server; None: it has none. Raises GatewayError where the server does not answer."""
        domain = self._finder.domain(account)
        return None if domain is None else MucLightAt(domain, self._asks, self._history, self._say, self._clock)

    def domain(self, account: JID) -> str:
        """That of the service, for what can do without; "": there is none, or nobody knows."""
        try:
            return self._finder.domain(account) or ""
        except GatewayError:
            return ""


class MucLightAt:
    """One service at another server. Users are bare addresses of foreign accounts; `MucLight` says more of each method.

    What a service does not tell apart is told as it tells it: most say of a room that somebody is not in that it does not exist (XEP §7.1).
    Methods raise GatewayError: server-refused, waits-full, session-lost, iq-timeout … besides what they say.
    """

    owner_configures = False
    """Whether only owners may change the configuration: the service knows."""

    def __init__(self, domain: str, asks: ServerAsks, history: ForeignHistory, say: SendOne, clock: Callable[[], float]) -> None:
        self.domain = domain
        self._service = JID("", domain, "")
        self._asks = asks
        self._history = history
        self._say = say
        self._clock = clock

    def occupied(self, user: JID) -> list[RoomSummary]:
        """The rooms that a user is in, at most MOST_ROOMS. One that has gone meanwhile is left out.

        Raises server-silent as well where all of it takes longer than SECONDS.
        """
        until = self._clock() + SECONDS
        rooms: dict[JID, None] = {}
        after = ""
        for _ in range(MOST_PAGES):
            page = read_rooms(self._asked(rooms_query(user, self._service, after), self._until(until)), self._service)
            known = len(rooms)
            rooms.update(dict.fromkeys(page.rooms))
            if not page.last or page.last == after or len(rooms) == known or len(rooms) >= MOST_ROOMS:
                break
            after = page.last
        listed = list(rooms)[:MOST_ROOMS]
        answers = self._asks.each([configuration_query(user, room) for room in listed], self._until(until))
        return [summary for room, answer in zip(listed, answers, strict=True) if (summary := _summary(answer, room)) is not None]

    def exists(self, name: str) -> bool:
        """Whether a room of that name is known to exist: the service says so when one is made."""
        return False

    def room(self, name: str, user: JID) -> MucLightRoom:
        """A room, for one of its occupants. Raises GatewayError: room-unknown, not-occupant."""
        jid = self._jid(name)
        room = read_room(self._asked(info_query(user, jid)), jid)
        room.require(user.bare)
        return room

    def create(self, creator: JID, config: Mapping[str, str], others: Sequence[NewAffiliation] = (), *, name: str = "") -> str:
        """Make a room, with an unguessable name unless one is given; its name. Raises GatewayError: room-exists, bad-room-change."""
        name = name or str(uuid.uuid4())
        self._asked(creation(creator, self._jid(name), config, others))
        return name

    def configure(self, name: str, actor: JID, config: Mapping[str, str]) -> None:
        """Change fields of the configuration. Raises GatewayError: room-unknown, not-occupant, not-owner, bad-room-change."""
        self._asked(configuring(actor, self._jid(name), config))

    def add(self, name: str, actor: JID, user: JID) -> None:
        """The owner adds a member, unless the user is in the room already. Raises as `configure`."""
        room = self.room(name, actor)
        room.require(actor.bare, owner=True)
        if user.bare not in room.affiliations:
            self._asked(affiliating(actor, room.jid, NewAffiliation(user.bare, MEMBER)))

    def remove(self, name: str, actor: JID, user: JID) -> None:
        """The owner removes an occupant, or an occupant leaves; ignored if the user is not in the room. Raises as `configure`."""
        room = self.room(name, actor)
        room.require(actor.bare, owner=user.bare != actor.bare)
        if user.bare in room.affiliations:
            self._asked(affiliating(actor, room.jid, NewAffiliation(user.bare, NONE)))

    def send_message(self, name: str, sender: JID, message: Element) -> str:
        """Send a message to all occupants, the sender included; its id. Raises GatewayError: room-unknown, not-occupant."""
        room = self.room(name, sender).jid
        addressed = copied(message, from_=str(sender.bare), to_=str(room))
        if (refusal := self._say(addressed, sender.bare, room)) is not None:
            raise room_error(condition_of(refusal), refusal.get("from", ""))
        return addressed.attrib["id"]

    def history(self, name: str, user: JID, wanted: ArchiveFilter, limit: int, fits: Fits) -> list[ArchivedMessage]:
        """The newest archived stanzas that `fits` agrees to, oldest first. Raises GatewayError: room-unknown, not-occupant, no-archive."""
        room = self.room(name, user)
        return self._history.of_archive(user, room.jid, wanted, limit, fits) if limit else []

    def _jid(self, name: str) -> JID:
        return JID(name, self.domain, "")

    def _until(self, end: float) -> Wait:
        return Wait(min(PATIENCE.seconds, max(0.0, end - self._clock())))

    def _asked(self, iq: Element, wait: Wait = PATIENCE) -> Element:
        answer = self._asks.one(iq, wait)
        if answer.get("type") != "result":
            raise room_error(condition_of(answer), answer.get("from", ""))
        return answer


def _summary(answer: Element | Exception, room: JID) -> RoomSummary | None:
    """What an answer tells of a room; None: it has gone. Raises what there is instead of an answer."""
    if isinstance(answer, Exception):
        raise answer
    return read_summary(answer, room)
