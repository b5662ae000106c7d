"""Whether a target is a person or a room: by its domain, or by service discovery (hooks §3)."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from enum import Enum
from typing import Any
from xml.etree.ElementTree import Element

from xmpp_rest.errors import GatewayError
from xmpp_rest.link.router import Router
from xmpp_rest.protocol.jid import JID
from xmpp_rest.protocol.namespaces import DISCO_INFO, MUC_LIGHT
from xmpp_rest.protocol.stanza import child, make, new_id
from xmpp_rest.threads.waits import Wait

KEPT = 86_400.0  # seconds for which an answer counts
PATIENCE = 10.0  # seconds that an answer may take
MOST = 10_000  # targets of which something is known
_QUERY = f"{{{DISCO_INFO}}}query"
_IDENTITY = f"{_QUERY}/{{{DISCO_INFO}}}identity"
_FEATURE = f"{_QUERY}/{{{DISCO_INFO}}}feature"


class TargetKind(Enum):
    """What a target is, and so how it is written to."""

    PERSON = "person"
    ROOM = "room"  # of XEP-0045: who speaks has to be in
    LIGHT_ROOM = "light room"  # of MUC Light: who speaks has to be an occupant already


OnKind = Callable[[TargetKind], None]


class Targets:
    """What targets are. What service discovery told holds for a day; who does not answer is a person, and asked again. In the leader."""

    def __init__(
        self, router: Router, rooms_domain: str | None, conference_domain: str | None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._router = router
        self._of_domain = {rooms_domain: TargetKind.LIGHT_ROOM, conference_domain: TargetKind.ROOM}
        self._clock = clock
        self._known: OrderedDict[JID, tuple[TargetKind, float]] = OrderedDict()  # with the time until which that counts
        self._asked: dict[JID, list[OnKind]] = {}  # who waits for an answer that is under way
        self._lock = threading.Lock()

    def find(self, target: JID, is_room: bool | None, asker: JID, then: OnKind) -> None:
        """Call `then` with what the target is: now, or by another thread when service discovery has told, which `asker` asks.

        `is_room`: whether somebody has said that it is one.
        """
        kind = self.settled(target, is_room)
        if kind is not None:
            then(kind)
        else:
            self.ask(target, asker, then)

    def settled(self, target: JID, is_room: bool | None) -> TargetKind | None:
        """What the target is, as far as that is known without asking."""
        if target.resource or not target.local:
            return TargetKind.PERSON
        if (kind := self._of_domain.get(target.domain)) is not None:
            return kind
        if target.domain in self._router.domains:
            return TargetKind.PERSON
        known = self.known(target)
        if is_room:
            return TargetKind.ROOM if known is not TargetKind.LIGHT_ROOM else known
        return known

    def known(self, target: JID) -> TargetKind | None:
        """What service discovery has told of the target within a day."""
        with self._lock:
            kind, until = self._known.get(target, (None, 0.0))
        return kind if self._clock() < until else None

    def ask(self, target: JID, asker: JID, then: OnKind) -> None:
        """Call `then` with what service discovery tells of the target, by any thread; a person, if it tells nothing."""
        with self._lock:
            waiting = self._asked.setdefault(target, [])
            waiting.append(then)
            if len(waiting) > 1:
                return
        iq = make("iq", child(_QUERY), type_="get", id_=new_id(), from_=str(asker), to_=str(target))
        try:
            self._router.begin_ask(lambda answer: self._answered(target, answer), iq, Wait(PATIENCE))
        except GatewayError as e:  # too many wait already
            self._answered(target, e)

    def _answered(self, target: JID, answer: Any) -> None:
        """`answer`: what `Router.ask` returns, or its exception."""
        kind = None if isinstance(answer, Exception) else _kind(answer[0])
        with self._lock:
            if kind is not None:
                self._known[target] = kind, self._clock() + KEPT
                self._known.move_to_end(target)
                if len(self._known) > MOST:
                    self._known.popitem(last=False)
            waiting = self._asked.pop(target, [])
        for then in waiting:
            then(kind or TargetKind.PERSON)


def _kind(answer: Element) -> TargetKind | None:
    """What the answer says; None for an error."""
    if answer.get("type") != "result":
        return None
    if not any(identity.get("category") == "conference" for identity in answer.iterfind(_IDENTITY)):
        return TargetKind.PERSON
    is_light = any(feature.get("var") == MUC_LIGHT for feature in answer.iterfind(_FEATURE))
    return TargetKind.LIGHT_ROOM if is_light else TargetKind.ROOM
