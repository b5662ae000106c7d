"""The journal of one callback: deliveries that are accepted and not answered yet. The leader owns it."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from xmpp_rest.link.journal import Journal
from xmpp_rest.protocol.element import BadXML
from xmpp_rest.service.callbacks.delivery import Delivery, UnreadableDelivery, read_delivery

log = logging.getLogger(__name__)

Accepted = tuple[int, Delivery]
"""The number in the journal (0: in memory only), and the delivery."""


class DeliveryJournal:
    """Owned by the queue of the callback; `open()` is called first, `close()` last."""

    def __init__(self, path: Path | None) -> None:
        """`path`: of the file; None: everything is in memory only."""
        self._path = path
        self._journal: Journal | None = None

    def open(self) -> list[Accepted]:
        """The deliveries that an earlier process left, oldest first. Raises OSError."""
        if self._path is None:
            return []
        self._journal = journal = Journal(self._path)
        found = []
        for number, text in journal.unacknowledged():
            try:
                found.append((number, read_delivery(text)))
            except UnreadableDelivery as e:
                log.error("%s: a stanza cannot be read and is dropped: %s", self._path.name, e)
                journal.ack((number,))
        return found

    def close(self) -> None:
        """Close the file; deliveries that are not acknowledged stay in it."""
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

    def ack(self, number: int) -> None:
        """Acknowledge a delivery that was answered."""
        if number and self._journal is not None:
            self._journal.ack((number,))


def _to_text(delivery: Delivery) -> str:
    """The text for the journal; "" for a delivery that is not kept, or has no text, which will be refused later."""
    try:
        return delivery.text() if delivery.lasting else ""
    except BadXML:
        return ""
