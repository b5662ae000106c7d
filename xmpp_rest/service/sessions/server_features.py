"""What an account's own server does for it, by service discovery (XEP-0030; accounts-anywhere §4.3, §7.3, §7.4)."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, NamedTuple
from xml.etree.ElementTree import Element

from xmpp_rest.link.router import Router
from xmpp_rest.protocol.jid import JID
from xmpp_rest.protocol.namespaces import CARBONS, DISCO_INFO, MAM
from xmpp_rest.protocol.stanza import child, condition_of, make, new_id
from xmpp_rest.service.sessions.refused import answered_in_time, server_refused
from xmpp_rest.threads.waits import Wait, Waits

KEPT = 600.0  # seconds for which an answer counts
MOST = 10_000  # accounts of which something is known
SECONDS = 10.0  # that an answer may take
PATIENCE = Wait(SECONDS)
_QUERY = f"{{{DISCO_INFO}}}query"
_FEATURE = f"{_QUERY}/{{{DISCO_INFO}}}feature"


class AccountFeatures(NamedTuple):
    """What the server has for one account."""

    archive: bool
    """An archive (XEP-0313)."""
    extended: bool
    """An archive that knows `before-id` and `after-id`, and so says that it does not know an id (XEP-0313 §4.1.3)."""
    carbons: bool
    """Copies of messages (XEP-0280), as far as the account's own address tells; the server's may."""


class ServerFeatures:
    """Asks for the features of accounts, and keeps them for KEPT seconds. `session`: the address of an account, whose session asks."""

    def __init__(self, router: Router, waits: Waits, clock: Callable[[], float] = time.monotonic) -> None:
        """Any process may ask; each keeps its own answers."""
        self._router = router
        self._waits = waits
        self._clock = clock
        self._known: OrderedDict[JID, tuple[AccountFeatures, float]] = OrderedDict()  # with the time until which that counts
        self._lock = threading.Lock()

    def known(self, session: JID) -> AccountFeatures | None:
        """What was told lately; None: nothing."""
        with self._lock:
            features, until = self._known.get(session, (None, 0.0))
        return features if self._clock() < until else None

    def of(self, session: JID, wait: Wait = PATIENCE) -> AccountFeatures:
        """The features of the account. Raises GatewayError: server-refused, server-silent, waits-full, and those of `Router.ask`."""
        if (features := self.known(session)) is not None:
            return features
        with answered_in_time(session.domain), self._waits.holding(str(session.bare)):
            answer = self._router.ask(_question(session), wait)
        return self._read(session, answer)

    def begin(self, done: Callable[[AccountFeatures | Exception], None], session: JID) -> None:
        """As `of`, without waiting, for `done`, which is called once; in the leader. Raises GatewayError; then `done` is not called."""
        if (features := self.known(session)) is not None:
            done(features)
            return

        def answered(outcome: Any) -> None:
            try:
                found: AccountFeatures | Exception = outcome if isinstance(outcome, Exception) else self._read(session, outcome)
            except Exception as e:
                found = e
            done(found)

        self._router.begin_ask(answered, _question(session), Wait(SECONDS))

    def _read(self, session: JID, outcome: Any) -> AccountFeatures:
        answer, _ = outcome
        if answer.get("type") != "result":
            error = condition_of(answer)
            if error.condition not in ("feature-not-implemented", "service-unavailable", "item-not-found") or error.type == "wait":
                raise server_refused(error, "The server does not say what it has for the account")
        found = {feature.get("var") for feature in answer.iterfind(_FEATURE)}
        features = AccountFeatures(MAM in found, f"{MAM}#extended" in found, CARBONS in found)
        with self._lock:
            self._known[session] = features, self._clock() + KEPT
            self._known.move_to_end(session)
            if len(self._known) > MOST:
                self._known.popitem(last=False)
        return features


def _question(session: JID) -> Element:
    return make("iq", child(_QUERY), type_="get", id_=new_id(), from_=str(session), to_=str(session.bare))
