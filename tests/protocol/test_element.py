"""Builder and serialiser of elements: only well-formed, bounded elements pass (RFC 6120 §11)."""

from __future__ import annotations

from xml.etree.ElementTree import Element, fromstring

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xmpp_rest.protocol.element import BadXML, is_ncname, serialise
from xmpp_rest.protocol.parse import parse_element, parse_text

SAME = [
    "<message/>",
    "<message to='a@b'><body>x</body></message>",
    "<message xml:lang='de'><body>a &amp; b &lt; c &gt; d \" '</body></message>",
    "<iq><query xmlns='urn:a'><x/><y xmlns='urn:b'>t</y>tail</query></iq>",
    "<message><forwarded xmlns='urn:xmpp:forward:0'><message xmlns='jabber:client'><body>x</body></message></forwarded></message>",
    *("<x a='&lt;&amp;&apos;&#10;&#9;&#13;'/>", "<x>&#13;\n</x>", "<x>\U0001f339</x>", "<é/>"),
]


@pytest.mark.parametrize(
    ("character", "in_text", "in_value"),
    [
        ("&", "&amp;", "&amp;"), ("<", "&lt;", "&lt;"), (">", "&gt;", "&gt;"), ("'", "'", "&apos;"), ('"', '"', '"'),
        ("\r", "&#13;", "&#13;"), ("\n", "\n", "&#10;"), ("\t", "\t", "&#9;"), ("x", "x", "x"), ("é", "é", "é"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("around", ["{}", "wisely {} and slow", "{0}{0}"])
def test_each_character_is_escaped_where_it_must_be(character: str, in_text: str, in_value: str, around: str) -> None:
    element, child = Element("x", {"a": around.format(character)}), Element("y")
    element.text = child.tail = around.format(character)
    element.append(child)
    text = around.format(in_text)
    assert serialise(element) == f"<x a='{around.format(in_value)}'>{text}<y/>{text}</x>"
    assert serialise(Element(f"{{{around.format(character)}}}z")) == f"<z xmlns='{around.format(in_value)}'/>"


@pytest.mark.parametrize("text", SAME)
def test_what_is_read_is_written_again(text: str) -> None:
    assert serialise(parse_text(text)) == text


@pytest.mark.parametrize(
    ("read", "written"),
    [
        ("<message xmlns='jabber:client'><body xmlns='jabber:client'>x</body></message>", "<message><body>x</body></message>"),
        ("<a:message xmlns:a='jabber:client'><a:body/></a:message>", "<message><body/></message>"),
        ("  <x/>\n", "<x/>"),
        ("<x><![CDATA[<&]]></x>", "<x>&lt;&amp;</x>"),
        ("<x y:a='1' xmlns:y='urn:y'/>", "<x xmlns:n0='urn:y' n0:a='1'/>"),
        ("<q:x xmlns:q='a' xmlns='b'><z/></q:x>", "<x xmlns='a'><z xmlns='b'/></x>"),
        ("\ufeff<x/>", "<x/>"),
    ],
)
def test_other_spellings_of_the_same(read: str, written: str) -> None:
    assert serialise(parse_text(read)) == written


BAD = {
    "declaration": b"<?xml version='1.1'?><x/>",
    "document type": b"<!DOCTYPE x><x/>",
    "entity": b"<!DOCTYPE x [<!ENTITY e 'boom'>]><x>&e;</x>",
    "external entity": b"<!DOCTYPE x [<!ENTITY e SYSTEM 'file:///etc/passwd'>]><x>&e;</x>",
    "undefined entity": b"<x>&nbsp;</x>",
    "comment": b"<x><!-- y --></x>",
    "comment before": b"<!-- y --><x/>",
    "instruction": b"<x><?y z?></x>",
    "second root": b"<x/><y/>",
    "text after": b"<x/>y",
    "empty": b"",
    "blank": b"  \n",
    "text": b"hello",
    "unbalanced": b"<x><y></x>",
    "unclosed": b"<x>",
    "control character": b"<x>\x01</x>",
    "NUL": b"<x>\x00</x>",
    "control reference": b"<x>&#1;</x>",
    "U+FFFE": "<x>\ufffe</x>".encode(),
    "U+FFFF reference": b"<x>&#xFFFF;</x>",
    "surrogate": b"<x>\xed\xa0\x80</x>",
    "surrogate reference": b"<x>&#xD800;</x>",
    "not UTF-8": b"<x>\xff</x>",
    "UTF-16": "<x/>".encode("utf-16"),
    "UTF-16 little-endian without a mark": "<x/>".encode("utf-16-le"),
    "UTF-16 big-endian without a mark": "<x/>".encode("utf-16-be"),
    "UTF-32": "<x/>".encode("utf-32"),
    "unbound prefix": b"<a:x/>",
    "twice the same attribute": b"<x a='1' a='2'/>",
    "too deep": b"<x>" * 65 + b"</x>" * 65,
    "too many attributes": b"<x " + b" ".join(b"a%d='1'" % n for n in range(65)) + b"/>",
    "stream end": b"</stream:stream>",
    "reserved prefix rebound": b"<x xmlns:xml='urn:y'/>",
}


@pytest.mark.parametrize("body", BAD.values(), ids=list(BAD))
def test_what_must_not_get_in(body: bytes) -> None:
    with pytest.raises(BadXML):
        parse_element(body)


def test_an_element_in_the_xml_namespace_never_gets_out() -> None:
    """Every parser takes `<xml:x/>`; with the namespace as default one, every server would end the stream."""
    with pytest.raises(BadXML, match="'xml'"):
        serialise(parse_text("<message><xml:x/></message>"))


@pytest.mark.parametrize("name", ["", "1x", "a b", "a:b", "<", "a>b", "{}x", "{urn:x}a b", "{urn:x", "é b", "²"])
def test_a_bad_name_never_gets_out(name: str) -> None:
    with pytest.raises(BadXML):
        serialise(Element(name))
    with pytest.raises(BadXML):
        serialise(Element("x", {name: "1"}))


def test_names_that_json_may_use() -> None:
    assert is_ncname("composing")
    assert is_ncname("not-authorized")
    assert not any(map(is_ncname, ["", "é", "a b", "1", "-a", "a:b", "a\n"]))


@given(st.text(), st.text())
def test_text_gets_out_unchanged_or_not_at_all(text: str, value: str) -> None:
    element = Element("x", {"a": value})
    element.text = text
    try:
        written = serialise(element)
    except BadXML:
        return
    again = fromstring(written)
    assert (again.text or "", again.get("a")) == (text, value)
