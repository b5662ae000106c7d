"""Passwords are stored as Prosody stores them, and checked in every form that it writes (RFC 5802, data-api §5.1)."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from tests.auth.records import RECORDS
from tests.costs import spent
from tests.threads.scheduler import OneThread
from xmpp_rest.auth.passwords import Keys, Passwords, derive


@pytest.fixture
def passwords() -> Passwords:
    return Passwords("SHA-1", 4096)


@pytest.mark.parametrize(("password", "record"), RECORDS)
def test_records_of_a_real_server(passwords: Passwords, password: str, record: dict[str, Any]) -> None:
    assert passwords.check(record, password)
    assert passwords.check(record, password), "the remembered check must agree"
    assert not passwords.check(record, password + "x")
    assert not passwords.check(record, "")


def test_a_changed_record_takes_effect_at_once(passwords: Passwords) -> None:
    old = passwords.record("old one")
    assert passwords.check(old, "old one")
    new = passwords.record("new one", old)
    assert new["salt"] != old["salt"]
    assert not passwords.check(new, "old one")
    assert passwords.check(new, "new one")


def test_other_members_stay_and_iterations_never_fall(passwords: Passwords) -> None:
    record = passwords.record("x", {"password": "plain", "iteration_count": 5000, "created": 1})
    assert record["created"] == 1
    assert record["iteration_count"] == 5000
    assert "password" not in record


@pytest.mark.parametrize(
    "record",
    [
        None,
        {},
        {"password": ""},
        {"salt": "x", "stored_key": "0" * 40, "server_key": "0" * 40},
        {"salt": "x", "iteration_count": 0, "stored_key": "0" * 40, "server_key": "0" * 40},
        {"salt": "x", "iteration_count": 10**12, "stored_key": "0" * 40, "server_key": "0" * 40},
        {"salt": 5, "iteration_count": 1, "stored_key": "0" * 40, "server_key": "0" * 40},
        {"salt": "x", "iteration_count": 1, "stored_key": "0" * 41, "server_key": "0" * 40},
        {"salt": "x", "iteration_count": 1, "stored_key": ["0"], "server_key": "0" * 40},
    ],
)
def test_broken_records_open_for_nobody(passwords: Passwords, record: dict[str, Any] | None) -> None:
    assert not passwords.check(record, "any")
    assert not passwords.check(record, "")


def test_later_checks_are_cheap(passwords: Passwords) -> None:
    record = Passwords("SHA-256", 100_000).record("slow")
    assert passwords.check(record, "slow")
    first, results = Passwords("SHA-256", 100_000), list[bool]()
    later = spent(lambda: results.extend(passwords.check(record, "slow") for _ in range(100)))
    assert results == [True] * 100
    assert later < spent(lambda: first.check(record, "slow")), "a hundred later ones cost less than one first one"


def test_the_memory_is_bounded(passwords: Passwords, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Passwords, "REMEMBERED", 3)
    cheap = Passwords("SHA-1", 4096)
    records = [cheap.record(str(n)) for n in range(5)]
    assert all(cheap.check(r, str(n)) for n, r in enumerate(records))
    assert len(cheap._good) == 3


def test_a_task_that_derives_keys_leaves_its_thread_to_others(passwords: Passwords) -> None:
    scheduler, record = OneThread(), passwords.record("right")
    said: list[object] = []
    thread = threading.get_ident()
    derived_on: list[int] = []
    others = threading.Event()

    def other() -> None:
        said.append("other")
        others.set()

    def first() -> None:
        said.append(passwords.check(record, "right"))
        assert threading.get_ident() == thread
        said.append(passwords.check(record, "right"))

    def noting(*args: Any) -> Keys:
        derived_on.append(threading.get_ident())
        assert others.wait(30)
        return derive(*args)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("xmpp_rest.auth.passwords.derive", noting)
        scheduler.run(first, other, lambda: said.append(passwords.check(record, "wrong")))
    assert said[0] == "other"
    assert said.count(True) == 2
    assert said.count(False) == 1
    assert len(derived_on) == 2
    assert thread not in derived_on
