"""Privacy lists: strict reading, and evaluation as in XEP-0016."""

from __future__ import annotations

import pytest

from xmpp_rest.protocol.element import serialise
from xmpp_rest.protocol.jid import parse_jid
from xmpp_rest.protocol.parse import parse_text
from xmpp_rest.protocol.privacy import (
    IQ,
    MAX_ITEMS,
    MESSAGE,
    OTHER,
    PRESENCE_IN,
    PRESENCE_OUT,
    WAYS,
    Peer,
    PrivacyError,
    allows,
    read_list,
    write_list,
)

ROMEO = "romeo@montague.example/orchard"


def a_list(items: str) -> str:
    return f"<list xmlns='jabber:iq:privacy' name='special'>{items}</list>"


def judged(items: str, jid: str = ROMEO, way: str = MESSAGE, subscription: str = "none", groups: tuple[str, ...] = ()) -> bool:
    return allows(read_list(parse_text(a_list(items))), Peer(parse_jid(jid), subscription, groups), way)


@pytest.mark.parametrize(
    ("value", "jid", "fits"),
    [
        ("romeo@montague.example/orchard", ROMEO, True),
        ("ROMEO@Montague.example/orchard", ROMEO, True),
        ("romeo@montague.example/balcony", ROMEO, False),
        ("romeo@montague.example", ROMEO, True),
        ("romeo@montague.example", "romeo@montague.example", True),
        ("benvolio@montague.example", ROMEO, False),
        ("montague.example", ROMEO, True),
        ("montague.example", "montague.example", True),
        ("montague.example", "montague.example/gate", True),
        ("montague.example", "romeo@verona.montague.example", True),
        ("montague.example", "romeo@notmontague.example", False),
        ("montague.example/gate", "montague.example/gate", True),
        ("montague.example/orchard", ROMEO, False),
    ],
)
def test_addresses(value: str, jid: str, fits: bool) -> None:
    assert judged(f"<item type='jid' value='{value}' action='deny' order='1'/>", jid) is not fits


@pytest.mark.parametrize("way", [*WAYS, OTHER])
@pytest.mark.parametrize("limit", [*WAYS, ""])
def test_a_rule_covers_what_it_is_limited_to(way: str, limit: str) -> None:
    inner = f"<{limit}/>" if limit else ""
    assert judged(f"<item action='deny' order='1'>{inner}</item>", way=way) is not (way == limit or not limit)


@pytest.mark.parametrize(
    ("items", "subscription", "groups", "passes"),
    [
        ("<item type='group' value='Enemies' action='deny' order='4'/>", "none", ("Enemies", "Family"), False),
        ("<item type='group' value='Enemies' action='deny' order='4'/>", "none", ("Family",), True),
        ("<item type='subscription' value='none' action='deny' order='4'/>", "none", (), False),
        ("<item type='subscription' value='none' action='deny' order='4'/>", "both", (), True),
        ("<item type='subscription' value='both' action='deny' order='4'/>", "to", (), True),
        ("", "none", (), True),
        ("<item action='deny' order='2'/><item type='jid' value='montague.example' action='allow' order='1'/>", "none", (), True),
        ("<item action='deny' order='1'/><item type='jid' value='montague.example' action='allow' order='2'/>", "none", (), False),
        ("<item action='allow' order='10'/><item action='deny' order='9'/>", "none", (), False),
        ("<item action='deny' order='1'><iq/><presence-in/></item><item action='deny' order='2'><message/></item>", "none", (), False),
    ],
)
def test_the_first_that_fits_decides(items: str, subscription: str, groups: tuple[str, ...], passes: bool) -> None:
    assert judged(items, subscription=subscription, groups=groups) is passes


@pytest.mark.parametrize(
    ("items", "condition"),
    [
        ("<item action='deny'/>", "bad-request"),
        ("<item action='deny' order='-1'/>", "bad-request"),
        ("<item action='deny' order='1.5'/>", "bad-request"),
        ("<item action='deny' order='4294967296'/>", "bad-request"),
        ("<item action='deny' order='\N{ARABIC-INDIC DIGIT ONE}'/>", "bad-request"),
        ("<item action='deny' order='1'/><item action='allow' order='01'/>", "bad-request"),
        ("<item action='forbid' order='1'/>", "bad-request"),
        ("<item order='1'/>", "bad-request"),
        ("<item type='nobody' action='deny' order='1'/>", "bad-request"),
        ("<item type='jid' action='deny' order='1'/>", "bad-request"),
        ("<item type='jid' value='a b@x' action='deny' order='1'/>", "bad-request"),
        ("<item type='group' action='deny' order='1'/>", "bad-request"),
        ("<item type='subscription' value='remove' action='deny' order='1'/>", "bad-request"),
        ("<item action='deny' order='1'><carrier-pigeon/></item>", "bad-request"),
        ("<item action='deny' order='1'><message xmlns='jabber:client'/></item>", "bad-request"),
        ("<rule action='deny' order='1'/>", "bad-request"),
        (f"<item type='group' value='{'x' * 4000}' action='deny' order='1'/>", "not-acceptable"),
        ("".join(f"<item action='deny' order='{n}'/>" for n in range(MAX_ITEMS + 1)), "not-acceptable"),
    ],
)
def test_what_is_no_list(items: str, condition: str) -> None:
    with pytest.raises(PrivacyError) as e:
        read_list(parse_text(a_list(items)))
    assert e.value.condition == condition


def test_it_is_written_as_it_was_read() -> None:
    inner = "<message/><iq/><presence-in/><presence-out/>"
    text = a_list(f"<item type='jid' value='{ROMEO}' action='deny' order='3'>{inner}</item><item action='allow' order='68'/>")
    assert serialise(write_list("special", read_list(parse_text(text)))) == text


def test_the_ways_are_told_apart() -> None:
    assert len({MESSAGE, IQ, PRESENCE_IN, PRESENCE_OUT, OTHER}) == 5
