"""Paths below /rest/ and the queries that they name (rest-api §1, §4, §5)."""

from __future__ import annotations

from typing import Any

import pytest

from xmpp_rest.protocol.element import serialise
from xmpp_rest.protocol.jsonmap import encode
from xmpp_rest.protocol.path import QUERIES, BadPath, StanzaPath, amend, query_iq, query_path, stanza_path, text_at

PATHS = [
    ("message/chat/juliet@capulet.example", ("message", "chat", "juliet@capulet.example")),
    ("presence/unavailable/room@rooms.example/nick", ("presence", "unavailable", "room@rooms.example/nick")),
    ("message/chat/", ("message", "chat", "")),
    ("message/chat/a.example/b/c/", ("message", "chat", "a.example/b/c/")),
    ("message/chat/a.example/b+c d\n", ("message", "chat", "a.example/b+c d\n")),
    ("iq/get/a.example", ("iq", "get", "a.example")),
    ("iq/disco/a.example", ("iq", "disco", "a.example")),
    ("iq/upload_request/a.example", ("iq", "upload_request", "a.example")),
    ("iq/own-query/", ("iq", "own-query", "")),
    ("message/x9/", ("message", "x9", "")),
]


@pytest.mark.parametrize(("path", "parts"), PATHS)
def test_path(path: str, parts: tuple[str, str, str]) -> None:
    assert stanza_path(path) == parts


BAD_PATHS = [
    *((path, "invalid-path") for path in ["", "message", "message/chat", "message//a.example", "/message/chat/a", "chat/message/a"]),
    *((path, "invalid-path") for path in ["message/ch at/a", "message/a_b/a", "message/a-b/a", "iq/dis.co/a", "iq/é/a", "i/get/a"]),
    *((path, "invalid-path") for path in ["Message/chat/a", "me-ssage/chat/a", "iq/get"]),
    *((path, "unknown-kind") for path in ["meta/info/a", "messages/chat/", "p1/chat/a", "iqs/disco/a"]),
]


@pytest.mark.parametrize(("path", "reason"), BAD_PATHS)
def test_bad_path(path: str, reason: str) -> None:
    with pytest.raises(BadPath) as caught:
        stanza_path(path)
    assert caught.value.reason == reason
    assert str(caught.value)


@pytest.mark.parametrize(
    ("path", "query", "to"), [("ping/a@b/c", "ping", "a@b/c"), ("disco/", "disco", ""), ("a_b/x", "a_b", "x")]
)
def test_query_path(path: str, query: str, to: str) -> None:
    assert query_path(path) == StanzaPath("iq", query, to)
    assert query_path(path).query == query


@pytest.mark.parametrize("path", ["", "ping", "/ping/a", "di.sco/a", "//"])
def test_bad_query_path(path: str) -> None:
    with pytest.raises(BadPath, match="give query and recipient") as caught:
        query_path(path)
    assert caught.value.reason == "invalid-path"


AMENDS = [
    ("message/chat/a", {}, {"kind": "message", "type": "chat", "to": "a"}),
    ("message/chat/a", {"kind": "iq", "type": "get", "to": "b", "body": "x"}, {"kind": "message", "type": "chat", "to": "a", "body": "x"}),
    ("message/chat/", {"to": "b"}, {"kind": "message", "type": "chat", "to": "b"}),
    ("iq/get/a", {"disco": True}, {"kind": "iq", "type": "get", "to": "a", "disco": True}),
    ("iq/disco/a", {"node": "n", "to": "b"}, {"kind": "iq", "type": "get", "to": "a", "disco": {"node": "n", "to": "b"}}),
    ("iq/ping/", {"x": 1}, {"kind": "iq", "type": "get", "ping": True}),
]


@pytest.mark.parametrize(("path", "fields", "obj"), AMENDS)
def test_amend(path: str, fields: dict[str, Any], obj: dict[str, Any]) -> None:
    before = dict(fields)
    assert amend(fields, stanza_path(path)) == obj
    assert fields == before


def test_text() -> None:
    assert text_at("Hi", stanza_path("message/headline/a")) == {"kind": "message", "type": "headline", "to": "a", "body": "Hi"}
    assert text_at("away", stanza_path("presence/available/")) == {"kind": "presence", "type": "available", "show": "away"}
    with pytest.raises(BadPath) as caught:
        text_at("x", stanza_path("iq/get/a"))
    assert caught.value.reason == "invalid-path"


QUERY_STANZAS = [
    ("ping", {"x": "y"}, "get", "<ping xmlns='urn:xmpp:ping'/>"),
    ("version", {}, "get", "<query xmlns='jabber:iq:version'/>"),
    ("disco", {}, "get", "<query xmlns='http://jabber.org/protocol/disco#info'/>"),
    ("disco", {"node": "n"}, "get", "<query xmlns='http://jabber.org/protocol/disco#info' node='n'/>"),
    ("items", {}, "get", "<query xmlns='http://jabber.org/protocol/disco#items'/>"),
    ("items", {"node": "n"}, "get", "<query xmlns='http://jabber.org/protocol/disco#items' node='n'/>"),
    ("lastactivity", {}, "get", "<query xmlns='jabber:iq:last'/>"),
    ("oob", {"url": "u", "desc": "d"}, "get", "<query xmlns='jabber:iq:oob'><url>u</url><desc>d</desc></query>"),
    ("payload", {"datatype": "t", "data": "{}"}, "get", "<payload xmlns='urn:xmpp:json-msg:0' datatype='t'>\"{}\"</payload>"),
    ("stats", {}, "get", "<query xmlns='http://jabber.org/protocol/stats'/>"),
    ("extdisco", {"type": "turn"}, "get", "<services xmlns='urn:xmpp:extdisco:2' type='turn'/>"),
    (
        "archive",
        {"queryid": "q", "max": "5", "before": ""},
        "set",
        "<query xmlns='urn:xmpp:mam:2' queryid='q'><set xmlns='http://jabber.org/protocol/rsm'><before/><max>5</max></set></query>",
    ),
    ("command", {"node": "uptime"}, "set", "<command xmlns='http://jabber.org/protocol/commands' node='uptime'/>"),
    ("register", {"remove": True}, "get", "<query xmlns='jabber:iq:register'><remove/></query>"),
    ("upload_request", {"filename": "f", "size": "10"}, "get", "<request xmlns='urn:xmpp:http:upload:0' filename='f' size='10'/>"),
    *((name, {"condition": "gone"}, "get", "") for name in ("unknown", "body", "error", "to", "from", "id", "kind", "type", "lang")),
]


@pytest.mark.parametrize(("query", "arguments", "type_", "xml"), QUERY_STANZAS)
def test_query(query: str, arguments: dict[str, Any], type_: str, xml: str) -> None:
    stanza = encode(query_iq(query, arguments))
    assert (stanza.tag, stanza.attrib) == ("iq", {"type": type_})
    assert "".join(serialise(child) for child in stanza) == xml


def test_queries_are_the_fields_that_make_a_child() -> None:
    assert {"ping", "disco", "archive", "register", "rsm", "formdata"} <= QUERIES
    assert not QUERIES & {"to", "from", "id", "type", "lang", "kind", "error", "body", "join"}
