"""Codecs of stanzas: read an HTTP body into a stanza and write one from it, by media type (rest-api §3, §4, §11)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple
from urllib.parse import unquote
from xml.etree.ElementTree import Element

from xmpp_rest.protocol.cbor import BadCBOR, read_cbor, write_cbor
from xmpp_rest.protocol.element import BadXML, serialise
from xmpp_rest.protocol.flat import form_decode, form_encode
from xmpp_rest.protocol.jsonmap import BadAddress, MappingError, decode, decode_many, encode, why_empty
from xmpp_rest.protocol.parse import parse_element
from xmpp_rest.protocol.path import BadPath, StanzaPath, amend, text_at
from xmpp_rest.protocol.strict_json import BadJSON, read_json, write_json

XMPP_XML = "application/xmpp+xml"
JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
CBOR = "application/cbor"
TEXT = "text/plain"
_JSON_BEGINS = re.compile(rb"(?:\xef\xbb\xbf)?[ \t\r\n]*(?:\[[ \t\r\n]*)?\{[ \t\r\n]*[\"}]")


class UnreadableStanza(ValueError):
    """The body does not match its media type, or is not a stanza; the sentence says why."""


class BadStanzaAddress(UnreadableStanza):
    """The stanza's `field` ("to" or "from") is not an address."""

    def __init__(self, field: str, reason: str, obj: Any) -> None:
        self.field = field
        self._obj = obj
        super().__init__(reason)

    def without_addresses(self) -> Element:
        """The stanza without both addresses, for a caller that sets them. Raises UnreadableStanza."""
        return _stanza({k: v for k, v in self._obj.items() if k not in ("to", "from")})


class EmptyStanza(UnreadableStanza):
    """The body makes a stanza without content; the sentence names the unknown members."""

    def __init__(self, reason: str, stanza: Element) -> None:
        self.stanza = stanza
        super().__init__(reason)


class StanzaCodec(NamedTuple):
    """Reads a body, by itself or at a path (both raise UnreadableStanza); writes one stanza, or several.

    Without `read_at` the path does not change how the body is read (rest-api §4). Without `write` the type is not used for replies.
    """

    read: Callable[[bytes], Element]
    read_at: Callable[[bytes, StanzaPath], Element] | None = None
    write: Callable[[Element], bytes] | None = None
    write_many: Callable[[Sequence[Element]], bytes] | None = None


def _stanza(obj: Any) -> Element:
    try:
        stanza = encode(obj)
    except BadAddress as e:
        raise BadStanzaAddress(e.field, str(e), obj) from e
    except MappingError as e:
        raise UnreadableStanza(str(e)) from e
    if reason := why_empty(stanza, obj):
        raise EmptyStanza(reason, stanza)
    return stanza


def looks_like_json(body: bytes) -> bool:
    """Whether the body begins like a JSON object or an array of objects, as hardly any text or form does."""
    return _JSON_BEGINS.match(body) is not None


def _object(read: Callable[[bytes], Any], body: bytes) -> Any:
    try:
        return read(body)
    except BadCBOR as e:
        raise UnreadableStanza(f"the body is not valid CBOR: {e}") from e
    except (BadJSON, MappingError) as e:
        raise UnreadableStanza(str(e)) from e


def _fields(read: Callable[[bytes], Any], body: bytes) -> dict[str, Any]:
    obj = _object(read, body)
    if not isinstance(obj, dict):
        raise UnreadableStanza('the body is not an object; write one such as {"body": "Hi"}')
    return obj


def _read_xml(body: bytes) -> Element:
    try:
        return parse_element(body)
    except BadXML as e:
        raise UnreadableStanza(str(e)) from e


def _write_xml(stanza: Element) -> bytes:
    return serialise(stanza).encode()


def _write_xml_many(stanzas: Sequence[Element]) -> bytes:
    wrapper = Element("xmpp")
    wrapper.extend(stanzas)
    return serialise(wrapper).encode()


def _decode_utf8(body: bytes) -> str:
    try:
        return body.decode()
    except UnicodeDecodeError as e:
        raise UnreadableStanza(f"not UTF-8: {e.reason} at byte {e.start}") from e


def _text_message(text: str) -> Element:
    return _stanza({"kind": "message", "type": "chat", "body": text})


