"""Data of a real server loads alike from its files and its database, and its users' passwords check."""

from __future__ import annotations

import hashlib
import hmac
from pathlib import Path
from typing import Any

import pytest

from drivers import Driver
from tests.conftest import OpenDriver
from tests.drivers.contract_archive import same

# what a user types; the third has characters that SASLprep maps (RFC 4013)
PASSWORDS = {
    ("juliet", "capulet.example"): "R0m30-forever",
    ("nurse", "capulet.example"): "Nurse.1595",
    ("count.paris", "capulet.example"): 'p4r1s&Co "quoted"',
    ("jürgen", "capulet.example"): "Grüße aus Köln 日本",
    ("d\\27artagnan_x-1", "capulet.example"): "one4all'",
    ("romeo", "montague.example"): "wherefore art thou",
    ("benvolio", "montague.example"): "b3nv0l10",
    ("mercutio", "montague.example"): "IX-fishTM Pässwörd",
    ("escalus", "verona.example"): "prince-of-verona",
    ("lady.montague", "montague.example"): "plain in a hashed host",
}
DIFFERENT = {"archive_cleanup", "accounts", "blocklist", "type_sampler"}
"""Stores whose times, salts or infinities differ between the files and the database."""
HASHES = {40: "sha1", 64: "sha256"}


@pytest.fixture(params=["flatfile:prosody-data", "sqlite:prosody.sqlite"], ids=["flatfile", "sqlite"])
def driver(request: pytest.FixtureRequest, tmp_path: Path, prosody_data: Path, prosody_database: Path, open_driver: OpenDriver) -> Driver:
    return open_driver(request.param, tmp_path)


@pytest.fixture
def both(tmp_path: Path, prosody_data: Path, prosody_database: Path, open_driver: OpenDriver) -> tuple[Driver, Driver]:
    return open_driver("flatfile:prosody-data", tmp_path), open_driver("sqlite:prosody.sqlite", tmp_path)


@pytest.mark.parametrize(("user", "host"), PASSWORDS, ids=[user for user, _ in PASSWORDS])
def test_every_account_checks(driver: Driver, user: str, host: str) -> None:
    record: Any = driver.load(user, host, "accounts")
    password = PASSWORDS[user, host]
    if "password" in record:
        assert record == {"password": password}
        return
    name = HASHES[len(record["stored_key"])]
    salted = hashlib.pbkdf2_hmac(name, password.encode(), record["salt"].encode(), record["iteration_count"])
    client_key = hmac.digest(salted, b"Client Key", name)
    assert record["stored_key"] == hashlib.new(name, client_key).hexdigest()
    assert record["server_key"] == hmac.digest(salted, b"Server Key", name).hex()
    assert set(record) == {"salt", "iteration_count", "stored_key", "server_key"}


def test_every_user_is_there(driver: Driver) -> None:
    assert sorted(driver.hosts()) == ["capulet.example", "montague.example", "verona.example"]
    assert {(user, host) for host in driver.hosts() for user in driver.users(host, "accounts")} == set(PASSWORDS)
    assert set(driver.stores("juliet", "capulet.example")) >= {
        ("accounts", "keyval"),
        ("archive", "archive"),
        ("blocklist", "keyval"),
        ("pep", "keyval"),
        ("pep_http://jabber.org/protocol/nick", "archive"),
        ("private", "keyval"),
        ("roster", "keyval"),
        ("settings", "keyval"),
        ("type_sampler", "keyval"),
        ("vcard", "keyval"),
    }


def test_tables_load_alike(both: tuple[Driver, Driver]) -> None:
    compared = 0
    for host in ("capulet.example", "montague.example", "verona.example"):
        for user in both[0].users(host):
            for store in {store for store, sort in both[0].stores(user, host) if sort == "keyval"} - DIFFERENT:
                files, database = (_plain(driver.load(user, host, store)) for driver in both)
                assert files == database, (user, store)
                compared += 1
    assert compared == 13


def _plain(value: Any) -> Any:
    """Without the random id of a stanza; and a null of the database is an empty table in a file."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items() if key != "id"}
    return [_plain(item) for item in value] if isinstance(value, list) else {} if value is None else value


def test_archives_load_alike(both: tuple[Driver, Driver]) -> None:
    compared = 0
    for host in ("capulet.example", "montague.example"):
        for user in both[0].users(host, "archive"):
            one, two = (list(driver.archive_find(user, host, "archive")) for driver in both)
            assert [item.with_ for item in one] == [item.with_ for item in two]
            for first, second in zip(one, two, strict=True):
                bodies = [item.stanza[item.stanza.index("<body>") : item.stanza.index("</body>") + 7] for item in (first, second)]
                assert same(*bodies)
                compared += 1
    assert compared == 18


def test_what_cannot_be_put_into_json(both: tuple[Driver, Driver]) -> None:
    table: Any = both[0].load("juliet", "capulet.example", "type_sampler")
    assert (table["inf"], table["ninf"]) == (float("inf"), -float("inf"))
    expected = both[1].load("juliet", "capulet.example", "type_sampler")
    assert _sorted({key: value for key, value in table.items() if key not in ("inf", "ninf")}) == _sorted(expected)


def _sorted(table: Any) -> Any:
    flat = table["__hash"]
    return table | {"__hash": sorted((repr(flat[i]), flat[i + 1]) for i in range(0, len(flat), 2))}


def test_the_wishlist_is_a_list(both: tuple[Driver, Driver]) -> None:
    items = [{"n": 1, "item": "rope"}, {"n": 2, "item": "dagger"}, "just a string", 42, [1, 2, 3]]
    assert both[0].list_load("juliet", "capulet.example", "wishlist") == items
    assert both[1].list_load("juliet", "capulet.example", "wishlist") is None
