"""XMPP addresses are split, prepared and refused as servers do it (RFC 6122)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xmpp_rest.protocol.jid import JID, InvalidJID, local_jid, parse_jid
from xmpp_rest.protocol.prep import PrepError, saslprep

GOOD = {
    "juliet@capulet.example": JID("juliet", "capulet.example", ""),
    "Juliet@CAPULET.example./Balcony": JID("juliet", "capulet.example", "Balcony"),
    "capulet.example": JID("", "capulet.example", ""),
    "capulet.example/x@y/z": JID("", "capulet.example", "x@y/z"),
    "evil.example/admin@trusted.example": JID("", "evil.example", "admin@trusted.example"),
    "a@b/c@d": JID("a", "b", "c@d"),
    "d\\27artagnan_x-1@capulet.example": JID("d\\27artagnan_x-1", "capulet.example", ""),
    "JÜRGEN@capulet.example": JID("jürgen", "capulet.example", ""),
    "straße@b": JID("strasse", "b", ""),
    "Ⅳ@b": JID("iv", "b", ""),
    "a@münchen.example": JID("a", "münchen.example", ""),
    "a@xn--mnchen-3ya.example": JID("a", "xn--mnchen-3ya.example", ""),
    "a@[::1]": JID("a", "[::1]", ""),
    "🌹@b/🌹": JID("🌹", "b", "🌹"),
    "a@b/ two  words ": JID("a", "b", " two  words "),
    "under_score@un_der.example": JID("under_score", "un_der.example", ""),
}
BAD = ["", "@b", "a@", "/r", "a@b/", "a b@c", "a@b c", "a@b@c", 'a"@b', "a&b@c", "a'b@c", "a:b@c", "a<b@c", "a>b@c", "a@b..c", "a@b..", "a@.b", "a@b/\x01"]
BAD += ["a\x00@b", "a@<b>", "a\u2028@b", "a\ufffe@b", "a\ud800@b", "אa@b", "a" * 1024 + "@b", "a@" + "b" * 1024, "a@b/" + "ü" * 512, "."]


@pytest.mark.parametrize(("text", "jid"), GOOD.items())
def test_good_addresses(text: str, jid: JID) -> None:
    assert parse_jid(text) == jid


@pytest.mark.parametrize("text", BAD)
def test_bad_addresses_are_refused_with_the_part_that_is_wrong(text: str) -> None:
    with pytest.raises(InvalidJID, match=r"^the (local|domain|resource) part is not valid: "):
        parse_jid(text)


def test_the_longest_part() -> None:
    assert parse_jid("a" * 1023 + "@b").local == "a" * 1023


def test_a_local_part_is_never_split() -> None:
    with pytest.raises(InvalidJID):
        local_jid("admin@elsewhere.example", "capulet.example")


@given(st.text(max_size=40))
def test_preparing_twice_changes_nothing(text: str) -> None:
    try:
        jid = parse_jid(text)
    except InvalidJID:
        return
    assert parse_jid(str(jid)) == jid
    assert str(jid.bare) == str(jid).partition("/")[0]


@pytest.mark.parametrize(("written", "prepared"), [("Ⅸ-ﬁsh™ Pässwörd", "IX-fishTM Pässwörd"), ("a\u00a0b", "a b"), ("I\u00adX", "IX"), ("ª", "a")])
def test_passwords_are_prepared_by_rfc_4013(written: str, prepared: str) -> None:
    assert saslprep(written) == prepared


@pytest.mark.parametrize("password", ["", "\x07", "a\u0627", "\ud800", "x" * 1024])
def test_passwords_that_nobody_may_have(password: str) -> None:
    with pytest.raises(PrepError):
        saslprep(password)
