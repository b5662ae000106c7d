"""The shared stream survives whatever an HTTP client posts."""

from __future__ import annotations

import json
from collections.abc import Iterator
from xml.etree import ElementTree as ET

import pytest

from .gateway import Gateway
from .proxy import Proxy
from .users import User
from .xmppserver import COMPONENTS

TO = "to='juliet@capulet.example'"


def body(text: str) -> str:
    return f"<message {TO} type='chat'><body>{text}</body></message>"


LAUGHS = "<!DOCTYPE m [<!ENTITY a0 'ha'>" + "".join(f"<!ENTITY a{n} '{f'&a{n - 1};' * 10}'>" for n in range(1, 9)) + "]>" + body("&a8;")
XML_BODIES: dict[str, str | bytes] = {
    "empty": "",
    "spaces": "  \n",
    "doctype": f"<!DOCTYPE message>{body('x')}",
    "entity": f"<!DOCTYPE m [<!ENTITY a 'b'>]>{body('&a;')}",
    "external-entity": f"<!DOCTYPE m [<!ENTITY a SYSTEM 'file:///etc/hostname'>]>{body('&a;')}",
    "external-dtd": f"<!DOCTYPE m SYSTEM 'http://127.0.0.1:9/x.dtd'>{body('x')}",
    "parameter-entity": f"<!DOCTYPE m [<!ENTITY % p SYSTEM 'http://127.0.0.1:9/'> %p;]>{body('x')}",
    "laughs": LAUGHS,
    "undefined-entity": body("&nbsp;"),
    "pi": f"<?php evil ?>{body('x')}",
    "pi-inside": body("<?xml-stylesheet href='x'?>"),
    "comment": f"<!-- x -->{body('x')}",
    "comment-inside": body("<!-- x -->"),
    "comment-after": body("x") + "<!-- x -->",
    "second-root": body("x") * 2,
    "text-after": body("x") + "text",
    "stream-end": "</stream:stream>",
    "stream-end-after": body("x") + "</stream:stream>",
    "stream-end-inside": body("</body></message></stream:stream>"),
    "unbalanced": f"<message {TO}><body>x</message></body>",
    "unclosed": f"<message {TO}><body>x",
    "two-attributes": f"<message {TO} {TO}/>",
    "unbound-prefix": f"<message {TO}><x:a/></message>",
    "stream-prefix": f"<message {TO}><stream:error/></message>",
    "xmlns": f"<message xmlns='jabber:server' {TO}><body>x</body></message>",
    "xmlns-component": f"<message xmlns='jabber:component:accept' {TO}><body>x</body></message>",
    "handshake": "<handshake>00</handshake>",
    "stream-element": "<stream:error xmlns:stream='http://etherx.jabber.org/streams'/>",
    "stream-open": "<stream:stream xmlns:stream='http://etherx.jabber.org/streams' xmlns='jabber:client'/>",
    "iq-result": f"<iq type='result' id='x' {TO}/>",
    "nul": body("a\0b"),
    "control": body("a\x01b"),
    "escape": body("a\x1bb"),
    "control-attribute": f"<message {TO} id='\x02'><body>x</body></message>",
    "fffe": body("a\ufffeb"),
    "ffff": body("a\uffffb"),
    "reference-nul": body("a&#0;b"),
    "reference-control": body("a&#1;b"),
    "reference-hex": body("a&#x1F;b"),
    "reference-fffe": body("a&#xFFFE;b"),
    "reference-surrogate": body("a&#xD800;b"),
    "reference-beyond": body("a&#x110000;b"),
    "reference-attribute": f"<message {TO} id='&#8;'><body>x</body></message>",
    "utf16": body("x").encode("utf-16"),
    "utf16be": body("x").encode("utf-16-be"),
    "utf16le": body("x").encode("utf-16-le"),
    "utf32": body("x").encode("utf-32"),
    "declared-utf16": f"<?xml version='1.0' encoding='UTF-16'?>{body('x')}".encode(),
    "declared-latin1": f"<?xml version='1.0' encoding='ISO-8859-1'?>{body('ä')}".encode("latin-1"),
    "declared-utf7": f"<?xml version='1.0' encoding='UTF-7'?>{body('+ADw-')}".encode(),
    "xml-1.1": f"<?xml version='1.1'?>{body('a&#1;b')}",
    "declaration-late": f" <?xml version='1.0'?>{body('x')}",
    "invalid-utf8": body("a\xff").encode("latin-1"),
    "overlong-utf8": body("x").encode().replace(b">x<", b">\xc0\xbc<"),
    "surrogate-utf8": body("x").encode().replace(b">x<", b">\xed\xa0\x80<"),
    "truncated-utf8": body("x").encode().replace(b">x<", b">\xf0\x9f\x8c<"),
    "xml-prefix": f"<xml:message {TO}><body>x</body></xml:message>",
    "xml-rebound": f"<message {TO}><x xmlns:xml='urn:x'/></message>",
    "xmlns-bound": f"<message {TO}><x xmlns:xmlns='urn:x'/></message>",
    "prefix-unbound-again": f"<message {TO}><x xmlns:a='u'><b xmlns:a=''/></x></message>",
    "deep": f"<message {TO}>{'<a>' * 20_000}{'</a>' * 20_000}</message>",
    "control-namespace": f"<message {TO}><x xmlns='a&#1;b'/></message>",
    "large": body("x" * 200_000),
    "large-attribute": f"<message {TO}><x a='{'y' * 200_000}'/></message>",
    "large-id": f"<message {TO} id='{'y' * 200_000}'/>",
    "huge": body("x" * 12_000_000),
    "bad-to": "<message to='@'><body>x</body></message>",
    "control-to": "<message to='a&#9;b@capulet.example'><body>x</body></message>",
    "bad-type": f"<message {TO} type='&lt;'><body>&#2;</body></message>",
}
JSON_BODIES: dict[str, str | bytes] = {
    "control": json.dumps({"kind": "message", "to": "juliet@capulet.example", "body": "a\x01b"}),
    "nul": json.dumps({"kind": "message", "to": "juliet@capulet.example", "body": "a\0b"}),
    "lone-surrogate": '{"kind":"message","to":"juliet@capulet.example","body":"a\\ud800b"}',
    "fffe": json.dumps({"kind": "message", "to": "juliet@capulet.example", "body": "a\ufffe"}),
    "id": json.dumps({"kind": "message", "to": "juliet@capulet.example", "id": "\x08", "body": "x"}),
    "lang": json.dumps({"kind": "message", "to": "juliet@capulet.example", "lang": "\x1b", "body": "x"}),
    "deep": '{"kind":"message","payload":' + "[" * 60_000 + "]" * 60_000 + "}",
    "invalid-utf8": b'{"kind":"message","body":"\xff"}',
    "array": "[]",
    "truncated": '{"kind":"message"',
    "kind": json.dumps({"kind": "stream:error", "to": "juliet@capulet.example"}),
    "nan": '{"kind":"presence","to":"juliet@capulet.example","priority":NaN}',
}
OTHER: dict[str, tuple[str, str | bytes, str]] = {
    "text-control": ("/rest/message/chat/juliet@capulet.example", b"a\x01b", "text/plain"),
    "text-utf8": ("/rest/message/chat/juliet@capulet.example", b"a\xff", "text/plain"),
    "form-control": ("/rest", "kind=message&to=juliet@capulet.example&body=a%01b", "application/x-www-form-urlencoded"),
    "form-utf8": ("/rest", "kind=message&to=juliet@capulet.example&body=a%FFb", "application/x-www-form-urlencoded"),
    "path-control": ("/rest/message/chat/juliet%01@capulet.example", "x", "text/plain"),
    "path-kind": ("/rest/message/%3Cx%3E/juliet@capulet.example", "x", "text/plain"),
    "path-utf8": ("/rest/message/chat/%FF@capulet.example", "x", "text/plain"),
    "path-query": ("/rest/iq/%01/juliet@capulet.example", "{}", "application/json"),
}


