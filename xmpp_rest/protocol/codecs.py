"""How is a stanza written as a body of HTTP, and read from one? One line for each media type (spec rest-api §3, §11)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple
from xml.etree.ElementTree import Element

from xmpp_rest.protocol.element import BadXML, serialise
from xmpp_rest.protocol.parse import parse_element
from xmpp_rest.protocol.stanza import child, make

XMPP_XML = "application/xmpp+xml"
TEXT = "text/plain"


class Unreadable(ValueError):
    """The body is not what its media type says; the sentence says why."""


class Codec(NamedTuple):
    """Reads a body (raises Unreadable) and writes a stanza; None where the type serves one direction only."""

    read: Callable[[bytes], Element]
    write: Callable[[Element], bytes] | None


def _read_xml(body: bytes) -> Element:
    try:
        return parse_element(body)
    except BadXML as e:
        raise Unreadable(str(e)) from e


def _write_xml(stanza: Element) -> bytes:
    return serialise(stanza).encode()


def _read_text(body: bytes) -> Element:
    try:
        return make("message", child("body", body.decode()), type_="chat")
    except UnicodeDecodeError as e:
        raise Unreadable(f"not UTF-8: {e.reason} at byte {e.start}") from e


CODECS: dict[str, Codec] = {
    XMPP_XML: Codec(_read_xml, _write_xml),
    TEXT: Codec(_read_text, None),
}
REPLY_TYPES = tuple(t for t, codec in CODECS.items() if codec.write)
"""Media types that a stanza can be written in, in the order of preference."""


def any_parameters(types: Iterable[str]) -> list[tuple[str, str, str]]:
    """Media types as the state machine's resources name them, each with whatever parameters."""
    return [(*_split(t), "*") for t in types]


def _split(media: str) -> tuple[str, str]:
    main, _, sub = media.partition("/")
    return main, sub


def media_type(content_type: str | None) -> str:
    """`type/subtype` of a Content-Type field in lower case; parameters are cut off (COMPAT mod_rest: also behind a blank)."""
    return (content_type or "").partition(";")[0].strip().partition(" ")[0].lower()
