"""Formatted text and file URLs in JSON: the fields `html` (XEP-0071) and `oob_url` (XEP-0066)."""

from __future__ import annotations

from typing import Any
from xml.etree.ElementTree import Element, SubElement

from xmpp_rest.protocol.element import BadXML, serialise
from xmpp_rest.protocol.jsonmap.content import ABSENT, OwnContent, TextContent
from xmpp_rest.protocol.jsonmap.exceptions import MappingError, Unmappable
from xmpp_rest.protocol.jsonmap.plan import clark
from xmpp_rest.protocol.namespaces import OOB_X, XHTML
from xmpp_rest.protocol.parse import parse_text

_BODY = clark(XHTML, "body")
_URL = clark(OOB_X, "url")
_TEXT = TextContent().bind(OOB_X)


def _read_html(element: Element) -> Any:
    body = element.find(_BODY)
    if body is None:
        return ABSENT
    try:
        return serialise(body, XHTML)
    except BadXML as e:
        raise Unmappable(f"the stanza's XHTML cannot be written: {e}") from e


def _write_html(element: Element, value: Any) -> None:
    if not isinstance(value, str):
        raise MappingError("give XHTML as a string, such as '<body><p>Hello</p></body>'")
    try:
        html = parse_text(f"<html xmlns='{XHTML}'>{value}</html>")
    except BadXML as e:
        raise MappingError(f"{e}; give XHTML such as '<body><p>Hello</p></body>'") from e
    element.text = html.text
    element.extend(html)


def _read_url(element: Element) -> Any:
    url = element.find(_URL)
    return ABSENT if url is None else _TEXT.read(url)


def _write_url(element: Element, value: Any) -> None:
    _TEXT.write(SubElement(element, _URL), value)


HTML = OwnContent(_read_html, _write_html)
URL = OwnContent(_read_url, _write_url)
