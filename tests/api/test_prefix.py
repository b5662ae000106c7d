"""The path below which clients reach the gateway: a trusted proxy says it, `public_url` outranks it, and nobody else has a say."""

from __future__ import annotations

from base64 import b64encode

import pytest
from flask.testing import FlaskClient
from werkzeug.test import create_environ, run_wsgi_app

from tests.conftest import DOMAIN, PASSWORD, MakeApp

FORWARDED = {
    "X-Forwarded-For": "203.0.113.9",
    "X-Forwarded-Proto": "https",
    "X-Forwarded-Host": "chat.example.net",
    "X-Forwarded-Prefix": "/gateway",
}
ADMIN = {"Authorization": f"Basic {b64encode(f'admin@{DOMAIN}:{PASSWORD}'.encode()).decode()}"}
PUBLIC = "https://public.example.net/xmpp"
SLASHED = ["/rest", "/data", "/docs", "/console"]
"""Paths that are redirected to the same with a slash."""


def location(client: FlaskClient, path: str, headers: dict[str, str]) -> str:
    return client.get(path, headers=headers).headers["Location"]


def stored(client: FlaskClient, headers: dict[str, str]) -> str:
    """Where a client finds what it has stored."""
    answer = client.put(f"/data/{DOMAIN}/admin/notes", json={"a": 1}, headers=ADMIN | headers)
    assert answer.status_code == 201, answer.text
    assert client.delete(f"/data/{DOMAIN}/admin/notes", headers=ADMIN).status_code in (200, 204)
    return answer.headers["Location"]


@pytest.mark.parametrize("path", SLASHED)
def test_redirects_have_the_prefix(make_app: MakeApp, path: str) -> None:
    client = make_app(server_proxies="1").test_client()
    assert location(client, path, FORWARDED).removeprefix("https://chat.example.net") == f"/gateway{path}/"
    assert location(client, path, FORWARDED | {"X-Forwarded-Prefix": "/gateway/"}).endswith(f"/gateway{path}/")
    assert f"gateway{path}/" not in location(client, path, {})


def test_the_location_of_what_was_stored(make_app: MakeApp) -> None:
    client = make_app(server_proxies="1").test_client()
    path = f"/data/{DOMAIN}/admin/notes"
    assert stored(client, FORWARDED).startswith(f"https://chat.example.net/gateway{path}")
    public = make_app(server_proxies="1", server_public_url=PUBLIC).test_client()
    assert stored(public, FORWARDED).startswith(f"{PUBLIC}{path}")


@pytest.mark.parametrize("path", SLASHED)
def test_the_public_url_outranks_it(make_app: MakeApp, path: str) -> None:
    client = make_app(server_proxies="1", server_public_url=f"{PUBLIC}/").test_client()
    assert location(client, path, FORWARDED) == f"{PUBLIC}{path}/"


@pytest.mark.parametrize("path", SLASHED)
def test_nobody_is_believed_by_default(make_app: MakeApp, path: str) -> None:
    client = make_app().test_client()
    fields = FORWARDED | {"Script-Name": "/gateway", "X-Script-Name": "/gateway", "Forwarded": "host=chat.example.net"}
    assert location(client, path, fields) == location(client, path, {})
    assert client.get("/gateway/livez", headers=fields).status_code == 404


@pytest.mark.parametrize("prefix", ["//evil.example", "https://evil.example", "/a b", "/a\\b", "a", "/a//b", '/"', "/a?b"])
def test_what_is_not_a_path_is_ignored(make_app: MakeApp, prefix: str) -> None:
    client = make_app(server_proxies="1").test_client()
    assert location(client, "/rest", FORWARDED | {"X-Forwarded-Prefix": prefix}).endswith("/rest/")
    assert prefix not in location(client, "/rest", FORWARDED | {"X-Forwarded-Prefix": prefix})


@pytest.mark.parametrize("scheme", ["javascript", "a b", "https://evil.example", "ftp"])
def test_a_scheme_that_is_not_of_http_is_ignored(make_app: MakeApp, scheme: str) -> None:
    client = make_app(server_proxies="1").test_client()
    assert stored(client, FORWARDED | {"X-Forwarded-Proto": scheme}).startswith("http://chat.example.net/gateway/data/")


def test_a_host_that_cannot_be_decoded_is_in_the_location_as_it_is(make_app: MakeApp) -> None:
    path = f"/data/{DOMAIN}/admin/notes"
    environ = create_environ(path, method="PUT", json={"a": 1}, headers=ADMIN) | {"HTTP_HOST": "xn--zzzzzz.example"}
    _, status, fields = run_wsgi_app(make_app(), environ)  # without Werkzeug's client, which decodes the host
    assert (status.partition(" ")[0], fields["Location"].partition("?")[0]) == ("201", f"http://xn--zzzzzz.example{path}")


def test_the_last_of_two_proxies(make_app: MakeApp) -> None:
    """The one that is next to the gateway has seen the other's."""
    client = make_app(server_proxies="2").test_client()
    two = {name: f"{value}, {value}" for name, value in FORWARDED.items()} | {"X-Forwarded-Prefix": "/outer, /inner"}
    assert location(client, "/rest", two) == "/outer/rest/"


@pytest.mark.parametrize("prefix", ["/rest", "/data"])
def test_a_prefix_that_is_a_path_of_the_gateway(make_app: MakeApp, prefix: str) -> None:
    """The path as it was sent is known still: a slash inside a part of it is not one between parts."""
    client = make_app(server_proxies="1").test_client()
    fields = ADMIN | FORWARDED | {"X-Forwarded-Prefix": prefix}
    uri = f"/rest/ping/{DOMAIN}%2Fphone"
    with_slash = client.get(uri, headers=fields, environ_overrides={"RAW_URI": uri})
    assert with_slash.status_code == client.get(uri, headers=ADMIN, environ_overrides={"RAW_URI": uri}).status_code


@pytest.mark.parametrize(("path", "body"), [("/rest", {"to": f"admin@{DOMAIN}", "body": "b"}), ("/msg/admin", {"body": "b"})])
def test_the_location_of_what_waits_for_its_time(make_app: MakeApp, path: str, body: dict[str, str]) -> None:
    headers = ADMIN | FORWARDED | {"Send-At": "1h"}
    for settings, expected in (({}, "/gateway/rest/scheduled/sch_"), ({"server_public_url": PUBLIC}, "/xmpp/rest/scheduled/sch_")):
        answer = make_app(server_proxies="1", **settings).test_client().post(path, json=body, headers=headers)
        assert answer.status_code == 202, answer.text
        assert answer.headers["Location"].startswith(expected)
