"""Accounts of other servers while the configuration is read again (accounts-anywhere §1.1)."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import DOMAIN
from tests.foreign_app import MONTAGUE, PASSWORDS, ForeignApp, montague_folder
from tests.link.attached import until
from tests.link.c2s.fake_server import FakeServer
from xmpp_rest.application import build
from xmpp_rest.config.load import SettingsError, load_settings

__all__ = ["montague_folder"]


class ReloadedApp(ForeignApp):
    """One whose configuration is a file."""

    def __init__(self, path: Path, server: FakeServer) -> None:
        self.path = path
        self.configure(server)
        super().__init__(build(load_settings(path, {})), server)

    def configure(self, server: FakeServer, more: str = "", **given: str) -> None:
        section = "".join(f"{key} = {value}\n" for key, value in (server.ini() | given).items())
        self.path.write_text(f"[gateway]\ndomain = {DOMAIN}\n[server]\ndata_dir = data\n[login.other]\n{section}{more}")

    def reload(self, more: str = "", **given: str) -> list[str]:
        """The names of what is in force now."""
        self.configure(self.server, more, **given)
        return self.gateway.reload().applied


@pytest.fixture
def reloaded_app(montague_folder: Path, tmp_path: Path) -> Iterator[ReloadedApp]:
    with FakeServer(montague_folder, PASSWORDS, MONTAGUE) as server:
        app = ReloadedApp(tmp_path / "wsgi.ini", server)
        yield app
        app.gateway.stop()


def statuses(app: ForeignApp, passwords: list[str | None]) -> list[int]:
    return [app.ask("GET", "/rest/session", password=password).status_code for password in passwords]


def reread_by(app: ForeignApp) -> None:
    """As `reload_config` does it in one of the processes."""
    app.gateway.reload()
    app.gateway.parts.remote.broadcast("reload")


def test_bounds_are_in_force_and_sessions_go_on(reloaded_app: ReloadedApp) -> None:
    session = reloaded_app.log_in()
    assert reloaded_app.reload("[sessions]\nresource = desk\nfailures_account = 1\n") == [
        "[sessions] failures_account",
        "[sessions] resource",
    ]
    assert reloaded_app.log_in() == session
    assert reloaded_app.log_in("benvolio").resource.startswith("desk-")
    assert statuses(reloaded_app, ["a", "b"]) == [403, 429]


def test_a_changed_section_ends_its_sessions(reloaded_app: ReloadedApp) -> None:
    reloaded_app.log_in()
    assert reloaded_app.reload(tls="starttls", port=str(reloaded_app.server.starttls_port)) == ["[login.other]"]
    reloaded_app.server.until(lambda: not reloaded_app.server.sessions)
    reloaded_app.log_in()


def test_a_domain_that_is_no_longer_listed_is_nobodys(reloaded_app: ReloadedApp) -> None:
    reloaded_app.log_in()
    reloaded_app.reload(domains="verona.example")
    reloaded_app.server.until(lambda: not reloaded_app.server.sessions)
    assert statuses(reloaded_app, [None]) == [403]
    assert reloaded_app.server.logins == ["romeo"]


def test_a_mistake_leaves_all_as_it_was(reloaded_app: ReloadedApp) -> None:
    session = reloaded_app.log_in()
    for mistake in ({"domains": DOMAIN}, {"ca_file": "none.pem"}, {"tls": "auto"}):
        with pytest.raises(SettingsError, match=r"\[login\.other\]"):
            reloaded_app.reload(**mistake)
    assert reloaded_app.log_in() == session
    assert reloaded_app.server.logins == ["romeo"]


def test_a_section_comes_and_goes_in_all_processes(reloaded_app: ReloadedApp) -> None:
    """As the follower is told to read it; it has begun without a section for anybody."""
    reloaded_app.reload(domains="verona.example")
    follower = ForeignApp(build(load_settings(reloaded_app.path, {})), reloaded_app.server)
    both = (reloaded_app, follower)
    try:
        for app in both:
            app.gateway.start()
        assert [statuses(app, [None]) for app in both] == [[403], [403]]
        assert reloaded_app.server.logins == []
        reloaded_app.configure(reloaded_app.server)
        reread_by(follower)
        until(lambda: all(statuses(app, [None]) == [200] for app in both))
        assert reloaded_app.server.logins == ["romeo"]
        reloaded_app.configure(reloaded_app.server, domains="verona.example")
        reread_by(follower)
        reloaded_app.server.until(lambda: not reloaded_app.server.sessions)
        until(lambda: all(statuses(app, [None]) == [403] for app in both))
        assert reloaded_app.server.logins == ["romeo"]
    finally:
        follower.gateway.stop()


@pytest.mark.parametrize("domains", ["verona.example", f"{MONTAGUE}, verona.example"])
def test_logins_under_way_open_no_session_by_settings_of_before(reloaded_app: ReloadedApp, domains: str) -> None:
    answers: list[int] = []
    users = ("romeo", "benvolio", "romeo", "mercutio", "benvolio", "mercutio")
    threads = [
        threading.Thread(target=lambda user=user: answers.append(reloaded_app.ask("GET", "/rest/session", user).status_code))
        for user in users
    ]
    with reloaded_app.server.frozen():
        for thread in threads:
            thread.start()
        until(lambda: reloaded_app.server.connections == len(set(users)))
        reloaded_app.reload(domains=domains)
    for thread in threads:
        thread.join(60)
    assert answers == [503] * len(users)
    reloaded_app.server.until(lambda: not reloaded_app.server.sessions)
