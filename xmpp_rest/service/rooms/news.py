"""What rooms say of their occupants, and what that means for memberships (rooms-anywhere §4, §7.2)."""

from __future__ import annotations

import time
from collections import OrderedDict
from xml.etree.ElementTree import Element

from xmpp_rest.protocol.conditions import StanzaError
from xmpp_rest.protocol.jid import JID
from xmpp_rest.protocol.namespaces import STANZA_ERRORS
from xmpp_rest.protocol.stanza import is_delayed, new_id
from xmpp_rest.service.rooms.core import RoomCore
from xmpp_rest.service.rooms.joining import GRACE, Joining
from xmpp_rest.service.rooms.losses import reason_of_absence, reason_of_error, refusal_of
from xmpp_rest.service.rooms.membership import RoomMembership
from xmpp_rest.service.rooms.presences import RENAMED, SELF, TEXT, RoomSaid, leaving, renaming, said_by
from xmpp_rest.service.rooms.renaming import Renaming
from xmpp_rest.service.rooms.values import Reason, RoomPlace, RoomState, Subject
from xmpp_rest.service.rooms.watching import Watching

QUIET = 5.0  # seconds
MOST_QUIET = 1000
_GONE = f"error/{{{STANZA_ERRORS}}}gone"


class RoomNews:
    """Takes notice of stanzas that rooms send to occupants."""

    def __init__(self, core: RoomCore, joining: Joining, watching: Watching, renaming: Renaming) -> None:
        self._core = core
        self._joining = joining
        self._watching = watching
        self._renaming = renaming
        self._quiet: OrderedDict[RoomPlace, float] = OrderedDict()  # until when nothing is sent that the room alone has caused

    def presence(self, stanza: Element, sender: JID, place: RoomPlace) -> bool:
        """A presence; whether there is a membership."""
        kind, said = stanza.get("type"), said_by(stanza)
        with self._core.lock:
            found = self._core.table.get(place)
            if found is None:
                if kind is None and said.is_own and not self._core.router.occupancy.is_raw(*place):  # what was sent before a crash, say
                    self._send(place, leaving(place, sender.resource))
                return False
            found.heard = time.monotonic()
            if kind == "error":
                self._error(found, stanza)
            elif not sender.resource:
                return True  # ejabberd's caps, or nothing that means anything
            elif kind is None:
                self._available(found, sender.resource, said)
            elif kind == "unavailable":
                self._unavailable(found, sender.resource, said)
            return True

    def _send(self, place: RoomPlace, presence: Element) -> None:
        """Send what a room alone has caused: not more often than every QUIET seconds, as a hostile one could cause any number."""
        now = time.monotonic()
        if now < self._quiet.get(place, 0.0):
            return
        self._quiet[place] = now + QUIET
        self._quiet.move_to_end(place)
        if len(self._quiet) > MOST_QUIET:
            self._quiet.popitem(last=False)
        self._core.work.send(presence)

    def _error(self, found: RoomMembership, stanza: Element) -> None:
        gone = stanza.find(_GONE)
        location = ((gone.text if gone is not None else None) or "").strip()[:TEXT]
        if found.attempt is not None:
            self._joining.refused(found, found.attempt, stanza, location)
        else:
            self._renaming.refused(found, stanza, location)

    def _available(self, found: RoomMembership, nick: str, said: RoomSaid) -> None:
        found.occupants.put(nick, said)
        if not said.is_own:
            return
        if found.state is RoomState.OUT:  # it has left before the room knew of it
            self._send(found.place, leaving(found.place, nick))
            return
        if found.state is RoomState.JOINING and (found.attempt is None or not found.attempt.is_asked):
            return  # it is about to come in
        found.own_nick, found.role, found.affiliation = nick, said.role, said.affiliation
        if found.attempt is not None:
            self._joining.shown(found, found.attempt, said)
        else:
            self._renaming.shown(found, nick, said)

    def _unavailable(self, found: RoomMembership, nick: str, said: RoomSaid) -> None:
        is_own = SELF in said.codes or nick == found.own_nick
        found.occupants.remove(nick)
        if RENAMED in said.codes and said.new_nick:
            if is_own:
                found.own_nick = said.new_nick
                self._core.keep(found)
                self._core.tell(found)
            return
        if not is_own:
            self._take_back(found, nick)
        elif found.state is RoomState.IN:
            self._gone(found, said)
        elif (attempt := found.attempt) is not None and attempt.has_self:  # hardly had it come in
            reason = reason_of_absence(said)
            self._joining.failed(found, attempt, refusal_of(found.place, reason), reason)

    def _gone(self, found: RoomMembership, said: RoomSaid) -> None:
        reason = reason_of_absence(said)
        if reason.condition == "gone":
            self._core.discovery.forget(found.place.room, found.place.occupant)
        if reason.rejoin:
            self._watching.lost(found, reason)
        else:
            self._out(found, reason)

    def _out(self, found: RoomMembership, reason: Reason) -> None:
        self._core.take(found, RoomState.OUT, reason)
        self._core.answer(found.checked(), refusal_of(found.place, reason))

    def _take_back(self, found: RoomMembership, nick: str) -> None:
        """Take the stored nick again, once its holder has left, unless nobody else is in: then the room would be destroyed by that."""
        is_wanted = found.state is RoomState.IN and found.wish.stay and nick == found.nick != found.own_nick
        if is_wanted and found.occupants.total > 1:
            self._send(found.place, renaming(found.place, nick, new_id()))

    def message_refused(self, found: RoomMembership, error: StanzaError) -> None:
        """An own message came back, as of one who is not in, or from no room. Needs the lock."""
        if error.condition == "not-acceptable":
            self._watching.lost(found, reason_of_error(error, rejoin=True))
        elif error.condition in ("item-not-found", "gone"):
            self._core.discovery.forget(found.place.room, found.place.occupant)
            if found.wish.stay and error.condition == "item-not-found":
                self._joining.later(found, reason_of_error(error, rejoin=True), slowly=True)
            else:
                self._out(found, reason_of_error(error, rejoin=False))

    def heard(self, stanza: Element, place: RoomPlace) -> bool:
        """A message; whether it is news: neither of the past, if nobody has asked for that, nor the subject that ends the join."""
        subject = stanza.find("subject")
        with self._core.lock:
            found = self._core.table.get(place)
            if found is None:
                return True
            found.heard = time.monotonic()
            if subject is None or stanza.find("body") is not None or stanza.get("type") != "groupchat":
                return found.attempt is None or found.attempt.wish.history > 0 or not is_delayed(stanza)
            nick = stanza.get("from", "").partition("/")[2]
            before, found.subject = found.subject, Subject((subject.text or "")[: 64 * TEXT], nick) if subject.text else None
            if (attempt := found.attempt) is None:
                # ejabberd 23 says it twice to who comes in again while it takes him to be there
                is_of_join = found.state is RoomState.IN and time.monotonic() - found.changed_at < GRACE
                return not is_of_join or (found.subject != before and not is_delayed(stanza))
            attempt.has_subject = attempt.has_subject or attempt.is_asked
            self._joining.end_if_complete(found, attempt)
            return False
