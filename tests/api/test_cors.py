"""Do the fields that let web pages in replace what stood there, and follow each request's own origin?"""

from __future__ import annotations

import pytest
from flask import Response
from flask.testing import FlaskClient

from tests.conftest import DOMAIN, MakeApp, basic
from xmpp_rest.api.cors import let_in

FIELDS = (("Access-Control-Max-Age", "7200"),)


@pytest.mark.parametrize("before", ["Access-Control-Allow-Origin", "access-control-allow-origin", "ACCESS-CONTROL-MAX-AGE"])
def test_a_field_that_is_there_is_replaced(before: str) -> None:
    response = let_in(Response(headers={before: "before", "Vary": "Accept"}), "https://a.example", FIELDS)
    assert response.headers.getlist("Access-Control-Allow-Origin") == ["https://a.example"]
    assert response.headers.getlist("Access-Control-Max-Age") == ["7200"]
    assert response.headers["Vary"] == "Accept"


def test_fields_are_added_where_there_are_none() -> None:
    response = let_in(Response(headers={"Vary": "Accept"}), "*", FIELDS)
    assert response.headers.to_wsgi_list() == [
        ("Vary", "Accept"), ("Content-Type", "text/html; charset=utf-8"), ("Access-Control-Allow-Origin", "*"), *FIELDS,
    ]  # fmt: skip


@pytest.mark.parametrize("path", ["/rest", f"/data/{DOMAIN}/juliet/x"])
def test_each_request_has_its_own_origin(client: FlaskClient, path: str) -> None:
    origins = ["https://a.example", None, "https://b.example", "null", ""]
    fields = [{} if origin is None else {"Origin": origin} for origin in origins]
    answers = [client.options(path, headers=given).headers.getlist("Access-Control-Allow-Origin") for given in fields]
    assert answers == [["https://a.example"], ["*"], ["https://b.example"], ["null"], [""]]


def test_the_fields_of_two_dialects_on_one_answer(make_app: MakeApp) -> None:
    app = make_app(client_prefix="/rest/client")
    app.extensions["gateway"].accounts.register(app.extensions["gateway"].accounts.address("juliet", DOMAIN), "x")
    fields = basic(f"juliet@{DOMAIN}", "x") | {"Origin": "https://a.example"}
    headers = app.test_client().get("/rest/client/contacts", headers=fields).headers
    assert headers.getlist("Access-Control-Allow-Origin") == ["https://a.example"]
    assert headers.getlist("Access-Control-Allow-Methods") == ["GET, OPTIONS, POST"]
    assert headers.getlist("Access-Control-Allow-Credentials") == ["true"]
