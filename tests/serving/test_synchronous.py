"""What is left out is not missed: nothing is kept in a session, and everything else is done as Flask does it."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask, Response, session, url_for
from werkzeug.routing import Rule

from xmpp_rest.serving.synchronous import Synchronous


@pytest.fixture(params=[Flask, Synchronous])
def app(request: pytest.FixtureRequest) -> Flask:
    app: Flask = request.param("test")
    app.testing = True
    return app


def test_a_session_is_empty_and_cannot_be_written(app: Flask) -> None:
    @app.get("/read")
    def read() -> dict[str, str]:
        return dict(session)

    @app.get("/write")
    def write() -> str:
        session["x"] = "y"
        return ""

    client = app.test_client()
    for _ in range(2):
        answer = client.get("/read", headers={"Cookie": "session=eyJ4IjoieSJ9"})
        assert (answer.get_json(), answer.headers.getlist("Set-Cookie")) == ({}, [])
        with pytest.raises(RuntimeError, match="secret key"):
            client.get("/write")


def test_functions_are_called_in_flasks_order(app: Flask) -> None:
    called = []

    @app.before_request
    def before() -> None:
        called.append("before")

    @app.after_request
    def after(response: Response) -> Response:
        called.append("after")
        return response

    @app.teardown_request
    def teardown(_error: BaseException | None) -> None:
        called.append("teardown")

    @app.errorhandler(404)
    def missing(_error: Exception) -> tuple[str, int]:
        called.append("missing")
        return "none", 404

    assert app.test_client().get("/nowhere").data == b"none"
    assert called == ["before", "missing", "after", "teardown"]


def test_urls_are_made_as_flask_makes_them(app: Flask) -> None:
    @app.get("/of/<name>/<int:number>")
    def of(name: str, number: int) -> str:
        return url_for("of", name=name, number=number + 1, more="a b")

    @app.get("/first", defaults={"page": 1})
    @app.get("/<int:page>")
    def paged(page: int) -> str:
        return url_for("paged", page=page)

    client = app.test_client()
    for path, url in (("/of/a%20b/1", "/of/a%20b/2?more=a+b"), ("/of/ü/7", "/of/%C3%BC/8?more=a+b"), ("/2", "/2"), ("/first", "/first")):
        for _ in range(2):  # the second time what was compiled is used
            assert client.get(path).text == url


def test_the_making_of_urls_is_compiled_when_it_is_first_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled: list[str] = []
    compile_builder = Rule._compile_builder

    def noting(rule: Rule, append_unknown: bool = True) -> Any:
        compiled.append(rule.rule)
        return compile_builder(rule, append_unknown)

    monkeypatch.setattr(Rule, "_compile_builder", noting)
    app = Synchronous("test")
    app.add_url_rule("/x/<name>", "x", lambda name: url_for("x", name=name))
    app.add_url_rule("/y", "y", lambda: "y")
    client = app.test_client()
    assert client.get("/y").text == "y"
    assert compiled == []
    assert [client.get("/x/a").text for _ in range(2)] == ["/x/a", "/x/a"]
    assert compiled == ["/x/<name>"]
