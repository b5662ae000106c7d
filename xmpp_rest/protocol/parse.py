"""The parser for untrusted XML in HTTP bodies, each of one element."""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree.ElementTree import XML, Element, ParseError, XMLParser

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import DefusedXMLParser

from xmpp_rest.protocol.element import STORED_DEPTH, BadXML, ElementBuilder
from xmpp_rest.protocol.namespaces import CLIENT


def _check_declaration(version: str, encoding: str | None, _standalone: int) -> None:
    """Check an XML declaration. COMPAT mod_rest: one that states the defaults may precede the element (XML 1.0 §2.8)."""
    if version != "1.0":
        raise BadXML(f"XML {version[:10]!r} is not known; write version='1.0', or no declaration")
    if encoding is not None and encoding.lower() not in ("utf-8", "utf8"):
        raise BadXML(f"the declaration names the encoding {encoding[:40]!r}; write UTF-8")


def parse_element(body: bytes) -> Element:
    """The one element that `body` (UTF-8) consists of. Raises BadXML.

    White space around the element is fine, and a declaration of XML 1.0 in UTF-8 before it. A DTD, entity, comment or processing
    instruction (RFC 6120 §11.1), a second element, or anything that is not well-formed is refused.
    """
    try:
        body.decode()  # RFC 6120 §11.6: UTF-8 and nothing else; expat alone would also take UTF-16 with a byte order mark
    except UnicodeDecodeError as e:
        raise BadXML(f"not UTF-8: {e.reason} at byte {e.start}") from e
    if b"\0" in body:  # XML has none, but UTF-16 many, and expat would read it as UTF-16
        raise BadXML("the character U+0000 is not allowed in XML; write UTF-8")
    parser = DefusedXMLParser(target=ElementBuilder(), encoding="utf-8", forbid_dtd=True)
    parser.parser.XmlDeclHandler = _check_declaration
    try:
        parser.feed(body)
        element: Element = parser.close()
    except ParseError as e:
        raise BadXML(f"not well-formed: {e}") from e
    except DefusedXmlException as e:
        raise BadXML("a document type or entity is not allowed in XMPP") from e
    return element


def parse_text(text: str) -> Element:
    """`parse_element` for a text. Raises BadXML."""
    try:
        return parse_element(text.encode())
    except UnicodeEncodeError as e:
        raise BadXML("it holds half of a surrogate pair") from e


def parse_stored(text: str) -> Element:
    """The element of a text that `serialise` wrote, or another server to its archive. Raises BadXML.

    For trusted text only: several times as fast as `parse_text`, which checks every construct of XML.
    """
    try:
        if CLIENT not in text:  # then all names are normalised already
            return XML(text)
        parser = XMLParser(target=ElementBuilder(depth=STORED_DEPTH))  # noqa: S314
        parser.feed(text)
        element: Element = parser.close()
    except (ParseError, UnicodeEncodeError) as e:
        raise BadXML(f"not well-formed: {e}") from e
    return element


def parse_all_stored(texts: Sequence[str]) -> list[Element | BadXML]:
    """As `parse_stored` for each of them, or its error; with one parser for all, as making one takes longer than a message.

    Each text stands in an element of its own. A text that is not a single element would close it, or leave it with more or less than one
    child; only a comment, CDATA or processing instruction could reach into the next one, so that a text with any is parsed alone.
    """
    joined = "<all><one>" + "</one><one>".join(texts) + "</one></all>"
    if CLIENT not in joined and "<!" not in joined and "<?" not in joined:
        try:
            ones = list(XML(joined))
        except (ParseError, UnicodeEncodeError):
            ones = []
        if len(ones) == len(texts) and all(len(one) == 1 and not one.text and not one[0].tail for one in ones):
            return [one[0] for one in ones]
    return [_stored_or_error(text) for text in texts]


def _stored_or_error(text: str) -> Element | BadXML:
    try:
        return parse_stored(text)
    except BadXML as e:
        return e
