"""No parser takes more than a bounded processor time for a kilobyte, whatever a client sends.

How the bound is measured: tests/costs.py.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Callable
from functools import partial
from typing import Any

import cbor2
import pytest
from flask import Flask
from flask.testing import FlaskClient

from drivers.lua import LuaError, parse
from tests.conftest import DOMAIN, basic
from tests.costs import KB, cheap, loop, spent
from xmpp_rest.api.client.outgoing import extensions
from xmpp_rest.api.commands.body import read_query
from xmpp_rest.api.commands.erlang import term
from xmpp_rest.api.data.conditions import failing
from xmpp_rest.auth.authorization import read_authorization
from xmpp_rest.auth.passwords import Passwords
from xmpp_rest.http.conditional import parse_tags
from xmpp_rest.http.encodings import coding_of, decode
from xmpp_rest.http.fields import parse_accept, parse_charsets, parse_languages, parse_media_type
from xmpp_rest.http.range_field import parse_range
from xmpp_rest.http.resource import Stop
from xmpp_rest.protocol.cbor import MAX_DEPTH, BadCBOR, read_cbor
from xmpp_rest.protocol.codecs import CBOR, CODECS, FORM, JSON, TEXT, XMPP_XML
from xmpp_rest.protocol.datetimes import parse_datetime
from xmpp_rest.protocol.languages import language_tag
from xmpp_rest.protocol.path import query_path, stanza_path
from xmpp_rest.protocol.prep import nameprep, nodeprep, resourceprep, saslprep
from xmpp_rest.service.muc.pattern import search

LONG = 60 * KB
HEADER = 8 * KB


def many(piece: str | bytes, size: int = LONG) -> bytes:
    raw = piece.encode() if isinstance(piece, str) else piece
    return raw * (size // len(raw))


def each(form: str, size: int = LONG) -> bytes:
    """`form` with ever other numbers in it."""
    return "".join(form.format(n) for n in range(size // (len(form) + 2))).encode()


BODIES: dict[str, list[bytes]] = {
    JSON: [
        b'{"x":[' + many("1,") + b"1]}",
        b'{"body":[' + many("{},") + b"{}]}",
        b'{"a":[' + many("1e5,") + b"1]}",
        b'{"a":' + b"1" * 4300 + b"}",
        b'{"a":' + b"1" * LONG + b"}",
        b'{"body":"' + many("\\u0041") + b'"}',
        many("["),
        many('{"a":'),
        many('{"forward":{"message":'),
        b"{" + each('"k{}":1,') + b'"a":1}',
        json.dumps({"body": "x", "oob": [{"url": "x"}] * 4000}).encode(),
        json.dumps({"body": "x", "html": "<b/>" * 15_000}).encode(),
        json.dumps({"body": "x", "html": "<p " + " ".join(f"a{n}='b'" for n in range(6000)) + "/>"}).encode(),
        json.dumps({"body": "x", "reactions": {"id": "x", "reactions": ["x"] * 12_000}}).encode(),
        json.dumps({"kind": "iq", "type": "set", "payload": {"datatype": "x", "data": [[]] * 15_000}}).encode(),
        json.dumps({"kind": "iq", "type": "set", "command": {"node": "x", "form": {f"f{n}": "x" for n in range(5000)}}}).encode(),
        json.dumps({"to": "é" * 20_000, "body": "x"}).encode(),
        json.dumps({"to": "ﷺ" * 300 + "@x", "body": "x"}).encode(),
    ],
    CBOR: [
        b"\x9f" + many(b"\0") + b"\xff",
        b"\x9f" + many(b"\x80") + b"\xff",
        b"\x9f" + many(b"\xa0") + b"\xff",
        b"\x7f" + many(b"\x60") + b"\xff",
        many(b"\x81"),
        many(b"\x9f"),
        b"\xbf" + many(b"\x60\x00"),
        b"\x9b" + b"\xff" * 8 + many(b"\0"),
        cbor2.dumps({str(n): n for n in range(8000)}),
        many(b"\xd8\x23"),
        b"\xd8\x23\x79\xf0\x00" + many("(?:a?){50}"),
        b"\xc4\x82\x1b" + b"\xff" * 8 + b"\x01",
        b"\xc2\x59\xf0\x00" + b"\xff" * 0xF000,
    ],
    FORM: [many("&"), many("a=&"), b"a=" + many("%41"), b"a=" + many("%"), b"a=" + many("+"), each("k{}=&"), many("%zz"), b"a=" + many("%ff")],
    XMPP_XML: [
        b"<message>" + many("<a/>") + b"</message>",
        b"<message>" + many("<a xmlns='b'/>") + b"</message>",
        b"<message " + each("xmlns:a{0}='b{0}' ") + b"/>",
        b"<message " + each("a{}='' ") + b"/>",
        b"<message>" + each("<a{}/>") + b"</message>",
        b"<message>" + each("<é{}/>") + b"</message>",
        b"<message>" + each("<a xmlns='é{}'/>") + b"</message>",
        b"<message><body>" + many("&lt;") + b"</body></message>",
        b"<message><body>" + many("&#65;") + b"</body></message>",
        b"<message>" + many("<![CDATA[x]]>") + b"</message>",
        b"<message xmlns:p='q'>" + many("<p:a p:b='c'/>") + b"</message>",
        b"<a>" * 60 + many("<b/>"),
        b"<a" + many(" "),
        b"<message><!--" + many("-"),
        b"<!DOCTYPE a [" + many("<!ENTITY a 'b'>"),
    ],
    TEXT: [many("x"), many(b"\xff"), many("\x01")],
}
LUA = [
    *(b"{" + many("1,") + b"}", b"{" + many("{},") + b"}", b"{" + many("a=1,") + b"}", b"{" + many("[1]=1,") + b"}"),
    *(b"{" + many("-1,") + b"}", b"{" + many("(1),") + b"}", b"{" + many("1/0,") + b"}", b"{" + many("nil;") + b"}"),
    *(b"{" + many("1e9,") + b"}", b"{" + many('"",') + b"}", b"{" + each("[{}]=1,") + b"}", b'"' + many("\\n") + b'"'),
    b'"' + many("\\u{7FFFFFFF}") + b'"',
    *(b'"\\u{' + many("f") + b'}"', b'"' + many("\\1\\12") + b'"', b'"' + many("\\z ") + b'"', many("--\n") + b"1"),
    b"--[==[" + many("]"),
    many("[=["),
    many('"'),
    many("("),
    many("- "),
    many("{"),
    b"0x" + many("f"),
    many("1"),
]


@pytest.mark.parametrize(("kind", "n"), [(kind, n) for kind, bodies in BODIES.items() for n in range(len(bodies))])
def test_a_body_at_rest(shared_app: Flask, kind: str, n: int) -> None:
    """Over the wire: read, made a stanza, checked, and written again."""
    body, client = BODIES[kind][n], shared_app.test_client()
    headers = basic(f"juliet@{DOMAIN}") | {"Content-Type": kind, "Accept": "application/json"}
    statuses = []
    cheap(lambda: statuses.append(client.post("/rest/echo", data=body, headers=headers).status_code), len(body) + 8 * KB)
    assert set(statuses) <= {200, 400, 413, 422}


@pytest.mark.parametrize("n", range(len(LUA)))
def test_lua(n: int) -> None:
    cheap(lambda: refused(parse, LUA[n]), len(LUA[n]))


def repeated(read: Callable[..., object], given: str) -> None:
    for _ in range(20):
        refused(read, given)


def refused(read: Callable[..., object], *given: Any) -> None:
    with contextlib.suppress(LuaError, ValueError, Stop, re.error):
        read(*given)


@pytest.mark.parametrize("prepare", [nodeprep, nameprep, resourceprep, saslprep])
@pytest.mark.parametrize("unit", ["é", "É", "가", "א", "ا", "ﷺ", "㌔", "\U0001d400", "a\u0316\u0301", "\u0316\u0301", "😀", "\xad", "\u200b", "a", "\u0130", "\ud800"])
def test_part_of_an_address(prepare: Callable[[str], str], unit: str) -> None:
    """Whatever is asked for once: what is remembered costs nothing."""
    plain = getattr(prepare, "__wrapped__", prepare)
    text = unit * (1023 // len(unit.encode("utf-8", "surrogatepass")))
    refused(plain, text)
    for given in (text, text + "xxx", unit * 10_000):
        cheap(partial(repeated, plain, given), 20 * KB)


def pair_of(field: str) -> object:
    given = read_authorization(field)
    return given and given.pair


FIELDS: list[tuple[Callable[[str], object], str]] = [
    (read, text)
    for read in (parse_accept, parse_languages, parse_charsets, parse_media_type, parse_range, parse_tags, pair_of, coding_of, language_tag, parse_datetime)
    for text in (
        "," * HEADER, "a/b;q=0.5," * 800, 'a/b;x="' + '\\"' * 3000 + '"', "a/b" + ";" * HEADER, 'a/b;x="' * 1000, "a/b" + " " * HEADER + "x",
        "a/b;" + ";".join(f"p{n}=x" for n in range(1000)), "*/*," * 2000, "en-us," * 1300, "-" * HEADER, "a-" * 4000, "bytes=" + "0-0," * 2000,
        "bytes=" + "9" * HEADER + "-", "bytes=-" + "," * HEADER, '"a",' * 2000, 'W/"' * 2000, '"' * HEADER, "*," * 4000, "Basic " + "QUFB" * 2000,
        "Basic " + "=" * HEADER, "Basic " + " " * HEADER, "gzip," * 1600, "x" * HEADER, "1969-07-21T02:56:15." + "1" * HEADER + "Z", "9" * HEADER, "\xff" * HEADER,
    )
]  # fmt: skip


def test_fields_of_a_header() -> None:
    for read, text in FIELDS:
        cheap(partial(refused, getattr(read, "__wrapped__", read), text), len(text), (read.__name__, text[:20]))


HEADERS = ["Accept", "Accept-Language", "Accept-Charset", "Accept-Encoding", "Range", "If-Range", "If-Match", "If-None-Match", "If-Modified-Since", "Prefer", "Cookie"]
HEADERS += ["Authorization", "Origin", "Content-Type", "Prosody-Rest-Timeout", "Idempotency-Key", "Last-Event-ID", "X-Forwarded-For", "Sec-Fetch-Site"]


@pytest.mark.parametrize("name", HEADERS)
def test_a_header_over_the_wire(shared_app: Flask, name: str) -> None:
    client = shared_app.test_client()
    texts = ["," * HEADER, "a/b;q=0.5," * 800, ";" * HEADER, '"' * HEADER, "a=b; " * 1600, ", " * 4000, "wait=1," * 1000, "wait" + " " * HEADER, "9" * HEADER, "a" * HEADER]
    for path in ("/data/wishes", "/api/messages", f"/rest/ping/{DOMAIN}", "/api/status"):
        for text in texts:
            headers = basic(f"juliet@{DOMAIN}") | {name: text}
            cheap(partial(client.get, path, headers=headers), 16 * KB, (path, text[:10]))


def test_paths_queries_and_terms() -> None:
    cases: list[tuple[Callable[..., object], Any]] = [
        (read_query, many("&", HEADER)), (read_query, many("a=&", HEADER)), (read_query, b"a=" + many("%41", HEADER)),
        (stanza_path, "message/chat/" + "/" * HEADER), (stanza_path, "m" * HEADER), (query_path, "%2f" * 2000), (query_path, "/" * HEADER),
        (term, json.loads(many("[", 16).decode() + "1" + "]" * 16)), (term, ["é" * 4096] * 200), (term, {str(n): [n] * 100 for n in range(2000)}), (term, 1e300),
        (failing, {"If-Match": '"a",' * 2000}), (failing, {"If-None-Match": "," * HEADER}),
        (extensions, {"properties": {str(n): n for n in range(1000)}}),
    ]  # fmt: skip
    for read, given in cases:
        size = len(given) if isinstance(given, bytes | str) else len(json.dumps(given))
        cheap(partial(refused, read, given), size, read.__name__)


def test_what_is_compressed() -> None:
    import gzip

    bomb = gzip.compress(b"\0" * 30_000_000)
    members = gzip.compress(b"", mtime=0) * 3000
    for data in (bomb, members, many("x"), gzip.compress(b"x")[:-8] + many("x")):
        for coding in ("gzip", "deflate"):
            cheap(partial(refused, decode, data, coding, 200_000), len(data), coding)


PATTERNS = [
    "(a+)+b", "(a|a)*b", "a*a*b", "a*a*a*b", ".*.*.*x", "(?:a?){20}a{20}b", "(a*)*", "(a{1,2}){1,20}b", "(?:aa|a)*b", "x*" * 300, "(?=a*)a*b", r"(a*a*)\1b",
    "a?" * 25 + "a" * 25 + "b", "|" * 30 + "b", r"(.)\1*\1*b", "(?:a(?:a(?:a?)?)?)?b", "(((((a?)?)?)?)?)*b", "[a-z]*[a-z]*b", "(" * 200, "(?P<a>" * 50, "a{0,65535}" * 90,
]  # fmt: skip


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("length", [10, 100, 270, 1000])
def test_a_pattern_for_rooms(pattern: str, length: int) -> None:
    """At most some tenths of a second, in which the interpreter does nothing else."""
    assert spent(partial(refused, search, pattern, ["a" * length] * 20)) < 4000 * loop()


def test_a_record_that_makes_a_check_expensive(app: Flask) -> None:
    """One may write one's own; the check of a password must not burn what its iteration count says."""
    passwords, gateway = Passwords("SHA-1", 4096), app.extensions["gateway"]
    record = passwords.record("x")
    unit = loop()
    client: FlaskClient = app.test_client()
    for count in (100_001, 1_000_000, 10_000_000, 2**31, 2**70, 1e300, float("inf"), float("nan"), -1, 0, True, "1", None):
        assert spent(partial(passwords.check, record | {"iteration_count": count}, "x")) < 100 * unit
        assert not passwords.check(record | {"iteration_count": count}, "x")
        gateway.driver.store("juliet", DOMAIN, "accounts", {k: v for k, v in (record | {"iteration_count": count}).items() if v == v and v != float("inf")})
        statuses: list[int] = []
        ask = partial(client.get, "/api/messages", headers=basic(f"juliet@{DOMAIN}", "x"))
        assert spent(lambda statuses=statuses, ask=ask: statuses.append(ask().status_code)) < 200 * unit  # type: ignore[misc]
        assert statuses == [401]