def messages(user: User) -> list[str]:
    return [ET.tostring(s, "unicode") for s in user.drain() if s.tag.endswith("}message")]


@pytest.fixture(autouse=True)
def _same_stream(gateway: Gateway, proxy: Proxy, juliet: User) -> Iterator[None]:
    """After each test: the streams are those of the start, and they work."""
    juliet.drain()
    yield
    gateway.send(f"<message to='{juliet.jid}' type='chat'><body>still here</body></message>", "romeo")
    juliet.wait_message("still here")
    assert len(proxy.attempts) == len(COMPONENTS)
    assert all(s["state"] == "online" and s["accepted"] == 1 for s in gateway.streams().values())


@pytest.mark.parametrize("user", ["romeo", ""], ids=["account", "component"])
def test_xml_bodies(gateway: Gateway, juliet: User, user: str) -> None:
    """One test for all, as the stream must survive them in a row; the names of those that got through are shown."""
    through = {
        name: answer.status
        for name, xml in XML_BODIES.items()
        if not 400 <= (answer := gateway.post_xml(xml, user, Connection="close")).status < 500
    }
    assert through == {}
    assert messages(juliet) == []


@pytest.mark.parametrize(("user", "status"), [("romeo", 413), ("nobody", 403)])
def test_a_connection_outlives_a_body_that_nobody_reads(gateway: Gateway, user: str, status: int) -> None:
    """Either the rest of the body is read, or the connection is closed with `Connection: close` (RFC 9112 §9.6)."""
    for _ in range(10):
        assert gateway.post_xml(body("x" * 200_000), user).status == status
        assert gateway.post_xml("<handshake/>", "romeo").status == 422


