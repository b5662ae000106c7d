"""Tokens and open slots (files §4.2)."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from xmpp_rest.protocol.jid import parse_jid
from xmpp_rest.service.files.slots import OpenSlots, SlotTokens
from xmpp_rest.service.files.store import new_id
from xmpp_rest.service.files.values import Slot

JULIET = parse_jid("juliet@capulet.example")


def made(until: float) -> Slot:
    return Slot(new_id(), JULIET, "r\u00f6se.png", 5, "image/png", until)


def test_a_token_says_what_was_signed_and_nothing_else(tmp_path: Path) -> None:
    slot, tokens = made(99.5), SlotTokens(tmp_path)
    token = tokens.sign(slot)
    assert tokens.read(token) == SlotTokens(tmp_path).read(token) == slot.claims
    payload, signature = token.split(".")
    other = tokens.sign(made(99.5)).split(".")
    wrong = ["", ".", payload, f"{payload}.", f".{signature}", f"{other[0]}.{signature}", f"{payload}.{other[1]}", token[:-2], f"{token}x", "\u20ac", "x" * 5000]
    assert [tokens.read(each) for each in wrong] == [None] * len(wrong)
    (tmp_path / "files.key").unlink()
    assert SlotTokens(tmp_path).read(token) is None


@pytest.mark.plain_thread
def test_processes_that_begin_together_have_one_key(tmp_path: Path) -> None:
    slot = made(9.0)
    for number in range(20):
        folder = tmp_path / str(number)
        folder.mkdir()
        with ThreadPoolExecutor(4) as pool:
            signed = list(pool.map(lambda folder: SlotTokens(folder).sign(slot), [folder] * 4))
        assert len(set(signed)) == 1
        assert [path.name for path in folder.iterdir()] == ["files.key"]
        assert (folder / "files.key").stat().st_mode & 0o777 == 0o600


def test_a_key_that_is_damaged_is_made_again(tmp_path: Path) -> None:
    (tmp_path / "files.key").write_bytes(b"short")
    slot = made(9.0)
    assert SlotTokens(tmp_path).read(SlotTokens(tmp_path).sign(slot)) == slot.claims


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