def test_an_administrator_may_ask_for_more() -> None:
    passwords = Passwords("SHA-1", 150_000)
    record = passwords.record("x")
    assert (record["iteration_count"], passwords.check(record, "x")) == (150_000, True)
    assert Passwords("SHA-1", 4096).record("x", record)["iteration_count"] == 100_000


# what CBOR may say


GOOD: list[Any] = [{}, [], "", 0, 23, 24, 255, 2**16, 2**32, 2**64 - 1, -1, -(2**64), 1.5, 1e300, 1.0e-5, True, False, None, "ü", {"a": [1, {"b": None}]}, ["x" * 300]]
BAD: dict[str, bytes] = {
    "tag": b"\xc0\x60", "epoch": b"\xc1\x00", "bignum": b"\xc2\x41\x01", "decimal": b"\xc4\x82\x21\x19\x6a\xb3", "bigfloat": b"\xc5\x82\x01\x01",
    "regex": b"\xd8\x23\x61(", "rational": b"\xd8\x1e\x82\x01\x02", "shared": b"\xd8\x1c\x80", "reference": b"\xd8\x1d\x00", "self-described": b"\xd9\xd9\xf7\x00",
    "set": b"\xd9\x01\x02\x80", "uuid": b"\xd8\x25\x50" + b"\0" * 16, "nested tag": b"\xa1\x61a\x81\xc1\x00", "tag in indefinite": b"\x9f\xc1\x00\xff",
    "tagged key": b"\xa1\xc1\x61a\x00", "bytes": b"\x41a", "indefinite bytes": b"\x5f\x41a\xff", "bytes in text": b"\x7f\x41a\xff",
    "undefined": b"\xf7", "simple 0": b"\xe0", "simple 19": b"\xf3", "simple 255": b"\xf8\xff", "false as simple": b"\xf8\x14", "break": b"\xff",
    "break in array": b"\x82\x00\xff", "break as value": b"\xbf\x61a\xff", "nan": b"\xf9\x7e\x00", "inf": b"\xf9\x7c\x00", "-inf": b"\xfb\xff\xf0" + b"\0" * 6, "nan 4": b"\xfa\x7f\xc0\0\0",
    "number key": b"\xa1\x01\x02", "bytes key": b"\xa1\x41a\x02", "null key": b"\xa1\xf6\x02", "array key": b"\xa1\x80\x02", "key twice": b"\xa2\x61a\x01\x61a\x02",
    "indefinite in chunks": b"\x7f\x7f\x61a\xff\xff", "not utf-8": b"\x61\xff", "split character": b"\x7f\x61\xc3\x61\xa9\xff", "surrogate": b"\x63\xed\xa0\x80",
    "reserved": b"\x1c", "reserved text": b"\x7c", "indefinite number": b"\x1f", "indefinite tag": b"\xdf\x00", "nothing": b"", "half": b"\x82\x01", "half head": b"\x19\x01",
    "half text": b"\x62a", "long array": b"\x9b" + b"\xff" * 8, "long map": b"\xbb" + b"\xff" * 8, "long text": b"\x7b" + b"\xff" * 8, "two": b"\x00\x00",
    "deep": b"\x81" * (MAX_DEPTH + 1) + b"\x00", "deep map": b"\xa1\x61a" * (MAX_DEPTH + 1) + b"\x00", "deep indefinite": b"\x9f" * 100_000, "deep tags": b"\xc1" * 100_000,
}  # fmt: skip


