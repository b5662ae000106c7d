"""Does `check` refuse what cannot work, although each value may stand there, and keep secrets to itself?"""

from __future__ import annotations

import pytest

from xmpp_rest.check import describe, require_sense
from xmpp_rest.configuration import SettingsError, load_settings


def problems(**environ: str) -> list[str]:
    try:
        require_sense(load_settings(None, {f"XMPP_REST_{k}": v for k, v in environ.items()}))
    except SettingsError as e:
        return e.problems
    return []


@pytest.mark.parametrize("url", ["sqlite:x.sqlite", "flatfile:data", "postgresql://localhost/x", "package.module:Class:x"])
def test_storages_that_there_are(url: str) -> None:
    assert problems(STORAGE_URL=url) == []


@pytest.mark.parametrize(
    ("url", "remedy"), [("mongo://u:hidden@x/", "write one of flatfile"), ("sqlite", "sqlite:gateway.sqlite"), ("", "colon")]
)
def test_storages_that_there_are_not(url: str, remedy: str) -> None:
    (problem,) = problems(STORAGE_URL=url)
    assert problem.startswith("[storage] url: ")
    assert remedy in problem
    assert "u:hidden" not in problem


@pytest.mark.parametrize("name", ["gthread", "gevent", "xmpp_rest.http.worker.Worker", "gunicorn.workers.gthread.ThreadWorker"])
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
