"""Stop and SwitchHandler from every callback, and exceptions that are Flask's business."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

import pytest
from flask import Flask, Response, abort, request
from flask import make_response as flask_make_response

from tests.http.conftest import Ask
from tests.raising import raising
from xmpp_rest.http.resource import Stop, SwitchHandler

#: Callback, method, header fields and further answers that make the machine ask for it.
REACHED = [
    *((callback, "GET", {}, {}) for callback in ["init", "service_available", "known_methods", "uri_too_long"]),
    *((callback, "GET", {}, {}) for callback in ["allowed_methods", "malformed_request", "is_authorized", "forbidden"]),
    ("rate_limited", "GET", {}, {}),
    ("valid_content_headers", "GET", {}, {}),
    ("valid_entity_length", "GET", {}, {}),
    ("options", "OPTIONS", {}, {}),
    ("content_types_provided", "GET", {}, {}),
    *((callback, "GET", {}, {}) for callback in ["languages_provided", "charsets_provided", "ranges_provided", "variances"]),
    ("resource_exists", "GET", {}, {}),
    ("generate_etag", "GET", {}, {}),
    ("generate_etag", "PUT", {"If-Match": '"1"'}, {}),
    ("last_modified", "GET", {}, {}),
    ("expires", "GET", {}, {}),
    ("previously_existed", "GET", {}, {"resource_exists": False}),
    ("moved_permanently", "PUT", {}, {"resource_exists": False}),
    ("moved_temporarily", "GET", {}, {"resource_exists": False, "previously_existed": True}),
    ("allow_missing_post", "POST", {}, {"resource_exists": False}),
    ("content_types_accepted", "POST", {}, {}),
    ("is_conflict", "PUT", {}, {}),
    ("accept", "PATCH", {}, {}),
    ("delete_resource", "DELETE", {}, {}),
    ("delete_completed", "DELETE", {}, {}),
    ("to_text", "GET", {}, {}),
    ("to_text", "HEAD", {}, {}),
    ("to_text", "GET", {"Range": "bytes=0-1"}, {"ranges_provided": [("bytes", "auto")]}),
    ("range_satisfiable", "GET", {"Range": "x=1"}, {"ranges_provided": [("x", "to_x")]}),
    ("to_x", "GET", {"Range": "x=1"}, {"ranges_provided": [("x", "to_x")]}),
    ("multiple_choices", "GET", {}, {}),
]
reached = pytest.mark.parametrize(("callback", "method", "headers", "answers"), REACHED)


def leave(exception: Any) -> Any:
    def callback(self: Any) -> None:
        self.response.headers["X-So-Far"] = "yes"
        raise exception

    return callback


@reached
@pytest.mark.parametrize("status", [200, 202, 302, 418, 503])
def test_stop_with_a_response(ask: Ask, callback: Any, method: str, headers: Any, answers: Any, status: int) -> None:
    given = Response("left", status, {"X-Given": "1"}, content_type="text/x-left")
    response = ask({**answers, callback: leave(Stop(given))}, method, headers)
    assert (response.status_code, response.content_type) == (status, "text/x-left")
    assert response.text == ("" if method == "HEAD" else "left")
    assert (response.headers["X-Given"], response.headers["X-So-Far"]) == ("1", "yes")
    assert response.headers["Content-Length"] == "4"


@reached
def test_stop_as_it_stands(ask: Ask, callback: Any, method: str, headers: Any, answers: Any) -> None:
    response = ask({**answers, callback: leave(Stop())}, method, headers)
    multiple = callback == "multiple_choices"  # the body is there already
    assert (response.status_code, response.data) == ((200, b"hello") if multiple else (204, b""))
    assert response.headers["X-So-Far"] == "yes"
    assert response.content_type == ("text/plain" if multiple else None)


@reached
def test_switch_handler(ask: Ask, callback: Any, method: str, headers: Any, answers: Any) -> None:
    def handler(*args: Any, **kwargs: Any) -> Any:
        assert request.method == method
        return f"{args} {kwargs}"

    response = ask({**answers, callback: leave(SwitchHandler(handler, 1, b=2))}, method, headers)
    assert (response.status_code, response.content_type) == (200, "text/html; charset=utf-8")
    assert response.text == ("" if method == "HEAD" else "(1,) {'b': 2}")
    assert response.headers["X-So-Far"] == "yes"


@reached
@pytest.mark.parametrize("exception", [ValueError("x"), KeyError("x"), RuntimeError("x")])
def test_other_exceptions_pass_through(ask: Ask, app: Flask, callback: Any, method: str, headers: Any, answers: Any, exception: Any) -> None:
    app.testing = True
    with pytest.raises(type(exception)) as raised:
        ask({**answers, callback: exception}, method, headers)
    assert raised.value is exception


@reached
def test_flask_abort_passes_through(ask: Ask, app: Flask, callback: Any, method: str, headers: Any, answers: Any) -> None:
    app.register_error_handler(418, lambda error: ("teapot", 418))
    response = ask({**answers, callback: lambda self: abort(418)}, method, headers)
    assert (response.status_code, response.text) == (418, "" if method == "HEAD" else "teapot")


@pytest.mark.parametrize(
    ("given", "status", "text", "content_type"),
    [
        ("left", 200, "left", "text/html; charset=utf-8"),
        ("", 200, "", "text/html; charset=utf-8"),
        (b"left", 200, "left", "text/html; charset=utf-8"),
        (("left", 202), 202, "left", "text/html; charset=utf-8"),
        (("left", 404), 404, "left", "text/html; charset=utf-8"),
        (("left", 202, {"Content-Type": "text/plain"}), 202, "left", "text/plain"),
        (("left", {"Content-Type": "text/plain"}), 200, "left", "text/plain"),
        ({"a": 1}, 200, '{"a":1}\n', "application/json"),
        ([1], 200, "[1]\n", "application/json"),
        (iter(["le", "ft"]), 200, "left", "text/html; charset=utf-8"),
        (("", 204), 204, "", None),
        (("", 304), 304, "", None),
        (("", 500), 500, "", "text/html; charset=utf-8"),
    ],
)
@pytest.mark.parametrize("how", [Stop, lambda given: SwitchHandler(lambda: given)])
def test_anything_a_view_may_return(ask: Ask, given: Any, status: int, text: str, content_type: str | None, how: Any) -> None:
    if hasattr(given, "__next__"):
        given = iter(["le", "ft"])
    response = ask({"accept": how(given)}, "POST")
    assert (response.status_code, response.text, response.content_type) == (status, text, content_type)


@pytest.mark.parametrize("given", [None, 5, object()])
def test_what_no_view_may_return_is_a_programming_error(ask: Ask, given: Any) -> None:
    assert ask({"accept": SwitchHandler(lambda: given)}, "POST").status_code == 500


@pytest.mark.parametrize("how", [Stop, lambda given: SwitchHandler(lambda: given)])
def test_fields_so_far_go_along_unless_given_anew(ask: Ask, how: Any) -> None:
    def to_text(self: Any) -> None:
        self.response.headers["X-Mine"] = "resource"
        self.response.headers["X-Other"] = "resource"
        self.response.headers.add("Set-Cookie", "a=1")
        self.response.headers.add("Set-Cookie", "b=2")
        self.response.data = b"a long body that is not sent"
        raise how(Response("left", headers={"x-mine": "given", "Vary": "Origin"}, content_type="text/x-left"))

    types = [("text/plain", "to_text"), ("text/html", "to_text")]
    response = ask({"to_text": to_text, "languages_provided": ["en"], "content_types_provided": types})
    assert response.headers.get_all("X-Mine") == ["given"]
    assert response.headers["X-Other"] == "resource"
    assert response.headers.get_all("Set-Cookie") == ["a=1", "b=2"]
    assert response.headers.get_all("Vary") == ["Origin"]
    assert response.headers["Content-Language"] == "en"
    assert response.headers["Allow"].startswith("GET, HEAD")
    assert response.headers.get_all("Content-Type") == ["text/x-left"]
    assert response.headers.get_all("Content-Length") == ["4"]


def test_a_given_error_gets_no_problem_body(ask: Ask) -> None:
    response = ask({"forbidden": Stop(Response(status=403))})
    assert (response.status_code, response.data) == (403, b"")
    assert ask({"forbidden": Stop(("", 403))}).data == b""


@pytest.mark.parametrize(
    ("touch", "status"),
    [
        (lambda response: None, 204),
        (lambda response: setattr(response, "data", b""), 204),
        (lambda response: setattr(response, "data", b"x"), 200),
        (lambda response: setattr(response, "status_code", 200), 200),
        (lambda response: setattr(response, "status", "200 OK"), 200),
        (lambda response: setattr(response, "status_code", 202), 202),
        (lambda response: setattr(response, "status", "418 I'm a teapot"), 418),
        (lambda response: setattr(response, "status_code", 403), 403),
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
def test_the_status_of_a_bare_stop(ask: Ask, touch: Any, status: int, method: str) -> None:
    def resource_exists(self: Any) -> None:
        touch(self.response)
        raise Stop

    response = ask({"resource_exists": resource_exists}, method)
    assert (response.status_code, "Allow" in response.headers) == (status, True)
    assert response.data == (b"x" if status == 200 and response.headers.get("Content-Length") == "1"
                             and method != "HEAD" else b"")  # fmt: skip


def test_a_bare_stop_keeps_the_negotiated_type_of_its_body(ask: Ask) -> None:
    def accept(self: Any) -> None:
        self.set_body("partly")
        self.response.status_code = 202
        raise Stop

    response = ask({"accept": accept}, "POST")
    assert (response.status_code, response.text, response.content_type) == (202, "partly", "text/plain")


def test_stop_with_the_response_under_construction(ask: Ask) -> None:
    def accept(self: Any) -> None:
        self.set_body("all of it")
        raise Stop(self.response)

    response = ask({"accept": accept}, "POST")
    assert (response.status_code, response.text, response.status) == (200, "all of it", "200 OK")
    assert response.headers.get_all("Allow") == ["GET, HEAD, OPTIONS, PUT, POST, PATCH, DELETE"]


def test_a_handler_may_stream_and_sees_the_request(ask: Ask) -> None:
    def events() -> Iterator[Any]:
        yield "data: 1\n\n"
        yield "data: 2\n\n"

    def handler(name: Any) -> Any:
        assert name == (request.view_args or {})["key"]
        return flask_make_response(events(), {"Content-Type": "text/event-stream"})

    def resource_exists(self: Any) -> None:
        raise SwitchHandler(handler, self.args["key"])

    response = ask({"resource_exists": resource_exists}, key="juliet")
    assert (response.text, response.content_type) == ("data: 1\n\ndata: 2\n\n", "text/event-stream")
    assert "Content-Length" not in response.headers


def test_an_exception_of_a_handler_passes_through(ask: Ask, app: Flask) -> None:
    app.testing = True
    with pytest.raises(LookupError):
        ask({"forbidden": SwitchHandler(cast("Any", raising(LookupError("x"))))})