def _read_text_at(body: bytes, path: StanzaPath) -> Element:
    try:
        return _stanza(text_at(_decode_utf8(body), path))
    except BadPath as e:
        raise UnreadableStanza(f"{e.reason}: {e}") from e


def _read_form_fields(body: bytes) -> dict[str, Any]:
    return form_decode(_decode_utf8(body))


def _read_form(body: bytes) -> Element:
    """Read a form. COMPAT mod_rest: a body without any `=` is a text, percent-decoded; a `+` in it is a plus sign.

    JSON with this media type, as `curl -d '{…}'` sends it, is read as JSON.
    """
    if looks_like_json(body):
        return _stanza(_unnamed_json(body))
    if b"=" in body:
        return _stanza(_object(_read_form_fields, body))
    try:
        text = unquote(_decode_utf8(body), errors="strict")
    except UnicodeDecodeError as e:
        raise UnreadableStanza("the form is not UTF-8; percent-encode UTF-8") from e
    return _stanza(_unnamed_json(text.encode())) if looks_like_json(text.encode()) else _text_message(text)


def _unnamed_json(body: bytes) -> Any:
    """The value of a body that looks like JSON, under another media type. Raises UnreadableStanza."""
    try:
        return _object(read_json, body)
    except UnreadableStanza as e:
        raise UnreadableStanza(f"{e}; if it is not meant as JSON, name its type, as in -H 'Content-Type: text/plain'") from e


def _read_form_at(body: bytes, path: StanzaPath) -> Element:
    if looks_like_json(body):
        fields = _unnamed_json(body)
        if not isinstance(fields, dict):
            raise UnreadableStanza("the body is an array; write one object, with -H 'Content-Type: application/json'")
        return _stanza(amend(fields, path))
    if body and b"=" not in body:
        raise UnreadableStanza("invalid-query: write name=value pairs, joined by &")
    return _stanza(amend(_object(_read_form_fields, body), path))


CODECS: dict[str, StanzaCodec] = {
    XMPP_XML: StanzaCodec(_read_xml, write=_write_xml, write_many=_write_xml_many),
    JSON: StanzaCodec(
        lambda body: _stanza(_object(read_json, body)),
        lambda body, path: _stanza(amend(_fields(read_json, body), path)),
        lambda stanza: write_json(decode(stanza)),
        lambda stanzas: write_json(decode_many(stanzas)),
    ),
    FORM: StanzaCodec(
        _read_form,
        _read_form_at,
        lambda stanza: form_encode(decode(stanza)).encode(),
        lambda _: b"",  # COMPAT mod_rest: several stanzas have no flat form
    ),
    TEXT: StanzaCodec(lambda body: _text_message(_decode_utf8(body)), _read_text_at),
    CBOR: StanzaCodec(
        lambda body: _stanza(_object(read_cbor, body)),
        write=lambda stanza: write_cbor(decode(stanza)),
        write_many=lambda stanzas: write_cbor(decode_many(stanzas)),
    ),
}
REPLY_TYPES = tuple(t for t, codec in CODECS.items() if codec.write)
"""Media types in which a stanza can be written, in order of preference."""


def nothing_at(path: StanzaPath) -> Element:
    """The stanza for a path without a body. Raises UnreadableStanza."""
    return _stanza(amend({}, path))


def query_at(query: str, path: StanzaPath) -> Element:
    """The iq for a path and a query string. Raises UnreadableStanza."""
    return _read_form_at(query.encode(), path)


def any_parameters(types: Iterable[str]) -> list[tuple[str, str, str]]:
    """Media types in the form of the state machine's resources, each with any parameters."""
    return [(main, sub, "*") for main, sub in (t.split("/") for t in types)]


def media_type(content_type: str | None) -> str:
    """`type/subtype` of a Content-Type field in lower case; parameters are removed (COMPAT mod_rest: also after a blank)."""
    return (content_type or "").partition(";")[0].strip().partition(" ")[0].lower()


def reply_types(fields: str) -> list[str]:
    """The formats of a reply, preferred ones first: those named in `fields`, Accept and then Content-Type (COMPAT mod_rest: by place)."""
    fields = fields.lower()
    named = sorted((t for t in REPLY_TYPES if t in fields), key=fields.find)
    return named + [t for t in REPLY_TYPES if t not in named]
