"""Writes rooms of a source to the target, by the stores of the rooms themselves, which keep more than one table for a room."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

from drivers import Driver
from xmpp_rest.errors import GatewayError
from xmpp_rest.importing import records as r
from xmpp_rest.importing.accounts import Conflict, OnConflict
from xmpp_rest.importing.archived import ArchiveWriting, Present, item_of
from xmpp_rest.importing.domains import Domains
from xmpp_rest.importing.report import ImportReport
from xmpp_rest.importing.target import ImportTarget, Owner
from xmpp_rest.incidents import Incidents
from xmpp_rest.protocol.element import BadXML
from xmpp_rest.protocol.jid import JID, InvalidJID, local_jid
from xmpp_rest.service.messages.archive import ARCHIVE, Archive
from xmpp_rest.service.muc.history import SHADOW, History
from xmpp_rest.service.muc.options import DEFAULTS, read_option
from xmpp_rest.service.muc.room import AFFILIATIONS, Affiliation, Room, Subscriber
from xmpp_rest.service.muc.rooms import STORE, MucRooms
from xmpp_rest.service.muclight import rooms as light
from xmpp_rest.service.muclight.room import MEMBER, OWNER, new_room

EXISTS = "there is a room of this name, which is left as it is"


class _Parts:
    """The parts of one room, but for its archive. `refuse` is told kind and reason of what is left out."""

    def __init__(self, domains: Domains, refuse: Callable[[str, str], None]) -> None:
        self._domains = domains
        self._refuse = refuse
        self.options: dict[str, str] = {}
        self.affiliations: dict[JID, Affiliation] = {}
        self.subscribers: dict[JID, Subscriber] = {}
        self.subject: r.RoomSubject | None = None
        self.made: float | None = None
        self.last_said: float | None = None

    def take(self, part: Any) -> None:
        """Add a part."""
        try:
            match part:
                case r.RoomOption(name, value):
                    self.options[name] = value
                case r.RoomAffiliation(jid, word, reason):
                    self.affiliations[self._domains.jid(jid).bare] = Affiliation(word, reason)
                case r.RoomSubscriber(jid, nick, nodes):
                    self.subscribers[self._domains.jid(jid).bare] = Subscriber(nick, nodes)
                case r.RoomSubject():
                    self.subject = part
                case r.Made(when):
                    self.made = when
                case r.Archived():
                    self.last_said = part.when
        except InvalidJID as e:
            self._refuse(r.KINDS[type(part)], str(e))


class _RoomWriter(ABC):
    """What both kinds of rooms have in common."""

    kind: str
    store: str

    def __init__(self, target: ImportTarget, report: ImportReport, domains: Domains, domain: str | None, on_conflict: OnConflict) -> None:
        self._target, self._report, self._domains = target, report, domains
        self._domain, self._on_conflict = domain, on_conflict

    def write(self, room: r.ConferenceRoom | r.LightRoom) -> None:
        """Write one room, its archive first. Raises Conflict, StorageError."""
        self._report.read(self.kind)
        owner = self._owner(room)
        exists = owner is not None and self._target.load(owner, self.store) is not None
        if exists and self._on_conflict == "fail":
            raise Conflict(f"{owner}: {EXISTS}; nothing of it was written")
        if owner is None or (exists and self._on_conflict == "skip"):
            if owner is not None:
                self._report.skipped(str(owner), self.kind, EXISTS)
            for part in room.parts:
                self._count(part)
            return
        present = Present.REPLACE if exists else Present.NOTHING if self._target.is_empty(owner) else Present.GO_ON
        parts = self._take(room, owner, present)
        self._target.flush()
        try:
            self._save(JID(owner.user or "", owner.host, ""), parts, exists)
            self._report.written(self.kind)
        except GatewayError as e:
            self._report.left_out(str(owner), self.kind, e.text)

    def _take(self, room: r.ConferenceRoom | r.LightRoom, owner: Owner, present: Present) -> _Parts:
        def refuse(kind: str, reason: str, count: int = 1) -> None:
            self._report.left_out(str(owner), kind, reason, count)

        archive_kind = r.KINDS[r.Archived]
        parts, writing = _Parts(self._domains, refuse), ArchiveWriting(self._target, owner, ARCHIVE, archive_kind, present)
        for part in room.parts:
            self._count(part)
            match part:
                case r.LeftOut():
                    refuse(*part)
                case r.Archived():
                    parts.take(part)
                    try:
                        writing.add(item_of(self._domains, part._replace(with_=part.with_ or str(owner))))
                    except BadXML as e:
                        refuse(archive_kind, str(e))
                case _:
                    parts.take(part)
        writing.end()
        if writing.kept_back:
            reason = "there is an archive with other messages, which is left as it is"
            self._report.skipped(str(owner), archive_kind, reason, writing.kept_back)
        return parts

    @abstractmethod
    def _save(self, jid: JID, parts: _Parts, exists: bool) -> None:
        """Store the room, unless this is a dry run. Raises GatewayError: it cannot be one of ours."""

    def _owner(self, room: r.ConferenceRoom | r.LightRoom) -> Owner | None:
        host = self._domains.host(room.host)
        try:
            jid = local_jid(room.localpart, host)
            if jid.local and jid.domain == self._domain:
                return Owner(jid.local, jid.domain)
            hosted = f"its {self.kind} are at {self._domain}; --domain {room.host}={self._domain} imports it to there"
            reason = f"this gateway has no {self.kind}" if self._domain is None else hosted
        except InvalidJID as e:
            reason = str(e)
        self._report.left_out(f"{room.localpart}@{room.host}", self.kind, reason)
        return None

    def _count(self, part: r.RoomPart) -> None:
        if isinstance(part, r.Archived):
            self._report.read(r.KINDS[r.Archived])


class RoomWriter(_RoomWriter):
    """Writes rooms of XEP-0045. All of them become persistent."""

    kind, store = r.ROOMS, STORE

    def __init__(
        self,
        target: ImportTarget,
        report: ImportReport,
        domains: Domains,
        domain: str | None,
        on_conflict: OnConflict,
        driver: Driver | None,
    ) -> None:
        """`driver`: None for a dry run."""
        super().__init__(target, report, domains, domain, on_conflict)
        history = History(Archive(driver), Archive(driver, SHADOW), 0, Incidents()) if driver else None
        self._rooms = MucRooms(driver, domain, history, time.time, {}) if driver and domain and history else None

    def _save(self, jid: JID, parts: _Parts, exists: bool) -> None:
        options = dict(DEFAULTS)
        for name, value in parts.options.items():
            try:
                options[name] = read_option(name, value)
            except GatewayError as e:
                self._report.left_out(str(jid), r.KINDS[r.RoomOption], e.text)
        options["persistent"] = "true"
        now, subject = time.time(), parts.subject or r.RoomSubject("")
        if subject.text:
            options |= {"subject": subject.text, "subject_author": subject.author}
        affiliations = {user: entry for user, entry in parts.affiliations.items() if entry.word in AFFILIATIONS}
        subject_at = (subject.when or now) if subject.text else 0.0
        used = parts.last_said or parts.made or now
        room = Room(jid, parts.made or used, used, options, affiliations, parts.subscribers, subject_at=subject_at, stored=True)
        if self._rooms:
            self._rooms.save(room)


class LightRoomWriter(_RoomWriter):
    """Writes MUC Light rooms."""

    kind, store = r.LIGHT_ROOMS, light.ROOM

    def __init__(
        self,
        target: ImportTarget,
        report: ImportReport,
        domains: Domains,
        domain: str | None,
        on_conflict: OnConflict,
        driver: Driver | None,
    ) -> None:
        """`driver`: None for a dry run."""
        super().__init__(target, report, domains, domain, on_conflict)
        self._rooms = light.MucLightRooms(driver, domain) if driver and domain else None

    def _save(self, jid: JID, parts: _Parts, exists: bool) -> None:
        occupants = {user: a.word for user, a in parts.affiliations.items() if a.word in (OWNER, MEMBER)}
        if not occupants:
            raise GatewayError("bad-room-change", "the room has no occupants")
        room = new_room(jid, parts.options, occupants)
        if self._rooms is None:
            return
        self._rooms.add_pending(occupants, jid.local)
        if exists:
            before, _ = self._rooms.change(jid.local, lambda _: room)
            self._rooms.sync_occupants({**before.affiliations, **occupants}, jid.local)
        else:
            self._rooms.make(room)
