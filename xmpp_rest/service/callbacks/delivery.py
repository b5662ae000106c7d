"""Deliveries, each of one stanza to a callback's URL, and the journal of those that are accepted and not answered yet."""

from __future__ import annotations

import json
import logging
import re
import secrets
import time
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple
from xml.etree.ElementTree import Element

from xmpp_rest.link.journals import JournalPort, Journals, LateEntry
from xmpp_rest.protocol.element import BadXML, serialise
from xmpp_rest.protocol.jid import JID, InvalidJID, parse_jid
from xmpp_rest.protocol.parse import parse_stored
from xmpp_rest.request_notes import current_id, is_id, new_id

log = logging.getLogger("xmpp_rest.callbacks")

_IDENTIFIER = re.compile(r"[!-~]{1,200}")  # it becomes the value of a header field


class UnreadableDelivery(ValueError):
    """A stored delivery cannot be read any more; the sentence says why."""


class Delivery(NamedTuple):
    """A stanza for the URL. `id` names it to the URL's owner, the same for each attempt; `since`: Unix time at which it came."""

    id: str
    since: float
    stanza: Element
    sender: JID
    to: JID
    replayed: bool = False  # it was given up before: its sender has got an error
    request_id: str = ""  # of the request that sent the stanza; of what came over the link a new one

    @property
    def lasting(self) -> bool:
        """Whether it may be delivered later: not an iq, whose sender has timed out by then (RFC 6120 §8.2.3)."""
        return self.stanza.tag != "iq"

    def text(self) -> str:
        """The delivery as a line of a journal. Raises BadXML."""
        return json.dumps([self.id, self.since, self.replayed, serialise(self.stanza), self.request_id], ensure_ascii=False)


def new_delivery(stanza: Element, sender: JID, to: JID) -> Delivery:
    """The delivery of a new stanza."""
    return Delivery(f"msg_{secrets.token_urlsafe(18)}", time.time(), stanza, sender, to, request_id=current_id() or new_id())


def read_delivery(text: str) -> Delivery:
    """What `Delivery.text` wrote. Raises UnreadableDelivery."""
    try:
        identifier, since, replayed, xml, *request_id = json.loads(text)
        return delivery_of(xml, identifier, since, replayed=replayed, request_id=request_id[0] if request_id else "")
    except (ValueError, TypeError, RecursionError) as e:
        raise UnreadableDelivery(str(e)) from e


def delivery_of(xml: str, identifier: object, since: float, *, replayed: bool, request_id: object) -> Delivery:
    """The delivery of a stanza that is kept as text. Raises UnreadableDelivery."""
    if not (isinstance(identifier, str) and _IDENTIFIER.fullmatch(identifier)):
        raise UnreadableDelivery(f"{identifier!r:.60} is not an id of a delivery")
    try:
        stanza = parse_stored(xml)
        ends = parse_jid(stanza.attrib["from"]), parse_jid(stanza.attrib["to"])
    except (BadXML, InvalidJID, KeyError, RecursionError) as e:
        raise UnreadableDelivery(str(e)) from e
    named = request_id if isinstance(request_id, str) and is_id(request_id) else new_id()
    return Delivery(identifier, since, stanza, *ends, replayed, named)


Accepted = tuple[int, Delivery]
"""The number in the journal (0: in memory only), and the delivery."""


class DeliveryJournal:
    """The journal of one callback. Owned by its queue, in the leader; `open()` is called first, `close()` last."""

    def __init__(self, name: str, journals: Journals | None) -> None:
        """`name`: of the callback; `journals`: None: everything is in memory only."""
        self._name = name
        self._journals = journals
        self._journal: JournalPort | None = None

    def open(self, on_late: Callable[[Sequence[Accepted]], None]) -> list[Accepted]:
        """The deliveries that an earlier process left, oldest first. Raises OSError.

        `on_late` is told of those that turn out to be kept, though `append` has raised; it must not wait.
        """
        if self._journals is None:
            return []
        self._journal = journal = self._journals.callback(self._name)
        journal.on_late(lambda late: on_late(self._readable(journal, late)))
        return self._readable(journal, [LateEntry(number, text, "") for number, text in journal.unacknowledged()])

    def _readable(self, journal: JournalPort, entries: Iterable[LateEntry]) -> list[Accepted]:
        found = []
        for entry in entries:
            try:
                found.append((entry.number, read_delivery(entry.text)))
            except UnreadableDelivery as e:
                log.error("%s.journal: a stanza cannot be read and is dropped: %s", self._name, e)
                journal.ack((entry.number,))
        return found

    def close(self) -> None:
        """Close the journal; deliveries that are not acknowledged stay in it."""
        if self._journal is not None:
            self._journal.close()

    def append(self, deliveries: Sequence[Delivery]) -> list[Accepted]:
        """Accept these: on disk when this returns, those that last. Raises OSError, and then none is."""
        if self._journal is None:
            return [(0, d) for d in deliveries]
        texts = [_to_text(d) for d in deliveries]
        kept = [t for t in texts if t]
        numbers = iter(self._journal.append(kept) if kept else ())
        return [(next(numbers) if t else 0, d) for t, d in zip(texts, deliveries, strict=True)]

    def ack(self, number: int) -> bool:
        """Acknowledge a delivery that was answered; whether `settle` has something to write by that."""
        if not number or self._journal is None:
            return False
        self._journal.ack((number,))
        return True

    def settle(self) -> None:
        """Have all acknowledgements on disk. Raises OSError."""
        if self._journal is not None:
            self._journal.forget_notes()


def _to_text(delivery: Delivery) -> str:
    """The text for the journal; "" for a delivery that is not kept, or has no text, which will be refused later."""
    try:
        return delivery.text() if delivery.lasting else ""
    except BadXML:
        return ""
