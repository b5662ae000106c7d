"""What addresses are, by service discovery (XEP-0030), kept for an hour."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, NamedTuple
from xml.etree.ElementTree import Element

from xmpp_rest.errors import GatewayError
from xmpp_rest.link.router import Router
from xmpp_rest.protocol.conditions import StanzaError
from xmpp_rest.protocol.element import BadXML
from xmpp_rest.protocol.jid import JID
from xmpp_rest.protocol.namespaces import DISCO_INFO, MUC
from xmpp_rest.protocol.stanza import child, condition_of, make, new_id
from xmpp_rest.service.rooms.occupant_addresses import OccupantAddresses
from xmpp_rest.threads.waits import Wait

KEPT = 3600.0  # seconds for which an answer counts
PATIENCE = 5.0  # seconds that it may take
MOST = 10_000  # addresses of which something is known
FEATURES, TEXT = 100, 256  # of an answer, and characters of each: a server may say anything
_QUERY = f"{{{DISCO_INFO}}}query"
_IDENTITY = f"{_QUERY}/{{{DISCO_INFO}}}identity"
_FEATURE = f"{_QUERY}/{{{DISCO_INFO}}}feature"


class RoomInfo(NamedTuple):
    """What an address says of itself."""

    name: str
    categories: frozenset[str]
    features: tuple[str, ...]

    @property
    def is_room(self) -> bool:
        """Whether it is a room that one comes into (XEP-0045)."""
        return "conference" in self.categories and MUC in self.features

    @property
    def is_conference(self) -> bool:
        """Whether it calls itself a conference, of whatever protocol."""
        return "conference" in self.categories

    @property
    def is_persistent(self) -> bool:
        """Whether the room stays when everybody has left."""
        return "muc_persistent" in self.features


_Asked = tuple[str, JID]
"""Whose server was asked, "" for the gateway's own, and the address."""
OnInfo = Callable[[RoomInfo | StanzaError | None], None]
"""Gets the answer, the error, or None where there is no answer."""


class Discovery:
    """Asks each address once for those that want to know at the same time. In the leader."""

    def __init__(self, router: Router, asker: JID, addresses: OccupantAddresses, clock: Callable[[], float] = time.monotonic) -> None:
        """`asker`: who asks, where nobody else is named: the hosted domain."""
        self._router = router
        self._asker = asker
        self._addresses = addresses
        self._clock = clock
        self._known: OrderedDict[_Asked, tuple[RoomInfo, float]] = OrderedDict()  # with the time until which that counts
        self._asked: dict[_Asked, list[OnInfo]] = {}  # who waits for an answer that is under way
        self._lock = threading.Lock()

    def _key(self, jid: JID, asker: JID | None) -> _Asked:
        return self._addresses.realm(asker) if asker is not None else "", jid

    def known(self, jid: JID, asker: JID | None = None) -> RoomInfo | None:
        """What the address has told within an hour, those whom the server of `asker` serves."""
        with self._lock:
            info, until = self._known.get(self._key(jid, asker), (None, 0.0))
        return info if self._clock() < until else None

    def forget(self, jid: JID, asker: JID | None = None) -> None:
        """What was told does not count any more."""
        with self._lock:
            self._known.pop(self._key(jid, asker), None)

    def ask(self, jid: JID, then: OnInfo, *, asker: JID | None = None, seconds: float = PATIENCE) -> None:
        """Call `then` once: now, or by another thread."""
        if (info := self.known(jid, asker)) is not None:
            then(info)
            return
        key = self._key(jid, asker)
        with self._lock:
            waiting = self._asked.setdefault(key, [])
            waiting.append(then)
            if len(waiting) > 1:
                return
        iq = make("iq", child(_QUERY), type_="get", id_=new_id(), from_=str(asker or self._asker), to_=str(jid))
        try:
            self._router.begin_ask(lambda answer: self._answered(key, answer), iq, Wait(min(seconds, PATIENCE)))
        except (GatewayError, BadXML) as e:  # too many wait already
            self._answered(key, e)

    def _answered(self, key: _Asked, answer: Any) -> None:
        """`answer`: what `Router.ask` returns, or its exception."""
        found = None if isinstance(answer, Exception) else _read(answer[0])
        with self._lock:
            if isinstance(found, RoomInfo):
                self._known[key] = found, self._clock() + KEPT
                self._known.move_to_end(key)
                if len(self._known) > MOST:
                    self._known.popitem(last=False)
            waiting = self._asked.pop(key, [])
        for then in waiting:
            then(found)


def _read(answer: Element) -> RoomInfo | StanzaError:
    if answer.get("type") != "result":
        return condition_of(answer)
    identities = list(answer.iterfind(_IDENTITY))[:FEATURES]
    named = [identity for identity in identities if identity.get("category") == "conference"] or identities
    name = next((identity.get("name", "") for identity in named), "")
    features = [feature.get("var", "") for feature in answer.iterfind(_FEATURE)]
    kept = tuple(dict.fromkeys(var for var in features if var and len(var) <= TEXT))[:FEATURES]
    return RoomInfo(name[:TEXT], frozenset(identity.get("category", "")[:TEXT] for identity in identities), kept)
