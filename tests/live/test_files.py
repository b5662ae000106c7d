"""One request sends a picture: by the gateway's own store, and by the upload services of real servers (files §2, §5)."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from typing import Any
from uuid import uuid4
from xml.etree import ElementTree as ET

import pytest
import urllib3

from .child import LOOPBACK, free_port
from .conftest import ONE_STREAM, require, running
from .ejabberd import Ejabberd
from .gateway import Gateway, Sections
from .muc import Guest, OwnRoom
from .prosody import Prosody
from .proxy import Proxy
from .users import EventLoop, User
from .xmppserver import DOMAIN, GATEWAY, XMPPServer

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 100
SERVICE = f"upload.{DOMAIN}"


def post(gateway: Gateway, query: str, **fields: str) -> urllib3.BaseHTTPResponse:
    return gateway.request("POST", f"/rest/files?{query}", PNG, "image/png", "romeo", **fields)


def shown_by_clients(message: ET.Element) -> str:
    """The URL of a file that Gajim, Dino and Conversations show; it is an assertion that they do.

    Gajim and Conversations take a message for a file whose body is the URL of its `jabber:x:oob`. Dino reads `file-sharing` first, and asks
    for the size of what has none by HEAD.
    """
    body, url = message.findtext("{*}body"), message.findtext("{jabber:x:oob}x/{jabber:x:oob}url")
    assert body
    assert body == url
    sharing = message.find("{urn:xmpp:sfs:0}file-sharing")
    assert sharing is not None
    assert sharing.get("disposition") == "inline"
    file = sharing.find("{urn:xmpp:file:metadata:0}file")
    assert file is not None
    told = {child.tag.rpartition("}")[2]: child.text for child in file}
    assert (told["media-type"], told["size"], told["width"], told["height"]) == ("image/png", str(len(PNG)), "16", "9")
    assert told["hash"] == base64.b64encode(hashlib.sha256(PNG).digest()).decode()
    source = sharing.find("{urn:xmpp:sfs:0}sources/{http://jabber.org/protocol/url-data}url-data")
    assert source is not None
    assert source.get("target") == url
    fallback = message.find("{urn:xmpp:fallback:0}fallback")
    assert fallback is not None
    assert fallback.get("for") == "urn:xmpp:sfs:0"
    return body


def fetched(url: str) -> bytes:
    head = urllib3.request("HEAD", url, retries=False)
    assert (head.status, head.headers["Content-Length"], head.headers["Content-Type"]) == (200, str(len(PNG)), "image/png")
    got = urllib3.request("GET", url, retries=False)
    assert got.status == 200
    return got.data


@pytest.fixture(scope="module")
def own(proxy: Proxy, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    gateway = Gateway(tmp_path_factory.mktemp("own"), proxy.port, ONE_STREAM)
    gateway.start()
    gateway.register("romeo")
    gateway.wait_state("online")
    yield gateway
    gateway.stop()


def test_a_picture_with_its_caption_to_a_person(own: Gateway, juliet: User) -> None:
    answer = post(own, f"to={juliet.bare}&caption=Look&name=a%20rose.png&width=16&height=9", Prefer="wait=10")
    assert answer.status == 201, answer.data
    said = answer.json()
    (told,) = said["messages"]
    assert (told["type"], told["outcome"]) == ("chat", "accepted")
    caption = juliet.wait_message("Look")
    assert caption.find("{jabber:x:oob}x") is None
    message = juliet.wait_message(said["url"])
    assert (caption.get("id"), message.get("id")) == (told["caption_id"], told["id"])
    url = shown_by_clients(message)
    assert url == answer.headers["Location"]
    assert url.endswith("/a%20rose.png")
    assert fetched(url) == PNG


def test_a_picture_to_a_room(own: Gateway, juliet: User) -> None:
    garden = OwnRoom(juliet, f"garden-{uuid4().hex[:8]}", persistentroom="1")
    answer = post(own, f"to={garden.room}&width=16&height=9&caption=Roses", Prefer="wait=10")
    assert answer.status == 201, answer.data
    said = answer.json()
    (told,) = said["messages"]
    assert (told["type"], told["outcome"]) == ("groupchat", "reflected"), told
    assert told["stanza_id"] is None or told["stanza_id"]["by"] == garden.room
    garden.hears("Roses")
    message = garden.hears(said["url"])
    assert fetched(shown_by_clients(message)) == PNG
    answer = post(own, f"to=typo-{uuid4().hex[:8]}@{garden.room.partition('@')[2]}&type=groupchat")
    assert (answer.status, answer.json()["condition"]) == (404, "item-not-found")
    assert Guest(own, "romeo").ask("DELETE", f"/{garden.room}").status == 204


class SharingProsody(Prosody):
    """With mod_http_file_share, which lets components in (0.12)."""

    def configure(self) -> None:
        super().configure()
        port, config = free_port(), self.folder / "prosody.cfg.lua"
        text = config.read_text().replace("http_ports = {}", f'http_ports = {{ {port} }}\nhttp_interfaces = {{ "{LOOPBACK}" }}')
        share = f'http_host = "{LOOPBACK}"\n    http_external_url = "http://{LOOPBACK}:{port}/"\n    http_file_share_size_limit = 1000000'
        config.write_text(f'{text}\nComponent "{SERVICE}" "http_file_share"\n    {share}\n    http_file_share_access = {{ "{GATEWAY}" }}\n')


class SharingEjabberd(Ejabberd):
    """With mod_http_upload, which lets in accounts alone, as it comes."""

    def configure(self) -> None:
        super().configure()
        port, config = free_port(), self.folder / "ejabberd.yml"
        listener = (
            f'  - port: {port}\n    ip: "{LOOPBACK}"\n    module: ejabberd_http\n    request_handlers:\n      /upload: mod_http_upload\n'
        )
        text = config.read_text().replace("auth_method:", f"{listener}auth_method:", 1)
        module = (
            f'  mod_http_upload:\n    host: "{SERVICE}"\n    put_url: "http://{LOOPBACK}:{port}/upload"\n    docroot: "{self.folder}/up"\n'
        )
        config.write_text(text + module + "    max_size: 1000000\n")


@pytest.fixture(scope="module", params=[SharingProsody, SharingEjabberd], ids=["prosody", "ejabberd"])
def sharing(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[XMPPServer]:
    require(request.param.program)
    yield from running(request.param(tmp_path_factory.mktemp("sharing") / "server"))


@pytest.fixture(scope="module")
def foreign(sharing: XMPPServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    sections: Sections = {**ONE_STREAM, "files": {"domain": ""}}
    gateway = Gateway(tmp_path_factory.mktemp("foreign"), sharing.component_port, sections)
    gateway.start()
    gateway.register("romeo")
    gateway.wait_state("online")
    yield gateway
    gateway.stop()


def test_the_upload_service_of_the_server(sharing: XMPPServer, foreign: Gateway, event_loop_thread: EventLoop) -> None:
    juliet = User(event_loop_thread, sharing, "juliet")
    juliet.connect()
    try:
        answer = post(foreign, f"to={juliet.bare}&name=a%20b.png&width=16&height=9")
        said: Any = answer.json()
        if sharing.name == "ejabberd":
            assert (answer.status, said["condition"]) == (403, "forbidden"), said
            assert SERVICE in said["detail"]
            assert "mod_http_upload" in said["detail"]
        else:
            assert answer.status == 201, said
            assert (said["id"], said["expires"], said["size"]) == (None, None, len(PNG))
            url = shown_by_clients(juliet.wait_message(said["url"]))
            assert fetched(url) == PNG
        too_large = foreign.request("POST", "/rest/files", b"x" * 1_000_001, "image/png", "romeo")
        assert (too_large.status, too_large.json()["max_size"]) == (413, 1_000_000)
    finally:
        juliet.close()
