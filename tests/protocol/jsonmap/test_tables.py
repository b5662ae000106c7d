"""Every line of the tables, read and written, and values that do not fit (json-mapping §1 to §5)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from xml.etree.ElementTree import Element

import pytest

from xmpp_rest.protocol.element import serialise
from xmpp_rest.protocol.jsonmap import MappingError, Unmappable, decode, decode_many, encode
from xmpp_rest.protocol.jsonmap.command import LINES as COMMAND
from xmpp_rest.protocol.jsonmap.content import ItemsContent, ObjectContent
from xmpp_rest.protocol.jsonmap.disco import INFO, ITEM
from xmpp_rest.protocol.jsonmap.fields import TABLES
from xmpp_rest.protocol.jsonmap.forms import FULL
from xmpp_rest.protocol.jsonmap.payload import LINES as PAYLOAD
from xmpp_rest.protocol.jsonmap.plan import MappingLine
from xmpp_rest.protocol.parse import parse_text

from . import compare
from .samples import SAMPLES

ONLY_WRITTEN_OR_TWICE = {"oob_url", "oob", "formdata", "to", "from", "id", "type", "lang"}  # tested by name below
INSIDE = {"payload": PAYLOAD, "dataform": FULL, "disco": INFO, "items": ITEM, "command": COMMAND, "form": FULL}


def paths(lines: tuple[MappingLine, ...], prefix: str, above: tuple[Any, ...] = ()) -> Iterator[str]:
    for line in lines:
        path = f"{prefix}.{line.name}"
        yield path
        content = getattr(line, "content", None)
        if isinstance(content, ItemsContent):
            content = content.content
        inner = content.lines if isinstance(content, ObjectContent) else INSIDE.get(line.name, ())
        if isinstance(inner, tuple) and inner not in above:
            yield from paths(inner, path, (*above, inner))


def said(value: Any, prefix: str) -> Iterator[str]:
    for name, inner in value.items() if isinstance(value, dict) else ():
        yield f"{prefix}.{name}"
        for item in inner if isinstance(inner, list) else [inner]:
            yield from said(item, f"{prefix}.{name}")


def test_samples_cover_every_field() -> None:
    covered = {path for kind, obj, _ in SAMPLES for path in said(obj, kind)}
    wanted = {path for kind, lines in TABLES.items() for path in paths(lines, kind)}
    missing = {path for path in wanted if path.split(".")[1] not in ONLY_WRITTEN_OR_TWICE} - covered
    assert missing == set()


@pytest.mark.parametrize(("kind", "obj", "xml"), SAMPLES)
def test_field(kind: str, obj: dict[str, Any], xml: str) -> None:
    stanza = parse_text(f"<{kind} type='t' id='i'>{xml}</{kind}>")
    whole = {"kind": kind, "type": "t", "id": "i", **obj}
    assert decode(stanza) == whole
    assert compare.xml(encode(whole)) == compare.xml(stanza)
    assert compare.xml(parse_text(serialise(encode(whole)))) == compare.xml(stanza)


def inner(kind: str, obj: dict[str, Any]) -> str:
    """The XML inside the stanza for these fields."""
    stanza = encode({"kind": kind, "type": "t", **obj})
    return "".join(serialise(child) for child in stanza)


STATES = "http://jabber.org/protocol/chatstates"
WRONG = [  # what does not fit: the element, empty; in an attribute nothing
    ("message", {"body": 5}, "<body/>"),
    ("message", {"body": None}, "<body/>"),
    ("message", {"body": ["x"]}, "<body/>"),
    ("message", {"subject": {}}, "<subject/>"),
    ("message", {"thread": 5}, "<thread/>"),
    ("message", {"thread": []}, "<thread/>"),
    ("message", {"thread": {"id": 5, "parent": 5}}, "<thread/>"),
    *(("message", obj, "") for obj in [{"state": 5}, {"state": None}, {"markable": False}, {"markable": "true"}]),
    ("message", {"markable": 1}, ""),
    ("message", {"replace": 5}, "<replace xmlns='urn:xmpp:message-correct:0'/>"),
    ("message", {"delay": None}, "<delay xmlns='urn:xmpp:delay'/>"),
    ("message", {"oob": "u"}, "<x xmlns='jabber:x:oob'/>"),
    ("message", {"oob_url": 5}, "<x xmlns='jabber:x:oob'><url/></x>"),
    ("message", {"invite": {"jid": 5, "continue": "yes"}}, "<x xmlns='jabber:x:conference'/>"),
    (
        "message",
        {"reactions": {"reactions": [5, None, ["a"]]}},
        "<reactions xmlns='urn:xmpp:reactions:0'><reaction/><reaction/><reaction/></reactions>",
    ),
    ("message", {"reactions": {"reactions": "a"}}, "<reactions xmlns='urn:xmpp:reactions:0'><reaction/></reactions>"),
    ("message", {"stanza_ids": [5]}, "<stanza-id xmlns='urn:xmpp:sid:0'/>"),
    ("message", {"stanza_ids": 5}, "<stanza-id xmlns='urn:xmpp:sid:0'/>"),
    ("message", {"stanza_ids": {}}, ""),
    ("message", {"stanza_ids": None}, ""),
    ("message", {"reference": {"begin": "abc", "end": True}}, "<reference xmlns='urn:xmpp:reference:0'/>"),
    ("message", {"payload": "x"}, "<payload xmlns='urn:xmpp:json-msg:0'/>"),
    ("message", {"payload": {}}, "<payload xmlns='urn:xmpp:json-msg:0'>null</payload>"),
    ("message", {"payload": {"datatype": 5, "data": None}}, "<payload xmlns='urn:xmpp:json-msg:0'>null</payload>"),
    ("message", {"formdata": "x"}, "<x xmlns='jabber:x:data'/>"),
    ("message", {"forwarded": {"message": "x"}}, "<forwarded xmlns='urn:xmpp:forward:0'><message xmlns='jabber:client'/></forwarded>"),
    ("message", {"ping": True, "show": "away", "unknown": 1}, ""),
    ("presence", {"priority": "abc"}, "<priority/>"),
    ("presence", {"priority": True}, "<priority/>"),
    ("presence", {"muc": True}, "<x xmlns='http://jabber.org/protocol/muc'/>"),
    ("presence", {"body": "x"}, ""),
    ("iq", {"body": "x"}, ""),
    ("iq", {"version": None}, "<query xmlns='jabber:iq:version'/>"),
    ("iq", {"stats": {}}, "<query xmlns='http://jabber.org/protocol/stats'/>"),
    ("iq", {"stats": 5}, "<query xmlns='http://jabber.org/protocol/stats'/>"),
    ("iq", {"stats": [5, {"value": "x"}]}, "<query xmlns='http://jabber.org/protocol/stats'><stat/><stat/></query>"),
]


@pytest.mark.parametrize(("kind", "obj", "xml"), WRONG)
def test_wrong_type(kind: str, obj: dict[str, Any], xml: str) -> None:
    assert inner(kind, obj) == xml


UNREAD = [  # what is in the XML and not in the object
    ("message", "<body><b/></body><body>second</body>", {}),
    ("message", "<body>first</body><body>second</body>", {"body": "first"}),
    ("message", "<body xmlns='urn:example:a'>x</body>", {}),
    ("message", "<body/>", {"body": ""}),
    ("message", "<thread><a/></thread>", {"thread": {}}),
    ("message", "<delay xmlns='urn:xmpp:delay'/><delay xmlns='urn:xmpp:delay' stamp='s'/>", {}),
    ("message", f"<paused xmlns='{STATES}'/><gone xmlns='{STATES}'/><composing xmlns='{STATES}'/>", {"state": "gone"}),
    ("message", f"<thinking xmlns='{STATES}'/>", {}),
    ("message", "<x xmlns='jabber:x:oob'><desc>d</desc></x>", {"oob": {"desc": "d"}}),
    ("message", "<x xmlns='jabber:x:oob'><url>u</url></x>", {"oob": {"url": "u"}, "oob_url": "u"}),
    ("message", "<fallback xmlns='urn:xmpp:fallback:0'><body/></fallback>", {"fallback": True}),
    ("message", "<reactions xmlns='urn:xmpp:reactions:0'><reaction><a/></reaction></reactions>", {"reactions": {}}),
    ("message", "<forwarded xmlns='urn:xmpp:forward:0'><message><body>x</body></message></forwarded>", {"forwarded": {}}),
    ("message", "<html xmlns='http://jabber.org/protocol/xhtml-im'/>", {}),
    ("message", "<html xmlns='http://jabber.org/protocol/xhtml-im'><body/></html>", {}),
    ("message", "<set xmlns='http://jabber.org/protocol/rsm'><max>many</max><index/></set>", {"rsm": {}}),
    ("message", "<set xmlns='http://jabber.org/protocol/rsm'><first index='3'>f</first></set>", {"rsm": {"first": "f"}}),
    ("message", "<ping xmlns='urn:xmpp:ping'/><show>away</show>", {}),
    ("iq", "<query xmlns='http://jabber.org/protocol/stats'/>", {"stats": []}),
    ("iq", "<query xmlns='http://jabber.org/protocol/stats'><stat value='x'/></query>", {"stats": [{}]}),
    ("iq", "<services xmlns='urn:xmpp:extdisco:2'/>", {"extdisco": {}}),
    ("iq", "<query xmlns='urn:xmpp:mam:2'><x xmlns='jabber:x:data'><field/></x></query>", {"archive": {"form": {"fields": [{}]}}}),
    ("iq", "<query xmlns='urn:xmpp:mam:2'><x xmlns='jabber:x:data'/></query>", {"archive": {"form": {}}}),
    ("iq", "<fin xmlns='urn:xmpp:mam:2' complete='true' stable='false'/>", {"result": {}}),
    ("presence", "<x xmlns='http://jabber.org/protocol/muc'><password>p</password></x>", {"muc": {}}),
]


@pytest.mark.parametrize(("kind", "xml", "obj"), UNREAD)
def test_reading(kind: str, xml: str, obj: dict[str, Any]) -> None:
    assert decode(parse_text(f"<{kind} type='t'>{xml}</{kind}>")) == {"kind": kind, "type": "t", **obj}


def test_the_namespace_of_clients_is_none() -> None:
    stanza = parse_text("<message xmlns='jabber:client' id='1'><body>x</body></message>")
    assert decode(stanza) == {"kind": "message", "id": "1", "body": "x"}


def test_thread_as_a_string() -> None:
    assert inner("message", {"thread": "t1"}) == "<thread>t1</thread>"


def test_both_forms_of_a_url_make_two_elements() -> None:
    assert inner("message", {"oob": {"url": "a"}, "oob_url": "b"}).count("<x xmlns='jabber:x:oob'>") == 2


def test_fields_are_not_changed() -> None:
    obj: dict[str, Any] = {"kind": "iq", "type": "set", "archive": {"with": "juliet@capulet.example", "max": 5}, "to": "A.example"}
    copy = {**obj, "archive": dict(obj["archive"])}
    encode(obj)
    assert obj == copy


@pytest.mark.parametrize("tag", ["xmpp", "{jabber:server}message", "{urn:example:a}iq"])
def test_no_stanza(tag: str) -> None:
    with pytest.raises(Unmappable, match="not a message, presence or iq"):
        decode(Element(tag))


def test_several() -> None:
    assert decode_many([Element("message"), Element("iq")]) == {"xmpp": [{"kind": "message"}, {"kind": "iq"}]}


@pytest.mark.parametrize("text", ["", "{not json", "NaN", "Infinity", "[1e999]", "[" * 50_000, "1" * 5000, "1 2"])
def test_broken_container(text: str) -> None:
    stanza = encode({"kind": "message", "payload": {}})
    stanza[0].text = text
    with pytest.raises(Unmappable, match="JSON container"):
        decode(stanza)


def test_container_with_elements() -> None:
    with pytest.raises(Unmappable):
        decode(parse_text("<message><payload xmlns='urn:xmpp:json-msg:0'>1<a/></payload></message>"))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), object(), {"a": b"x"}])
def test_no_json_in_container(value: Any) -> None:
    with pytest.raises(MappingError, match=r"'payload\.data'"):
        encode({"kind": "message", "payload": {"data": value}})
