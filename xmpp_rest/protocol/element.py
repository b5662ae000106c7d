"""XML elements: the one builder and the one serialiser of the project.

An element is an `xml.etree.ElementTree.Element`. Names in `jabber:client`, in the namespace of the stream or in none are bare tags; every
other name is in Clark notation, `{namespace}name`. So `stanza.find("body")` works wherever the stanza came from.
"""

from __future__ import annotations

import re
from functools import cached_property, lru_cache
from typing import TypeGuard
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

from xmpp_rest.protocol.namespaces import CLIENT, XML

MAX_DEPTH = 64  # nested elements; no XEP comes near
STORED_DEPTH = 2 * MAX_DEPTH  # the same for elements that the gateway wraps and stores
MAX_ATTRIBUTES = 64  # of one element; namespace declarations do not count
MAX_NAME = 1024  # characters of a name together with its namespace
MAX_NAMES = 4 << 20  # characters of all names of a stanza; each prefix counts as its whole namespace, as it is written again in full
ELEMENT = 32  # characters that an element counts for, besides its names

_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # XML 1.0 §2.2 Char
_NCNAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.\-]*")  # Namespaces in XML §3, in ASCII


class BadXML(ValueError):
    """The XML cannot be accepted, or must not go on a stream; the sentence says what is wrong with it."""


class BeyondBounds(BadXML):
    """The XML is well-formed, but exceeds a bound."""


@lru_cache(maxsize=4096)
def _normal_name(name: str, stream: str) -> str:
    if len(name) > MAX_NAME:
        raise BeyondBounds(f"a name of more than {MAX_NAME} characters")
    namespace, brace, local = name[1:].partition("}") if name[:1] == "{" else ("", "", name)
    if namespace == XML:  # could not be serialised again
        raise BeyondBounds("an element in the namespace of the prefix 'xml'")
    return local if not brace or namespace in (CLIENT, stream) else name


class ElementBuilder:
    """A parser target (ElementTree's protocol) that builds one element, normalises its names and refuses what XMPP forbids.

    RFC 6120 §11.1: no comment, processing instruction, DTD or entity on a stream. Raises BadXML; BeyondBounds if only a bound is exceeded.
    """

    __slots__ = ("_depth", "_most", "_names", "_stream", "_tree")

    def __init__(self, stream: str = CLIENT, depth: int = MAX_DEPTH) -> None:
        self._most = depth
        self._stream = stream  # the default namespace of the element's source
        self._tree = TreeBuilder()
        self._depth = 0
        self._names = 0

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        if self._depth > self._most:
            raise BeyondBounds(f"more than {self._most} elements inside each other")
        if len(attributes) > MAX_ATTRIBUTES:
            raise BeyondBounds(f"more than {MAX_ATTRIBUTES} attributes on one element")
        size = len("".join(attributes))
        if size > MAX_NAME and max(map(len, attributes)) > MAX_NAME:
            raise BeyondBounds(f"a name of more than {MAX_NAME} characters")
        self._names += len(tag) + size + ELEMENT
        if self._names > MAX_NAMES:
            raise BeyondBounds("too many elements, or too long names")
        self._tree.start(_normal_name(tag, self._stream), attributes)

    def end(self, tag: str) -> bool:
        """Close the innermost element; True if it was the outermost one, so that `close` returns the whole."""
        self._tree.end(_normal_name(tag, self._stream))
        self._depth -= 1
        return self._depth == 0

    def data(self, text: str) -> None:
        if self._depth:
            self._tree.data(text)

    def comment(self, text: str) -> None:
        raise BadXML("a comment is not allowed in XMPP")

    def pi(self, target: str, text: str | None = None) -> None:
        raise BadXML("a processing instruction is not allowed in XMPP")

    def close(self) -> Element:
        return self._tree.close()


_IN_TEXT = re.compile("[&<>\r]")
_TEXT = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "\r": "&#13;"})
_IN_ATTRIBUTE = re.compile("[&<>'\r\n\t]")
_ATTRIBUTE = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "'": "&apos;", "\r": "&#13;", "\n": "&#10;", "\t": "&#9;"})


