"""Form encoding of JSON objects, both ways (rest-api §3, §11)."""

from __future__ import annotations

from typing import Any

import pytest

from xmpp_rest.protocol.flat import FLAGS, form_decode, form_encode
from xmpp_rest.protocol.jsonmap import MappingError, encode

DECODES = [
    ("kind=message&body=a+b%26c", {"kind": "message", "body": "a b&c"}),
    ("body=%E2%82%AC+%2B+%C3%A9", {"body": "€ + é"}),
    ("body=é", {"body": "é"}),
    ("body=a&body=b", {"body": "b"}),
    ("body=a=b==", {"body": "a=b=="}),
    ("body=", {"body": ""}),
    ("b%6Fdy=x", {"body": "x"}),
    ("with+space=x", {"with space": "x"}),
    ("body=100%&x=%zz%4", {"body": "100%", "x": "%zz%4"}),
    ("&&body=a&&", {"body": "a"}),
    ("left-out&body=a", {"body": "a"}),
    ("=x", {"": "x"}),
    ("", {}),
    ("priority=5&max=5", {"priority": "5", "max": "5"}),
    *((f"ping={value}", {"ping": True}) for value in ("true", "1", "")),
    *((f"ping={value}", {"ping": value}) for value in ("false", "0", "TRUE", "yes")),
    ("fallback=true&markable=1&join=", {"fallback": True, "markable": True, "join": True}),
    ("remove=true&registered=", {"remove": True, "registered": True}),
    ("body=true&subject=1&disco=", {"body": "true", "subject": "1", "disco": ""}),
]


@pytest.mark.parametrize(("text", "obj"), DECODES)
def test_decode(text: str, obj: dict[str, Any]) -> None:
    assert form_decode(text) == obj


@pytest.mark.parametrize("text", ["body=%ff", "%c3=x", "body=%ed%a0%80"])
def test_a_form_is_utf_8(text: str) -> None:
    with pytest.raises(MappingError, match="percent-encode UTF-8"):
        form_decode(text)


def test_the_flags() -> None:
    assert sorted(FLAGS) == ["fallback", "join", "markable", "ping", "registered", "remove"]


STANZAS = [
    ("ping=true&to=a.example", "iq", "{urn:xmpp:ping}ping", None),
    ("kind=iq&ping=", "iq", "{urn:xmpp:ping}ping", None),
    ("kind=iq&ping=false", "iq", None, None),
    ("priority=5", "presence", "priority", "5"),
    ("priority=", "presence", "priority", None),
    ("join=1&to=r%40a.example%2Fn", "presence", "{http://jabber.org/protocol/muc}x", None),
    ("thread=t1", "message", "thread", "t1"),
]


@pytest.mark.parametrize(("text", "kind", "tag", "content"), STANZAS)
def test_a_form_makes_a_stanza(text: str, kind: str, tag: str | None, content: str | None) -> None:
    stanza = encode(form_decode(text))
    assert stanza.tag == kind
    assert [(c.tag, c.text) for c in stanza] == ([(tag, content)] if tag else [])


ENCODES = [
    ({"body": "é ~-_.*+&=%\n"}, "body=%c3%a9+~-_.%2a%2b%26%3d%25%0a"),
    ({"content-type": "ä b"}, "content-type=%c3%a4+b"),
    ({"ä b": "x"}, "%c3%a4+b=x"),
    ({"body": ""}, "body="),
    ({"priority": -3, "x": 0}, "priority=-3&x=0"),
    ({"x": 0.25, "y": 1e300, "z": 5.0}, "x=0.25&y=1e%2b300&z=5"),
    ({"x": 10**30}, "x=1" + "0" * 30),
    ({"ping": True, "join": False}, "ping="),
    ({"x": None, "thread": {"id": "t"}, "stanza_ids": [], "nan": float("nan"), "inf": float("inf")}, ""),
    ({"xmpp": [{"kind": "iq"}]}, ""),
    ({"body": "\ud800"}, "body=%3f"),
    ({}, ""),
]


@pytest.mark.parametrize(("obj", "text"), ENCODES)
def test_encode(obj: dict[str, Any], text: str) -> None:
    assert form_encode(obj) == text
