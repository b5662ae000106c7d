"""Contract: archives."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from xml.etree.ElementTree import canonicalize

import pytest

from drivers import Addition, ArchiveItem, ArchiveQuery, BadValue, Driver, ItemNotFound
from tests.drivers.contract_base import JULIET, ROMEO, StorageFixtures

STANZAS = {
    "chat": "<message id='1' to='a@b' type='chat' xml:lang='en' from='c@d/e'><body>Good pilgrim</body></message>",
    "empty": "<message/>",
    "signs": "<message id='&lt;&amp;&quot;&apos;&gt;'><body>&lt;tags&gt; &amp; \"quotes\" 'single' \\back\\065 ]]&gt;</body></message>",
    "unicode": "<message><body>Grüße — 日本語 𝄞 \u2028\x7f\x85</body></message>",
    "white space": "<message a='x&#10;y&#9;z&#13;'><body> a\n\tb&#13;\n</body> \n <x xmlns='y'/></message>",
    "namespaces": "<message><x xmlns='jabber:x:data' type='form'><field var='a'><value>b</value></field></x></message>",
    "no namespace": "<message><x xmlns='urn:a'><y xmlns=''><z/></y></x></message>",
    "embedded": "<message><f xmlns='urn:xmpp:forward:0'><message xmlns='jabber:client'><body>b</body></message></f></message>",
    "prefixes": "<message xmlns:p='urn:p' p:a='1'><p:x p:b='2' b='3'><p:y/></p:x><q xmlns='urn:q' xmlns:r='urn:r' r:c='4'/></message>",
    "explicit": "<message xmlns='jabber:client'><body xmlns='jabber:client'>b</body></message>",
    "payload": "<nick xmlns='http://jabber.org/protocol/nick'>Jule</nick>",
    "mixed content": "<message><html xmlns='urn:h'>a<b>c</b>d<i/>e<![CDATA[<f>]]></html></message>",
    "deep": "<message>" + "<a>" * 120 + "</a>" * 120 + "</message>",
    "looks like lua": "<message><body>item(1);\nitem({\n\t[\"key\"] = \"x\";\n}); [[ --</body></message>",
}
REFUSED = {
    "text": "no xml",
    "nothing": "",
    "open": "<message>",
    "two": "<message/><message/>",
    "text after": "<message/>text",
    "closing more": "<message/></stanza><x>",
    "entity": "<message>&nbsp;</message>",
    "DTD": "<!DOCTYPE m [<!ENTITY a 'b'>]><m>&a;</m>",
    "declaration": "<?xml version='1.0'?><message/>",
    "processing instruction": "<message><?php ?></message>",
    "comment": "<message><!-- --></message>",
    "forbidden character": "<message>\x01</message>",
    "half a surrogate": "<message>\ud83d</message>",
    "unknown prefix": "<message><p:x/></message>",
    "too deep": "<a>" * 200 + "</a>" * 200,
}
TIMES = [1795294688, 1795294688.25, 1795294688.1234567, 0, 0.5, -1, -1.5, 1e9]


def same(stanza: str, other: str) -> bool:
    """Whether two stanzas say the same, however they are spelt."""
    one, two = (canonicalize(f"<s xmlns='jabber:client'>{text}</s>", rewrite_prefixes=True) for text in (stanza, other))
    return one == two


def message(body: object) -> str:
    return f"<message><body>{body}</body></message>"


def ids(driver: Driver, **query: Any) -> list[str]:
    found = [item.id for item in driver.archive_find(*JULIET, "archive", ArchiveQuery(**query))]
    if "limit" not in query:
        assert driver.archive_count(*JULIET, "archive", ArchiveQuery(**query)) == len(found)
    return found


class ArchiveContract(StorageFixtures):
    @pytest.fixture
    def filled(self, driver: Driver) -> Driver:
        """Items a to f, a second apart but for c, whose time is half a second behind b's, and d, which is late."""
        partners = {"a": "romeo@x", "b": "nurse@x", "c": "romeo@x", "d": "romeo@x", "e": "", "f": "romeo@x"}
        for (item, with_), when in zip(partners.items(), (100, 101, 101.5, 50, 103, 104), strict=True):
            driver.archive_append(*JULIET, "archive", message(item), when=when, with_=with_, key=item)
        return driver

    @pytest.mark.parametrize("stanza", STANZAS.values(), ids=STANZAS)
    def test_a_stanza_says_the_same_afterwards(self, driver: Driver, opened: Callable[[], Driver], stanza: str) -> None:
        item = driver.archive_append(*JULIET, "archive", stanza, when=1795294688, with_="romeo@montague.example")
        (found,) = opened().archive_find(*JULIET, "archive")
        assert (found.id, found.when, found.with_) == (item, 1795294688, "romeo@montague.example")
        assert same(found.stanza, stanza)

    @pytest.mark.parametrize("stanza", REFUSED.values(), ids=REFUSED)
    def test_what_is_no_stanza_is_refused(self, driver: Driver, stanza: str) -> None:
        with pytest.raises(BadValue):
            driver.archive_append(*JULIET, "archive", stanza, when=0)
        assert driver.archive_count(*JULIET, "archive") == 0

    @pytest.mark.parametrize("when", TIMES)
    def test_times_are_kept_exactly(self, driver: Driver, when: float) -> None:
        item = driver.archive_append(*JULIET, "archive", message(1), when=when)
        (found,) = driver.archive_find(*JULIET, "archive")
        assert found == ArchiveItem(item, when, "", found.stanza)
        assert ids(driver, start=when, end=when) == [item]
        assert ids(driver, start=when + 0.001) == ids(driver, end=when - 0.001) == []

    @pytest.mark.parametrize(
        "bad",
        [{"when": float("nan")}, {"when": float("inf")}, {"when": 1e12}, {"key": ""}, {"key": "\0"}, {"with_": "\ud800"}],
        ids=repr,
    )
    def test_what_cannot_be_kept_is_refused(self, driver: Driver, bad: dict[str, Any]) -> None:
        with pytest.raises(BadValue):
            driver.archive_append(*JULIET, "archive", message(1), **({"when": 0} | bad))

    def test_ids_are_fresh(self, driver: Driver) -> None:
        made = {driver.archive_append(*JULIET, "archive", message(i), when=i) for i in range(50)}
        assert len(made) == 50
        assert min(map(len, made)) >= 16

    def test_order_is_that_of_arrival(self, filled: Driver) -> None:
        assert ids(filled) == list("abcdef")
        assert ids(filled, newest_first=True) == list("fedcba")

    QUERIES = [
        ({"with_": "romeo@x"}, "acdf"),
        ({"with_": ""}, "e"),
        ({"with_": "tybalt@x"}, ""),
        ({"start": 101}, "bcef"),
        ({"start": 101.2}, "cef"),
        ({"end": 101}, "abd"),
        ({"end": 101.5}, "abcd"),
        ({"start": 100, "end": 103}, "abce"),
        ({"start": 103, "end": 100}, ""),
        ({"ids": ("f", "a", "x")}, "af"),
        ({"ids": ()}, ""),
        ({"after": "b"}, "cdef"),
        ({"before": "e"}, "abcd"),
        ({"after": "b", "before": "e"}, "cd"),
        ({"after": "e", "before": "b"}, ""),
        ({"after": "c", "before": "c"}, ""),
        ({"after": "f"}, ""),
        ({"before": "a"}, ""),
        ({"after": "a", "with_": "romeo@x", "start": 60}, "cf"),
        ({"limit": 2}, "ab"),
        ({"limit": 0}, ""),
        ({"limit": 99}, "abcdef"),
        ({"limit": 2, "newest_first": True}, "fe"),
        ({"limit": 0, "newest_first": True}, ""),
        ({"limit": 2, "before": "d", "newest_first": True}, "cb"),
        ({"limit": 1, "after": "d"}, "e"),
        ({"limit": 1, "after": "d", "newest_first": True}, "f"),
        ({"limit": 2, "with_": "romeo@x", "newest_first": True}, "fd"),
        ({"limit": 1, "before": "f", "after": "a", "with_": "romeo@x"}, "c"),
    ]

    @pytest.mark.parametrize(("query", "expected"), QUERIES, ids=str)
    def test_find(self, filled: Driver, query: dict[str, Any], expected: str) -> None:
        assert ids(filled, **query) == list(expected)

    @pytest.mark.parametrize(("query", "expected"), QUERIES, ids=str)
    def test_delete(self, filled: Driver, query: dict[str, Any], expected: str) -> None:
        assert filled.archive_delete(*JULIET, "archive", ArchiveQuery(**query)) == len(expected)
        assert ids(filled) == [item for item in "abcdef" if item not in expected]

    def test_the_count_does_not_look_at_the_limit(self, filled: Driver) -> None:
        assert filled.archive_count(*JULIET, "archive", ArchiveQuery(limit=1, with_="romeo@x")) == 4

    @pytest.mark.parametrize(("query", "expected"), [({}, 6), ({"with_": "romeo@x"}, 4), ({"start": 101}, 4), ({"after": "b", "limit": 1}, 4)], ids=str)
    def test_a_count_may_end_early(self, filled: Driver, query: dict[str, Any], expected: int) -> None:
        wanted = ArchiveQuery(**query)
        counts = [filled.archive_count_within(*JULIET, "archive", wanted, most=most) for most in (0, 1, expected - 1, expected, expected + 1)]
        assert counts == [0, 1, expected - 1, expected, expected]
        with pytest.raises(ItemNotFound):
            filled.archive_count_within(*JULIET, "archive", ArchiveQuery(before="x"), most=1)

    @pytest.mark.parametrize("query", [{"before": "x"}, {"after": "x"}, {"after": "a", "before": "x"}, {"after": "x", "limit": 0}], ids=str)
    def test_an_unknown_id_is_not_found(self, filled: Driver, query: dict[str, Any]) -> None:
        for call in (filled.archive_find, filled.archive_count, filled.archive_delete):
            with pytest.raises(ItemNotFound):
                call(*JULIET, "archive", ArchiveQuery(**query))
            with pytest.raises(ItemNotFound):
                call(*ROMEO, "archive", ArchiveQuery(**query))
        assert ids(filled) == list("abcdef")

    @pytest.mark.parametrize(
        "query", [{"limit": -1}, {"start": float("nan")}, {"ids": ("x",) * 20_000}, {"with_": "\0"}], ids=lambda q: next(iter(q))
    )
    def test_a_query_that_means_nothing_is_refused(self, filled: Driver, query: dict[str, Any]) -> None:
        with pytest.raises(BadValue):
            filled.archive_find(*JULIET, "archive", ArchiveQuery(**query))

    def test_an_item_with_the_same_id_takes_its_place_at_the_end(self, filled: Driver) -> None:
        assert filled.archive_append(*JULIET, "archive", message("new"), when=200.5, key="b") == "b"
        assert ids(filled) == list("acdefb")
        (found,) = filled.archive_find(*JULIET, "archive", ArchiveQuery(ids=("b",)))
        assert (found.when, found.with_) == (200.5, "")
        assert same(found.stanza, message("new"))
        assert ids(filled, start=101, end=102) == ["c"]

    def test_several_items_at_once(self, filled: Driver) -> None:
        new = [ArchiveItem(item, when, "x@y", message(f"new {item}")) for item, when in (("g", 1), ("b", 2.5), ("h", 3), ("g", 4))]
        filled.archive_extend(*JULIET, "archive", iter(new))
        assert ids(filled) == [*"acdef", "b", "h", "g"]
        found = list(filled.archive_find(*JULIET, "archive", ArchiveQuery(after="f")))
        assert [(item.id, item.when, item.with_) for item in found] == [("b", 2.5, "x@y"), ("h", 3, "x@y"), ("g", 4, "x@y")]
        filled.archive_extend(*ROMEO, "archive", [])
        filled.archive_extend(*ROMEO, "archive", new[:1])
        assert filled.archive_count(*ROMEO, "archive") == 1
        with pytest.raises(BadValue):
            filled.archive_extend(*ROMEO, "archive", [new[1], ArchiveItem("", 1, "", "<message/>")])

    def test_several_archives_at_once(self, filled: Driver) -> None:
        new = [ArchiveItem(item, when, "x@y", message(f"new {item}")) for item, when in (("g", 1), ("b", 2.5))]
        bad = ArchiveItem("x", 1, "", "<message>")
        places = [(*JULIET, "archive"), (*ROMEO, "archive"), (*ROMEO, "archive"), (*ROMEO, "other"), (*JULIET, "archive")]
        items = [new, [bad, new[0]], new[1:], [], [ArchiveItem("h", 3, "", message("h"))]]
        errors = filled.archive_extend_all([Addition(*place, some) for place, some in zip(places, items, strict=True)])
        assert [type(error) for error in errors] == [type(None), BadValue, *[type(None)] * 3]
        assert ids(filled) == [*"acdef", "g", "b", "h"]
        assert [item.id for item in filled.archive_find(*ROMEO, "archive")] == ["b"]
        assert filled.archive_extend_all([]) == []

    def test_archives_are_apart(self, driver: Driver) -> None:
        places = [(*JULIET, "archive"), (*ROMEO, "archive"), (*JULIET, "pep_urn:x"), (None, "capulet.example", "muc_log")]
        for place in places:
            driver.archive_append(*place, message(place[2]), when=1, key="current")
        driver.archive_append(*ROMEO, "archive", message(2), when=2)
        assert [driver.archive_count(*place) for place in places] == [1, 2, 1, 1]
        assert driver.archive_delete(*ROMEO, "archive") == 2
        assert [driver.archive_count(*place) for place in places] == [1, 0, 1, 1]

    def test_no_archive_is_empty(self, driver: Driver) -> None:
        assert list(driver.archive_find(*JULIET, "archive")) == []
        assert driver.archive_count(*JULIET, "archive") == 0
        assert driver.archive_delete(*JULIET, "archive") == 0

    def test_a_search_sees_the_archive_as_it_was(self, filled: Driver) -> None:
        found = filled.archive_find(*JULIET, "archive")
        assert next(found).id == "a"
        filled.archive_append(*JULIET, "archive", message("g"), when=300, key="g")
        assert [item.id for item in found] == list("bcdef")

    def test_a_search_may_be_left_alone(self, filled: Driver) -> None:
        next(filled.archive_find(*JULIET, "archive"))
        filled.archive_find(*JULIET, "archive")
        assert filled.archive_delete(*JULIET, "archive") == 6

    def test_a_long_archive(self, driver: Driver) -> None:
        for i in range(600):
            driver.archive_append(*JULIET, "archive", message(i), when=i, key=str(i))
        assert ids(driver) == [str(i) for i in range(600)]
        assert ids(driver, newest_first=True, before="550", limit=520) == [str(i) for i in range(549, 29, -1)]
        assert driver.archive_delete(*JULIET, "archive", ArchiveQuery(end=549)) == 550
        assert ids(driver, limit=1) == ["550"]

    def test_much_is_removed(self, driver: Driver) -> None:
        items = [ArchiveItem(f"{i}", i, "ab"[i % 2], message(i)) for i in range(1000)]
        driver.archive_extend(*JULIET, "archive", items)
        driver.archive_extend(*JULIET, "other", items)
        assert driver.archive_delete(*JULIET, "archive", ArchiveQuery(limit=450, with_="a", newest_first=True)) == 450
        assert ids(driver, with_="a") == [f"{i}" for i in range(0, 100, 2)]
        assert driver.archive_delete(*JULIET, "archive", ArchiveQuery(end=899, after="9")) == 450 - 5 + 45
        assert ids(driver) == [*(f"{i}" for i in range(10)), *(f"{i}" for i in range(901, 1000, 2))]
        assert driver.archive_delete(*JULIET, "other") == 1000
        driver.archive_extend(*JULIET, "other", items)
        driver.purge(*JULIET)
        assert list(driver.stores(*JULIET)) == []
