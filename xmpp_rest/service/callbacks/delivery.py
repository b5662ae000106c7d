"""A delivery: one stanza to a callback's URL, and its text in the journal until it is answered."""

from __future__ import annotations

import json
import re
import secrets
import time
from typing import NamedTuple
from xml.etree.ElementTree import Element

from xmpp_rest.protocol.element import BadXML, serialise
from xmpp_rest.protocol.jid import JID, InvalidJID, parse_jid
from xmpp_rest.protocol.parse import parse_stored

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

    @property
    def lasting(self) -> bool:
        """Whether it may be delivered later: not an iq, whose sender has timed out by then (RFC 6120 §8.2.3)."""
        return self.stanza.tag != "iq"

    def text(self) -> str:
        """The delivery as a line of a journal. Raises BadXML."""
        return json.dumps([self.id, self.since, self.replayed, serialise(self.stanza)], ensure_ascii=False)


def new_delivery(stanza: Element, sender: JID, to: JID) -> Delivery:
    """The delivery of a new stanza."""
    return Delivery(f"msg_{secrets.token_urlsafe(18)}", time.time(), stanza, sender, to)


def read_delivery(text: str) -> Delivery:
    """What `Delivery.text` wrote. Raises UnreadableDelivery."""
    try:
        identifier, since, replayed, xml = json.loads(text)
        return delivery_of(xml, identifier, since, replayed=replayed)
    except (ValueError, TypeError, RecursionError) as e:
        raise UnreadableDelivery(str(e)) from e


def delivery_of(xml: str, identifier: object, since: float, *, replayed: bool) -> Delivery:
    """The delivery of a stanza that is kept as text. Raises UnreadableDelivery."""
    if not (isinstance(identifier, str) and _IDENTIFIER.fullmatch(identifier)):
        raise UnreadableDelivery(f"{identifier!r:.60} is not an id of a delivery")
    try:
        stanza = parse_stored(xml)
        ends = parse_jid(stanza.attrib["from"]), parse_jid(stanza.attrib["to"])
    except (BadXML, InvalidJID, KeyError, RecursionError) as e:
        raise UnreadableDelivery(str(e)) from e
    return Delivery(identifier, since, stanza, *ends, replayed)
