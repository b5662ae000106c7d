"""Commands that make, remove and check accounts, as the peer's do."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.commands.conftest import Run
from tests.conftest import DOMAIN, PASSWORD, SHARED, basic
from tests.many import in_threads


def who(user: str, **more: Any) -> dict[str, Any]:
    return {"user": user, "host": DOMAIN, **more}


def test_register_then_check_then_unregister(run: Run) -> None:
    assert run("register", who("romeo", password="x")) == (200, f"User romeo@{DOMAIN} successfully registered")
    assert run("check_account", who("romeo")) == (200, 0)
    assert run("check_password", who("romeo", password="x")) == (200, 0)
    assert run("unregister", who("romeo")) == (200, "")
    assert run("check_account", who("romeo")) == (200, 1)
    assert run("unregister", who("romeo")) == (200, "")


def test_register_twice(run: Run) -> None:
    answer = {"status": "error", "code": 10090, "message": f"User JULIET@{DOMAIN} already registered"}
    assert run("register", who("JULIET", password="x")) == (409, answer)


def test_names_are_folded_and_shown_as_they_were_sent(run: Run) -> None:
    assert run("register", who("ÜBER", password="x")) == (200, f"User ÜBER@{DOMAIN} successfully registered")
    assert run("check_account", who("über")) == (200, 0)
    assert "über" in run("registered_users", {"host": DOMAIN}).body


@SHARED
@pytest.mark.parametrize("name", ["", "a b", "a@b", "a/b", "a:b", "a'b", 'a"b', "a<b", "a>b", "a&b", "a" * 1024, "a\0b"])
def test_malformed_names(run: Run, name: str) -> None:
    text = f"Can't register user {name}@{DOMAIN} at node xmpp-rest@{DOMAIN}: Malformed username"
    assert run("register", who(name, password="x")) == (500, {"status": "error", "code": 10001, "message": text})
    assert run("check_account", who(name)) == (200, 1)
    assert run("unregister", who(name)) == (200, "")


@pytest.mark.parametrize("password", ["", "\u0007", "x" * 1024])
def test_bad_passwords(run: Run, password: str) -> None:
    text = f"Can't register user romeo@{DOMAIN} at node xmpp-rest@{DOMAIN}: The password contains unacceptable characters"
    assert run("register", who("romeo", password=password)) == (500, {"status": "error", "code": 10001, "message": text})
    assert run("change_password", who("juliet", newpass=password)) == (400, "invalid_password")
    assert run("check_password", who("juliet", password=PASSWORD)) == (200, 0)


def test_of_simultaneous_registrations_exactly_one_succeeds(run: Run) -> None:
    assert run("check_account", who("romeo")) == (200, 1)
    answers = in_threads(lambda n: run("register", who("romeo", password=f"password {n}")), range(8))
    assert sorted(a.status for a in answers) == [200] + [409] * 7
    winner = next(n for n, a in enumerate(answers) if a.status == 200)
    assert [run("check_password", who("romeo", password=f"password {n}")).body for n in range(8)] == [int(n != winner) for n in range(8)]


def test_change_password(run: Run) -> None:
    assert run("change_password", who("juliet", newpass="new")) == (200, 0)
    assert run("check_password", who("juliet", password="new")) == (200, 0)
    assert run("check_password", who("juliet", password=PASSWORD)) == (200, 1)
    assert run("change_password", who("nobody", newpass="new")) == (404, "unknown_user")
    assert run("change_password", who("nobody", newpass="")) == (404, "unknown_user")


def test_check_password_of_nobody(run: Run) -> None:
    assert run("check_password", who("nobody", password="x")) == (200, 1)


def test_registered_users_are_sorted(run: Run) -> None:
    assert run("registered_users", {"host": DOMAIN}) == (200, ["admin", "juliet", "nurse"])


def test_ordinary_account_after_its_password_changed(run: Run) -> None:
    old, new = basic(f"juliet@{DOMAIN}"), basic(f"juliet@{DOMAIN}", "new")
    assert run("registered_users", {"host": DOMAIN}, old).status == 403
    run("change_password", who("juliet", newpass="new"))
    users = {"host": DOMAIN}
    assert (run("registered_users", users, old).status, run("registered_users", users, new).status) == (401, 403)
