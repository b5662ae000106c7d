"""What waits behind a stanza that could not be handled yet: what the same sender has sent to the same recipient after it."""

from __future__ import annotations

from xml.etree.ElementTree import Element

Way = tuple[str, str]
"""From whom to whom, without resources: order is kept between these (many-machines §11)."""


class HeldBack(Exception):
    """The stanza was not tried, as one before it on its way is to be handled first."""


def way_of(stanza: Element) -> Way:
    """The way of a stanza with both addresses."""
    sender, _, _ = stanza.get("from", "").partition("/")
    to, _, _ = stanza.get("to", "").partition("/")
    return sender, to
