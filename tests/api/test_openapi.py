"""The OpenAPI descriptions: valid, complete, served as the specification has them, and the file of the documentation is the same."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.api.described import Described
from tests.api.test_routes import BELOW, TABLES
from tests.conftest import DOMAIN, MakeApp
from xmpp_rest import __version__
from xmpp_rest.api.commands import registry

PAGE = Path(__file__).parents[2] / "docs/openapi.json"
APIS = ("rest", "files", "rooms", "client", "data", "commands", "oauth", "hooks", "ntfy", "post_msg", "ops")
NAMES = (*APIS, *(f"commands-v{version}" for version in range(4)))
ADDRESSES = ("/openapi.json", *(f"/openapi/{name}.json" for name in NAMES))
NOTHING = ("/files", "/rest/rooms/<anything:any>")  # routes where nothing is
IMPLIED = {"OPTIONS", "HEAD"}  # the one is a browser's question, the other what GET is without the body

OF_MANY_BYTES = {"application/cbor", "application/octet-stream", "application/x-ndjson", "multipart/form-data"}  # which no program makes of an example
PLACES = {"any": "x/y", "name": "rest", "command": "register"}

Document = dict[str, Any]


@pytest.fixture(scope="module")
def documents(shared_app: Flask) -> dict[str, Document]:
    client = shared_app.test_client()
    return {address: client.get(address).get_json() for address in ADDRESSES}


def operations(document: Document) -> Iterator[tuple[str, str, Document]]:
    for path, item in document["paths"].items():
        for method, operation in item.items():
            yield path, method, operation


def everything(value: Any) -> Iterator[Any]:
    yield value
    for member in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from everything(member)


@pytest.mark.parametrize("address", ADDRESSES)
def test_it_is_valid(documents: dict[str, Document], address: str) -> None:
    document = documents[address]
    assert document["openapi"].startswith("3.1")
    assert document["info"]["version"] == __version__
    from schemathesis.specs.openapi.definitions import OPENAPI_31_VALIDATOR  # a second, which not every process that collects tests needs

    errors = [f"{error.message} at {error.instance_path}" for error in OPENAPI_31_VALIDATOR.iter_errors(document)]
    assert errors == []
    for schema in document["components"]["schemas"].values():
        jsonschema_rs.Draft202012Validator(schema | {"components": document["components"]})
    for reference in (value["$ref"] for value in everything(document) if isinstance(value, dict) and isinstance(value.get("$ref"), str)):
        found: Any = document
        for part in reference.removeprefix("#/").split("/"):
            found = found[part]
        assert found


@pytest.mark.parametrize("address", ADDRESSES)
def test_every_operation_says_what_it_is(documents: dict[str, Document], address: str) -> None:
    rows = list(operations(documents[address]))
    ids = [operation["operationId"] for _, _, operation in rows]
    assert len(ids) == len(set(ids))
    for path, _, operation in rows:
        identifier, (tag,) = operation["operationId"], operation["tags"]
        assert operation["summary"]
        assert tag in APIS
        if identifier.startswith("command_"):
            assert path.split("/")[2] == identifier.removeprefix("command_")
        else:
            assert re.fullmatch(f"{tag}[A-Z][A-Za-z]*", identifier), identifier
        named = [row["name"] for row in operation.get("parameters", []) if row["in"] == "path"]
        assert sorted(named) == sorted(re.findall(r"\{(\w+)\}", path))
        assert {"500", "503"} <= operation["responses"].keys()


def test_all_is_the_sum_of_the_parts(documents: dict[str, Document]) -> None:
    parts = [row[:2] for name in APIS for row in operations(documents[f"/openapi/{name}.json"])]
    assert sorted(parts) == sorted(row[:2] for row in operations(documents["/openapi.json"]))
    for name in APIS:
        assert {operation["tags"][0] for _, _, operation in operations(documents[f"/openapi/{name}.json"])} == {name}


def test_every_route_is_described_and_nothing_else(documents: dict[str, Document]) -> None:
    """By the tables of routes, which are those of the router (test_routes.py)."""
    described = Described(documents["/openapi.json"])
    answering = set[tuple[str, str]]()
    for dialect, table in TABLES.items():
        if dialect == "web":  # pages
            continue
        for route in table:
            if route.path in NOTHING:
                continue
            for method in set(route.methods.split(", ")) - IMPLIED:
                path = ("" if dialect == "client" and route.path.startswith("/api") else BELOW.get(dialect, "")) + route.path
                found = [row for row in _examples(path) if described.operation(method, row)[1]]
                assert found, f"{method} {route.path} is not described"
                answering |= {(described.operation(method, row)[0], method.lower()) for row in found}
    rows = {(path, method) for path, method, _ in operations(documents["/openapi.json"])}
    commands = {(f"/api/{name}", "post") for name in registry().names}
    assert rows - commands - answering == {("/", "get"), ("/", "post"), ("/", "put")}  # a page; JSON of ntfy, whatever its prefix is


def _examples(path: str) -> list[str]:
    """Paths that a rule takes: several where it takes what follows as well."""
    if path.startswith("/rest/<anything:path>"):
        return ["/rest/ping/localhost", "/rest/message/chat/juliet@localhost"]
    if path.startswith("/files/<anything:path>"):
        return ["/files/x/rose.png"]
    if path.startswith("/data/<anything:path>"):
        return ["/data/x", "/data/x/json", "/data/localhost/juliet/x", "/data/localhost/juliet/x/json"]
    return [re.sub(r"<(?:\w+:)?(\w+)>|\{(\w+)\}", lambda m: PLACES.get(m[1] or m[2], "x"), path)]


def test_the_router_has_no_route_beside_the_tables(documents: dict[str, Document], shared_app: Flask) -> None:
    described = Described(documents["/openapi.json"])
    for rule in shared_app.url_map.iter_rules():
        if (rule.endpoint.startswith("web.") and rule.rule != "/") or re.match("/v[0-9]+/api", rule.rule) or rule.rule in ("/data", *NOTHING):
            continue  # pages; the base of clients of one version; a redirect to the listing
        path = re.sub("<[^>]+>", "x", rule.rule.replace("<anything:path>", "x/y").replace("<anything:tail>", "x")).replace("/openapi/x", "/openapi/rest")
        tried = [row for method in ("GET", "POST", "PUT", "DELETE") for row in [path, f"{path}/users", f"{path}/y/z"] if described.operation(method, row)[1]]
        assert tried, rule.rule


@pytest.mark.parametrize("address", ADDRESSES)
def test_examples_fit_their_schemas(documents: dict[str, Document], address: str) -> None:
    described = Described(documents[address])
    for path, _, operation in operations(documents[address]):
        content = operation.get("requestBody", {}).get("content", {})
        assert "application/json" not in content or next(iter(content)) == "application/json"
        for kind, media in content.items():
            assert "example" in media or kind in OF_MANY_BYTES, f"{path} has no example of {kind}"
            if "example" in media and (kind.endswith("json") or "urlencoded" in kind):
                assert list(described.problems(media["example"], media["schema"])) == [], path
        for row in operation.get("parameters", []):
            assert list(described.problems(row["example"], row["schema"])) == [] if "example" in row else True


def test_commands_are_those_of_each_version(documents: dict[str, Document]) -> None:
    for version in range(4):
        named = {command.definition.name for command in registry().of_version(version)}
        assert len(named) >= 130
        assert set(documents[f"/openapi/commands-v{version}.json"]["paths"]) == {f"/api/{name}/v{version}" for name in named}
    offered = documents["/openapi.json"]["paths"]
    assert {f"/api/{command.definition.name}" for command in registry().of_version(3)} < offered.keys()
    roster = [documents[f"/openapi/commands-v{version}.json"]["paths"][f"/api/add_rosteritem/v{version}"]["post"] for version in (0, 3)]
    old, new = (operation["requestBody"]["content"]["application/json"]["schema"]["properties"].keys() for operation in roster)
    assert old ^ new == {"group", "groups"}


def test_the_file_of_the_documentation_is_what_is_served(make_app: MakeApp) -> None:
    app = make_app(gateway_domain="localhost", auth_admin_password="", rest_credentials="", auth_iterations="10000")
    served = app.test_client().get("/openapi.json")
    assert json.loads(PAGE.read_text("utf-8")) == served.get_json(), "run `make openapi`"


def test_it_is_served_to_everybody(client: FlaskClient) -> None:
    for address in ADDRESSES:
        answer = client.get(address, headers={"Origin": "https://app.example", "Authorization": "Basic wrong"})
        fields = answer.headers
        assert (answer.status_code, fields["Content-Type"], fields["Cache-Control"]) == (200, "application/json", "no-cache")
        assert fields["Access-Control-Allow-Origin"] == "*"
        assert "Access-Control-Allow-Credentials" not in fields
        assert len(answer.data) <= 1_500_000
        again = client.get(address, headers={"If-None-Match": fields["ETag"]})
        assert (again.status_code, again.data, again.headers["ETag"]) == (304, b"", fields["ETag"])
        head = client.head(address)
        assert (head.status_code, head.headers["Content-Length"], head.data) == (200, str(len(answer.data)), b"")


def test_pages_ask_with_a_condition(client: FlaskClient) -> None:
    asked = {"Origin": "https://app.example", "Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "if-none-match"}
    fields = client.options("/openapi.json", headers=asked).headers
    assert fields["Access-Control-Allow-Origin"] == "*"
    assert "If-None-Match" in fields["Access-Control-Allow-Headers"]


def test_whatever_origins_says_pages_may_read_it(make_app: MakeApp) -> None:
    client = make_app(server_origins="").test_client()
    assert client.get("/openapi/rest.json", headers={"Origin": "https://app.example"}).headers["Access-Control-Allow-Origin"] == "*"


def test_other_methods_and_names_are_refused(client: FlaskClient) -> None:
    for method in ("POST", "PUT", "DELETE", "PATCH"):
        answer = client.open("/openapi.json", method=method)
        assert (answer.status_code, answer.headers["Allow"]) == (405, "GET, HEAD, OPTIONS")
        assert client.open("/openapi/rest.json", method=method).status_code == 405
    for name in ("all", "nothing", "commands-v4", "commands-v"):
        answer = client.get(f"/openapi/{name}.json")
        assert (answer.status_code, answer.headers["Content-Type"]) == (404, "application/problem+json")
        assert "commands-v0" in answer.get_json()["detail"]


def _url(client: FlaskClient, **fields: str) -> str:
    answer = client.get("/openapi/ops.json", headers=fields, environ_base={"REMOTE_ADDR": "127.0.0.1"})
    url: str = answer.get_json()["servers"][0]["url"]
    return url


def test_the_url_is_the_prefix_of_the_request(make_app: MakeApp) -> None:
    behind, alone = make_app(server_proxies="1").test_client(), make_app().test_client()
    fields = {"X-Forwarded-For": "192.0.2.1", "X-Forwarded-Prefix": "/gw"}
    assert (_url(alone), _url(alone, **fields)) == ("/", "/")
    assert (_url(behind), _url(behind, **fields)) == ("/", "/gw")
    assert _url(behind, **fields | {"X-Forwarded-Prefix": "//elsewhere.example"}) == "/"
    tags = {behind.get("/openapi.json", headers=fields | {"X-Forwarded-Prefix": prefix}).headers["ETag"] for prefix in ("/a", "/b")}
    assert len(tags) == 2
    named = make_app(server_proxies="1", server_public_url="https://chat.example/im/").test_client()
    assert _url(named, **fields) == "https://chat.example/im"


def test_it_follows_the_settings(make_app: MakeApp) -> None:
    client = make_app(client_prefix="/im", client_generation="3", commands_default_version="0").test_client()
    document = client.get("/openapi.json").get_json()
    rooms = document["paths"]["/im/rooms"]["post"]["responses"]
    assert ("200" in rooms, "201" in rooms) == (True, False)
    assert document["paths"]["/im-docs/openapi.json"]["get"]["security"] == []
    arguments = document["paths"]["/api/add_rosteritem"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert "group" in arguments["properties"]


def test_what_is_open_says_so(documents: dict[str, Document]) -> None:
    open_ = {operation["operationId"] for _, _, operation in operations(documents["/openapi.json"]) if operation.get("security") == []}
    assert {"oauthToken", "opsHealth", "opsLive", "opsReady", "opsOpenapi"} <= open_
    assert not {"opsMetrics", "restSend", "clientMessagesSend", "dataRead", "opsStatus", "command_register"} & open_
    assert documents["/openapi.json"]["security"] == [{"basic": []}, {"bearer": []}]


def test_misses_are_found(client: FlaskClient, documents: dict[str, Document]) -> None:
    """The check that all tests of this folder go through."""
    answer = client.get("/health")
    wrong = json.loads(json.dumps(documents["/openapi.json"]))
    assert list(Described(wrong).misses(answer)) == []
    wrong["components"]["schemas"]["Health"] = {"type": "object", "required": ["more"]}
    assert "required" in "".join(Described(wrong).misses(answer))
    del wrong["paths"]["/health"]["get"]["responses"]["200"]
    assert "200 is not described" in "".join(Described(wrong).misses(answer))
    assert DOMAIN  # the shared application's