def test_json_bodies(gateway: Gateway, juliet: User) -> None:
    answers = {name: gateway.request("POST", "/rest", data, "application/json", "romeo").status for name, data in JSON_BODIES.items()}
    assert {name: status for name, status in answers.items() if not 400 <= status < 500} == {}
    assert messages(juliet) == []


def test_paths_texts_and_forms(gateway: Gateway, juliet: User) -> None:
    answers = {name: gateway.request("POST", path, data, kind, "romeo").status for name, (path, data, kind) in OTHER.items()}
    assert {name: status for name, status in answers.items() if not 400 <= status < 500} == {}
    assert messages(juliet) == []


@pytest.mark.parametrize(
    "xml",
    [
        body("<![CDATA[<&]]>"),
        f"<?xml version='1.0' encoding='UTF-8'?>{body('x')}",
        f"<message {TO} type='chat'><body>x</body><a:x xmlns:a='urn:a' a:y='1' xmlns='urn:b'><b/></a:x></message>",
        f"<message {TO} type='chat'><body>x</body><x xmlns='urn:\"&apos;&lt;&gt;&amp;' a='&#13;&#10;&#9;'>&#13;</x></message>",
        f"<message {TO} type='chat'><body>x</body><x xmlns='urn:x'>{'<a>' * 20}{'</a>' * 20}</x></message>",
        f"<message {TO} type='chat'><body>x</body><x xmlns='jabber:component:accept'/><y xmlns='http://etherx.jabber.org/streams'/></message>",
        body("&#x1F339; &#xFFFD; &#x85;"),
    ],
    ids=["cdata", "declaration", "prefixes", "odd-namespace", "nested", "stream-namespaces", "references"],
)
def test_odd_but_right_bodies(gateway: Gateway, juliet: User, xml: str) -> None:
    """What is well-formed and allowed arrives."""
    gateway.send(xml, "romeo")
    juliet.wait(lambda s: s.tag == "{jabber:client}message" and s.find("{jabber:client}body") is not None)
