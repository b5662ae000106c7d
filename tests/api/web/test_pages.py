"""The pages for people with a browser: `/`, `/docs/`, `/console/` (operations §6)."""

from __future__ import annotations

import re
from html import unescape
from html.parser import HTMLParser
from urllib.parse import urljoin

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import Client, TestResponse, create_environ, run_wsgi_app

from tests.conftest import MakeApp
from xmpp_rest import __version__

BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
PAGES = ("/", "/docs/", "/console/")
FILES = {
    "/landing.css": "text/css; charset=utf-8",
    "/manual.txt": "text/plain; charset=utf-8",
    "/docs/docs.js": "text/javascript; charset=utf-8",
    "/docs/docs.css": "text/css; charset=utf-8",
    "/docs/swagger-ui-bundle.js": "text/javascript; charset=utf-8",
    "/docs/swagger-ui.css": "text/css; charset=utf-8",
    "/docs/favicon-16x16.png": "image/png",
    "/docs/favicon-32x32.png": "image/png",
    "/console/console.js": "text/javascript; charset=utf-8",
    "/console/console.css": "text/css; charset=utf-8",
    "/favicon.ico": "image/x-icon",
}
NOTHING = (
    *("/index.html", "/docs/index.html", "/docs/swagger-ui.js", "/docs/oauth2-redirect.html", "/docs/docs.html", "/docs/../app.py"),
    *(
        "/docs/x/",
        "/docs//",
        "/console/console.html",
        "/console/x",
        "/console/..%2f..%2fwsgi.ini",
        "/console//",
        "/landing.html",
        "/nothing",
    ),
)


@pytest.fixture
def client(shared_app: Flask) -> FlaskClient:
    return shared_app.test_client()


