"""Stanzas of type error, read and written (json-mapping §7)."""

from __future__ import annotations

from typing import Any

import pytest

from xmpp_rest.protocol.jsonmap import MappingError, decode, encode
from xmpp_rest.protocol.parse import parse_text

from . import compare

STANZAS = "urn:ietf:params:xml:ns:xmpp-stanzas"
GONE = f"<gone xmlns='{STANZAS}'/>"
CONTAINER = "<payload xmlns='urn:xmpp:json-msg:0' datatype='d'>{broken</payload>"

READS = [
    ("", {}),
    ("<error/>", {"condition": "undefined-condition"}),
    (f"<error type='cancel' by='b'>{GONE}</error>", {"type": "cancel", "by": "b", "condition": "gone"}),
    (f"<error><text xmlns='{STANZAS}'>t</text>{GONE}</error>", {"text": "t", "condition": "gone"}),
    (f"<error><text xmlns='{STANZAS}'/></error>", {"text": "", "condition": "undefined-condition"}),
    (f"<error><too-many xmlns='urn:example:a'/>{GONE}<conflict xmlns='{STANZAS}'/></error>", {"condition": "gone"}),
    ("<error><gone/><text>t</text></error>", {"condition": "undefined-condition"}),
    (f"<error xmlns='urn:example:a'>{GONE}</error>", {}),
]


@pytest.mark.parametrize("kind", ["message", "presence", "iq"])
@pytest.mark.parametrize(("xml", "error"), READS)
def test_error_reads(kind: str, xml: str, error: dict[str, str]) -> None:
    assert decode(parse_text(f"<{kind} type='error' id='1'>{xml}</{kind}>")) == {"kind": kind, "type": "error", "id": "1", "error": error}


BESIDE = [  # what is read of the stanza beside the error
    ("message", "<body>b</body><thread>t</thread>", {"body": "b", "thread": {"id": "t"}}),
    ("message", CONTAINER, {"payload": {"datatype": "d", "data": "{broken"}}),
    ("message", "<x xmlns='jabber:x:data'/><form xmlns='jabber:x:data'/>", {}),
    ("message", "<html xmlns='http://jabber.org/protocol/xhtml-im'><body xmlns='http://www.w3.org/1999/xhtml'/></html>", {}),
    ("message", "<x xmlns='jabber:x:oob'><url>u</url></x>", {"oob": {"url": "u"}}),
    ("iq", "<query xmlns='http://jabber.org/protocol/disco#info'/>", {}),
    ("iq", "<query xmlns='http://jabber.org/protocol/disco#items'/>", {}),
    ("iq", "<command xmlns='http://jabber.org/protocol/commands'/>", {}),
    ("iq", "<ping xmlns='urn:xmpp:ping'/>", {"ping": True}),
    ("presence", "<x xmlns='http://jabber.org/protocol/muc'/>", {"muc": {}}),
]


@pytest.mark.parametrize(("kind", "xml", "fields"), BESIDE)
def test_beside_the_error(kind: str, xml: str, fields: dict[str, Any]) -> None:
    assert decode(parse_text(f"<{kind} type='error'>{xml}</{kind}>")) == {"kind": kind, "type": "error", **fields, "error": {}}


WRITES = [
    (
        {"error": {"type": "cancel", "condition": "gone", "text": "t", "by": "b"}},
        f"<error type='cancel' by='b'>{GONE}<text xmlns='{STANZAS}'>t</text></error>",
    ),
    ({"error": {"condition": "gone"}}, f"<error>{GONE}</error>"),
    ({"error": {"condition": "gone"}, "type": "error"}, f"<error>{GONE}</error>"),
    ({"error": {"condition": "gone"}, "type": "chat", "body": "b", "lang": "it"}, f"<error>{GONE}</error>"),
    ({"error": {"condition": "gone", "type": 5, "by": 5, "text": 5}}, f"<error>{GONE}<text xmlns='{STANZAS}'/></error>"),
    ({"error": {"condition": "own-word"}}, f"<error><own-word xmlns='{STANZAS}'/></error>"),
]


@pytest.mark.parametrize("kind", ["message", "presence", "iq"])
@pytest.mark.parametrize(("obj", "xml"), WRITES)
def test_error_writes(kind: str, obj: dict[str, Any], xml: str) -> None:
    wanted = parse_text(f"<{kind} type='error' id='1' to='a.example' from='b.example'>{xml}</{kind}>")
    stanza = encode({"kind": kind, "id": "1", "to": "a.example", "from": "b.example", **obj})
    assert compare.xml(stanza) == compare.xml(wanted)


@pytest.mark.parametrize(("sender", "kept"), [("B.example", False), ("c.example", True), (None, True)])
def test_by_is_left_out_if_it_is_the_sender(sender: str | None, kept: bool) -> None:
    address = {"from": sender} if sender else {}
    stanza = encode({"kind": "iq", "error": {"condition": "gone", "by": "b.example"}, **address})
    assert ("by" in stanza[0].attrib) is kept


@pytest.mark.parametrize("condition", [None, 5, "", "not a name", "a:b", "{urn:example:a}b", "é", "<gone/>"])
def test_a_condition_is_required(condition: Any) -> None:
    with pytest.raises(MappingError, match=r"'error\.condition': give the name of a stanza error condition"):
        encode({"kind": "iq", "error": {"type": "cancel", "condition": condition}})
    with pytest.raises(MappingError, match=r"'error\.condition'"):
        encode({"kind": "iq", "error": {}})


OLDER = [
    ("message", {"body": "b"}, "<body>b</body><error>b</error>"),
    ("message", {"body": 5}, "<body/><error/>"),
    ("message", {"body": "b", "error": "x"}, "<body>b</body><error>b</error>"),
    ("message", {"error": None}, "<error/>"),
    ("iq", {"body": "b", "error_code": 404, "ping": True}, "<ping xmlns='urn:xmpp:ping'/><error code='404'>b</error>"),
    ("iq", {"error_code": "404"}, "<error code='404'/>"),
    ("iq", {"error_code": True}, "<error/>"),
    ("presence", {"show": "away", "error_code": None}, "<show>away</show><error/>"),
]


@pytest.mark.parametrize(("kind", "obj", "xml"), OLDER)
def test_older_form(kind: str, obj: dict[str, Any], xml: str) -> None:
    wanted = parse_text(f"<{kind} type='error' id='1'>{xml}</{kind}>")
    assert compare.xml(encode({"kind": kind, "type": "error", "id": "1", **obj})) == compare.xml(wanted)


def test_an_error_that_is_no_object_is_ignored() -> None:
    assert compare.xml(encode({"body": "b", "error": "x"})) == compare.xml(parse_text("<message><body>b</body></message>"))
