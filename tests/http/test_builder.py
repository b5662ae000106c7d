"""The response is made by the application's own class, without a Content-Type that nobody chose, and with Location as it was returned."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask, Response

from tests.http.conftest import Ask
from xmpp_rest.http.builder import ResponseBuilder, construct
from xmpp_rest.http.resource import Created, Resource


@pytest.mark.parametrize("payload", [b"", b"x", None, iter([b"x"])], ids=["empty", "bytes", "none", "stream"])
@pytest.mark.parametrize("shortcut", [True, False])
def test_there_is_no_default_content_type(payload: Any, shortcut: bool) -> None:
    with Flask("test").app_context():
        assert "Content-Type" not in construct({"Allow": "GET"}, payload, 200, shortcut=shortcut).headers


@pytest.mark.parametrize("value", ["a\nb", "a\rb", "\r\nSet-Cookie: a=b", "a\n"])
@pytest.mark.parametrize("shortcut", [True, False])
def test_a_line_break_in_a_field_raises(value: str, shortcut: bool) -> None:
    with Flask("test").app_context(), pytest.raises(ValueError, match="newline"):
        construct({"Allow": "GET", "Location": value}, b"x", 200, shortcut=shortcut)


def test_a_response_that_is_asked_for_has_what_was_collected_before() -> None:
    builder = ResponseBuilder()
    builder.set_field("Allow", "GET")
    builder.write("x", "text/plain", None)
    with Flask("test").app_context():
        response = builder.response
        assert (response.data, dict(response.headers)) == (b"x", {"Allow": "GET", "Content-Length": "1"})
        builder.set_field("ETag", '"1"')
        assert builder.finished(200) is response
    assert response.headers["ETag"] == '"1"'
    assert response.status == "200 OK"


@pytest.mark.parametrize("touch", [True, False])
def test_the_class_is_that_of_the_application(app: Flask, define: Callable[..., type[Resource]], touch: bool) -> None:
    class Own(Response):
        pass

    def accept(self: Any) -> Any:
        if touch:
            self.response.headers["X-Touched"] = "yes"
        return Created("/new?")

    app.response_class = Own
    app.add_url_rule("/thing", view_func=define(accept=accept).as_view("thing"))
    with app.test_request_context("/thing", method="POST"):
        response = app.dispatch_request()
        assert isinstance(response, Own)
        assert type(response).__name__ == "Own"
    assert app.test_client().post("/thing").headers["Location"] == "/new?"


def test_the_response_under_construction_is_one_object(ask: Ask) -> None:
    class Twice(Resource):
        def to_html(self) -> Any:
            self.response.headers["X-First"] = "1"
            self.response.headers["X-Second"] = "2"
            return "x"

    answer = ask(Twice)
    assert (answer.headers["X-First"], answer.headers["X-Second"]) == ("1", "2")
