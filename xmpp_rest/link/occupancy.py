"""Knows which rooms of other servers hosted addresses are in (XEP-0045)."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from xml.etree.ElementTree import Element

from xmpp_rest.protocol.jid import JID, parse_jid
from xmpp_rest.protocol.namespaces import MUC, MUC_USER
from xmpp_rest.protocol.stanza import make, new_id

MAX_ROOMS = 100  # of one bare address, each of its resources counted; the least recently updated one is dropped
MAX_ADDRESSES = 10_000
MAX_GREETED = 10_000
MAX_LEFT = 10_000
LINGERS = 3600.0  # seconds for which a room counts as one after everybody has left: what it has sent may come late
_JOIN = f"{{{MUC}}}x"
_STATUS = f"{{{MUC_USER}}}x/{{{MUC_USER}}}status"
_SELF, _RENAMED = "110", "303"  # XEP-0045 §15.6.2

_Visits = OrderedDict[tuple[JID, JID], str]  # (full address of the visitor, room) → nick


class Occupancy:
    """In memory, bounded; safe to be used by several threads. True in the leader.

    Occupants that the gateway keeps in rooms are *managed*: their presences are somebody else's business. All others are *raw*.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic, hosted: Collection[str] | None = None) -> None:
        """`hosted`: the domains whose addresses make an address a room for everybody; None: all. Of others only their own matter."""
        self._clock = clock
        self._hosted = hosted
        self._managed: dict[tuple[JID, JID], None] = {}
        self._rooms: dict[JID, int] = {}  # → how many occupants there are, raw and managed
        self._left: OrderedDict[JID, float] = OrderedDict()  # rooms in which nobody is any more, and when that came to be
        self._visits: OrderedDict[JID, _Visits] = OrderedDict()
        self._greeted: OrderedDict[tuple[JID, JID], None] = OrderedDict()  # perhaps rooms, entered without the element (XEP-0045 §7.2.1)
        self._lock = threading.Lock()

    def sent(self, stanza: Element, sender: JID, to: JID) -> None:
        """Take notice of what a hosted address sends to another server: it may enter a room, change its nick, or leave."""
        if stanza.tag != "presence" or not (to.local and to.resource):
            return
        kind, key = stanza.get("type"), (sender, to.bare)
        with self._lock:
            if key in self._managed:
                return
            if kind == "unavailable":
                self._forget(key)
            elif kind is None and (stanza.find(_JOIN) is not None or key in self._visits.get(sender.bare, ())):
                self._remember(key, to.resource)
            elif kind is None:
                self._greeted[key] = None
                if len(self._greeted) > MAX_GREETED:
                    self._greeted.popitem(last=False)

    @contextmanager
    def sending(self, stanzas: Iterable[Element]) -> Iterator[None]:
        """Send these within: `sent` comes before, as rooms may answer at once, and is undone if sending fails."""
        moves = [
            (stanza, parse_jid(stanza.attrib["from"]), parse_jid(stanza.attrib["to"])) for stanza in stanzas if stanza.tag == "presence"
        ]
        before = [self._noted((sender, to.bare)) for _, sender, to in moves]
        for move in moves:
            self.sent(*move)
        try:
            yield
        except Exception:
            for noted in reversed(before):
                self._restore(*noted)
            raise

    def _noted(self, key: tuple[JID, JID]) -> tuple[tuple[JID, JID], str | None, bool]:
        """What is known of this address in this room: the nick, and whether it may be coming in."""
        with self._lock:
            return key, self._visits.get(key[0].bare, _Visits()).get(key), key in self._greeted

    def _restore(self, key: tuple[JID, JID], nick: str | None, was_greeted: bool) -> None:
        with self._lock:
            self._forget(key)
            if nick is not None:
                self._remember(key, nick)
            if was_greeted:
                self._greeted[key] = None

    def observe(self, stanza: Element, sender: JID | None, to: JID) -> None:
        """Observe a stanza to a hosted address: it may show that the address has entered or left a room."""
        if stanza.tag != "presence" or sender is None or not (sender.resource and to.resource):
            return
        kind, key = stanza.get("type"), (to, sender.bare)
        codes = {status.get("code") for status in stanza.iterfind(_STATUS)}
        with self._lock:
            if key in self._managed:
                return
            nick = self._visits.get(to.bare, _Visits()).get(key)
            own = _SELF in codes or sender.resource == nick
            if kind == "unavailable" and own and _RENAMED not in codes:
                self._forget(key)
            elif kind is None and _SELF in codes and (nick is not None or key in self._greeted):  # the room may have given another nick
                self._remember(key, sender.resource)

    def manage(self, occupant: JID, room: JID) -> None:
        """Take this one for managed from now on."""
        with self._lock:
            if (occupant, room) in self._managed:
                return
            self._forget((occupant, room))
            self._managed[occupant, room] = None
            self._came(occupant, room)

    def unmanage(self, occupant: JID, room: JID) -> None:
        """It is not managed any more."""
        with self._lock:
            if (occupant, room) in self._managed:
                del self._managed[occupant, room]
                self._went(occupant, room)

    def is_raw(self, occupant: JID, room: JID) -> bool:
        """Whether this full address has come into the room by a presence of its own."""
        with self._lock:
            return (occupant, room) in self._visits.get(occupant.bare, ())

    def is_room(self, address: JID) -> bool:
        """Whether any of those that count is in this room, is coming in, or was within LINGERS; bare."""
        with self._lock:
            return address in self._rooms or self._clock() - self._left.get(address, float("-inf")) < LINGERS

    def nick(self, address: JID, room: JID) -> str | None:
        """How the room (bare) calls this very address, whatever its resource; None: it is not in."""
        with self._lock:
            return self._visits.get(address.bare, _Visits()).get((address, room))

    def leave(self, is_meant: Callable[[JID], bool] = lambda _: True) -> list[Element]:
        """Forget those of the bare addresses that are meant; the presence by which each raw occupant leaves its room."""
        with self._lock:
            all_visits = {address: self._visits.pop(address) for address in [each for each in self._visits if is_meant(each)]}
            for key in [key for key in self._greeted if is_meant(key[0].bare)]:
                del self._greeted[key]
            for some in all_visits.values():
                for key in some:
                    self._went(*key)
        visits = [visit for visits in all_visits.values() for visit in visits.items()]
        return [
            make("presence", from_=str(sender), to_=str(room._replace(resource=nick)), type_="unavailable", id_=new_id())
            for (sender, room), nick in visits
        ]

    def raw(self) -> list[tuple[JID, JID, str]]:
        """All raw occupants: full address, room and nick; the oldest of each first."""
        with self._lock:
            return [(*key, nick) for visits in self._visits.values() for key, nick in visits.items()]

    def restore(self, occupant: JID, room: JID, nick: str) -> None:
        """This one came into the room while another process led."""
        with self._lock:
            if (occupant, room) not in self._managed:
                self._remember((occupant, room), nick)

    def forget(self, address: JID) -> None:
        """This bare address is in no room any more, whatever its resource."""
        with self._lock:
            for key in self._visits.pop(address, _Visits()):
                self._went(*key)

    def _remember(self, key: tuple[JID, JID], nick: str) -> None:
        self._greeted.pop(key, None)
        visits = self._visits.setdefault(key[0].bare, OrderedDict())
        self._visits.move_to_end(key[0].bare)
        if key not in visits:
            self._came(*key)
        visits[key] = nick
        visits.move_to_end(key)
        if len(visits) > MAX_ROOMS:
            oldest, _ = visits.popitem(last=False)
            self._went(*oldest)
        if len(self._visits) > MAX_ADDRESSES:
            _, dropped = self._visits.popitem(last=False)
            for key in dropped:
                self._went(*key)

    def _forget(self, key: tuple[JID, JID]) -> None:
        self._greeted.pop(key, None)
        visits = self._visits.get(key[0].bare, OrderedDict())
        if visits.pop(key, None) is not None:
            self._went(*key)
        if not visits:
            self._visits.pop(key[0].bare, None)

    def _counts(self, occupant: JID) -> bool:
        return self._hosted is None or occupant.domain in self._hosted

    def _came(self, occupant: JID, room: JID) -> None:
        if not self._counts(occupant):
            return
        self._left.pop(room, None)
        self._rooms[room] = self._rooms.get(room, 0) + 1

    def _went(self, occupant: JID, room: JID) -> None:
        if not self._counts(occupant):
            return
        self._rooms[room] -= 1
        if not self._rooms[room]:
            del self._rooms[room]
            self._left[room] = self._clock()
            if len(self._left) > MAX_LEFT:
                self._left.popitem(last=False)
