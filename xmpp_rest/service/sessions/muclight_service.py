"""Finds the MUC Light service of an account's server (accounts-anywhere §7.4; XEP-0030, XEP Multi-User Chat Light §3)."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from xml.etree.ElementTree import Element

from xmpp_rest.link.pending import jid_or_none
from xmpp_rest.protocol.jid import JID
from xmpp_rest.protocol.namespaces import DISCO_INFO, DISCO_ITEMS, MUC_LIGHT
from xmpp_rest.protocol.stanza import child, condition_of, make, new_id
from xmpp_rest.service.sessions.refused import server_refused
from xmpp_rest.service.sessions.server_asks import ServerAsks
from xmpp_rest.threads.waits import Wait

KEPT = 600.0  # seconds for which counts what was found
KEPT_UNSURE = 60.0  # the same where an entity of the server did not answer
MOST = 10_000  # accounts of whose server something is known
MOST_ITEMS = 50
PATIENCE = Wait(5.0)
_ITEM = f"{{{DISCO_ITEMS}}}query/{{{DISCO_ITEMS}}}item"
_FEATURE = f"{{{DISCO_INFO}}}query/{{{DISCO_INFO}}}feature"
_NOTHING = frozenset(("feature-not-implemented", "service-unavailable", "item-not-found"))


class MucLightFinder:
    """Asks the server's domain for its entities, and these what they are. Each process keeps what it has found."""

    def __init__(self, asks: ServerAsks, clock: Callable[[], float] = time.monotonic) -> None:
        self._asks = asks
        self._clock = clock
        self._known: OrderedDict[JID, tuple[str | None, float]] = OrderedDict()  # by account, with the time until which that counts
        self._lock = threading.Lock()

    def domain(self, account: JID) -> str | None:
        """The domain of the service; None: the server has none. Raises GatewayError where the server does not answer."""
        account = account.bare
        with self._lock:
            found, until = self._known.get(account, (None, 0.0))
        if self._clock() < until:
            return found
        found, seconds = self._search(account)
        with self._lock:
            self._known[account] = found, self._clock() + seconds
            self._known.move_to_end(account)
            if len(self._known) > MOST:
                self._known.popitem(last=False)
        return found

    def _search(self, account: JID) -> tuple[str | None, float]:
        """The domain, and for how many seconds that counts."""
        items = self._items(account)
        answers = self._asks.each([_info(account, jid) for jid in items], PATIENCE)
        for jid, answer in zip(items, answers, strict=True):
            if isinstance(answer, Element) and MUC_LIGHT in {feature.get("var") for feature in answer.iterfind(_FEATURE)}:
                return jid.domain, KEPT
        return None, KEPT_UNSURE if any(isinstance(answer, Exception) for answer in answers) else KEPT

    def _items(self, account: JID) -> list[JID]:
        iq = make("iq", child(f"{{{DISCO_ITEMS}}}query"), type_="get", id_=new_id(), from_=str(account), to_=account.domain)
        answer = self._asks.one(iq, PATIENCE)
        if answer.get("type") != "result":
            error = condition_of(answer)
            if error.type != "wait" and error.condition in _NOTHING:
                return []
            raise server_refused(error, "The server does not say which services it has")
        jids = [jid_or_none(item.get("jid")) for item in answer.iterfind(_ITEM) if not item.get("node")]
        found = list(dict.fromkeys(jid for jid in jids if jid is not None and not jid.local and not jid.resource))
        likely = f"muclight.{account.domain}"  # the usual name: it is asked whatever number of others there is
        return sorted(found, key=lambda jid: jid.domain != likely)[:MOST_ITEMS]


def _info(account: JID, to: JID) -> Element:
    return make("iq", child(f"{{{DISCO_INFO}}}query"), type_="get", id_=new_id(), from_=str(account), to_=str(to))
