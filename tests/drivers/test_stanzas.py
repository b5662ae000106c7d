"""The quick check of stanzas admits what the reader of their tables admits, and nothing else."""

from __future__ import annotations

import random

import pytest

from drivers import BadValue
from drivers.stanzas import MAX_DEPTH, check_stanza, stanza_table
from tests.drivers.contract_archive import REFUSED, STANZAS

ODD = {
    "space around": " \n<message/>\n ",
    "byte order mark": "\ufeff<message/>",
    "byte order mark after": "<message/>\ufeff",
    "UTF-16": "<\0m\0/\0>\0",
    "ends the text around it": "</stanza><stanza>",
    "as deep as can be": "<a>" * MAX_DEPTH + "</a>" * MAX_DEPTH,
    "too deep by one": "<a>" * (MAX_DEPTH + 1) + "</a>" * (MAX_DEPTH + 1),
    "many, but not deep": "<a>" + "<b/>" * 500 + "</a>",
    "namespace with the separator": "<a xmlns='\x01'/>",
    "the namespace of XML": "<a xml:lang='en' xmlns:x='http://www.w3.org/XML/1998/namespace' x:b='1'/>",
    "two equal attributes": "<a b='1' b='2'/>",
    "a character reference": "<a>&#8217;&#x2019;</a>",
    "a reference to what is forbidden": "<a>&#1;</a>",
    "half": "<message><bo",
    "a sign too many": "<message/><",
}
PIECES = ["<a>", "</a>", "<b xmlns='u'/>", "<p:c/>", "<!-- -->", "<?x?>", "&lt;", "&", "text", "\ufeff", " ", "<![CDATA[x]]>", "<", ">", "\x02", "é"]


def admitted(text: str) -> tuple[bool, bool]:
    """By the check, and by the reader."""
    found = []
    for judge in (check_stanza, stanza_table):
        try:
            judge(text)
        except BadValue:
            found.append(False)
        else:
            found.append(True)
    return found[0], found[1]


@pytest.mark.parametrize("text", [*STANZAS.values(), *REFUSED.values(), *ODD.values()], ids=[*STANZAS, *REFUSED, *ODD])
def test_the_check_admits_what_the_reader_admits(text: str) -> None:
    by_check, by_reader = admitted(text)
    assert by_check == by_reader


def test_it_does_for_any_text() -> None:
    chance = random.Random(6120)
    seen = set()
    for _ in range(5000):
        inner = "".join(chance.choices(PIECES, k=chance.randrange(6)))
        text = chance.choice([inner, f"<m>{inner}</m>", f"<m>{inner}</m>{inner}"])
        by_check, by_reader = admitted(text)
        assert by_check == by_reader, text
        seen.add(by_reader)
    assert seen == {True, False}
