"""Contract: many stores at a time, as migrations and imports write them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from drivers import ArchiveItem, BadValue, Content, Driver, Place
from tests.drivers.contract_base import JULIET, ROMEO, StorageFixtures

ITEMS = [ArchiveItem(f"id{i}", 1000 + i / 4, "r@x", f"<message><body>{i}</body></message>") for i in range(12)]
CONTENTS = [
    Content(*JULIET, "accounts", "keyval", {"password": "x", "n": 1.5, "__hash": [False, {"a": True}]}),
    Content(None, "capulet.example", "hostdata", "keyval", {"a": {}}),
    Content(*JULIET, "wishlist", "list", [1, "two\t\n\\N", {"three": [3]}]),
    Content(*ROMEO, "archive", "archive", ITEMS),
    Content(None, "", "everywhere", "keyval", {"text": "\\.\n\r\x7f\u2028 Ⅳ"}),
]


def content(driver: Driver, place: Place) -> Any:
    if place.sort == "archive":
        return list(driver.archive_find(*place[:3]))
    return driver.load(*place[:3]) if place.sort == "keyval" else driver.list_load(*place[:3])


class BulkContract(StorageFixtures):
    @pytest.mark.parametrize("new", [False, True])
    def test_what_is_written_at_once_is_what_is_written_one_by_one(self, driver: Driver, opened: Callable[[], Driver], new: bool) -> None:
        assert driver.bulk_write([entry._replace(new=new) for entry in CONTENTS]) == [None] * len(CONTENTS)
        other = opened()
        assert {place: content(other, place) for place in other.places()} == {Place(*entry[:4]): entry.content for entry in CONTENTS}

    def test_what_is_there_is_replaced_but_archives_are_extended(self, driver: Driver) -> None:
        driver.bulk_write(CONTENTS)
        late = ArchiveItem("late", 5, "", "<message/>")
        changed = [
            Content(*JULIET, "accounts", "keyval", {"password": "y"}),
            Content(*JULIET, "wishlist", "list", [4]),
            Content(*ROMEO, "archive", "archive", [ITEMS[0], late]),
            Content(None, "", "everywhere", "keyval", None),
        ]
        assert driver.bulk_write(changed) == [None] * 4
        assert driver.load(*JULIET, "accounts") == {"password": "y"}
        assert driver.list_load(*JULIET, "wishlist") == [4]
        assert list(driver.archive_find(*ROMEO, "archive")) == [*ITEMS[1:], ITEMS[0], late]
        assert driver.load(None, "", "everywhere") is None

    @pytest.mark.parametrize("new", [False, True])
    def test_one_that_cannot_be_kept_stops_none_of_the_others(self, driver: Driver, new: bool) -> None:
        bad = Content("mercu\0tio", "capulet.example", "accounts", "keyval", {"a": 1})
        errors = driver.bulk_write([entry._replace(new=new) for entry in [*CONTENTS[:2], bad, *CONTENTS[2:]]])
        assert isinstance(errors.pop(2), BadValue)
        assert errors == [None] * len(CONTENTS)
        assert sorted(driver.places(), key=str) == sorted((Place(*entry[:4]) for entry in CONTENTS), key=str)

    def test_a_table_written_at_once_is_not_taken_for_unchanged(self, driver: Driver) -> None:
        unchanged = driver.unchanged(*JULIET, "accounts")
        driver.bulk_write(CONTENTS)
        assert unchanged is None or not unchanged()

    def test_many_are_read_at_once(self, driver: Driver) -> None:
        driver.bulk_write(CONTENTS)
        entries = [entry for entry in CONTENTS if entry.sort != "archive"]
        missing = [Place("nurse", "capulet.example", "accounts", "keyval"), Place(*JULIET, "nothing", "list")]
        places = [*(Place(*entry[:4]) for entry in entries), *missing]
        assert driver.bulk_read(places) == [*(entry.content for entry in entries), None, None]
        assert driver.bulk_read([]) == []

    def test_every_store_is_listed_and_counted(self, driver: Driver) -> None:
        assert (list(driver.places()), driver.count_places()) == ([], 0)
        driver.note("lease", lambda _: {"a": 1})
        contents = [Content(f"user{i}", "capulet.example", store, "keyval", {"a": i}) for i in range(60) for store in ("accounts", "roster")]
        driver.bulk_write([*CONTENTS, *contents])
        places = list(driver.places())
        assert len(places) == driver.count_places() == len(CONTENTS) + 120
        assert set(places) == {Place(*entry[:4]) for entry in [*CONTENTS, *contents]}
