"""Erlang's external term format, written by OTP 25 and by the tests, and bytes that are none."""

from __future__ import annotations

import struct
import zlib
from base64 import b64decode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.importing.erlang.terms import cdata, element, encode_term
from xmpp_rest.importing.erlang.binary import decode_term
from xmpp_rest.importing.erlang.elements import element_text
from xmpp_rest.importing.erlang.terms import MAX_SIZE, Atom, BadTerm, Term

EVERY_KIND = (
    "g2wAAAAWbQAAAALDqW0AAAAM0J/RgNC40LLQtdGCbQAAAAMBAv9tAAAAB2EiYlxjCglrAANhYmNrAAMBAgNsAAAAA2FhYWJiAAABAGpkAAtxdW90ZWQgYXRvbWQAA9xu72L/"
    "///7Rn5B6y1mAFg1bg0A0go/Tu7gc8P2D+mOAWL/////YgAAAQBiAAERcHQAAAABZAABYWEBaABqam0AAAAAawADYSJiZAAEaXQnc2o="
)
MESSAGE = "g1AAAAB8eJzLYElhYK3IzUnNyWVgYGDPTS0uTkxPLQGymUACTCX5IIo50SEJRLOUVBakghnJGYklOUAGYwaKASxJ+SmVIN0MEEmmFAYOoGRySmJJIkieKyNTQU3BpjK/1C4rCwDZ4hyx"
OLD = "g2gEZAAFeG1sZWxtAAAAB21lc3NhZ2VsAAAAAWgCbQAAAAJ0b20AAAADYUBiamwAAAABaARkAAV4bWxlbG0AAAAEYm9keWpsAAAAAWgCZAAIeG1sY2RhdGFtAAAADNCf0YDQuNCy0LXRgmpq"


def test_terms_of_every_kind_are_read_as_erlang_writes_them() -> None:
    assert decode_term(b64decode(EVERY_KIND)) == [
        "é".encode(), "Привет".encode(), b"\1\2\xff", b'a"b\\c\n\t', [97, 98, 99], [1, 2, 3], [97, 98, 256], "quoted atom", "Ünï", -5, 1.5e300,
        123456789012345678901234567890, -1, 256, 70000, {"a": 1}, (), [], [], b"", [97, 34, 98], "it's",
    ]  # fmt: skip


def test_messages_of_old_and_new_servers_become_xml() -> None:
    assert element_text(decode_term(b64decode(MESSAGE))) == '<message to="a@b" type="chat"><body>hi &amp; &lt;you&gt;</body></message>'
    assert element_text(decode_term(b64decode(OLD))) == '<message to="a@b"><body>Привет</body></message>'


def test_text_and_attributes_are_escaped() -> None:
    term = element("m", {"a": "<\"'&\n", "xml:lang": "de"}, cdata("]]>\r"), element("b", {}))
    assert element_text(term) == '<m a="&lt;&quot;&apos;&amp;&#10;" xml:lang="de">]]&gt;&#13;<b/></m>'


@pytest.mark.parametrize(
    "term",
    [b"text", (Atom("xmlel"), b"a b", {}, []), (Atom("xmlel"), b"a", {b"x'": b""}, []), (Atom("xmlel"), b"a", {}, b"no list"),
     (Atom("xmlel"), b"a", [b"x"], []), (Atom("xmlel"), b"a", {b"x": 1}, []), (Atom("xmlel"), b"a", {}, [(Atom("xmlcdata"), b"\xff")]),
     (Atom("xmlel"), b"a", 3, [])],
)  # fmt: skip
def test_a_term_that_is_no_element_is_refused(term: Term) -> None:
    with pytest.raises(BadTerm):
        element_text(decode_term(encode_term(term)))


def packed(body: bytes, size: int | None = None) -> bytes:
    return b"\x83P" + struct.pack(">I", len(body) if size is None else size) + zlib.compress(body)


@pytest.mark.parametrize(
    "data",
    [
        b"", b"\x83", b"<message/>", b"\x83m\0\0\0\5abc", b"\x83j\0", b"\x83l\xff\xff\xff\xffj", b"\x83i\xff\xff\xff\xff", b"\x83t\x7f\0\0\0",
        b"\x83g", b"\x83lx", b"\x83l\0\0\0\1ja\1", b"\x83" + b"h\1" * 300 + b"j", b"\x83" + b"h\1" * 100_000 + b"j", b"\x83n\x41\0" + b"\1" * 65,
        b"\x83o\xff\xff\xff\xff\0", b"\x83w\1\xff", b"\x83c" + b"x" * 31, b"\x83t\0\0\0\1jj", b"\x83P\0\0", b"\x83P\0\0\0\1nothing",
        packed(b"j", 5), packed(b"j" * 20, 1), packed(b"j")[:-3], packed(b"j", MAX_SIZE + 1), packed(b"\0" * 40_000_000, 100),
    ],
)  # fmt: skip
def test_what_is_no_term_is_refused(data: bytes) -> None:
    with pytest.raises(BadTerm):
        decode_term(data)


def test_an_old_float_is_read() -> None:
    assert decode_term(b"\x83c" + b"1.50000000000000000000e+00".ljust(31, b"\0")) == 1.5


TERMS = st.recursive(
    st.binary() | st.integers(-(2**31), 2**31 - 1) | st.text(max_size=20).map(Atom),
    lambda inner: st.lists(inner) | st.lists(inner, max_size=5).map(tuple) | st.dictionaries(st.binary(max_size=5), inner),
    max_leaves=20,
)


@given(TERMS, st.booleans())
def test_any_term_is_read_as_it_was_written(term: Term, compressed: bool) -> None:
    assert decode_term(encode_term(term, compressed=compressed)) == term


@given(st.binary(max_size=40))
def test_any_bytes_are_a_term_or_are_refused(data: bytes) -> None:
    try:
        decode_term(b"\x83" + data)
    except BadTerm:
        return
