"""The code of docs/resource.md runs, and does what the page says."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from xmpp_rest.http.callbacks import CALLBACKS

PAGE = (Path(__file__).parents[2] / "docs" / "resource.md").read_text()


@pytest.fixture
def client() -> Any:
    names: dict[str, Any] = {"__name__": "page"}
    exec("\n".join(re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)), names)
    app = names["app"]
    app.add_url_rule("/plain", view_func=names["Plain"].as_view("plain"))
    return app.test_client()


def rows(heading: Any) -> Any:
    table = PAGE.split(heading, 1)[1].split("\n\n", 1)[0]
    return [[cell.strip() for cell in row.strip("|").split(" | ")] for row in table.splitlines()[2:]]


def ask(client: FlaskClient, request: Any) -> Any:
    (method, path), *rest = (part.split(" ", 1) for part in re.findall(r"`(.*?)`", request))
    options: dict[str, Any] = {"headers": {}}
    for name, value in rest:
        if re.fullmatch(r"[\w-]+:", name):
            options["headers"][name[:-1]] = value
        else:
            options["data"] = f"{name} {value}"
    if method == "PUT":
        options["data"] = '{"text": "o"}'
    if "data" in options and "Content-Type" not in options["headers"]:
        options["content_type"] = "application/json"
    return client.open(path, method=method, **options)


def test_the_worked_resource(client: FlaskClient) -> None:
    table = rows("and yet:\n\n")
    assert len(table) == 15
    for request, answer in table:
        # A body that is a single word has no second part to split.
        response = ask(client, request.replace("`[]`", "`[ ]`"))
        assert response.status_code == int(answer[:3]), request
        for name, value in re.findall(r"`([\w-]+): (.*?)`", answer):
            assert response.headers[name] == value, request
        if "problem document" in answer:
            assert response.json["detail"] == 'send an object with a "name"'
        if "`text/plain`" in answer:
            assert response.content_type == "text/plain"


def test_errors_of_another_shape(client: FlaskClient) -> None:
    response = client.put("/plain")
    assert (response.status_code, response.text, response.content_type) == (405, "405 \n", "text/plain")


def test_leaving_early(client: FlaskClient) -> None:
    assert client.get("/jobs/running").status_code == 202
    assert client.get("/jobs/running").json == {"state": "running"}
    watched = client.get("/jobs/watch")
    assert (watched.content_type, watched.text.count("data: watch")) == ("text/event-stream", 3)
    assert client.get("/jobs/old").text == "done"


def test_the_table_names_every_callback() -> None:
    assert {name for row in rows("in a request.\n\n") for name in re.findall(r"`(\w+)`", row[0])} == CALLBACKS


def test_the_diagram_names_every_callback() -> None:
    found = re.search(r"```mermaid\n(.*?)```", PAGE, re.DOTALL)
    assert found
    diagram = found[1]
    assert {name for name in CALLBACKS if name not in diagram} == {"init"}
