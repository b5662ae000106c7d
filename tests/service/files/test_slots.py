"""Tokens and open slots (files §4.2)."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from drivers import Driver, StorageError
from tests.conftest import OpenDriver
from tests.many import in_threads
from tests.raising import raising
from xmpp_rest.auth.shared_keys import STORE, SharedKeys
from xmpp_rest.protocol.jid import parse_jid
from xmpp_rest.service.files.slot_key import FolderKey, StoredKey
from xmpp_rest.service.files.slots import OpenSlots, SlotTokens
from xmpp_rest.service.files.store import new_id
from xmpp_rest.service.files.values import Slot

JULIET = parse_jid("juliet@capulet.example")


def made(until: float) -> Slot:
    return Slot(new_id(), JULIET, "r\u00f6se.png", 5, "image/png", until)


def test_a_token_says_what_was_signed_and_nothing_else(tmp_path: Path) -> None:
    slot, tokens = made(99.5), SlotTokens(FolderKey(tmp_path).get)
    token = tokens.sign(slot)
    assert tokens.read(token) == SlotTokens(FolderKey(tmp_path).get).read(token) == slot.claims
    payload, signature = token.split(".")
    other = tokens.sign(made(99.5)).split(".")
    wrong = ["", ".", payload, f"{payload}.", f".{signature}", f"{other[0]}.{signature}", f"{payload}.{other[1]}", token[:-2], f"{token}x", "\u20ac", "x" * 5000]
    assert [tokens.read(each) for each in wrong] == [None] * len(wrong)
    (tmp_path / "files.key").unlink()
    assert SlotTokens(FolderKey(tmp_path).get).read(token) is None


@pytest.mark.plain_thread
def test_processes_that_begin_together_have_one_key(tmp_path: Path) -> None:
    slot = made(9.0)
    for number in range(20):
        folder = tmp_path / str(number)
        folder.mkdir()
        with ThreadPoolExecutor(4) as pool:
            signed = list(pool.map(lambda folder: SlotTokens(FolderKey(folder).get).sign(slot), [folder] * 4))
        assert len(set(signed)) == 1
        assert [path.name for path in folder.iterdir()] == ["files.key"]
        assert (folder / "files.key").stat().st_mode & 0o777 == 0o600


def test_a_key_that_is_damaged_is_made_again(tmp_path: Path) -> None:
    (tmp_path / "files.key").write_bytes(b"short")
    slot = made(9.0)
    assert SlotTokens(FolderKey(tmp_path).get).read(SlotTokens(FolderKey(tmp_path).get).sign(slot)) == slot.claims


def test_machines_have_one_key_which_was_that_of_the_first(driver: Driver, tmp_path: Path) -> None:
    folders = [tmp_path / name for name in ("web1", "web2", "web3")]
    for folder in folders:
        folder.mkdir()
    slot = made(9.0)
    before = [SlotTokens(FolderKey(folder).get).sign(slot) for folder in folders[:2]]
    machines = [SlotTokens(StoredKey(SharedKeys(driver, JULIET.domain), FolderKey(folder)).get) for folder in folders]
    assert [tokens.read(before[0]) for tokens in machines] == [slot.claims] * 3
    assert [tokens.read(before[1]) for tokens in machines] == [None] * 3
    assert not (folders[2] / "files.key").exists()


@pytest.mark.plain_thread
def test_machines_that_begin_together_have_one_key(open_driver: OpenDriver, tmp_path: Path) -> None:
    drivers = [open_driver("sqlite:x.sqlite", tmp_path) for _ in range(3)]
    keys = in_threads(lambda driver: SharedKeys(driver, JULIET.domain).get("files"), drivers)
    assert len(set(keys)) == 1
    assert len(keys[0]) == 32


def test_what_is_no_key_in_the_storage_is_replaced(driver: Driver) -> None:
    for left in ({"files": "00"}, {"files": "no key"}, {"files": 7}, ["files"], {"other": "aa"}):
        driver.store(None, JULIET.domain, STORE, left)
        key = SharedKeys(driver, JULIET.domain).get("files")
        assert SharedKeys(driver, JULIET.domain).get("files") == key
        assert len(key) == 32


def test_the_storage_fails_where_the_key_is(driver: Driver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(driver, "load", raising(StorageError("down")))
    tokens = SlotTokens(StoredKey(SharedKeys(driver, JULIET.domain), FolderKey(tmp_path)).get)
    with pytest.raises(OSError, match="key of slots"):
        tokens.sign(made(9.0))


def test_open_slots(tmp_path: Path) -> None:
    slots = OpenSlots(tmp_path / "files" / "slots")
    assert list(slots.walk()) == []
    good, over = made(time.time() + 9), made(time.time() - 1)
    slots.add(good)
    slots.add(over)
    (tmp_path / "files" / "slots" / "damaged").write_text("{")
    assert slots.get(good.id) == good
    assert slots.get("../slots") is None
    assert list(slots.walk()) == [good]
    assert slots.get(over.id) is None
    slots.close(good.id)
    slots.close(good.id)
    assert (list(slots.walk()), list((tmp_path / "files" / "slots").iterdir())) == ([], [])
