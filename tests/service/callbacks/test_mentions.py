"""Which messages of a room are for a bot (service/callbacks/mentions.py)."""

from __future__ import annotations

from xml.etree.ElementTree import Element

import pytest

from xmpp_rest.protocol.jid import parse_jid
from xmpp_rest.protocol.parse import parse_text
from xmpp_rest.service.callbacks.mentions import REMEMBERED, OwnMessages, names, refers_to, replied_to

ROOM, BOT = parse_jid("garden@conference.capulet.example"), parse_jid("friar@montague.example")
NICK = ROOM.at("Friar Laurence")


@pytest.mark.parametrize(
    ("text", "nick"),
    [
        ("friar, art thou there?", "friar"),
        ("FRIAR!", "friar"),
        ("is the (Friar) in?", "friar"),
        ("@friar", "friar"),
        ("_friar_", "friar"),
        ("friar", "friar"),
        ("befriar friar", "friar"),
        ("bonjour,Frère\u00a0?", "frère"),
        ("Fre\u0300re", "frère"),
        ("Große Straße", "STRASSE"),
        ("Friar Laurence: help", "friar laurence"),
        ("修士、どこ", "修士"),
        ("a.b c", "a.b"),
    ],
)
def test_a_nick_is_a_whole_word_in_any_case(text: str, nick: str) -> None:
    assert names(text, nick)


@pytest.mark.parametrize(
    ("text", "nick"),
    [
        ("befriar", "friar"),
        ("friars", "friar"),
        ("friar2", "friar"),
        ("friar\u0661", "friar"),
        ("éfriar", "friar"),
        ("friarж", "friar"),
        ("修士会", "修士"),
        ("fria\u0301r", "friar"),
        ("friar\u0301", "friar"),
        ("", "friar"),
        ("anything", ""),
        ("axb c", "a.b"),
    ],
)
def test_a_part_of_a_word_is_no_mention(text: str, nick: str) -> None:
    assert not names(text, nick)


def message(inner: str) -> Element:
    return parse_text(f"<message from='{ROOM}/juliet' type='groupchat'><body>hark</body>{inner}</message>")


@pytest.mark.parametrize(
    ("uri", "kind", "wanted"),
    [
        ("xmpp:garden@conference.capulet.example/Friar%20Laurence", "mention", True),
        ("xmpp:friar@montague.example", "mention", True),
        ("XMPP:Friar@Montague.example?message", "mention", True),
        ("xmpp:friar@montague.example", "data", False),
        ("xmpp:friar@montague.example/cell", "mention", False),
        ("xmpp:garden@conference.capulet.example/juliet", "mention", False),
        ("xmpp:%ff@montague.example", "mention", False),
        ("https://montague.example/friar", "mention", False),
        ("", "mention", False),
    ],
)
def test_references(uri: str, kind: str, wanted: bool) -> None:
    found = message(f"<reference xmlns='urn:xmpp:reference:0' type='{kind}' begin='0' end='3' uri='{uri}'/>")
    assert refers_to(found, (NICK, BOT)) is wanted


def said(number: int, inner: str = "") -> Element:
    return parse_text(f"<message from='{NICK}' id='m{number}' type='groupchat'><body>x</body>{inner}</message>")


def test_replies_are_to_the_last_own_messages_by_any_of_their_ids() -> None:
    own = OwnMessages()
    own.add(
        ROOM,
        said(1, f"<stanza-id xmlns='urn:xmpp:sid:0' by='{ROOM}' id='s1'/><stanza-id xmlns='urn:xmpp:sid:0' by='x.example' id='forged'/>"),
    )
    own.add(ROOM, said(2, "<origin-id xmlns='urn:xmpp:sid:0' id='o2'/>"))
    assert all(own.has(ROOM, identifier) for identifier in ("m1", "s1", "m2", "o2"))
    assert not own.has(ROOM, "forged")
    assert not own.has(ROOM, "")
    assert not own.has(BOT, "m1")
    own.load(ROOM, [said(0)])
    assert own.has(ROOM, "m0")
    for number in range(3, REMEMBERED + 2):
        own.add(ROOM, said(number))
    assert not own.has(ROOM, "m1")
    assert own.has(ROOM, "m2")


def test_the_id_of_a_reply() -> None:
    assert replied_to(message("<reply xmlns='urn:xmpp:reply:0' to='x' id='s1'/>")) == "s1"
    assert replied_to(message("")) == ""
