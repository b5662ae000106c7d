"""An application whose callers have accounts on another server, MONTAGUE, which is a scripted one.

A conftest that imports `make_foreign_app` and `foreign_app` from here has them as fixtures.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.conftest import MakeApp, basic, register_users
from tests.link.c2s.fake_server import FakeServer
from xmpp_rest.gateway.gateway import Gateway
from xmpp_rest.protocol.jid import JID, parse_jid

MONTAGUE = "montague.example"
ROMEO = parse_jid(f"romeo@{MONTAGUE}")
PASSWORDS = {"romeo": "swear not by the moon", "benvolio": "part, fools", "mercutio": "a plague on both"}
"""Of the accounts of MONTAGUE."""
MakeForeignApp = Callable[..., "ForeignApp"]


class ForeignApp:
    """The application, and the server of its callers."""

    def __init__(self, app: Flask, server: FakeServer) -> None:
        self.app = app
        self.server = server
        self.client: FlaskClient = app.test_client()
        self.gateway: Gateway = app.extensions["gateway"]

    def auth(self, user: str = "romeo", password: str | None = None) -> dict[str, str]:
        """The Authorization field of a user of MONTAGUE."""
        return basic(f"{user}@{self.server.domain}", PASSWORDS[user] if password is None else password)

    def ask(self, method: str, path: str, user: str = "romeo", *, password: str | None = None, **given: Any) -> TestResponse:
        """A request of a user of MONTAGUE."""
        headers = self.auth(user, password) | given.pop("headers", {})
        return self.client.open(path, method=method, headers=headers, **given)

    def log_in(self, user: str = "romeo") -> JID:
        """The full address of the user's session, which is there afterwards."""
        answer = self.ask("GET", "/rest/session", user)
        assert answer.status_code == 200, answer.text
        return parse_jid(answer.get_json()["jid"])


def login_settings(server: FakeServer, **given: str) -> dict[str, str]:
    """Settings for `make_app`: a section [login.other] for this server, where `given` is not something else."""
    section = server.ini() | given
    return {f"login_other_{key}": value for key, value in section.items()}


@pytest.fixture(scope="session")
def montague_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the certificate of MONTAGUE is, which takes a moment to make."""
    return tmp_path_factory.mktemp("montague")


@pytest.fixture
def make_foreign_app(make_app: MakeApp, montague_folder: Path) -> Iterator[MakeForeignApp]:
    """Makes one, with the hosted accounts of USERS besides; keywords are settings, such as `sessions_recheck="1"`."""
    with ExitStack() as stack:

        def make(**given: str) -> ForeignApp:
            server = stack.enter_context(FakeServer(montague_folder, PASSWORDS, MONTAGUE))
            app = register_users(make_app(**login_settings(server), **given))
            gateway: Gateway = app.extensions["gateway"]
            stack.callback(gateway.stop)  # before the server
            return ForeignApp(app, server)

        yield make


@pytest.fixture
def foreign_app(make_foreign_app: MakeForeignApp) -> ForeignApp:
    return make_foreign_app()
