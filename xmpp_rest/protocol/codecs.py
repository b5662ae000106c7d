"""How is a stanza written as a body of HTTP, and read from one? One line for each media type (rest-api §3, §4, §11)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple
from urllib.parse import unquote
from xml.etree.ElementTree import Element

from xmpp_rest.protocol.element import BadXML, serialise
from xmpp_rest.protocol.flat import form_decode, form_encode
from xmpp_rest.protocol.jsonmap import BadAddress, MappingError, decode, decode_many, encode, unsaid
from xmpp_rest.protocol.objects import BadObject, read_cbor, read_json, write_cbor, write_json
from xmpp_rest.protocol.parse import parse_element
from xmpp_rest.protocol.path import BadPath, StanzaPath, amend, text_at

XMPP_XML = "application/xmpp+xml"
JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
CBOR = "application/cbor"
TEXT = "text/plain"
_JSON_BEGINS = re.compile(rb"(?:\xef\xbb\xbf)?[ \t\r\n]*(?:\[[ \t\r\n]*)?\{[ \t\r\n]*[\"}]")


class Unreadable(ValueError):
    """The body is not what its media type says, or no stanza; the sentence says why."""


class Misaddressed(Unreadable):
    """The stanza's `field` ("to" or "from") is not an address."""

    def __init__(self, field: str, reason: str, obj: Any) -> None:
        self.field = field
        self._obj = obj
        super().__init__(reason)

    def unaddressed(self) -> Element:
        """The stanza without both, for whoever addresses it anew. Raises Unreadable."""
        return _stanza({k: v for k, v in self._obj.items() if k not in ("to", "from")})


class Unsaid(Unreadable):
    """The body makes a stanza that would tell nobody anything; the sentence names the members that are not known."""

    def __init__(self, reason: str, stanza: Element) -> None:
        self.stanza = stanza
        super().__init__(reason)


class Codec(NamedTuple):
    """Reads a body, by itself or at a path (both raise Unreadable); writes one stanza, or several.

    No `read_at`: the body speaks for itself, whatever the path (rest-api §4). No `write`: not for replies.
    """

    read: Callable[[bytes], Element]
    read_at: Callable[[bytes, StanzaPath], Element] | None = None
    write: Callable[[Element], bytes] | None = None
    write_many: Callable[[Sequence[Element]], bytes] | None = None


def _stanza(obj: Any) -> Element:
    try:
        stanza = encode(obj)
    except BadAddress as e:
        raise Misaddressed(e.field, str(e), obj) from e
    except MappingError as e:
        raise Unreadable(str(e)) from e
    if reason := unsaid(stanza, obj):
        raise Unsaid(reason, stanza)
    return stanza


def looks_like_json(body: bytes) -> bool:
    """Whether the body begins as a JSON object does, or an array of them: no text or form that somebody would write."""
    return _JSON_BEGINS.match(body) is not None


def _object(read: Callable[[bytes], Any], body: bytes) -> Any:
    try:
        return read(body)
    except (BadObject, MappingError) as e:
        raise Unreadable(str(e)) from e


def _fields(read: Callable[[bytes], Any], body: bytes) -> dict[str, Any]:
    obj = _object(read, body)
    if not isinstance(obj, dict):
        raise Unreadable('the body is not an object; write one such as {"body": "Hi"}')
    return obj


def _read_xml(body: bytes) -> Element:
    try:
        return parse_element(body)
    except BadXML as e:
        raise Unreadable(str(e)) from e


def _write_xml(stanza: Element) -> bytes:
    return serialise(stanza).encode()


def _write_xml_many(stanzas: Sequence[Element]) -> bytes:
    wrapper = Element("xmpp")
    wrapper.extend(stanzas)
    return serialise(wrapper).encode()


def _text(body: bytes) -> str:
    try:
        return body.decode()
    except UnicodeDecodeError as e:
        raise Unreadable(f"not UTF-8: {e.reason} at byte {e.start}") from e


def _message(text: str) -> Element:
    return _stanza({"kind": "message", "type": "chat", "body": text})


