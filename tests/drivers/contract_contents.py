"""Contract: listing of hosts, users and stores, and purging."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from drivers import Content, Driver, NoCopies, open_driver
from tests.drivers.contract_base import JULIET, ROMEO, StorageFixtures


class ContentsContract(StorageFixtures):
    @pytest.fixture
    def several(self, driver: Driver) -> Driver:
        driver.store(*JULIET, "accounts", {"password": "R0m30-forever"})
        driver.store(*JULIET, "roster", {"romeo@montague.example": {"subscription": "both"}})
        driver.list_append(*JULIET, "wishlist", "rope")
        driver.archive_append(*JULIET, "archive", "<message/>", when=1.5)
        driver.archive_append(*JULIET, "pep_http://jabber.org/protocol/nick", "<nick xmlns='n'/>", when=1, key="current")
        driver.store(*ROMEO, "accounts", {"password": "x"})
        driver.list_append("nurse", "capulet.example", "wishlist", 1)
        driver.store(None, "capulet.example", "hostdata", {"a": 1})
        driver.list_append(None, "capulet.example", "hostlist", 1)
        driver.archive_append(None, "capulet.example", "muc_log", "<message/>", when=1)
        driver.store(None, "", "everywhere", {"a": 1})
        return driver

    def test_hosts(self, several: Driver) -> None:
        assert sorted(several.hosts()) == ["", "capulet.example", "montague.example"]

    def test_users_with_small_numbers(self, driver: Driver) -> None:
        host, values = "rooms.example", {"a": 1, "b": 1700000000.25, "c": 1700000000.5, "d": 1.8e9, "text": "1", "flag": True, "none": {}}
        for user, value in values.items():
            driver.store(user, host, "muc", {"used": value, "x": value})
        driver.store("other", "other.example", "muc", {"used": 1})
        driver.store("other", host, "different", {"used": 1})
        driver.store("lacking", host, "muc", {"created": 1})
        driver.store(None, host, "muc", {"used": 1})
        driver.list_append("listed", host, "muc", {"used": 1})
        for member in ("used", "x"):
            assert sorted(driver.users_below(host, "muc", member, 1700000000.25)) == ["a", "b"]
            assert sorted(driver.users_below(host, "muc", member, 0.5)) == []
        driver.store("a", host, "muc", {"used": 1.9e9})
        assert sorted(driver.users_below(host, "muc", "used", 1.8e9)) == ["b", "c", "d"]

    def test_users(self, several: Driver) -> None:
        assert sorted(several.users("capulet.example")) == ["juliet", "nurse"]
        assert sorted(several.users("capulet.example", "accounts")) == ["juliet"]
        assert sorted(several.users("capulet.example", "wishlist")) == ["juliet", "nurse"]
        assert sorted(several.users("capulet.example", "archive")) == ["juliet"]
        assert sorted(several.users("capulet.example", "hostdata")) == []
        assert sorted(several.users("verona.example")) == []
        assert sorted(several.users("")) == []

    def test_pages_of_users(self, driver: Driver) -> None:
        names = sorted(["Zoë", "a", "a!", "aa", "b", "ß", "é", "z", "日本", "\U0001f600", "\uffee"])
        for name in names[::2]:
            driver.store(name, "capulet.example", "accounts", {"password": "x"})
        for name in names[1::2]:
            driver.list_append(name, "capulet.example", "wishlist", 1)
        driver.store(None, "capulet.example", "accounts", {"a": 1})
        driver.store("tybalt", "verona.example", "accounts", {"a": 1})
        for store, there in ((None, names), ("accounts", names[::2]), ("wishlist", names[1::2]), ("archive", [])):
            pages, after = [], ""
            while page := driver.users_page("capulet.example", store, after=after, limit=2):
                assert len(page) <= 2
                pages += page
                after = page[-1]
            assert pages == there
            assert driver.users_page("capulet.example", store, after="b", limit=99) == [name for name in there if name > "b"]
        assert driver.users_page("capulet.example", limit=0) == []

    def test_stores(self, several: Driver) -> None:
        assert sorted(several.stores(*JULIET)) == [
            ("accounts", "keyval"),
            ("archive", "archive"),
            ("pep_http://jabber.org/protocol/nick", "archive"),
            ("roster", "keyval"),
            ("wishlist", "list"),
        ]
        assert sorted(several.stores(None, "capulet.example")) == [("hostdata", "keyval"), ("hostlist", "list"), ("muc_log", "archive")]
        assert list(several.stores(None, "")) == [("everywhere", "keyval")]
        assert list(several.stores("tybalt", "capulet.example")) == []

    def test_purge(self, several: Driver, opened: Callable[[], Driver]) -> None:
        several.purge(*JULIET)
        other = opened()
        assert list(other.stores(*JULIET)) == []
        assert other.load(*JULIET, "accounts") is None
        assert other.list_load(*JULIET, "wishlist") is None
        assert other.archive_count(*JULIET, "archive") == 0
        assert sorted(other.users("capulet.example")) == ["nurse"]
        assert other.load(*ROMEO, "accounts") == {"password": "x"}
        assert len(list(other.stores(None, "capulet.example"))) == 3
        several.purge(*JULIET)

    def test_a_user_who_comes_back_starts_empty(self, several: Driver) -> None:
        several.purge(*JULIET)
        several.archive_append(*JULIET, "archive", "<message/>", when=2)
        assert [item.when for item in several.archive_find(*JULIET, "archive")] == [2]

    def test_many_users(self, driver: Driver) -> None:
        users = {f"user{i}" for i in range(2100)}
        contents = [Content(user, "capulet.example", "accounts", "keyval", {"password": user}) for user in users]
        assert driver.bulk_write(contents) == [None] * len(contents)
        assert set(driver.users("capulet.example")) == users
        assert set(driver.users("capulet.example", "accounts")) == users
        assert list(driver.hosts()) == ["capulet.example"]

    def test_an_empty_storage(self, driver: Driver) -> None:
        driver.check()
        assert list(driver.hosts()) == []
        assert list(driver.users("capulet.example")) == []
        assert list(driver.stores(*JULIET)) == []
        driver.purge(*JULIET)

    def test_copies(self, several: Driver, url: str, tmp_path: Path) -> None:
        """The files of a storage that has the same content."""
        scratch, folder = tmp_path / "scratch", tmp_path / "copy"
        scratch.mkdir()
        several.note("lease", lambda _: {"kept": True})
        try:
            files = [(name, file.read(size)) for name, file, size in several.copies(scratch)]
        except NoCopies:
            pytest.skip("this driver leaves copies to others")
        for name, data in files:
            path = folder / url.partition(":")[2] / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        with closing(open_driver(url, folder)) as copy:
            assert sorted(copy.hosts()) == sorted(several.hosts())
            assert sorted(copy.users("capulet.example")) == sorted(several.users("capulet.example"))
            for user, host in (JULIET, ROMEO, (None, "capulet.example"), (None, "")):
                assert sorted(copy.stores(user, host)) == sorted(several.stores(user, host))
            assert list(copy.archive_find(*JULIET, "archive")) == list(several.archive_find(*JULIET, "archive"))
            assert copy.list_load(*JULIET, "wishlist") == ["rope"]
            assert copy.load(*JULIET, "roster") == several.load(*JULIET, "roster")
            assert copy.note("lease") == {"kept": True}

    def test_closing_twice(self, opened: Callable[[], Driver]) -> None:
        driver = opened()
        driver.store(*JULIET, "settings", {"a": 1})
        driver.close()
        driver.close()
        assert opened().load(*JULIET, "settings") == {"a": 1}

