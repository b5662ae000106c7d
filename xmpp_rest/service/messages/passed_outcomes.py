"""PassedOutcomes: when what was passed on to the owner of another hosted domain has been handled there (many-machines §11).

An iq is passed on behind it: what it answers comes behind what was said of the messages before. One iq is under way at a time.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from functools import partial
from typing import Any

from xmpp_rest.errors import GatewayError
from xmpp_rest.link.passed_stanzas import ASKS
from xmpp_rest.link.router import Router
from xmpp_rest.protocol.jid import JID
from xmpp_rest.protocol.stanza import child, make, new_id
from xmpp_rest.service.messages.outcomes import Outcomes
from xmpp_rest.threads.timers import Timers
from xmpp_rest.threads.waits import Wait

PATIENCE = 30.0  # seconds that an answer may take
AGAIN = 1.0  # seconds until the next question where none came: nothing else may be passed on for long
MOST = 10_000  # stanzas that wait for the next answer where one has not come
Sender = tuple[JID, str]
"""Who has sent a stanza, and its id."""


class PassedOutcomes:
    """In the leader; safe to be used by several threads."""

    def __init__(self, router: Router, outcomes: Outcomes, asker: JID, timers: Timers) -> None:
        """`asker`: from whom the iqs are."""
        self._router = router
        self._outcomes = outcomes
        self._asker = asker
        self._timers = timers
        self._waiting: defaultdict[str, list[Sender]] = defaultdict(list)  # by domain
        self._asked: set[str] = set()
        self._lock = threading.Lock()  # guards the two above

    def passed(self, domain: str, sender: JID, identifier: str) -> None:
        """This was passed on; what becomes of it is noted as soon as it is known."""
        with self._lock:
            self._waiting[domain].append((sender, identifier))
        self._ask(domain)

    def _ask(self, domain: str) -> None:
        with self._lock:
            if domain in self._asked or not self._waiting[domain]:
                return
            self._asked.add(domain)
            senders = self._waiting.pop(domain)
        iq = make("iq", child(ASKS), type_="get", id_=new_id(), from_=str(self._asker), to_=domain)
        try:
            self._router.begin_ask(partial(self._answered, domain, senders), iq, Wait(PATIENCE))
        except GatewayError as e:  # too many wait already
            self._answered(domain, senders, e)

    def _answered(self, domain: str, senders: list[Sender], answer: Any) -> None:
        """`answer`: what `Router.ask` returns, or its exception.

        Where that is not a result, it is asked again, and the next answer tells of these too.
        """
        has_failed = isinstance(answer, Exception) or answer[0].get("type") != "result"
        for sender, identifier in () if has_failed else senders:
            self._outcomes.processed(sender, identifier)
        if has_failed:
            with self._lock:
                self._waiting[domain][:0] = senders[-MOST:]
            self._timers.after(AGAIN, partial(self._go_on, domain))
        else:
            self._go_on(domain)

    def _go_on(self, domain: str) -> None:
        with self._lock:
            self._asked.discard(domain)
        self._ask(domain)
