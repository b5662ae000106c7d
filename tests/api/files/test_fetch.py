"""`POST /rest/files?url=`: what is fetched, and what never is (files §7)."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from typing import Any
from xml.etree.ElementTree import Element

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.api.files.webserver import Page, WebServer, serving
from tests.conftest import MakeApp, basic, register_users
from tests.link.fake import attach
from tests.raising import raising
from xmpp_rest.config.file_tables import FileSettings
from xmpp_rest.config.load import load_settings
from xmpp_rest.service.files.fetching import BadUrl, FileFetching, is_public
from xmpp_rest.service.files.refused import FileRefused

PNG = b"\x89PNG" + b"x" * 200_000
ROMEO = "romeo@montague.example"


@pytest.fixture
def web() -> Iterator[WebServer]:
    with serving() as server:
        yield server


@pytest.fixture
def client(make_app: MakeApp, web: WebServer) -> FlaskClient:
    hosts = f"127.0.0.1:{web.port}, *.example.net"
    return register_users(
        make_app(files_fetch="yes", files_fetch_hosts=hosts, files_max_size="300000", files_fetch_timeout="5")
    ).test_client()


def settings(hosts: str = "") -> FileSettings:
    return load_settings(None, {"XMPP_REST_FILES_FETCH": "yes", "XMPP_REST_FILES_FETCH_HOSTS": hosts}).files


def fetch(client: FlaskClient, url: str, **query: Any) -> TestResponse:
    return client.post("/rest/files", query_string={"url": url} | query, headers=basic("juliet"))


def test_a_file_is_fetched_and_sent(client: FlaskClient, web: WebServer) -> None:
    sent: list[Element] = []
    attach(client.application.extensions["gateway"].parts.router, lambda _, stanza: sent.append(stanza))
    web.pages["/a/rose%20red.png?x=1"] = Page(200, {"Content-Type": "image/png; x=y"}, PNG)
    answer = fetch(client, web.url("/a/rose%20red.png?x=1"), to=ROMEO, caption="Look")
    assert answer.status_code == 201, answer.text
    assert answer.json is not None
    assert (answer.json["name"], answer.json["media_type"], answer.json["size"]) == ("rose red.png", "image/png", len(PNG))
    (asked,) = web.taken
    assert asked.method == "GET"
    assert asked.fields["user-agent"] == "xmpp-rest"
    assert not {"authorization", "cookie", "referer"} & asked.fields.keys()
    assert [s.findtext("body") for s in sent] == ["Look", answer.json["url"]]
    assert "127.0.0.1" not in str(sent[1].findtext("body")) or "/files/" in answer.json["url"]


def test_redirects_are_followed_three_times(client: FlaskClient, web: WebServer) -> None:
    web.pages |= {f"/{n}": Page(302, {"Location": f"/{n + 1}"}) for n in range(4)}
    web.pages["/4"] = Page(200, {"Content-Disposition": 'attachment; filename="x.txt"'}, b"text", -1)
    answer = fetch(client, web.url("/1"))
    assert answer.status_code == 201, answer.text
    assert answer.json is not None
    assert (answer.json["name"], answer.json["size"], answer.json["media_type"]) == ("x.txt", 4, "text/plain")
    assert fetch(client, web.url("/0")).status_code == 502


@pytest.mark.parametrize(
    ("page", "status"),
    [
        (Page(404), 502), (Page(204), 502), (Page(200, {}, b"x" * 300_001), 413), (Page(200, {}, b"x" * 300_001, -1), 413),
        (Page(200, {}, b"x" * 10, 20), 502), (Page(200, {}, b""), 422), (Page(302, {"Location": "http://localhost:1/"}), 422),
        (Page(302, {"Location": "http://127.0.0.1/"}), 403), (Page(302, {"Location": "file:///etc/passwd"}), 422),
        (Page(302, {"Location": "http://10.0.0.1/x"}), 403), (Page(302), 502), (Page(302, {"Location": "http://[bad"}), 422),
        (Page(200, {"Content-Encoding": "gzip"}, b"x"), 502),
    ],
)  # fmt: skip
def test_what_comes_is_looked_at(page: Page, status: int, client: FlaskClient, web: WebServer) -> None:
    web.pages["/x"] = page
    answer = fetch(client, web.url("/x"))
    assert answer.status_code == status, answer.text
    assert answer.mimetype == "application/problem+json"
    assert client.get("/rest/files", headers=basic("juliet")).json["used"] == 0  # type: ignore[index]


def test_it_ends_in_time(make_app: MakeApp, web: WebServer) -> None:
    client = register_users(make_app(files_fetch="yes", files_fetch_hosts=f"127.0.0.1:{web.port}", files_fetch_timeout="0.3")).test_client()
    over = threading.Event()
    web.pages["/slow"] = Page(200, {}, b"x", wait=lambda: over.wait(20))
    assert fetch(client, web.url("/slow")).status_code == 504
    over.set()


def test_it_is_off_by_default(make_app: MakeApp, web: WebServer) -> None:
    answer = fetch(register_users(make_app()).test_client(), web.url("/x"))
    assert answer.status_code == 403
    assert "[files] fetch" in answer.json["detail"]  # type: ignore[index]
    assert web.taken == []


@pytest.mark.parametrize(
    "url",
    [
        "ftp://a.example/x",
        "file:///etc/passwd",
        "http://u:p@a.example.net/",
        "http://a.example.net:8080/",
        "http://",
        "//x",
        "http://[::1",
        "http://a.example.net/\tx",
        "x" * 9000,
    ],
)
def test_urls_that_are_never_fetched(url: str, client: FlaskClient) -> None:
    answer = fetch(client, url)
    assert answer.status_code == 422
    assert answer.json["detail"].startswith("url: ")  # type: ignore[index]


PRIVATE = [
    "127.0.0.1", "127.9.9.9", "0.0.0.0", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "224.0.0.1", "240.0.0.1",
    "255.255.255.255", "192.0.2.1", "198.18.0.1", "::1", "::", "fe80::1", "fe80::1%eth0", "fc00::1", "fd12::1", "ff02::1", "::ffff:127.0.0.1",
    "::ffff:10.0.0.1", "::ffff:8.8.8.8%1", "64:ff9b::7f00:1", "2002:7f00:1::", "2001:db8::1", "::127.0.0.1", "fec0::1", "nonsense", "",
]  # fmt: skip
PUBLIC = ["8.8.8.8", "93.184.216.34", "2606:4700:4700::1111", "::ffff:8.8.8.8"]


@pytest.mark.parametrize(("address", "public"), [*((a, False) for a in PRIVATE if a != "::ffff:8.8.8.8%1"), *((a, True) for a in PUBLIC)])
def test_which_addresses_are_public(address: str, public: bool) -> None:
    assert is_public(address) is public


@pytest.mark.parametrize("host", ["127.0.0.1", "2130706433", "0x7f.1", "[::1]", "[::ffff:127.0.0.1]", "localhost", "169.254.169.254", "0"])
def test_what_only_the_gateway_can_reach_is_not_fetched(host: str) -> None:
    fetching = FileFetching(settings())
    with pytest.raises(FileRefused) as raised:
        fetching.fetch(f"http://{host}/", lambda _: pytest.fail("it was fetched"))
    assert (raised.value.status, raised.value.condition) == (403, "policy-violation")


def test_a_host_without_its_port_has_to_be_public() -> None:
    fetching = FileFetching(settings("localhost, *.example.net"))
    for url in ("http://localhost/", "http://a.example.org/"):
        with pytest.raises(FileRefused) as raised:
            fetching.fetch(url, lambda _: pytest.fail("it was fetched"))
        assert raised.value.status == 403
    with pytest.raises(BadUrl):
        fetching.check("http://localhost:8080/")


@pytest.mark.parametrize(
    ("error", "status", "condition"),
    [
        (TimeoutError(), 504, "remote-server-timeout"),
        (socket.gaierror(socket.EAI_NONAME, "it is not known"), 502, "remote-server-not-found"),
        (UnicodeError("label too long"), 502, "remote-server-not-found"),
    ],
)
def test_a_name_that_is_not_found(error: Exception, status: int, condition: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("xmpp_rest.service.files.fetching.resolve", raising(error))
    with pytest.raises(FileRefused) as raised:
        FileFetching(settings()).fetch("http://a.example.net/", lambda _: pytest.fail("it was fetched"))
    assert (raised.value.status, raised.value.condition) == (status, condition)


def test_settings_that_change(client: FlaskClient, web: WebServer) -> None:
    """What is fetched is up to the settings of now."""
    web.pages["/x"] = Page(200, {}, b"rose")
    assert fetch(client, web.url("/x")).status_code == 201
    parts = client.application.extensions["gateway"].parts
    parts.file_sending.configure(load_settings(None, {"XMPP_REST_FILES_FETCH": "yes", "XMPP_REST_FILES_FETCH_HOSTS": "*.example.net"}))
    assert fetch(client, web.url("/x")).status_code == 422
    parts.file_sending.configure(load_settings(None, {}))
    assert fetch(client, web.url("/x")).status_code == 403
    assert len(web.taken) == 1
