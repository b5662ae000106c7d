"""A gateway with a bot's address, the web service behind it, and what its users get, for tests of callbacks."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any
from xml.etree.ElementTree import Element

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.conftest import DOMAIN, MakeApp, basic, register_users
from tests.link.fake import attach
from tests.webservice import Service, serving
from xmpp_rest.gateway.gateway import Gateway
from xmpp_rest.protocol.jid import parse_jid
from xmpp_rest.protocol.parse import parse_text

BOT = f"bot@{DOMAIN}"
MakeBot = Callable[..., "BotApp"]


class BotApp:
    """An application with a callback for BOT, and its client."""

    def __init__(self, app: Flask) -> None:
        self.app = app
        self.gateway: Gateway = app.extensions["gateway"]
        self.client: FlaskClient = app.test_client()
        self.outside: list[Element] = []  # what left for other domains
        attach(self.gateway.parts.router, lambda _, stanza: self.outside.append(stanza))

    def post(self, user: str = "juliet", **stanza: Any) -> TestResponse:
        """POST /rest as this user, JSON to the bot."""
        return self.client.post("/rest", json={"to": BOT} | stanza, headers=basic(user))

    def come(self, xml: str) -> None:
        """A stanza comes in from another domain."""
        stanza = parse_text(xml)
        assert self.gateway.parts.router.deliver(stanza, parse_jid(stanza.attrib["from"]), parse_jid(stanza.attrib["to"])) is None

    def bodies(self, user: str = "juliet") -> list[str]:
        """What the archive of this user holds, oldest first."""
        items = self.gateway.driver.archive_find(user, DOMAIN, "archive")
        return [parse_text(i.stanza).findtext("body") or "" for i in items]


def eventually(true: Callable[[], Any], seconds: float = 30) -> Any:
    """What `true` returns, once it is true."""
    deadline = time.monotonic() + seconds
    while not (value := true()):
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.01)
    return value


@pytest.fixture
def make_bot(make_app: MakeApp) -> MakeBot:
    """Builds applications whose bot is at `url`; keywords are settings of its callback, or others by their whole name."""

    def make(url: str, *, like: BotApp | None = None, **given: str) -> BotApp:
        """`like`: with the data of this one, which has stopped."""
        settings = {f"callback_bot_{k}": v for k, v in ({"url": url, "address": BOT, "content_type": "json"} | given).items()}
        if like:
            settings["server_data_dir"] = str(like.gateway.data_dir)
        app = BotApp(make_app(**settings))
        if not like:
            register_users(app.app)
        app.gateway.start()
        return app

    return make


@pytest.fixture
def service() -> Iterator[Service]:
    with serving() as service:
        yield service
