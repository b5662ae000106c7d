"""The audit has one line for each call, without secrets (commands-api §16)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from drivers import StorageError
from tests.api.commands.conftest import Run
from tests.conftest import DOMAIN, PASSWORD, basic
from tests.logs.fields import audited
from tests.logs.levels import levels_kept
from tests.raising import raising
from xmpp_rest.api.commands.audit import hidden
from xmpp_rest.gateway.gateway import Gateway
from xmpp_rest.logs.lines import TextLines
from xmpp_rest.logs.setup import follow

LOGGER = "xmpp_rest.audit"


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level("DEBUG")
    return caplog


def lines(log: pytest.LogCaptureFixture) -> list[str]:
    return [TextLines().format(r) for r in log.records if r.name == LOGGER]


@pytest.mark.parametrize(
    ("path", "args", "headers", "account", "command", "status"),
    [
        ("check_account", {"user": "juliet", "host": DOMAIN}, None, f"admin@{DOMAIN}", "check_account", 200),
        ("stats/v0", {"name": "x"}, basic(f"juliet@{DOMAIN}"), f"juliet@{DOMAIN}", "stats/v0", 403),
        ("status", {}, {}, None, "status", 403),
        ("status", {}, basic(f"admin@{DOMAIN}", "wrong"), None, "status", 401),
        ("a%09b", {}, {}, None, "a\tb", 404),
        ("status", {"a\nb": "\u2028c"}, None, f"admin@{DOMAIN}", "status", 400),
    ],
)  # fmt: skip
def test_one_line_a_call(
    run: Run, log: pytest.LogCaptureFixture, path: str, args: Any, headers: Any, account: str | None, command: str, status: int
) -> None:
    run(path, args, *([] if headers is None else [headers]))
    assert audited(log) == [(account, "127.0.0.1", command, args, status)]
    assert len(lines(log)[0].splitlines()) == 1


SECRET = "s3cr3t-of-juliet"


@pytest.mark.parametrize(
    ("path", "args"),
    [
        ("register", {"user": "romeo", "host": DOMAIN, "password": SECRET}),
        ("register", {"user": "romeo", "host": DOMAIN, "password": [SECRET]}),
        ("register", {"user": "a b", "host": DOMAIN, "password": SECRET}),
        ("register", {"user": "romeo", "password": SECRET}),
        ("change_password", {"user": "juliet", "host": DOMAIN, "newpass": SECRET}),
        ("change_password", {"user": "juliet", "host": DOMAIN, "newpass": SECRET + "\u0007"}),
        ("check_password_hash", {"user": "juliet", "host": DOMAIN, "passwordhash": SECRET, "hashmethod": "md5"}),
        ("oauth_revoke_token", {"token": SECRET}),
        ("oauth_add_client_password", {"client_id": "a", "client_name": "b", "secret": SECRET}),
    ],
)
def test_secrets_stay_secret(run: Run, log: pytest.LogCaptureFixture, path: str, args: Any) -> None:
    answer = run(path, args)
    assert SECRET not in log.text
    assert SECRET not in str(answer.body)
    assert len(lines(log)) == 1


def test_secrets_stay_secret_when_a_command_breaks(
    run: Run, gateway: Gateway, log: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("status")
    monkeypatch.setattr(gateway.driver, "update", raising(OSError("the disk is on fire")))
    assert run("register", {"user": "romeo", "host": DOMAIN, "password": SECRET}) == (500, "internal_error")
    assert "the disk is on fire" in log.text
    assert SECRET not in log.text


def test_credentials_that_cannot_be_checked(run: Run, gateway: Gateway, log: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("xmpp_rest.auth.remembered.SECONDS", 0)  # else what was read for the first call is good for the second
    run("status")
    monkeypatch.setattr(gateway.driver, "load", raising(StorageError("the disk is on fire")))
    text = "The storage failed; nothing was changed: the disk is on fire"
    assert run("status") == (503, {"status": "error", "code": 0, "message": text})
    assert audited(log)[-1] == (None, "127.0.0.1", "status", {}, 503)


def test_the_authorization_field_is_not_written_down(run: Run, log: pytest.LogCaptureFixture) -> None:
    run("status")
    assert basic(f"admin@{DOMAIN}")["Authorization"].split()[1] not in log.text
    assert PASSWORD not in log.text


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ([{"name": "password", "value": "x"}, {"name": "title", "value": "y"}], [{"name": "password", "value": "hidden"}, {"name": "title", "value": "y"}]),
        ({"password": "x", "title": "y"}, {"password": "hidden", "title": "y"}),
        ([[{"token": ["x"]}]], [[{"token": "hidden"}]]),
        ("x", "x"),
    ],
)  # fmt: skip
def test_secrets_inside_other_values(value: Any, shown: Any) -> None:
    assert hidden("options", value) == shown


def nested(depth: int) -> Any:
    value: Any = "x"
    for n in range(depth):
        value = [value] if n % 2 else {"a": value}
    return value


@pytest.mark.parametrize(
    "value", ["y" * 100_000, ["y" * 100] * 10_000, {str(n): n for n in range(100_000)}, nested(400), [[["x"] * 30] * 30] * 30, 10**4000]
)
def test_long_and_deep_values_are_cut(run: Run, log: pytest.LogCaptureFixture, value: Any) -> None:
    assert (run("registered_users", {"x" * 1000: 1, "host": value}).status, len(lines(log))) == (400, 1)
    assert len(lines(log)[0]) < 1000


def test_many_arguments_are_cut(run: Run, log: pytest.LogCaptureFixture) -> None:
    assert run("status", {f"argument {n}": "x" * 1000 for n in range(10_000)}).status == 400
    assert len(lines(log)[0]) < 10_000


def test_a_line_however_little_is_logged(run: Run, gateway: Gateway, log: pytest.LogCaptureFixture) -> None:
    with levels_kept():
        follow(replace(gateway.settings.server, log_level="error", log_levels=(("audit", "error"),)))
        run("set_loglevel", {"loglevel": "none"})
        log.clear()
        run("registered_vhosts")
        assert len(lines(log)) == 1
