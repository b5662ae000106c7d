"""Erlang terms as text, as ejabberd writes them: `misc:term_to_expr`, of OTP 25."""

from __future__ import annotations

from base64 import b64decode

import pytest

from xmpp_rest.importing.erlang.terms import Atom, BadTerm, Term, text_of
from xmpp_rest.importing.erlang.text import parse_term

EVERY_KIND = (
    "Wzw8IsOpIj4+LDw8MjA4LDE1OSwyMDksMTI4LDIwOCwxODQsMjA4LDE3OCwyMDgsMTgxLDIwOSwxMzA+Piw8PDEsMiwyNTU+Piw8PCJhXCJiXFxjXG5cdCI+PiwiYWJjIixb"
    "MSwyLDNdLFs5Nyw5OCwyNTZdLCdxdW90ZWQgYXRvbScsLTUsMS41ZTMwMCwxMjM0NTY3ODkwMTIzNDU2Nzg5MDEyMzQ1Njc4OTAsI3thID0+IDF9LHt9LFtdLDw8Pj4sImFc"
    "ImIiLCdpdFwncyddXQ=="
)
"""What Erlang prints of the terms below, but for the last bracket."""


def test_terms_of_every_kind_are_read_as_erlang_prints_them() -> None:
    text = b64decode(EVERY_KIND).decode()[:-1]
    found = parse_term(text)
    assert found == [
        "é".encode(), "Привет".encode(), b"\1\2\xff", b'a"b\\c\n\t', "abc", [1, 2, 3], [97, 98, 256], "quoted atom", -5, 1.5e300,
        123456789012345678901234567890, {"a": 1}, (), [], b"", 'a"b', "it's",
    ]  # fmt: skip
    assert isinstance(found[7], Atom)
    assert not isinstance(found[4], Atom)


@pytest.mark.parametrize(
    ("text", "term"),
    [
        ('[{affiliations,[{{<<"al">>,<<"localhost">>,<<>>},{owner,<<>>}}]},{mam,true}]', [("affiliations", [((b"al", b"localhost", b""), ("owner", b""))]), ("mam", "true")]),
        ('[{title,<<"Größe"/utf8>>}].', [("title", "Größe".encode())]),
        ('<<"a",0,255,"b">>', b"a\x00\xffb"),
        ("<<$a,$\\n>>", b"a\n"),
        (r'<<"\x{fc}\xe9\101\e\^a">>', b"\xfc\xe9A\x1b\x01"),
        (r'<<"\x{1F600}"/utf8>>', "😀".encode()),
        ('"one" " two"', "one two"),
        ("16#ff", 255),
        ("% a comment\n [ a , 'B' ] ", ["a", "B"]),
        ("#{<<\"k\">> => [1], {a,b} => c}", {b"k": [1], ("a", "b"): "c"}),
    ],
)  # fmt: skip
def test_what_erlang_can_write_is_read(text: str, term: Term) -> None:
    assert parse_term(text) == term


@pytest.mark.parametrize(
    "text",
    ["", "[", "[a", "[a,]", "{a b}", "[a|b]", "<<256>>", '<<"a"/utf16>>', "<<-1>>", "Variable", '"open', "a b", "#{[] => 1}", "#{{[]} => 1}", "fun()", "1" * 200,
     "[a," + " " * 10_000 + "\1", "%" * 10_000 + "\1", "1#3", "37#1", r'<<"\x{110000}"/utf8>>', r'<<"\x{d800}"/utf8>>', "[" * 300, "[" * 100_000, "#Ref<0.1.2>"],
)  # fmt: skip
def test_what_is_no_term_is_refused(text: str) -> None:
    with pytest.raises(BadTerm):
        parse_term(text)


def test_a_term_that_is_too_long_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("xmpp_rest.importing.erlang.text.MAX_SIZE", 10)
    with pytest.raises(BadTerm, match="at most 10"):
        parse_term("[a,b,c,d,e,f]")


def test_text_is_that_of_binaries_strings_and_atoms() -> None:
    terms: list[Term] = ["é".encode(), "b", Atom("c"), []]
    assert [text_of(term) for term in terms] == ["é", "b", "c", ""]
    with pytest.raises(BadTerm):
        text_of(b"\xff")
    with pytest.raises(BadTerm):
        text_of([1])
