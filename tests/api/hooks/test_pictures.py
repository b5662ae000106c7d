"""Pictures that payloads name: fetched and sent after the text where `[files] fetch` says so (files §7)."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any
from xml.etree.ElementTree import Element

import pytest
from flask.testing import FlaskClient

from tests.api.files.webserver import Page, WebServer, serving
from tests.conftest import DOMAIN, MakeApp, basic, register_users
from tests.link.fake import attach
from xmpp_rest.link.router import Router
from xmpp_rest.protocol.conditions import stanza_error
from xmpp_rest.protocol.jid import parse_jid
from xmpp_rest.protocol.stanza import refusal
from xmpp_rest.service.hooks.formats.pictures import pictures_in

JULIET = basic(f"juliet@{DOMAIN}")
ROMEO = "romeo@montague.example"
PNG = b"\x89PNG" + b"x" * 100


class Sent:
    """What goes out, and a way to wait for it; nobody there tells what he is."""

    def __init__(self) -> None:
        self.stanzas: list[Element] = []
        self._came = threading.Condition()
        self._router: Router | None = None

    def attach(self, router: Router) -> None:
        self._router = router
        attach(router, self._put)

    def _put(self, _: str, stanza: Element) -> None:
        if stanza.tag == "iq" and self._router is not None:
            answer = refusal(stanza, stanza_error("service-unavailable"))
            threading.Thread(target=self._router.resolve, args=(answer, parse_jid(ROMEO), parse_jid(stanza.attrib["from"]))).start()
        with self._came:
            if stanza.tag == "message":
                self.stanzas.append(stanza)
                self._came.notify_all()

    def wait(self, count: int) -> list[Element]:
        with self._came:
            assert self._came.wait_for(lambda: len(self.stanzas) >= count, 20), self.stanzas
        return self.stanzas


@pytest.fixture
def web() -> Iterator[WebServer]:
    with serving() as server:
        server.pages["/a.png"] = Page(200, {"Content-Type": "image/png"}, PNG)
        yield server


@pytest.fixture
def sent() -> Sent:
    return Sent()


@pytest.fixture
def client(make_app: MakeApp, web: WebServer, sent: Sent) -> FlaskClient:
    hosts = f"127.0.0.1:{web.port}"
    app = register_users(make_app(files_fetch="yes", files_fetch_hosts=hosts, hooks_wait="0.1", server_public_url="https://gw.example"))
    sent.attach(app.extensions["gateway"].parts.router)
    return app.test_client()


def hook(client: FlaskClient, **members: Any) -> str:
    answer = client.post("/hooks", json={"name": "ops", "targets": [ROMEO]} | members, headers=JULIET)
    assert answer.status_code == 201, answer.text
    return f"/hooks/{answer.get_json()['token']}"


def payloads(url: str) -> dict[str, Any]:
    return {
        "slack": {"text": "Look", "attachments": [{"title": "A", "image_url": url}]},
        "grafana": {"status": "firing", "alerts": [{"status": "firing", "labels": {"a": "b"}, "imageURL": url}]},
        "ntfy": {"message": "Look", "attach": url},
    }


@pytest.mark.parametrize("kind", ["slack", "grafana", "ntfy"])
def test_a_picture_follows_the_text(kind: str, client: FlaskClient, web: WebServer, sent: Sent) -> None:
    url = web.url("/a.png")
    assert client.post(hook(client, format=kind), json=payloads(url)[kind]).status_code == 200
    text, picture = sent.wait(2)
    assert text.find("{jabber:x:oob}x") is None
    body = picture.findtext("body")
    assert body == picture.findtext("{jabber:x:oob}x/{jabber:x:oob}url")
    assert body is not None
    assert body.startswith("https://gw.example/files/")
    assert body.endswith("/a.png")
    assert (picture.get("to"), picture.get("from")) == (text.get("to"), text.get("from"))
    files = client.get("/rest/files", headers=JULIET).get_json()["files"]
    assert [(f["url"], f["size"], f["media_type"]) for f in files] == [(body, len(PNG), "image/png")]


@pytest.mark.parametrize(
    "page", [Page(404), Page(200, {"Content-Type": "text/html"}, b"<b>"), Page(200, {"Content-Type": "image/png"}, b"")]
)
def test_without_it_the_text_has_the_url(page: Page, client: FlaskClient, web: WebServer, sent: Sent) -> None:
    asked = threading.Event()
    web.pages["/b.png"] = page._replace(wait=asked.set)
    assert client.post(hook(client, format="slack"), json=payloads(web.url("/b.png"))["slack"]).status_code == 200
    (text,) = sent.wait(1)
    assert web.url("/b.png") in str(text.findtext("body"))
    assert text.find("{jabber:x:oob}x") is None
    assert asked.wait(20)
    assert client.post(hook(client, name="next", format="slack"), json=payloads(web.url("/a.png"))["slack"]).status_code == 200
    assert [s.find("{jabber:x:oob}x") is not None for s in sent.wait(3)] == [False, False, True]


def test_nothing_is_fetched_by_default(make_app: MakeApp, web: WebServer, sent: Sent) -> None:
    app = register_users(make_app(hooks_wait="0.1"))
    sent.attach(app.extensions["gateway"].parts.router)
    client = app.test_client()
    before = time.monotonic()
    assert client.post(hook(client, format="slack"), json=payloads(web.url("/a.png"))["slack"]).status_code == 200
    assert web.taken == []
    assert len(sent.stanzas) == 1
    assert time.monotonic() - before < 15


def test_which_pictures_a_payload_names() -> None:
    block = {"type": "image", "image_url": "https://a.example/1.png", "alt_text": "x"}
    section = {"type": "section", "accessory": {"type": "image", "image_url": "https://a.example/2.png"}}
    value = {
        "blocks": [block, section, block],
        "attachments": [{"image_url": "https://a.example/3.png", "blocks": [block]}, {"image_url": "ftp://x/"}],
    }
    assert pictures_in("slack", value) == tuple(f"https://a.example/{n}.png" for n in (1, 2, 3))
    many = {"alerts": [{"imageURL": f"https://a.example/{n}"} for n in range(9)]}
    assert len(pictures_in("grafana", many)) == 4
    odd: Any
    for odd in (None, "x", [], {"blocks": "x", "attachments": [1]}, {"alerts": [None]}, {"attach": 1}):
        for kind in ("slack", "grafana", "ntfy", "json"):
            assert pictures_in(kind, odd) == ()