class Parsed(HTMLParser):
    """The start tags of a page: names, and all their attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.inline = ""
        self._inside = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._inside = tag

    def handle_data(self, data: str) -> None:
        if self._inside in ("script", "style"):
            self.inline += data.strip()

    def count(self, name: str) -> int:
        return sum(tag == name for tag, _ in self.tags)

    def links(self) -> list[str]:
        return [attrs[name] or "" for _, attrs in self.tags for name in ("href", "src") if name in attrs]


def tag_of(answer: TestResponse) -> str:
    return str(answer.headers["ETag"])


@pytest.mark.parametrize("path", PAGES)
def test_a_page_is_complete_and_names_nothing_of_another_host(client: FlaskClient, path: str) -> None:
    answer = client.get(path, headers=BROWSER)
    assert (answer.status_code, answer.content_type) == (200, "text/html; charset=utf-8")
    page = Parsed(answer.text)
    assert answer.text.startswith("<!DOCTYPE html>")
    assert page.tags[0] == ("html", {"lang": "en"})
    assert (page.count("h1"), page.count("main"), page.inline) == (1, 1, "")
    assert ("meta", {"name": "viewport", "content": "width=device-width, initial-scale=1"}) in page.tags
    assert not [attrs for _, attrs in page.tags if any(name.startswith("on") or name == "style" for name in attrs)]
    assert not [link for link in page.links() if re.match("[a-z]+:|/", link)]


@pytest.mark.parametrize("path", [*PAGES, *FILES])
def test_every_page_and_file_has_the_fields(client: FlaskClient, path: str) -> None:
    answer = client.get(path, headers=BROWSER)
    assert (answer.status_code, answer.content_type) == (200, FILES.get(path, "text/html; charset=utf-8"))
    fields = answer.headers
    assert fields["Content-Security-Policy"] == POLICY
    assert (fields["X-Content-Type-Options"], fields["Referrer-Policy"], fields["Cache-Control"]) == ("nosniff", "no-referrer", "no-cache")
    assert "Set-Cookie" not in fields
    assert (fields.get("Vary") == "Accept") == (path == "/")
    again = client.get(path, headers={**BROWSER, "If-None-Match": tag_of(answer)})
    assert (again.status_code, again.data, tag_of(again), again.headers["Cache-Control"]) == (304, b"", tag_of(answer), "no-cache")
    assert client.get(path, headers={**BROWSER, "If-None-Match": '"other"'}).data == answer.data
    assert client.get(path, headers={**BROWSER, "If-Match": '"other"'}).status_code == 412
    head = client.head(path, headers=BROWSER)
    assert (head.status_code, head.data, head.headers["ETag"]) == (200, b"", tag_of(answer))
    for method, status in (("POST", 405), ("BREW", 405), ("OPTIONS", 200)):
        other = client.open(path, method=method)
        assert (other.status_code, other.headers["Content-Security-Policy"], other.headers["Allow"]) == (status, POLICY, "GET, HEAD, OPTIONS")


@pytest.mark.parametrize("path", NOTHING)
def test_elsewhere_there_is_nothing(client: FlaskClient, path: str) -> None:
    answer = client.get(path, headers=BROWSER)
    assert answer.status_code == 404
    if path.startswith(("/docs/", "/console/")):
        assert answer.headers["Content-Security-Policy"] == POLICY


@pytest.mark.parametrize(("path", "location"), [("/docs", "/docs/"), ("/console", "/console/"), ("/docs?a=b%20c", "/docs/?a=b%20c")])
def test_the_slash_is_added(client: FlaskClient, path: str, location: str) -> None:
    answer = client.get(path)
    assert (answer.status_code, answer.headers["Location"]) == (308, f"http://localhost{location}")
    below = client.get(path, base_url="https://example.net/gate/")
    assert (below.status_code, below.headers["Location"]) == (308, f"https://example.net/gate{location}")


def test_a_page_fits_into_its_limits(client: FlaskClient) -> None:
    sizes = [len(client.get(path).data) for path in ("/console/", "/console/console.js", "/console/console.css")]
    assert sizes[0] <= 12_000
    assert sizes[1] <= 40_000
    assert sizes[2] <= 12_000
    assert "innerHTML" not in client.get("/console/console.js").text


# -- `/`


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        (None, "text/plain; charset=utf-8"),
        ("*/*", "text/plain; charset=utf-8"),
        ("text/plain", "text/plain; charset=utf-8"),
        ("text/*", "text/plain; charset=utf-8"),
        ("text/html", "text/html; charset=utf-8"),
        ("text/html;q=0.9,text/plain;q=0.5", "text/html; charset=utf-8"),
        ("text/html;q=0.5,*/*", "text/plain; charset=utf-8"),
        ("application/json", "application/json"),
        ("application/json,text/html;q=0.5", "application/json"),
    ],
)
def test_accept_chooses_the_form(client: FlaskClient, accept: str | None, kind: str) -> None:
    answer = client.get("/", headers={"Accept": accept} if accept else {})
    assert (answer.status_code, answer.content_type, answer.headers["Vary"]) == (200, kind, "Accept")
    refused = client.get("/", headers={"Accept": "image/png"})
    assert (refused.status_code, refused.headers["Vary"]) == (406, "Accept")


def test_the_forms_have_tags_of_their_own(client: FlaskClient) -> None:
    text, page = client.get("/"), client.get("/", headers=BROWSER)
    assert tag_of(text) != tag_of(page)
    assert client.get("/", headers={**BROWSER, "If-None-Match": tag_of(text)}).status_code == 200


def test_text_for_curl(client: FlaskClient) -> None:
    text = client.get("/").text
    lines = text.splitlines()
    assert len(lines) <= 30
    assert max(map(len, lines)) <= 120
    assert text.splitlines()[6:8] == ["  curl -u you@capulet.example \\", "       http://localhost/rest \\"]
    assert text.splitlines()[13:15] == ["  curl -u you@capulet.example \\", "       http://localhost/hooks \\"]
    for place in ("openapi.json", "docs/", "console/", "manual.txt", "health"):
        assert f"http://localhost/{place}\n" in text
    assert __version__ not in text


def test_links_for_programs(client: FlaskClient) -> None:
    assert client.get("/", headers={"Accept": "application/json"}).get_json() == {
        "name": "xmpp-rest",
        "links": {
            "openapi": "http://localhost/openapi.json",
            "docs": "http://localhost/docs/",
            "console": "http://localhost/console/",
            "health": "http://localhost/health",
        },
    }


def test_the_page_shows_the_same_command(client: FlaskClient) -> None:
    page = client.get("/", headers=BROWSER).text
    shown = re.search("<code>(.*?)</code>", page, re.DOTALL)
    assert shown
    command = unescape(shown[1])
    assert [line.strip() for line in command.splitlines()] == [line.strip() for line in client.get("/").text.splitlines()[6:10]]
    assert {"docs/", "console/", "openapi.json", "manual.txt"} <= set(Parsed(page).links())


def test_below_a_prefix(client: FlaskClient) -> None:
    base = "https://gate.example.net/xmpp/"
    assert "https://gate.example.net/xmpp/rest" in client.get("/", base_url=base).text
    links = client.get("/", base_url=base, headers={"Accept": "application/json"}).get_json()["links"]
    assert links["docs"] == "https://gate.example.net/xmpp/docs/"
    page = Parsed(client.get("/docs/", base_url=base).text)
    assert urljoin(f"{base}docs/", page.links()[0]) == f"{base}favicon.ico"


def test_the_prefix_alone_gets_its_slash(shared_app: Flask) -> None:
    answer = Client(shared_app).get("/", base_url="http://localhost/xmpp/", environ_overrides={"PATH_INFO": ""})  # Werkzeug's redirect
    assert (answer.status_code, answer.headers["Location"]) == (308, "http://localhost/xmpp/")


def test_public_url_outranks(make_app: MakeApp) -> None:
    client = make_app(server_public_url="https://gate.example.net/xmpp/").test_client()
    assert "https://gate.example.net/xmpp/rest" in client.get("/").text
    assert client.get("/console").headers["Location"] == "https://gate.example.net/xmpp/console/"


def at_host(app: Flask, host: str, path: str) -> tuple[str, str]:
    """Text and Location of an answer, without Werkzeug's client: it would decode the host."""
    chunks, _, fields = run_wsgi_app(app, create_environ(path) | {"HTTP_HOST": host})
    return b"".join(chunks).decode(), fields.get("Location", "")


