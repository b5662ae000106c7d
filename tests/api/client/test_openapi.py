"""The description of the client API is complete, and served. (Its answers are checked in conftest.py.)"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.api.client.calls import JULIET
from tests.api.client.schema import Checker
from tests.api.client.served import serve
from tests.conftest import MakeApp, basic
from xmpp_rest.api.client.routes import ROUTES

GUESSES = (  # checks that take the API for something else
    "positive_data_acceptance",  # no schema says all that an address has to be
    "use_after_free",  # OPTIONS of what was removed is 200
    "ensure_resource_availability",  # POST /rooms/{id} makes a room of another name
)
BESIDE = Path(sys.executable).with_name("st")  # a virtual environment need not be activated
SCHEMATHESIS = os.environ.get("SCHEMATHESIS") or (str(BESIDE) if BESIDE.exists() else shutil.which("st"))


@pytest.fixture
def description(client: FlaskClient) -> dict[str, Any]:
    response = client.get("/api-docs/openapi.json")
    assert (response.status_code, response.headers["Content-Type"]) == (200, "application/json")
    description: dict[str, Any] = response.get_json()
    return description


def references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        yield from (value[key] for key in ("$ref",) if key in value)
        for member in value.values():
            yield from references(member)
    elif isinstance(value, list):
        for member in value:
            yield from references(member)


def test_every_route_and_method_is_described(description: dict[str, Any]) -> None:
    served = {route.path: set(route.methods.lower().split(", ")) for route in ROUTES}
    assert {path: set(item) - {"parameters"} for path, item in description["paths"].items()} == served


def test_parameters_are_those_of_the_path(description: dict[str, Any]) -> None:
    for path, item in description["paths"].items():
        for operation in item.values():
            named = [row["name"] for row in operation.get("parameters", []) if row["in"] == "path"]
            assert named == re.findall(r"\{(\w+)\}", path)


def test_references_lead_somewhere_and_ids_are_unique(description: dict[str, Any]) -> None:
    schemas = description["components"]["schemas"]
    assert {name.removeprefix("#/components/schemas/") for name in references(description)} == schemas.keys()
    ids = [operation["operationId"] for item in description["paths"].values() for operation in item.values() if "operationId" in operation]
    assert len(ids) == len(set(ids))


def test_path_and_generation_are_the_configured_ones(make_app: MakeApp) -> None:
    client = make_app(client_prefix="/im", client_generation="3").test_client()
    description = client.get("/im-docs/openapi.json").get_json()
    assert description["servers"] == [{"url": "/im"}]
    answers = description["paths"]["/rooms"]["post"]["responses"]
    assert ("200" in answers, "201" in answers, "content" in answers["400"]) == (True, False, False)


def test_web_pages_may_read_it(client: FlaskClient) -> None:
    response = client.get("/api-docs/openapi.json", headers={"Origin": "https://app.example"})
    assert response.headers["Access-Control-Allow-Origin"] == "https://app.example"


def test_the_check_finds_what_is_wrong() -> None:
    checker = Checker({"Id": {"type": "object", "properties": {"id": {"type": "string"}}, "required": ["id"], "additionalProperties": False}})
    schema = {"type": "array", "items": {"$ref": "#/components/schemas/Id"}}
    assert checker.fits([{"id": "x"}], schema)
    for wrong in list[Any]([{}, [{}], [{"id": 1}], [{"id": "x", "more": 1}], ["x"]]):
        with pytest.raises((AssertionError, AttributeError, TypeError)):
            assert checker.fits(wrong, schema)


@pytest.mark.timeout(500)
@pytest.mark.skipif(not SCHEMATHESIS, reason="schemathesis is not installed, and SCHEMATHESIS does not name its `st`")
def test_schemathesis_finds_nothing(tmp_path: Path) -> None:
    """Requests made up from the description, good and bad ones, hundreds of each."""
    with serve(tmp_path / "data", server_log_level="error") as server:
        url = f"http://127.0.0.1:{server.port}/api-docs/openapi.json"
        options = ["--exclude-path", "/sse", "--exclude-checks", ",".join(GUESSES), "--max-examples", "20"]
        command = [SCHEMATHESIS or "st", "run", url, *options, "-H", f"Authorization: {basic(JULIET)['Authorization']}"]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=480)
    assert done.returncode == 0, done.stdout[-5000:]
