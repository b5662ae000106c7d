"""PassedStanzas: hands what the owners of other hosted domains have passed on to the router, as what comes in over the link."""

# many-machines §11

from __future__ import annotations

import logging
from collections.abc import Sequence
from enum import Enum
from itertools import groupby
from typing import Protocol
from xml.etree.ElementTree import Element

from xmpp_rest.incidents import Incidents
from xmpp_rest.link.inbound_queue import FAILED
from xmpp_rest.link.pending import jid_or_none
from xmpp_rest.link.router import Router
from xmpp_rest.link.router_ports import Sent
from xmpp_rest.protocol.element import BadXML
from xmpp_rest.protocol.held_back import HeldBack, Way, way_of
from xmpp_rest.protocol.parse import parse_all_stored
from xmpp_rest.protocol.stanza import is_request, refusal, result

log = logging.getLogger("xmpp_rest.link")

ASKS = "{urn:xmpp-rest:passed}handled"
"""In an iq that an owner passes on behind others: it is answered once these are handled."""


class PassedHandling(Enum):
    """How a stanza is handled."""

    KEPT = "kept"
    """An archive may keep it: those next to each other share a commit, and stay in order with all others."""
    ANSWERED = "answered"
    """It asks whether what was passed on before it has been handled."""
    AT_ONCE = "at once"


class HasText(Protocol):
    """A stanza as it was passed on."""

    @property
    def text(self) -> str: ...


class PassedStanzas:
    """Used by one thread."""

    def __init__(self, router: Router, incidents: Incidents) -> None:
        self._router = router
        self._incidents = incidents

    def take(self, passed: Sequence[HasText], held: set[Way]) -> list[Exception | None]:
        """Handle these in order, and answer them; the exception of each that was not accepted, and may be later.

        `held`: the ways on which something before these has failed: what follows there is HeldBack. Those that fail here are added.
        """
        parsed = parse_all_stored([each.text for each in passed])
        stanzas = [each for each in parsed if not isinstance(each, BadXML)]
        for bad in parsed:
            if isinstance(bad, BadXML):
                self._incidents.report(log, "transfer-unread", "a stanza that was passed on cannot be read: %s", bad)
        results = iter([each for how, run in groupby(stanzas, _how) for each in self._handled(how, list(run), held)])
        outcomes = [None if isinstance(each, BadXML) else next(results) for each in parsed]
        for outcome in outcomes:
            if isinstance(outcome, Element):
                self._answer(outcome)
        return [outcome if isinstance(outcome, Exception) else None for outcome in outcomes]

    def _handled(self, how: PassedHandling, stanzas: Sequence[Element], held: set[Way]) -> list[Sent]:
        """The answer or exception of each. Raises nothing: those before these have been handled, and are not to be again."""
        if how is PassedHandling.ANSWERED:  # that all before it is handled, which holds once nothing fails
            return [HeldBack() if held else result(stanza) for stanza in stanzas]
        try:
            return self._router.receive_together(stanzas, held)
        except Exception as e:
            held.update(map(way_of, stanzas))
            return [e] * len(stanzas)

    def refuse(self, passed: HasText) -> None:
        """Tell the sender that this was not accepted, if an error is due."""
        for stanza in parse_all_stored([passed.text]):
            if isinstance(stanza, BadXML):
                return
            sender, to = jid_or_none(stanza.get("from")), jid_or_none(stanza.get("to"))
            if sender is not None and to is not None and self._router.is_error_due(stanza, sender, to):
                self._answer(refusal(stanza, FAILED))

    def _answer(self, answer: Element) -> None:
        try:
            self._router.send(answer)
        except Exception as e:  # the outbox is full, say
            self._incidents.report(log, "transfer-unanswered", "%s is not answered: %r", answer.get("to"), e)


def _how(stanza: Element) -> PassedHandling:
    if stanza.tag == "message" and stanza.get("type", "normal") in ("normal", "chat"):
        return PassedHandling.KEPT
    asks = stanza.tag == "iq" and stanza.find(ASKS) is not None and is_request(stanza)
    return PassedHandling.ANSWERED if asks else PassedHandling.AT_ONCE
