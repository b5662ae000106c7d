"""Scalar values, read and written, and those that XML cannot hold (json-mapping §1, §8)."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from xmpp_rest.protocol.element import BadXML, serialise
from xmpp_rest.protocol.jsonmap import MAX_ELEMENTS, MappingError, decode, encode, scalars
from xmpp_rest.protocol.jsonmap.scalars import BOOLEAN, INTEGER, NUMBER, STRING, forbidden
from xmpp_rest.protocol.parse import parse_text
from xmpp_rest.protocol.stanza import child

INTEGERS = [("5", 5), ("-5", -5), ("+5", 5), (" 5\n", 5), ("1e3", 1000), ("0x10", 16), ("-0xfF", -255), ("9" * 30, int("9" * 30))]
NUMBERS = [("0.25", 0.25), (".5", 0.5), ("5.", 5), ("1E-2", 0.01), ("5.5", 5.5), ("3.05464e+06", 3054640), ("1e300", 1e300)]
NO_NUMBERS = ["", " ", "x", "5 5", "1_000", "0x", "inf", "nan", "1e999", "٥", "9" * 65, "1" * 5000, "--1", "5,5"]
BOOLEANS = [("true", True), ("1", True), ("false", False), ("0", False), ("", True), ("maybe", True)]
READS = [
    *((INTEGER, text, value) for text, value in INTEGERS),
    *((NUMBER, text, value) for text, value in NUMBERS),
    *((INTEGER, text, None) for text in NO_NUMBERS),
    *((BOOLEAN, text, value) for text, value in BOOLEANS),
]


@pytest.mark.parametrize(("scalar", "text", "value"), READS)
def test_reads(scalar: Any, text: str, value: Any) -> None:
    got = scalar.read(text)
    assert (got, type(got)) == (value, type(value))


WRITES = [
    *((INTEGER, value, text) for value, text in [(5, "5"), (-5, "-5"), (5.0, "5"), (-0.0, "0"), ("5", "5"), ("5.0", "5"), ("0x10", "16")]),
    *((INTEGER, value, None) for value in list[Any](["x", "", None, True, False, [], {}, [5]])),
    (INTEGER, 2**63 - 1, "9223372036854775807"),
    *((NUMBER, value, text) for value, text in [(3054635, "3054635"), (3054635.0, "3054635"), (365.5, "365.5"), (0.1, "0.1")]),
    *((NUMBER, value, text) for value, text in [(1e-7, "1e-07"), (1e300, "1e+300"), ("0.5", "0.5"), ("x", None), (True, None)]),
    *((BOOLEAN, value, text) for value, text in [(True, "1"), (False, "0"), ("true", None), (1, None), (None, None)]),
    *((STRING, value, text) for value, text in [("", ""), ("é\t\r\n😀", "é\t\r\n😀"), (5, None), (None, None), (b"x", None)]),
]


@pytest.mark.parametrize(("scalar", "value", "text"), WRITES)
def test_writes(scalar: Any, value: Any, text: str | None) -> None:
    assert scalar.write(value) == text


REFUSED = [
    *((INTEGER, value, "give a whole number") for value in [5.5, "5.5", float("inf"), float("nan")]),
    (INTEGER, 2**63, "too large"),
    (INTEGER, 1e300, "too large"),
    (INTEGER, 10**4000, "too large"),
    (NUMBER, float("nan"), "give a finite number"),
    (NUMBER, -float("inf"), "give a finite number"),
    (NUMBER, -(10**4000), "too large"),
    (STRING, "bell\u0007", "U+0007 is not allowed in XML"),
    (STRING, "half\ud83d", "U+D83D is not allowed in XML"),
]


@pytest.mark.parametrize(("scalar", "value", "why"), REFUSED)
def test_refused(scalar: Any, value: Any, why: str) -> None:
    with pytest.raises(MappingError) as caught:
        scalar.write(value)
    assert why in str(caught.value)


@pytest.mark.parametrize("scalar", [INTEGER, NUMBER])
def test_an_integer_that_python_would_not_write(scalar: Any) -> None:
    with pytest.raises(MappingError, match="too large"):
        scalar.write(10**5000)


def test_forbidden_agrees_with_the_serialiser() -> None:
    """Every code point that the mapping lets through, and none else, is one that goes on the wire."""
    plane = [chr(c) for c in range(0x10000)] + [chr(c) for c in range(0x10000, sys.maxunicode + 1, 0x3FFF)]
    let_through = [c for c in plane if not forbidden(c)]
    serialise(child("a", "".join(let_through)))
    for c in set(plane) - set(let_through):
        with pytest.raises(BadXML):
            serialise(child("a", c))


WHERE = [
    ({"body": "\u0007"}, "body"),
    ({"type": "\u0000"}, "type"),
    ({"id": "\uffff"}, "id"),
    ({"lang": "\ud800"}, "lang"),
    ({"thread": {"parent": "\u0007"}}, "thread.parent"),
    ({"thread": "\u0007"}, "thread.id"),
    ({"replace": "\u0007"}, "replace"),
    *((obj, "state") for obj in [{"state": "a b"}, {"state": "a:b"}, {"state": "x/><evil"}, {"state": ""}]),
    ({"state": "{urn:example:a}b"}, "state"),
    ({"oob_url": "\u0007"}, "oob_url"),
    ({"stanza_ids": [{}, {"by": "\u0007"}]}, "stanza_ids[1].by"),
    ({"reactions": {"reactions": ["a", "\u0007"]}}, "reactions.reactions[1]"),
    ({"archive": {"forward": {"message": {"rsm": {"max": 0.5}}}}}, "archive.forward.message.rsm.max"),
    ({"payload": {"datatype": "\u0007"}}, "payload.datatype"),
    *(
        ({"html": html}, "html")
        for html in list[Any]([5, None, {}, "<p>", "a</html><html>b", "<!DOCTYPE a><a/>", "<!-- c --><a/>", "&nbsp;"])
    ),
    *(({"html": html}, "html") for html in ["<?xml version='1.0'?><a/>", "<p>\u0007</p>", "<p>&#7;</p>", "<a:b/>", "\ud800"]),
]


@pytest.mark.parametrize(("obj", "where"), WHERE)
def test_the_error_names_the_field(obj: dict[str, Any], where: str) -> None:
    with pytest.raises(MappingError) as caught:
        encode({"kind": "message", **obj})
    assert caught.value.field == where
    assert caught.value.remedy
    assert "\n" not in str(caught.value)


HTML = [
    ("plain", "plain"),
    ("<p>a</p> b <p>c</p>", "<p xmlns='http://www.w3.org/1999/xhtml'>a</p> b <p xmlns='http://www.w3.org/1999/xhtml'>c</p>"),
    ("<body xmlns='http://www.w3.org/1999/xhtml'/>", "<body xmlns='http://www.w3.org/1999/xhtml'/>"),
    ("<x xmlns='urn:example:a'/>", "<x xmlns='urn:example:a'/>"),
    ("", ""),
]


@pytest.mark.parametrize(("html", "xml"), HTML)
def test_html(html: str, xml: str) -> None:
    stanza = encode({"html": html})
    wanted = f"<message><html xmlns='http://jabber.org/protocol/xhtml-im'>{xml}</html></message>"
    assert serialise(parse_text(serialise(stanza))) == serialise(parse_text(wanted))


def nested(levels: int) -> dict[str, Any]:
    message: dict[str, Any] = {"body": "x"}
    for _ in range(levels):
        message = {"forwarded": {"message": message}}
    return message


def test_depth_is_bounded() -> None:
    deepest = encode(nested(31))  # 64 elements inside each other
    assert decode(parse_text(serialise(deepest)))
    for levels in (32, 100, 1_000, 10_000):
        with pytest.raises(MappingError, match="forward fewer messages inside each other"):
            encode(nested(levels))


def test_html_cannot_exceed_the_depth_either() -> None:
    with pytest.raises(MappingError, match="inside each other"):
        encode({"html": "<b>" * 63 + "</b>" * 63})


def test_the_number_of_elements_is_bounded() -> None:
    encode({"stanza_ids": [{}] * (MAX_ELEMENTS - 1)})
    with pytest.raises(MappingError, match="more than 10000 elements"):
        encode({"stanza_ids": [{}] * MAX_ELEMENTS})


CBOR = [  # what the model has no type for: names and values as CBOR may have them
    {"kind": "message", 5: "x", None: "x", (1, 2): "x", b"body": "x"},
    {"kind": "message", "body": b"x", "formdata": {5: "x", 10**5000: "\u0007", "k": {"x"}}},
    {"kind": "iq", "disco": {"extensions": {5: {"k": "v"}, "t": {None: "v"}}}, 10**5000: 1},
    {"kind": "iq", "archive": {"form": {"fields": ({"var": "a", "values": ("x",)},)}}},
]


@pytest.mark.parametrize("obj", CBOR)
def test_other_types_are_of_the_wrong_type(obj: dict[Any, Any]) -> None:
    assert parse_text(serialise(encode(obj))).tag == obj["kind"]


def test_a_value_inside_itself_is_refused() -> None:
    message: dict[str, Any] = {}
    message["forwarded"] = {"message": message}
    payload: list[Any] = []
    payload.append(payload)
    for obj in (message, {"payload": {"data": payload}}):
        with pytest.raises(MappingError, match="too deep"):
            encode(obj)


def test_a_long_address_is_not_remembered() -> None:
    before = scalars._prepared.cache_info().currsize
    assert decode(parse_text(f"<message from='{'a' * 100_000}@capulet.example'/>")) == {"kind": "message"}
    assert scalars._prepared.cache_info().currsize == before
