"""Kind, type and address of objects that do not state them (json-mapping §2)."""

from __future__ import annotations

from typing import Any

import pytest

from xmpp_rest.protocol.jsonmap import BadAddress, MappingError, decode, encode
from xmpp_rest.protocol.namespaces import XML_LANG
from xmpp_rest.protocol.parse import parse_text

KINDS = [
    # rule 1: archive and command are set
    ({"archive": {}}, "iq", "set"),
    ({"command": "uptime"}, "iq", "set"),
    ({"command": {}, "type": 5}, "iq", "set"),
    ({"archive": {}, "type": "get"}, "iq", "get"),
    ({"archive": None}, "iq", "set"),
    ({"archive": False, "body": "x"}, "message", None),
    ({"kind": "message", "archive": {}}, "message", None),
    # rule 2: kind by type
    *(({"type": t}, "iq", t) for t in ("get", "set", "result")),
    *(({"type": t}, "message", t) for t in ("normal", "chat", "headline", "groupchat")),
    *(({"type": t}, "presence", t) for t in ("unavailable", "subscribe", "subscribed", "unsubscribe", "unsubscribed")),
    ({"type": "available"}, "presence", None),
    ({"kind": 5, "type": "subscribe", "body": "x"}, "presence", "subscribe"),
    # rule 3: kind by field
    *(({f: {}}, "iq", "get") for f in ("disco", "items", "ping", "version")),
    *(({f: {}}, "message", None) for f in ("body", "replace", "state", "subject", "thread")),
    ({"html": "<p/>"}, "message", None),
    *(({f: {}}, "presence", None) for f in ("join", "priority", "show", "status")),
    ({"ping": None}, "iq", "get"),
    ({"ping": False}, "message", None),
    ({"type": "bogus", "ping": True}, "iq", "bogus"),
    ({"type": "", "show": "away"}, "presence", ""),
    # rule 4: message
    ({"lastactivity": {}}, "message", None),
    ({"unknown": 1}, "message", None),
    ({"kind": None}, "message", None),
    ({"type": "bogus"}, "message", "bogus"),
    # rule 5: types that need not be said
    ({"kind": "iq"}, "iq", "get"),
    ({"kind": "iq", "type": None}, "iq", "get"),
    ({"kind": "iq", "type": "bogus"}, "iq", "bogus"),
    ({"kind": "presence", "type": "available"}, "presence", None),
    ({"kind": "message", "type": "available"}, "message", "available"),
    ({"kind": "presence", "type": 5}, "presence", None),
]


@pytest.mark.parametrize(("obj", "kind", "type_"), KINDS)
def test_kind_and_type(obj: dict[str, Any], kind: str, type_: str | None) -> None:
    stanza = encode(obj)
    assert (stanza.tag, stanza.get("type")) == (kind, type_)


@pytest.mark.parametrize("kind", ["stanza", "", "Message", "error", "{urn:example:a}iq"])
def test_unknown_kind(kind: str) -> None:
    with pytest.raises(MappingError, match="'kind': give 'message', 'presence' or 'iq'"):
        encode({"kind": kind, "body": "x"})


@pytest.mark.parametrize("value", [[], [{"kind": "message"}], "x", "", 5, 0, 1.5, None, True, False, {}])
def test_no_object(value: Any) -> None:
    with pytest.raises(MappingError, match="give a JSON object with at least one field"):
        encode(value)


def test_attributes() -> None:
    stanza = encode({"to": "Juliet@CAPULET.example./Balcony", "id": "<'\"&>", "lang": "it", "from": "ROMEO@montague.example"})
    assert stanza.attrib == {"to": "juliet@capulet.example/Balcony", "from": "romeo@montague.example", "id": "<'\"&>", XML_LANG: "it"}


def test_attributes_of_another_type() -> None:
    assert encode({"id": 7, "lang": None, "type": [], "body": "x"}).attrib == {}


@pytest.mark.parametrize("field", ["to", "from"])
@pytest.mark.parametrize("address", ["@@", "", 5, None, True, [], {}, "a@b\u0000", "\ud800@b", "x" * 4000])
def test_bad_address(field: str, address: Any) -> None:
    with pytest.raises(BadAddress) as caught:
        encode({"body": "x", field: address})
    assert caught.value.field == field
    assert "such as 'juliet@capulet.example/balcony'" in str(caught.value)


def test_bad_address_of_an_error() -> None:
    with pytest.raises(BadAddress):
        encode({"kind": "iq", "to": "@@", "error": {"condition": "gone"}})


def test_addresses_are_normalised_when_read() -> None:
    stanza = parse_text("<iq to='Juliet@CAPULET.example' from='@@' type='result'/>")
    assert decode(stanza) == {"kind": "iq", "type": "result", "to": "juliet@capulet.example"}


def test_presence_without_type_is_available() -> None:
    assert decode(parse_text("<presence/>")) == {"kind": "presence", "type": "available"}
    assert decode(parse_text("<presence type='probe'/>")) == {"kind": "presence", "type": "probe"}


JOINS = [
    ({"join": True}, ["{http://jabber.org/protocol/muc}x"]),
    ({"join": True, "muc": {"history": {}}}, ["{http://jabber.org/protocol/muc}x"]),
    ({"join": False}, []),
    ({"join": "true"}, []),
    ({"join": None}, []),
]


@pytest.mark.parametrize(("obj", "tags"), JOINS)
def test_join(obj: dict[str, Any], tags: list[str]) -> None:
    assert [c.tag for c in encode({"kind": "presence", **obj})] == tags
