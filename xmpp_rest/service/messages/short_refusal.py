"""What is kept of error stanzas for long: why something was refused, in bounds that a stranger's server cannot exceed."""

from __future__ import annotations

from xml.etree.ElementTree import Element

from xmpp_rest.protocol.conditions import StanzaError
from xmpp_rest.protocol.stanza import condition_of, refusal
from xmpp_rest.protocol.weight import weight

HEAD = ("from", "to", "id", "type")
MOST = 2000  # bytes of an error that is kept with all that it says
TEXT = 500  # characters of the texts of any other


def short_refusal(stanza: Element) -> Element:
    """The head of an error stanza, and its error."""
    short = Element(stanza.tag, {name: value for name in HEAD if (value := stanza.get(name)) is not None})
    errors = stanza.findall("error")
    if sum(map(weight, errors)) > MOST:
        errors = refusal(Element(stanza.tag), StanzaError(*(text[:TEXT] for text in condition_of(stanza)))).findall("error")
    short.extend(errors)
    return short
