"""`check` refuses valid values that cannot work together, and shows no secrets."""

from __future__ import annotations

import pytest

from xmpp_rest.api.commands import registry
from xmpp_rest.config.check import describe, remarks, require_sense
from xmpp_rest.config.load import SettingsError, load_settings


def problems(**environ: str) -> list[str]:
    try:
        require_sense(load_settings(None, {f"XMPP_REST_{k}": v for k, v in environ.items()}), registry())
    except SettingsError as e:
        return e.problems
    return []


@pytest.mark.parametrize("url", ["sqlite:x.sqlite", "flatfile:data", "postgresql://localhost/x", "package.module:Class:x"])
def test_storages_that_there_are(url: str) -> None:
    assert problems(STORAGE_URL=url) == []


@pytest.mark.parametrize(
    ("url", "remedy"), [
        ("mongo://u:hidden@x/", "write one of flatfile"),
        ("sqlite", "sqlite:gateway.sqlite"),
        ("", "colon"),
        ("gateway.sqlite", "write sqlite:gateway.sqlite"),
        ("/var/lib/prosody", "write flatfile:/var/lib/prosody"),
        ("sqlite3:gateway.sqlite", "did you mean sqlite?"),
        ("postgrsql://u:hidden@x/", "did you mean postgresql?"),
        ("sqlite://gateway.sqlite", "without //"),
        ("sqlite:gateway.sqlite ;here", "without a comment"),
    ],
)
def test_storages_that_there_are_not(url: str, remedy: str) -> None:
    (problem,) = problems(STORAGE_URL=url)
    assert problem.startswith("[storage] url: ")
    assert remedy in problem
    assert "u:hidden" not in problem


@pytest.mark.parametrize(
    ("admins", "remedy"),
    [
        ("admin", "nobody could administer the gateway; write admin@gw.example"),
        ("gw.example", "write admin@gw.example"),
        ("boss@other.example", "nobody could administer the gateway; write boss@gw.example"),
        ("a@muclight.gw.example b@x", "write a@gw.example"),
        ("admin@gw.example, root", "and not of an account; write root@gw.example"),
    ],
)
def test_administrators_that_could_not_administer(admins: str, remedy: str) -> None:
    (problem,) = problems(GATEWAY_DOMAIN="gw.example", AUTH_ADMINS=admins)
    assert problem.startswith("[auth] admins: ")
    assert remedy in problem


@pytest.mark.parametrize("admins", ["admin@gw.example", "admin@<domain>", "a@gw.example, b@gw.example", "a@gw.example b@other.example"])
def test_administrators_that_can(admins: str) -> None:
    assert problems(GATEWAY_DOMAIN="gw.example", AUTH_ADMINS=admins) == []


@pytest.mark.parametrize(
    ("environ", "says"),
    [
        ({"LINK_SECRET": "x"}, "[link] secret: is set, but kind is none"),
        ({"LINK_HOST": "xmpp.example.net"}, "[link] host: is set, but kind is none"),
        ({"AUTH_ADMINS": "admin@localhost, boss@other.example"}, "[auth] admins: boss@other.example"),
        ({"LINK_SECRET": '"x"', "LINK_KIND": "component"}, "[link] secret: starts and ends with quotation marks"),
        ({"AUTH_ADMIN_PASSWORD": "'x'"}, "[auth] admin_password: starts and ends with quotation marks"),
        ({"AUTH_ADMIN_PASSWORD": "'x"}, ""),
        ({"LINK_SECRET": "x", "LINK_KIND": "none"}, ""),
        ({"LINK_SECRET": "x", "LINK_KIND": "component"}, ""),
        ({}, ""),
    ],
)
def test_remarks(environ: dict[str, str], says: str) -> None:
    found = list(remarks(load_settings(None, {f"XMPP_REST_{k}": v for k, v in environ.items()})))
    assert bool(found) == bool(says)
    assert all(line.startswith(says) for line in found)


@pytest.mark.parametrize("name", ["gthread", "gevent", "xmpp_rest.serving.worker.Worker", "gunicorn.workers.gthread.ThreadWorker"])
def test_workers_that_there_are(name: str) -> None:
    assert problems(SERVER_WORKER_CLASS=name) == []


@pytest.mark.parametrize("name", ["nosuch", "nosuch.Worker", "nosuch.module.Worker", "xmpp_rest.nosuch.Worker"])
def test_workers_that_there_are_not(name: str) -> None:
    (problem,) = problems(SERVER_WORKER_CLASS=name)
    assert problem.startswith(f"[server] worker_class = {name!r}: ")


def test_what_it_would_do_shows_no_secret() -> None:
    environ = {
        "STORAGE_URL": "postgresql://u:hidden@x/y", "LINK_KIND": "component", "LINK_SECRET": "hidden", "AUTH_ADMIN_PASSWORD": "hidden",
        "CALLBACK_BOT_URL": "http://u:hidden@x/", "CALLBACK_BOT_ADDRESS": "bot@localhost",
    }  # fmt: skip
    lines = list(describe(load_settings(None, {f"XMPP_REST_{k}": v for k, v in environ.items()})))
    assert any("bot@localhost" in line for line in lines)
    assert "hidden" not in "".join(lines)
