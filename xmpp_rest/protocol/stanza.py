"""Stanzas: makes messages, presences and iqs, their answers and errors (RFC 6120 §8)."""

from __future__ import annotations

import secrets
from base64 import urlsafe_b64encode
from collections.abc import Iterable, Iterator
from xml.etree.ElementTree import Element, SubElement

from xmpp_rest.protocol.conditions import StanzaError
from xmpp_rest.protocol.namespaces import DELAY, OLD_DELAY, STANZA_ERRORS

KINDS = ("message", "presence", "iq")
ID_BYTES = 18  # random ones of an id, without a rest in base64
MANY = 256  # ids
_DELAYS = (f"{{{DELAY}}}delay", f"{{{OLD_DELAY}}}x")
MAX_ID = 1023  # bytes of a stanza's id in UTF-8, as of a part of an address: it is returned in header fields


def is_too_long(identifier: str) -> bool:
    """Whether this id is too long for a stanza of the gateway."""
    return len(identifier) > MAX_ID // 4 and len(identifier.encode("utf-8", "surrogatepass")) > MAX_ID


def new_id() -> str:
    """A new, unguessable stanza id: 24 letters, digits, `-` and `_`, as mod_rest makes them."""
    return secrets.token_urlsafe(ID_BYTES)


def new_ids() -> Iterator[str]:
    """As many new ids as are asked for; a system call gets the random bytes of MANY, as each gives the interpreter lock away."""
    while True:
        letters = urlsafe_b64encode(secrets.token_bytes(MANY * ID_BYTES)).decode()
        size = len(letters) // MANY
        yield from (letters[at : at + size] for at in range(0, len(letters), size))


def make(kind: str, *payload: Element, **attributes: str | None) -> Element:
    """A stanza, or another element, with these children; an attribute that is None or "" is left out. Write `from_` for `from`."""
    stanza = Element(kind, {k.rstrip("_"): v for k, v in attributes.items() if v})
    stanza.extend(payload)
    return stanza


def copied(stanza: Element, payload: Iterable[Element] | None = None, **attributes: str | None) -> Element:
    """A copy of a stanza with these attributes replaced (named as for `make`), and with the same children or `payload`."""
    own: dict[str, str | None] = {f"{name}_": value for name, value in stanza.attrib.items()}
    return make(stanza.tag, *(stanza if payload is None else payload), **{**own, **attributes})


def addressed(stanza: Element, to: str) -> Element:
    """A copy of a stanza, with the same children, for this recipient."""
    copy = Element(stanza.tag, {**stanza.attrib, "to": to})
    copy.extend(stanza)
    return copy


def child(name: str, text: str = "", /, **attributes: str) -> Element:
    """An element to put into a stanza, with text or attributes or both."""
    element = Element(name, attributes)
    element.text = text or None
    return element


def is_request(stanza: Element) -> bool:
    """Whether this is an iq that must be answered (RFC 6120 §8.2.3)."""
    return stanza.tag == "iq" and stanza.get("type") in ("get", "set")


def is_answer(stanza: Element) -> bool:
    """Whether this is an iq that answers one (RFC 6120 §8.2.3)."""
    return stanza.tag == "iq" and stanza.get("type") in ("result", "error")


def is_delayed(stanza: Element) -> bool:
    """Whether the stanza says that it was sent earlier (XEP-0203, XEP-0091)."""
    return any(element.tag in _DELAYS for element in stanza)


def result(request: Element, payload: Element | None = None) -> Element:
    """The iq that answers `request` with success (RFC 6120 §8.2.3)."""
    answer = _answer(request, "result")
    if payload is not None:
        answer.append(payload)
    return answer


def refusal(stanza: Element, error: StanzaError) -> Element:
    """The stanza of type error that answers `stanza` (RFC 6120 §8.3.1), which `may_be_refused`."""
    answer = _answer(stanza, "error")
    attributes = {"type": error.type}
    if error.by:
        attributes["by"] = error.by
    element = SubElement(answer, "error", attributes)
    SubElement(element, f"{{{STANZA_ERRORS}}}{error.condition}")
    if error.text:
        SubElement(element, f"{{{STANZA_ERRORS}}}text").text = error.text
    return answer


def may_be_refused(stanza: Element) -> bool:
    """Whether an error may answer `stanza`: never an error or a result (RFC 6120 §8.3.1)."""
    return stanza.get("type") not in ("error", "result")


def _answer(stanza: Element, kind: str) -> Element:
    return make(stanza.tag, type_=kind, id_=stanza.get("id"), from_=stanza.get("to"), to_=stanza.get("from"))


def condition_of(stanza: Element) -> StanzaError:
    """The content of the `<error/>` in a stanza of type error; undefined-condition if there is none (RFC 6120 §8.3.2)."""
    error = stanza.find("error")
    if error is None:
        return StanzaError("cancel", "undefined-condition")
    text = error.findtext(f"{{{STANZA_ERRORS}}}text") or ""
    return StanzaError(error.get("type", "cancel"), condition_in(error, STANZA_ERRORS), text, error.get("by", ""))


def condition_in(error: Element, namespace: str) -> str:
    """The condition of a stanza or stream error: the name of its first child in `namespace` that is not the text."""
    prefix = f"{{{namespace}}}"
    names = (c.tag.removeprefix(prefix) for c in error if c.tag.startswith(prefix))
    return next((n for n in names if n != "text"), "undefined-condition")
