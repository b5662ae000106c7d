"""Passwords on their way from one machine to another are sealed (many-machines §9)."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from drivers import Driver, StorageError
from tests.conftest import DOMAIN, OpenDriver
from tests.raising import raising
from xmpp_rest.auth.sealing import BadSeal, KeyedSeal, NoSeal
from xmpp_rest.auth.shared_keys import SharedKeys
from xmpp_rest.errors import GatewayError
from xmpp_rest.incidents import Incidents
from xmpp_rest.service.sessions.password_carriage import PasswordCarriage

TEXTS = ["", "s3cret", "ünïcöde \u20ac \U0001f511", "\ud800 alone", "x" * 5000]

ROMEO = "romeo@montague.example"


@pytest.fixture
def driver(open_driver: OpenDriver, tmp_path: Path) -> Driver:
    return open_driver("sqlite:x.sqlite", tmp_path)


def sealed_with(driver: Driver, secret: str) -> KeyedSeal:
    return KeyedSeal(SharedKeys(driver, DOMAIN), secret)


@pytest.mark.parametrize("text", TEXTS)
def test_another_machine_reads_it_and_nobody_else(driver: Driver, text: str) -> None:
    one, two = sealed_with(driver, "component"), sealed_with(driver, "component")
    sealed = one.close(text, ROMEO)
    assert two.open(sealed, ROMEO) == text
    assert sealed != one.close(text, ROMEO)
    assert not text or text.encode("utf-8", "surrogatepass") not in base64.b64decode(sealed)
    with pytest.raises(BadSeal):
        sealed_with(driver, "another").open(sealed, ROMEO)
    assert NoSeal().open(NoSeal().close(text, ROMEO), ROMEO) == text


def test_what_was_changed_on_its_way_is_not_read(driver: Driver) -> None:
    seal = sealed_with(driver, "component")
    data = bytearray(base64.b64decode(seal.close("s3cret", ROMEO)))
    for place in range(len(data)):
        changed = bytearray(data)
        changed[place] ^= 1
        with pytest.raises(BadSeal):
            seal.open(base64.b64encode(changed).decode(), ROMEO)
    for short in ("", "!", "\u20ac", base64.b64encode(data[:40]).decode(), base64.b64encode(data[:-1]).decode()):
        with pytest.raises(BadSeal):
            seal.open(short, ROMEO)


def test_what_lets_one_account_in_is_not_read_for_another(driver: Driver) -> None:
    sealed = sealed_with(driver, "component").close("s3cret", ROMEO)
    for purpose in ("romeo@thief.example", "the key of proofs", ""):
        with pytest.raises(BadSeal):
            sealed_with(driver, "component").open(sealed, purpose)


def test_nodes_with_other_secrets_are_told_why(driver: Driver, caplog: pytest.LogCaptureFixture) -> None:
    carried = PasswordCarriage(sealed_with(driver, "one"), Incidents()).put_in("s3cret", ROMEO)
    with pytest.raises(GatewayError, match="do not understand each other"):
        PasswordCarriage(sealed_with(driver, "another"), Incidents()).taken_out(carried, ROMEO)
    assert "[link] secret" in caplog.text
    assert "s3cret" not in caplog.text


def test_the_storage_fails(driver: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    carriage = PasswordCarriage(sealed_with(driver, "one"), Incidents())
    monkeypatch.setattr(driver, "load", raising(StorageError("down")))
    with pytest.raises(GatewayError, match="nobody was asked") as put:
        carriage.put_in("s3cret", ROMEO)
    with pytest.raises(GatewayError, match="nobody was asked") as taken:
        carriage.taken_out(base64.b64encode(bytes(99)).decode(), ROMEO)
    assert put.value.name == taken.value.name == "storage-failed"
