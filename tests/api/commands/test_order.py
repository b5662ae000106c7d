"""Requests are checked in the peer's order, whatever else is wrong with them (commands-api §2)."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from tests.api.commands.conftest import ADMIN, Run
from tests.conftest import DOMAIN, PASSWORD, SHARED, TOKEN, basic

ORDINARY = basic(f"juliet@{DOMAIN}")
WRONG = basic(f"admin@{DOMAIN}", "wrong")
NOBODY: dict[str, str] = {}
HOST = {"host": DOMAIN}


def error(code: int, message: str) -> dict[str, Any]:
    return {"status": "error", "code": code, "message": message}


EMPTY = (400, "Missing POST data")
BAD = (400, "400 Bad Request")
UNKNOWN_NAME = (404, error(40, "Endpoint not found."))
UNAUTHORIZED = (401, error(10, "You are not authorized to call this command."))
BAD_TOKEN = (401, error(10, "Oauth Token is invalid or expired."))
UNKNOWN_COMMAND = (400, "unknown_command")
FORBIDDEN = (403, error(32, "AccessRules: Account does not have the right to perform the operation."))
MISSING = (400, "Request have missing argument: host")

CASES = {
    "the body before the name": ("no_such_command", b"", WRONG, EMPTY),
    "JSON before the name": ("no_such_command", b"{", WRONG, BAD),
    "the name before wrong credentials": ("no_such_command", {}, WRONG, UNKNOWN_NAME),
    "the name before no credentials": ("no_such_command", {}, NOBODY, UNKNOWN_NAME),
    "the name counts exactly": ("Register", {}, ADMIN, UNKNOWN_NAME),
    "a hyphen is not an underscore": ("registered-users", HOST, ADMIN, UNKNOWN_NAME),
    "credentials before the version": ("get_ban_details/v0", {}, WRONG, UNAUTHORIZED),
    "credentials before arguments": ("registered_users", {}, WRONG, UNAUTHORIZED),
    "credentials before what is not offered": ("stop", {}, WRONG, UNAUTHORIZED),
    "the version before arguments": ("get_ban_details/v1", {}, ADMIN, UNKNOWN_COMMAND),
    "the version before rights": ("get_ban_details/v1", {}, ORDINARY, UNKNOWN_COMMAND),
    "a negative version": ("registered_users/v-1", HOST, ADMIN, UNKNOWN_COMMAND),
    "not offered before rights": ("stop", {}, NOBODY, UNKNOWN_COMMAND),
    "internal": ("webadmin_muc", {}, ADMIN, (400, "frontend_cannot_call_an_internal_command")),
    "arguments before rights": ("registered_users", {}, ORDINARY, MISSING),
    "arguments before anonymous callers": ("registered_users", {}, NOBODY, MISSING),
    "the first argument that is wrong": ("register", {"password": 5, "host": 6}, ADMIN, (400, "Request have missing argument: user")),
    "wrong before left over": ("registered_users", {"zzz": 1}, ADMIN, MISSING),
    "left over before rights": ("registered_users", HOST | {"zzz": 1}, ORDINARY, (400, "Request have unknown arguments: [zzz]")),
    "rights of an account": ("registered_users", HOST, ORDINARY, FORBIDDEN),
    "rights of nobody": ("registered_vhosts", {}, NOBODY, FORBIDDEN),
    "rights before the run": ("stats", {"name": "bogus"}, ORDINARY, FORBIDDEN),
    "a foreign host": ("registered_users", {"host": "montague.example"}, ADMIN, FORBIDDEN),
    "a host that is none": ("registered_users", {"host": "a b"}, ADMIN, FORBIDDEN),
    "all hosts": ("count_banned", {"host": "all"}, ADMIN, FORBIDDEN),
}


@SHARED
@pytest.mark.parametrize(("path", "args", "headers", "answer"), CASES.values(), ids=CASES)
def test_order(run: Run, path: str, args: Any, headers: dict[str, str], answer: tuple[int, Any]) -> None:
    assert run(path, args, headers) == answer


def encoded(text: bytes) -> str:
    return base64.b64encode(text).decode()


GOOD = f"admin@{DOMAIN}:{PASSWORD}".encode()
AUTHORIZATION = {
    "upper case": ("Basic " + encoded(GOOD.replace(b"admin", b"ADMIN")), 200),
    "with a resource": ("Basic " + encoded(GOOD.replace(b":", b"/phone:", 1)), 200),
    "no domain": ("Basic " + encoded(f"admin:{PASSWORD}".encode()), UNAUTHORIZED),
    "domain alone": ("Basic " + encoded(f"{DOMAIN}:{PASSWORD}".encode()), UNAUTHORIZED),
    "foreign domain": ("Basic " + encoded(f"admin@montague.example:{PASSWORD}".encode()), UNAUTHORIZED),
    "no JID": ("Basic " + encoded(f"a b@{DOMAIN}:{PASSWORD}".encode()), UNAUTHORIZED),
    "no colon": ("Basic " + encoded(f"admin@{DOMAIN}".encode()), UNAUTHORIZED),
    "broken base64": ("Basic ä", UNAUTHORIZED),
    "not UTF-8": ("Basic " + encoded(b"admin@\xff:x"), UNAUTHORIZED),
    "empty": ("", UNAUTHORIZED),
    "another scheme": ("Digest x", UNAUTHORIZED),
    "unknown token": ("Bearer nothing", BAD_TOKEN),
    "no token": ("Bearer", BAD_TOKEN),
    "the token of /rest": (TOKEN, BAD_TOKEN),
    "bearer in lower case": ("bearer nothing", UNAUTHORIZED),
}


@SHARED
@pytest.mark.parametrize(("field", "answer"), AUTHORIZATION.values(), ids=AUTHORIZATION)
def test_authorization(run: Run, field: str, answer: Any) -> None:
    got = run("registered_vhosts", {}, {"Authorization": field})
    assert got == ((200, [DOMAIN]) if answer == 200 else answer)


def test_x_admin_gives_no_right(run: Run) -> None:
    assert run("registered_vhosts", {}, {"X-Admin": "true"}) == FORBIDDEN
    assert run("registered_vhosts", {}, ORDINARY | {"X-Admin": "true"}) == FORBIDDEN


def test_a_contact_may_be_anywhere_but_the_account_must_be_here(run: Run) -> None:
    contact = {"localuser": "juliet", "user": "romeo", "host": "montague.example"}
    more = {"nick": "", "groups": [], "subs": "both"}
    assert run("add_rosteritem", contact | more | {"localhost": DOMAIN}) == (200, 0)
    assert run("add_rosteritem", contact | more | {"localhost": "montague.example"}) == FORBIDDEN
    assert run("delete_rosteritem", contact | {"localhost": DOMAIN}) == (200, 0)
    assert run("delete_rosteritem", contact | {"localhost": "montague.example"}) == FORBIDDEN
