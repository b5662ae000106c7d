"""`parse_stored` returns the element that was archived (protocol/parse.py)."""

from __future__ import annotations

from xml.etree.ElementTree import Element

import pytest

from xmpp_rest.protocol.element import MAX_DEPTH, BadXML, serialise
from xmpp_rest.protocol.parse import parse_all_stored, parse_stored, parse_text

TEXTS = [
    "<message/>",
    "<message from='a@b' to='c@d/e' type='chat' id='1'><body>hi &amp; &lt;bye&gt;</body></message>",
    "<message xml:lang='it'><body>c'è 🍎</body><x xmlns='urn:x' a='1'><y/>tail</x> </message>",
    "<message xmlns='jabber:client'><body>hi</body></message>",
    "<message><forwarded xmlns='urn:xmpp:forward:0'><message xmlns='jabber:client'><body>in</body></message></forwarded></message>",
    "<message><body>it says jabber:client</body></message>",
    "<message><x xmlns='urn:x' xmlns:n='urn:n' n:a='1'/></message>",
]


@pytest.mark.parametrize("text", TEXTS)
def test_it_is_what_the_strict_parser_makes_of_it(text: str) -> None:
    assert serialise(parse_stored(text)) == serialise(parse_text(text))
    assert [element.tag for element in parse_stored(text).iter()] == [element.tag for element in parse_text(text).iter()]


@pytest.mark.parametrize(
    "text", ["", "hi", "<message", "<message></body>", "<message/><message/>", "<a>\ud800</a>", "<a xmlns='jabber:client'>\ud800</a>"]
)
def test_what_is_no_element(text: str) -> None:
    with pytest.raises(BadXML):
        parse_stored(text)


def test_a_stanza_as_deep_as_may_be_is_read_when_it_was_wrapped() -> None:
    """An archive holds what a room wraps for its subscribers, and processes tell each other of it."""
    deep = f"<message xmlns='jabber:client'>{'<a>' * (MAX_DEPTH - 1)}{'</a>' * (MAX_DEPTH - 1)}</message>"
    wrapped = f"<message><event xmlns='urn:x'><item>{deep}</item></event></message>"
    assert parse_stored(wrapped)[0][0][0].tag == "message"


EVIL = [
    "", " ", "hi", "<message", "<message></body>", "<message/><message/>", " <message/> ", "<message/>tail", "<a>\ud800</a>",
    "</one><one>", "<message/></one><one><message/>", "<message/></one></all>", "<message/></one></all><all><one><message/>",
    "<message/></one><one><message/><!--", "--><message/>", "<!-- </one><one> --><message/>", "<message><![CDATA[</message></one>]]></message>",
    "<message/></one><one><message><![CDATA[", "]]></message>", "<?xml version='1.0'?><message/>", "<message/><?pi", "?>",
    "<message><body>", "</body></message><message/>", "<one><message/></one>", "<message xmlns:n='urn:n'><n:a/></message>", "<n:a/>",
]  # fmt: skip


def outcome(found: object) -> str:
    return serialise(found) if isinstance(found, Element) else type(found).__name__


def alone(text: str) -> str:
    try:
        return serialise(parse_stored(text))
    except BadXML:
        return "BadXML"


@pytest.mark.parametrize("text", [*TEXTS, *EVIL])
def test_all_at_once_are_what_each_is_alone(text: str) -> None:
    assert [outcome(found) for found in parse_all_stored([text])] == [alone(text)]
    for other in (*TEXTS, *EVIL):
        texts = ["<message/>", text, other, "<iq/>"]
        assert [outcome(found) for found in parse_all_stored(texts)] == [alone(each) for each in texts]


def test_none_at_once() -> None:
    assert parse_all_stored([]) == []
