"""PassedStanzas: hands what the owners of other hosted domains have passed on to the router, as what comes in over the link."""

# many-machines §11

from __future__ import annotations

import logging
from collections.abc import Sequence
from enum import Enum
from functools import partial
from itertools import chain, groupby
from operator import itemgetter
from typing import Protocol
from xml.etree.ElementTree import Element

from xmpp_rest.incidents import Incidents
from xmpp_rest.link.inbound_queue import FAILED
from xmpp_rest.link.other_owners import keeping_later
from xmpp_rest.link.pending import jid_or_none
from xmpp_rest.link.router import Router
from xmpp_rest.link.stanza_names import head_in
from xmpp_rest.protocol.element import BadXML
from xmpp_rest.protocol.held_back import HeldBack, Way, way_of
from xmpp_rest.protocol.parse import parse_all_stored
from xmpp_rest.protocol.stanza import child, is_request, refusal, result
from xmpp_rest.threads.side_by_side import side_by_side

log = logging.getLogger("xmpp_rest.link")

ASKS = "{urn:xmpp-rest:passed}handled"
"""In an iq that an owner passes on behind others, and in its answer: it is answered once these are handled."""


class PassedHandling(Enum):
    """How a stanza is handled."""

    KEPT = "kept"
    """An archive may keep it: those next to each other share a commit, and stay in order with all others."""
    ASKS = "asks"
    """It asks whether what was passed on before it has been handled."""
    TELLS = "tells"
    """It tells that: so it is taken once all that came before it is."""
    UNREAD = "unread"
    """It cannot be parsed, and never will be."""
    AT_ONCE = "at once"


class HasText(Protocol):
    """A stanza as it was passed on."""

    @property
    def text(self) -> str: ...


class PassedStanzas:
    """Used by one thread."""

    def __init__(self, router: Router, incidents: Incidents, *, of_rooms: bool = False) -> None:
        """`of_rooms`: the recipients are rooms, each of which waits for the disk at what it is told."""
        self._router = router
        self._incidents = incidents
        self._of_rooms = of_rooms

    def take(self, passed: Sequence[HasText], held: set[Way]) -> list[Exception | None]:
        """Handle these in order, and answer them; the exception of each that was not accepted, and may be later.

        `held`: the ways on which something before these has failed: what follows there is HeldBack. Those that fail here are added.
        What is refused has failed as well until its sender is told, or would count as accepted.
        """
        parsed = parse_all_stored([each.text for each in passed])
        read = [(_how(stanza), stanza, each.text) for stanza, each in zip(parsed, passed, strict=True)]
        outcomes: list[Exception | None] = []
        for how, run in groupby(read, itemgetter(0)):
            of_one_kind = [*run]
            if how is PassedHandling.UNREAD:
                outcomes += [self._unread(text, held) for _, _, text in of_one_kind]
            else:
                outcomes += self._handled(how, [stanza for _, stanza, _ in of_one_kind if isinstance(stanza, Element)], held)
        return outcomes

    def _handled(self, how: PassedHandling, stanzas: Sequence[Element], held: set[Way]) -> list[Exception | None]:
        """The exception of each. Raises nothing: those before these have been handled, and are not to be again."""
        if how is PassedHandling.ASKS:  # that all before it is handled, which holds once nothing fails
            return [HeldBack() if held else self._told(stanza, result(stanza, child(ASKS)), held) for stanza in stanzas]
        if how is PassedHandling.TELLS and held:
            return [HeldBack() for _ in stanzas]
        return self._by_rooms(stanzas, held) if self._of_rooms else self._in_order(stanzas, held)

    def _in_order(self, stanzas: Sequence[Element], held: set[Way]) -> list[Exception | None]:
        """As `_handled`, one after the other."""
        try:
            with keeping_later():
                received = self._router.receive_together(stanzas, held)
        except Exception as e:
            held.update(map(way_of, stanzas))
            return [e] * len(stanzas)
        return [
            self._told(stanza, each, held) if isinstance(each, Element) else each for stanza, each in zip(stanzas, received, strict=True)
        ]

    def _by_rooms(self, stanzas: Sequence[Element], held: set[Way]) -> list[Exception | None]:
        """As `_in_order`, but rooms wait for the disk at the same time: nothing says in what order two of them hear."""
        places: dict[str, list[int]] = {}  # by room
        for n, stanza in enumerate(stanzas):
            places.setdefault(way_of(stanza)[1], []).append(n)
        of_each = side_by_side([partial(self._in_order, [stanzas[n] for n in some], held) for some in places.values()], "passed on")
        found = dict(zip(chain.from_iterable(places.values()), chain.from_iterable(of_each), strict=True))
        return [found[n] for n in range(len(stanzas))]

    def _told(self, stanza: Element, answer: Element, held: set[Way]) -> Exception | None:
        """Answer a stanza; why it is to be handled again, as nobody would know that it was refused. What was asked is asked again."""
        error = self._answer(answer)
        if error is None or (answer.get("type") != "error" and stanza.find(ASKS) is None):
            return None
        held.add(way_of(stanza))
        return error

    def _unread(self, text: str, held: set[Way]) -> Exception | None:
        """As `_handled`, of what cannot be read."""
        self._incidents.report(log, "transfer-unread", "a stanza that was passed on cannot be read, and is refused")
        stanza = head_in(text)
        error = self._refuse(stanza) if stanza is not None else None
        if stanza is not None and error is not None:
            held.add(way_of(stanza))
        return error

    def refuse(self, passed: HasText) -> Exception | None:
        """Tell the sender that this was not accepted, if an error is due; why that is not possible."""
        stanza = head_in(passed.text)
        return self._refuse(stanza) if stanza is not None else None

    def _refuse(self, stanza: Element) -> Exception | None:
        sender, to = jid_or_none(stanza.get("from")), jid_or_none(stanza.get("to"))
        due = sender is not None and to is not None and self._router.is_error_due(stanza, sender, to)
        return self._answer(refusal(stanza, FAILED)) if due else None

    def _answer(self, answer: Element) -> Exception | None:
        """Send it; why that is not possible."""
        to = jid_or_none(answer.get("to"))
        try:
            if to is not None and to.domain in self._router.beyond.domains:
                self._router.beyond.answer(to.domain, answer)
            else:
                self._router.send(answer)
        except Exception as e:
            self._incidents.report(log, "transfer-unanswered", "%s is not answered: %r", answer.get("to"), e)
            return e
        return None


def _how(stanza: Element | BadXML) -> PassedHandling:
    if isinstance(stanza, BadXML):
        return PassedHandling.UNREAD
    if stanza.tag == "message" and stanza.get("type", "normal") in ("normal", "chat"):
        return PassedHandling.KEPT
    if stanza.tag == "iq" and stanza.find(ASKS) is not None:
        return PassedHandling.ASKS if is_request(stanza) else PassedHandling.TELLS
    return PassedHandling.AT_ONCE
