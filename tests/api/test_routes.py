"""The tables of routes say what is served: the same paths as the application's router, and the methods of `Allow`."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.conftest import DOMAIN, SHARED, basic
from xmpp_rest.api.apprise import routes as apprise_routes
from xmpp_rest.api.client import routes as client_routes
from xmpp_rest.api.commands import routes as command_routes
from xmpp_rest.api.data import routes as data_routes
from xmpp_rest.api.files import public_routes as public_file_routes
from xmpp_rest.api.files import routes as file_routes
from xmpp_rest.api.gotify import routes as gotify_routes
from xmpp_rest.api.hooks import routes as hook_routes
from xmpp_rest.api.ntfy import routes as ntfy_routes
from xmpp_rest.api.oauth import routes as oauth_routes
from xmpp_rest.api.openapi import routes as openapi_routes
from xmpp_rest.api.ops import routes as ops_routes
from xmpp_rest.api.post_msg import routes as post_msg_routes
from xmpp_rest.api.rest import routes as rest_routes
from xmpp_rest.api.rooms import routes as room_routes
from xmpp_rest.api.routing import Route
from xmpp_rest.api.web import routes as web_routes
from xmpp_rest.http.methods import REGISTERED_METHODS

PAGE = Path(__file__).parents[2] / "docs/routes.md"
BELOW = {"client": "/api", "ntfy": "/ntfy", "post_msg": "/msg"}
TABLES: dict[str, tuple[Route, ...]] = {
    "rest": rest_routes.ROUTES,
    "files": file_routes.ROUTES,
    "public_files": public_file_routes.ROUTES,
    "rooms": room_routes.ROUTES,
    "client": (*client_routes.ROUTES, client_routes.DESCRIPTION),
    "data": data_routes.ROUTES,
    "commands": command_routes.ROUTES,
    "oauth": oauth_routes.ROUTES,
    "hooks": hook_routes.ROUTES,
    "ops": (*ops_routes.ROUTES, *ops_routes.METRICS),
    "openapi": openapi_routes.ROUTES,
    "web": (*(route for table in web_routes.ROUTES.values() for route in table), web_routes.ICON),
    "gotify": gotify_routes.ROUTES,
    "apprise": apprise_routes.ROUTES,
    "post_msg": post_msg_routes.ROUTES,
    "ntfy": (*ntfy_routes.ROUTES, *ntfy_routes.OF_PREFIX),
}
PATHS = {(dialect, BELOW.get(dialect, "") + route.path) for dialect, table in TABLES.items() for route in table}
REFUSED = {"commands": {400, 405}}  # statuses of a method that a path does not have
NOT_OFFERED = {"/message": {404}}  # reading messages
EXAMPLES = {
    "any": "x/y", "host": DOMAIN, "user": "juliet", "command": "status", "name": "rest", "token": "hk_x", "with": "nurse@capulet.example", "jid": "nurse@capulet.example",
}  # fmt: skip


def methods(dialect: str, path: str) -> list[str]:
    rows = [route.methods for route in TABLES[dialect] if BELOW.get(dialect, "") + route.path == path]
    return ", ".join(rows).split(", ")


def example(path: str) -> str:
    return re.sub(r"<(?:\w+:)?(\w+)>|\{(\w+)\}", lambda m: EXAMPLES.get(m[1] or m[2], "x"), path)


@SHARED
@pytest.mark.parametrize(("dialect", "path"), sorted(PATHS - {("data", data_routes.ACCOUNT)}))
def test_allow_lists_the_methods_of_the_table(client: FlaskClient, dialect: str, path: str) -> None:
    answer = client.options(example(path))
    assert answer.status_code == 200
    listed, told = methods(dialect, path), answer.headers["Allow"].split(", ")
    assert sorted(listed) == sorted(told)
    if len([route for route in TABLES[dialect] if path.endswith(route.path)]) == 1:
        assert listed == told  # in the order of the field


def test_an_account_of_data_is_only_read(client: FlaskClient) -> None:
    listing = client.get(example(data_routes.ACCOUNT), headers=basic(f"admin@{DOMAIN}"))
    assert listing.headers["Allow"].split(", ") == [*methods("data", data_routes.ACCOUNT), "OPTIONS"]
    assert listing.get_json()["user"] == "juliet"


@SHARED
@pytest.mark.parametrize(("dialect", "path"), sorted(PATHS - {("data", data_routes.ACCOUNT)}))
def test_other_methods_are_refused(client: FlaskClient, dialect: str, path: str) -> None:
    head = {"HEAD"} if "GET" in methods(dialect, path) else set()  # whether it is answered, whatever Allow says, is the dialect's affair
    for method in REGISTERED_METHODS - set(methods(dialect, path)) - head:
        assert client.open(example(path), method=method).status_code in REFUSED.get(dialect, {405}) | NOT_OFFERED.get(path, set()), method


@SHARED
@pytest.mark.parametrize(("dialect", "path"), sorted(PATHS - {("data", data_routes.ACCOUNT)}))
def test_a_method_that_nobody_knows_is_told_the_methods_of_the_table(client: FlaskClient, dialect: str, path: str) -> None:
    answer = client.open(example(path), method="BREW")
    assert answer.status_code in REFUSED.get(dialect, {405})
    if answer.status_code == 405:
        assert sorted(answer.headers["Allow"].split(", ")) == sorted(methods(dialect, path))  # RFC 9110 §15.5.6


def test_the_router_has_no_other_rules(app: Flask) -> None:
    """What the tables leave out: the redirects to the slash, `/api` alone, and the command API below a version."""
    found = {(rule.endpoint.partition(".")[0], rule.rule) for rule in app.url_map.iter_rules()}
    beside = {("rest", "/rest"), ("data", "/data"), ("commands", "/api"), ("ntfy_root", "/")}
    versions = {rule for rule in found if rule[0] == "commands" and re.match("/v[0-9]+/api", rule[1])}
    assert {re.sub("/v[0-9]+", "", rule) for _, rule in versions} == {"/api", command_routes.PATH}
    heads = {("client", f"/api/{route.path.split('/')[1]}") for route in client_routes.ROUTES}
    expected = {path for path in PATHS if path[0] != "client"} - {("data", data_routes.ACCOUNT)}
    expected |= heads | {(dialect, f"{path}/<anything:tail>") for dialect, path in heads} | {("client", "/api-docs/openapi.json")}
    assert found == expected | beside | versions


def test_the_page_lists_the_tables() -> None:
    text = PAGE.read_text(encoding="utf-8")
    listed = re.findall(r"^\| `([^`]+)` \| ([A-Z, ]+) \| `(xmpp_rest/[^`:]+):(\w+)` \|", text, re.MULTILINE)
    tables = [(BELOW.get(dialect, "") + route.path, route) for dialect, table in TABLES.items() for route in table]
    shown = [
        (re.sub(r"<(?:\w+:)?(.*?)>", r"{\1}", path), route.methods, f"{route.resource.__module__.replace('.', '/')}.py", route.resource.__name__)
        for path, route in tables
    ]
    assert listed == shown
