"""What is left out is not missed: nothing is kept in a session, and everything else is done as Flask does it."""

from __future__ import annotations

import pytest
from flask import Flask, Response, session

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