@pytest.mark.parametrize("host", ["a$(id)&b", "..", ".", "a..b", "a" * 64, "a." * 150 + "a"])
def test_what_is_no_host_is_not_repeated(shared_app: Flask, host: str) -> None:
    assert at_host(shared_app, host, "/")[0].splitlines()[7] == "       /rest \\"
    assert at_host(shared_app, host, "/docs")[1] == "/docs/"


@pytest.mark.parametrize("host", ["xn--zzzzzz.example", "XN--0.com", "xn--bcher-kva.example", "[::1]:8080", "192.0.2.1:1", "a-b.example."])
def test_a_host_is_repeated_as_it_is(shared_app: Flask, host: str) -> None:
    assert f"http://{host}/rest" in at_host(shared_app, host, "/")[0].replace("'", "")
    assert at_host(shared_app, host, "/docs")[1] == f"http://{host.lower()}/docs/"


def test_lines_for_curl_are_short_where_names_are_long(make_app: MakeApp) -> None:
    client = make_app(
        gateway_domain=f"{'a' * 30}.{'b' * 20}.example", server_public_url=f"https://{'c' * 60}.example.net/gateway"
    ).test_client()
    assert max(map(len, client.get("/").text.splitlines())) <= 120


def test_the_version_is_told_if_wanted(make_app: MakeApp) -> None:
    client = make_app(pages_version="yes").test_client()
    assert client.get("/").text.startswith(f"xmpp-rest {__version__}\n")
    assert f"<h1>xmpp-rest {__version__}</h1>" in client.get("/", headers=BROWSER).text


@pytest.mark.parametrize("page", ["landing", "docs", "console"])
def test_a_page_that_is_off_is_not_there(make_app: MakeApp, page: str) -> None:
    client = make_app(**{f"pages_{page}": "no"}).test_client()
    mine = {"landing": "/landing.css", "docs": "/docs", "console": "/console"}[page]
    for path in ("/", "/docs", "/console", *PAGES, *FILES):
        off = path.startswith(mine) or (page == "landing" and path in ("/", "/manual.txt"))
        assert (client.get(path, headers=BROWSER).status_code == 404) == off, path
    if page != "landing":
        assert f"/{page}/" not in client.get("/").text
        assert page not in client.get("/", headers={"Accept": "application/json"}).get_json()["links"]
        assert f"{page}/" not in client.get("/", headers=BROWSER).text
    assert f'{page}/"' not in client.get("/docs/" if page == "console" else "/console/").text


def test_without_any_page_there_is_no_icon(make_app: MakeApp) -> None:
    client = make_app(pages_landing="no", pages_docs="no", pages_console="no").test_client()
    assert {client.get(path).status_code for path in (*PAGES, *FILES, "/docs", "/console")} == {404}


def test_the_icon_is_an_image(client: FlaskClient) -> None:
    assert client.get("/favicon.ico").data.startswith(b"\0\0\1\0\3\0")
