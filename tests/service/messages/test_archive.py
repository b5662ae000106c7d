"""Pages of an archive (service/messages/archive.py, XEP-0313 §4)."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from drivers import ArchiveQuery, Driver, ItemNotFound
from xmpp_rest.protocol.jid import parse_jid
from xmpp_rest.service.messages.archive import EVERYTHING, Archive, ArchiveFilter, Page

JULIET, ROMEO = parse_jid("juliet@capulet.example"), parse_jid("romeo@montague.example")
COUNT = 25


@pytest.fixture
def archive(driver: Driver) -> Archive:
    """Items 0 to 24 at the seconds 1000 to 1024, by turns with Romeo in the orchard, with Romeo elsewhere, with Paris."""
    archive = Archive(driver)
    for n in range(COUNT):
        partner = parse_jid(("romeo@montague.example/orchard", "romeo@montague.example/tomb", "paris@verona.example")[n % 3])
        archive.keep(JULIET, f"<message from='{partner}' to='{JULIET}' id='{n}'><body>{n}</body></message>", 1000.0 + n, partner)
    return archive


@pytest.fixture
def ids(archive: Archive) -> list[str]:
    return [kept.id for kept in archive.page(JULIET, EVERYTHING, 100).items]


def numbers(page: Page) -> list[int]:
    return [int(kept.stanza.get("id", "")) for kept in page.items]


@pytest.mark.parametrize(
    ("wanted", "limit", "newest", "expected", "complete"),
    [
        (EVERYTHING, 100, False, [*range(25)], True),
        (EVERYTHING, 25, False, [*range(25)], True),
        (EVERYTHING, 24, False, [*range(24)], False),
        (EVERYTHING, 3, False, [0, 1, 2], False),
        (EVERYTHING, 3, True, [22, 23, 24], False),
        (EVERYTHING, 0, True, [], False),
        (ArchiveFilter(partner=ROMEO), 4, True, [19, 21, 22, 24], False),
        (ArchiveFilter(partner=ROMEO.at("tomb")), 3, True, [16, 19, 22], False),
        (ArchiveFilter(partner=ROMEO.at("tomb")), 100, False, [*range(1, 25, 3)], True),
        (ArchiveFilter(partner=ROMEO.at("nowhere")), 100, False, [], True),
        (ArchiveFilter(start=1010), 3, False, [10, 11, 12], False),
        (ArchiveFilter(end=1010), 3, True, [8, 9, 10], False),
        (ArchiveFilter(start=1003.5, end=1005.5), 10, False, [4, 5], True),
        (ArchiveFilter(start=1010, end=1000), 10, False, [], True),
    ],
)
def test_a_page(archive: Archive, wanted: ArchiveFilter, limit: int, newest: bool, expected: list[int], complete: bool) -> None:
    page = archive.page(JULIET, wanted, limit, newest=newest)
    assert (numbers(page), page.complete) == (expected, complete)


@pytest.mark.parametrize("newest", [False, True])
@pytest.mark.parametrize("partner", [None, ROMEO, ROMEO.at("tomb")])
@pytest.mark.parametrize("limit", [1, 4, 8])
def test_page_after_page_brings_everything_once(archive: Archive, newest: bool, partner: Any, limit: int) -> None:
    seen: list[int] = []
    wanted = ArchiveFilter(partner=partner)
    while True:
        page = archive.page(JULIET, wanted, limit, newest=newest)
        seen = numbers(page) + seen if newest else seen + numbers(page)
        if page.complete:
            break
        wanted = ArchiveFilter(partner=partner, before=page.items[0].id) if newest else ArchiveFilter(partner=partner, after=page.items[-1].id)
    assert seen == numbers(archive.page(JULIET, ArchiveFilter(partner=partner), 100))


def test_by_ids(archive: Archive, ids: list[str]) -> None:
    assert numbers(archive.page(JULIET, ArchiveFilter(before=ids[3]), 100)) == [0, 1, 2]
    assert numbers(archive.page(JULIET, ArchiveFilter(after=ids[22]), 100)) == [23, 24]
    assert numbers(archive.page(JULIET, ArchiveFilter(after=ids[3], before=ids[6]), 100, newest=True)) == [4, 5]
    assert numbers(archive.page(JULIET, ArchiveFilter(ids=(ids[7], ids[2])), 100)) == [2, 7]
    assert archive.last_id(JULIET) == ids[-1]


@pytest.mark.parametrize("wanted", [ArchiveFilter(before="x"), ArchiveFilter(after="x")])
def test_an_unknown_id(archive: Archive, wanted: ArchiveFilter) -> None:
    with pytest.raises(ItemNotFound):
        archive.page(JULIET, wanted, 1)


def test_only_what_fits_counts(archive: Archive) -> None:
    page = archive.page(JULIET, EVERYTHING, 3, newest=True, fits=lambda stanza: int(stanza.get("id", "")) % 10 == 0)
    assert (numbers(page), page.complete) == ([0, 10, 20], True)


def test_how_many(archive: Archive) -> None:
    assert archive.count(JULIET, EVERYTHING) == COUNT
    assert archive.count(JULIET, ArchiveFilter(partner=ROMEO)) == 17
    assert archive.count(JULIET, ArchiveFilter(partner=ROMEO.at("tomb"))) is None


def test_an_empty_archive(driver: Driver) -> None:
    archive = Archive(driver)
    assert archive.page(ROMEO, EVERYTHING, 10) == Page([], complete=True)
    assert archive.last_id(ROMEO) == ""


def test_what_is_no_stanza_is_left_out(archive: Archive, driver: Driver, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    find = driver.archive_find

    def damaged(*args: Any) -> Any:
        for item in find(*args):
            yield item.__class__(item.id, item.when, item.with_, "<message" if "id='3'" in item.stanza else item.stanza)

    monkeypatch.setattr(driver, "archive_find", damaged)
    with caplog.at_level(logging.WARNING):
        assert numbers(archive.page(JULIET, EVERYTHING, 5)) == [0, 1, 2, 4, 5]
    assert "is not a stanza" in caplog.text


def test_what_is_removed_meanwhile_ends_the_walk(archive: Archive, driver: Driver) -> None:
    def removing(_: Any) -> bool:
        driver.archive_delete("juliet", "capulet.example", "archive")
        return False

    assert archive.page(JULIET, EVERYTHING, 3, fits=removing) == Page([], complete=True)


def test_a_walk_goes_on_behind_what_is_removed_meanwhile(archive: Archive, driver: Driver) -> None:
    """As when old items are pruned while somebody reads them: the later ones are still there."""

    def pruning(stanza: Any) -> bool:
        if stanza.get("id") == "3":
            driver.archive_delete("juliet", "capulet.example", "archive", ArchiveQuery(end=1005.0))
        return int(stanza.get("id")) > 3

    page = archive.page(JULIET, EVERYTHING, 3, fits=pruning)
    assert (numbers(page), page.complete) == ([6, 7, 8], False)


def test_a_walk_goes_on_beside_a_single_removed_item(archive: Archive, driver: Driver) -> None:
    def removing(stanza: Any) -> bool:
        number = int(stanza.get("id"))
        if number in (3, 21):  # the last one of a batch, in either direction
            (item,) = (i for i in driver.archive_find("juliet", "capulet.example", "archive") if i.when == 1000.0 + number)
            driver.archive_delete("juliet", "capulet.example", "archive", ArchiveQuery(ids=(item.id,)))
        return number % 5 == 0

    assert numbers(archive.page(JULIET, EVERYTHING, 3, fits=removing)) == [0, 5, 10]
    assert numbers(archive.page(JULIET, EVERYTHING, 3, newest=True, fits=removing)) == [10, 15, 20]