@pytest.mark.parametrize("value", GOOD, ids=repr)
def test_cbor_that_json_could_say(value: Any) -> None:
    for canonical in (False, True):
        assert read_cbor(cbor2.dumps(value, canonical=canonical)) == value
    assert read_cbor(b"\x81" * MAX_DEPTH + b"\x00")
    assert read_cbor(b"\xbf\x61a\x9f\x7f\x61x\x60\x61y\xff\xff\xff") == {"a": ["xy"]}


@pytest.mark.parametrize("name", BAD)
def test_cbor_that_json_could_not_say(shared_app: Flask, name: str) -> None:
    with pytest.raises(BadCBOR):
        read_cbor(BAD[name])
    client = shared_app.test_client()
    headers = basic(f"juliet@{DOMAIN}") | {"Content-Type": CBOR}
    for path, body in (("/rest", BAD[name]), ("/rest/echo", BAD[name]), ("/rest/echo", b"\xa2\x64body\x61x\x61z" + BAD[name])):
        response = client.post(path, data=body, headers=headers)
        assert response.status_code == 400, response.text


def test_cbor_reads_no_other_value_than_a_decoder_of_everything() -> None:
    """Each text that is taken means what the standard says."""
    import random

    dice, taken = random.Random(8949), 0
    for _ in range(30_000):
        text = bytes(dice.choice((dice.randrange(256), dice.choice(b"\xa1\x61\x81\x9f\xbf\xff\x7f\xf6"))) for _ in range(dice.randrange(1, 12)))
        try:
            value = read_cbor(text)
        except BadCBOR:
            continue
        taken += 1
        assert cbor2.loads(text) == value
        json.dumps(value, allow_nan=False)
    assert taken > 100


def test_the_codecs_are_all_tried() -> None:
    assert BODIES.keys() == CODECS.keys()