def serialise(element: Element, namespace: str = CLIENT) -> str:
    """The element as XML text for a place whose default namespace is `namespace`, without an XML declaration. Raises BadXML.

    The text is always well-formed: a forbidden character or a bad name raises.
    """
    out: list[str] = []
    _write(element, namespace, out)
    return _allowed("".join(out))


def _allowed(text: str) -> str:
    if not text.isprintable() and (bad := _FORBIDDEN.search(text)):  # printable characters are allowed; to look takes a tenth of the time
        raise BadXML(f"the character U+{ord(bad[0]):04X} is not allowed in XML")
    return text


class CopyTexts:
    """Serialises copies of a stanza that differ from it only in `to`, which it does not have itself: all but that is written once."""

    def __init__(self, stanza: Element) -> None:
        """Nothing is serialised yet."""
        self._stanza = stanza

    @cached_property
    def _parts(self) -> tuple[str, str]:
        """The text before and after the attribute."""
        text = serialise(self._stanza)
        end = text.index(">")  # of the start tag: in an attribute it would be escaped
        end -= text[end - 1] == "/"
        return text[:end], text[end:]

    def __call__(self, copy: Element) -> str:
        """As `serialise`. Raises BadXML."""
        before, after = self._parts
        return f"{before} to='{_allowed(_escape_attribute(copy.attrib['to']))}'{after}"


@lru_cache(maxsize=2048)
def _split(name: str) -> tuple[str, str]:
    """(namespace, local name) of a Clark name, checked. Raises BadXML."""
    namespace, brace, local = name[1:].partition("}") if name[:1] == "{" else (CLIENT, "}", name)
    if not brace or not namespace or not (is_ncname(local) or _is_foreign_ncname(local)):
        raise BadXML(f"{name!r} is not the name of an element or attribute")
    return namespace, local


def is_ncname(text: str) -> bool:
    """Whether `text` is an ASCII name without a prefix (Namespaces in XML §3), which JSON may use for an element."""
    return bool(_NCNAME.fullmatch(text))


def is_text(value: object) -> TypeGuard[str]:
    """Whether this is a text that XML can carry (XML 1.0 §2.2)."""
    return isinstance(value, str) and not _FORBIDDEN.search(value)


def _is_foreign_ncname(text: str) -> bool:
    """Whether a name beyond ASCII is valid for the servers' parsers too: they use expat, as this one does."""
    if text.isascii() or ":" in text or not (text[0].isalpha() or text[0] == "_"):
        return False
    try:
        expat.ParserCreate("utf-8").Parse(f"<{text}/>", True)
    except expat.ExpatError:
        return False
    return True


# Most texts hold nothing to escape, and a search takes a fifth of the time of a translation.


def _escape_text(text: str) -> str:
    return text.translate(_TEXT) if _IN_TEXT.search(text) else text


def _escape_attribute(text: str) -> str:
    return text.translate(_ATTRIBUTE) if _IN_ATTRIBUTE.search(text) else text


def _write(element: Element, default: str, out: list[str]) -> None:
    namespace, name = _split(element.tag)
    if namespace == XML:  # must not be a default namespace (Namespaces in XML §3): expat would end the whole stream
        raise BadXML("an element must not be in the namespace of the prefix 'xml'")
    out.append(f"<{name}")
    if namespace != default:
        out.append(f" xmlns='{_escape_attribute(namespace)}'")
    if element.attrib:
        _write_attributes(element.attrib, out)
    if not len(element) and not element.text:
        out.append("/>")
        return
    out.append(">")
    if element.text:
        out.append(_escape_text(element.text))
    for child in element:
        _write(child, namespace, out)
        if child.tail:
            out.append(_escape_text(child.tail))
    out.append(f"</{name}>")


def _write_attributes(attributes: dict[str, str], out: list[str]) -> None:
    for n, (key, value) in enumerate(attributes.items()):
        if key[:1] == "{":
            namespace, name = _split(key)
            if namespace == XML:
                key = f"xml:{name}"
            else:
                out.append(f" xmlns:n{n}='{_escape_attribute(namespace)}'")
                key = f"n{n}:{name}"
        else:
            _split(key)
        out.append(f" {key}='{_escape_attribute(value)}'")