def _read_text_at(body: bytes, path: StanzaPath) -> Element:
    try:
        return _stanza(text_at(_text(body), path))
    except BadPath as e:
        raise Unreadable(f"{e.reason}: {e}") from e


def _form(body: bytes) -> dict[str, Any]:
    return form_decode(_text(body))


def _read_form(body: bytes) -> Element:
    """COMPAT mod_rest: a body without any `=` is a text, percent-decoded; a `+` in it is a plus sign.

    JSON under this name, as `curl -d '{…}'` sends it, is JSON.
    """
    if looks_like_json(body):
        return _stanza(_unnamed_json(body))
    if b"=" in body:
        return _stanza(_object(_form, body))
    try:
        text = unquote(_text(body), errors="strict")
    except UnicodeDecodeError as e:
        raise Unreadable("the form is not UTF-8; percent-encode UTF-8") from e
    return _stanza(_unnamed_json(text.encode())) if looks_like_json(text.encode()) else _message(text)


def _unnamed_json(body: bytes) -> Any:
    """What is JSON by its looks. Raises Unreadable."""
    try:
        return _object(read_json, body)
    except Unreadable as e:
        raise Unreadable(f"{e}; if this is not JSON, name its type, as in -H 'Content-Type: text/plain'") from e


def _read_form_at(body: bytes, path: StanzaPath) -> Element:
    if looks_like_json(body):
        fields = _unnamed_json(body)
        if not isinstance(fields, dict):
            raise Unreadable("the body is an array; write one object, with -H 'Content-Type: application/json'")
        return _stanza(amend(fields, path))
    if body and b"=" not in body:
        raise Unreadable("invalid-query: write name=value pairs, joined by &")
    return _stanza(amend(_object(_form, body), path))


CODECS: dict[str, Codec] = {
    XMPP_XML: Codec(_read_xml, write=_write_xml, write_many=_write_xml_many),
    JSON: Codec(
        lambda body: _stanza(_object(read_json, body)),
        lambda body, path: _stanza(amend(_fields(read_json, body), path)),
        lambda stanza: write_json(decode(stanza)),
        lambda stanzas: write_json(decode_many(stanzas)),
    ),
    FORM: Codec(
        _read_form,
        _read_form_at,
        lambda stanza: form_encode(decode(stanza)).encode(),
        lambda _: b"",  # COMPAT mod_rest: several stanzas have no flat form
    ),
    TEXT: Codec(lambda body: _message(_text(body)), _read_text_at),
    CBOR: Codec(
        lambda body: _stanza(_object(read_cbor, body)),
        write=lambda stanza: write_cbor(decode(stanza)),
        write_many=lambda stanzas: write_cbor(decode_many(stanzas)),
    ),
}
REPLY_TYPES = tuple(t for t, codec in CODECS.items() if codec.write)
"""Media types that a stanza can be written in, in the order of preference."""


def nothing_at(path: StanzaPath) -> Element:
    """The stanza that a path makes without a body. Raises Unreadable."""
    return _stanza(amend({}, path))


def query_at(query: str, path: StanzaPath) -> Element:
    """The iq that a path and a query string make. Raises Unreadable."""
    return _read_form_at(query.encode(), path)


def any_parameters(types: Iterable[str]) -> list[tuple[str, str, str]]:
    """Media types as the state machine's resources name them, each with whatever parameters."""
    return [(*_split(t), "*") for t in types]


def _split(media: str) -> tuple[str, str]:
    main, _, sub = media.partition("/")
    return main, sub


def media_type(content_type: str | None) -> str:
    """`type/subtype` of a Content-Type field in lower case; parameters are cut off (COMPAT mod_rest: also behind a blank)."""
    return (content_type or "").partition(";")[0].strip().partition(" ")[0].lower()


def reply_types(fields: str) -> list[str]:
    """The formats of a reply, preferred ones first: those named in `fields`, Accept and then Content-Type (COMPAT mod_rest: by place)."""
    fields = fields.lower()
    named = sorted((t for t in REPLY_TYPES if t in fields), key=fields.find)
    return named + [t for t in REPLY_TYPES if t not in named]
