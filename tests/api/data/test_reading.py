"""GET: content and format of a store."""

from __future__ import annotations

import pytest

from tests.api.data.conftest import JSON, LUA, Ask

TYPES = {"json": f"{JSON}; charset=utf-8", "lua": f"{LUA}; charset=utf-8"}
BODIES = {"json": b'{"a":1}', "lua": b'{\n\t["a"] = 1;\n}'}


@pytest.mark.parametrize("form", ["json", "lua"])
def test_the_format_in_the_path(ask: Ask, form: str) -> None:
    ask("PUT", "/data/settings", body='{"a":1}')
    response = ask("GET", f"/data/settings/{form}")
    assert (response.status_code, response.headers["Content-Type"], response.data) == (200, TYPES[form], BODIES[form])
    head = ask("HEAD", f"/data/settings/{form}")
    assert (head.status_code, head.headers["Content-Type"], head.data) == (200, TYPES[form], b"")
    assert head.headers["Content-Length"] == str(len(BODIES[form]))


@pytest.mark.parametrize("form", ["xml", "JSON", "Lua", "json%20", "%FF"])
def test_an_unknown_format(ask: Ask, form: str) -> None:
    ask("PUT", "/data/settings", body='{"a":1}')
    assert ask("GET", f"/data/settings/{form}").status_code == 404
    assert ask("HEAD", f"/data/settings/{form}").status_code == 404
    # of a write it is ignored
    assert ask("PUT", f"/data/settings/{form}", body='{"a":2}').status_code == 201
    assert ask("DELETE", f"/data/settings/{form}").status_code == 204


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        *((accept, "json") for accept in [None, "*/*", "", "image/png", "text/html, application/xhtml+xml;q=0.9, */*;q=0.8"]),
        ("text/*", "json"),
        ("text/*, application/json;q=0.1", "json"),
        ("application/json;charset=utf-8", "json"),
        ("text/x-lua;q=0", "json"),
        ("text/x-lua;q=0, */*", "json"),
        ("text/x-lua;q=0.5, */*", "json"),
        ("text/x-lua;q=0.5, application/json", "json"),
        ("not an accept field", "json"),
        ("text/x-lua;q=huge", "json"),
        *((accept, "lua") for accept in ["text/x-lua", "Text/X-Lua", "text/x-lua, */*", "text/x-lua;charset=utf-8, text/html"]),
        ("application/json;q=0.5, text/x-lua", "lua"),
    ],
)
def test_accept_chooses_where_it_names_a_format(ask: Ask, accept: str | None, form: str) -> None:
    ask("PUT", "/data/settings", body='{"a":1}')
    response = ask("GET", "/data/settings", fields={} if accept is None else {"Accept": accept})
    assert (response.status_code, response.headers["Content-Type"], response.data) == (200, TYPES[form], BODIES[form])
    assert response.headers["Vary"] == "Accept"


def test_the_format_in_the_path_outranks_accept(ask: Ask) -> None:
    ask("PUT", "/data/settings", body='{"a":1}')
    response = ask("GET", "/data/settings/json", fields={"Accept": LUA})
    assert (response.data, "Vary" in response.headers) == (BODIES["json"], False)
    assert ask("GET", "/data/settings/lua", fields={"Accept": "image/png"}).data == BODIES["lua"]


def test_a_write_answers_whatever_accept_says(ask: Ask) -> None:
    assert ask("PUT", "/data/settings", body='{"a":1}', fields={"Accept": "image/png"}).status_code == 201
    assert ask("DELETE", "/data/settings", fields={"Accept": "nonsense"}).status_code == 204


@pytest.mark.parametrize("path", ["/data/settings", "/data/settings/lua"])
def test_nothing_there(ask: Ask, path: str) -> None:
    assert ask("GET", path).status_code == 404
    assert ask("HEAD", path).status_code == 404


@pytest.mark.parametrize(("form", "body"), [("json", b'["rope",{"n":1},[1,2],7]'), ("lua", None)])
def test_a_list_is_an_array(ask: Ask, form: str, body: bytes | None) -> None:
    for item in ('"rope"', '{"n":1}', "[1,2]", "7"):
        ask("POST", "/data/wishes", body=item)
    lua = b'{\n\t"rope";\n\t{\n\t\t["n"] = 1;\n\t};\n\t{\n\t\t1;\n\t\t2;\n\t};\n\t7;\n}'
    assert ask("GET", f"/data/wishes/{form}").data == (body or lua)


def test_of_both_sorts_only_the_table_shows(ask: Ask) -> None:
    ask("POST", "/data/both", body='"item"')
    assert ask("GET", "/data/both").data == b'["item"]'
    ask("PUT", "/data/both", body='{"a":1}')
    assert ask("GET", "/data/both").data == b'{"a":1}'
    ask("POST", "/data/both", body='"second"')
    assert ask("GET", "/data/both").data == b'{"a":1}'
    ask("PUT", "/data/both", body="{}")
    assert ask("GET", "/data/both").data == b'["item","second"]'


def test_errors_say_what_would_be_right(ask: Ask) -> None:
    problem = ask("GET", "/data/settings/xml").get_json()
    assert problem["status"] == 404
    assert "json, lua" in problem["detail"]
