"""S1 to S11: the questions asked of every request, in their order."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from tests.http.conftest import Ask
from xmpp_rest.http.resource import Resource

ALL = "GET, HEAD, OPTIONS, PUT, POST, PATCH, DELETE"
NAIVE = datetime(2026, 1, 1)
CET = timezone(timedelta(hours=1))


@pytest.mark.parametrize(
    ("answers", "status", "allow"),
    [
        ({"service_available": False}, 503, None),
        ({"service_available": None}, 503, None),
        ({"service_available": True}, 200, ALL),
        ({"service_available": 1}, 200, ALL),
        ({"known_methods": ["PUT"]}, 501, None),
        ({"known_methods": []}, 501, None),
        ({"known_methods": ["get"]}, 501, None),
        ({"uri_too_long": True}, 414, None),
        ({"uri_too_long": "yes"}, 414, None),
        ({"uri_too_long": False}, 200, ALL),
        ({"allowed_methods": ["PUT", "DELETE"]}, 405, "PUT, DELETE"),
        ({"allowed_methods": []}, 405, ""),
        ({"allowed_methods": ["get"]}, 405, "get"),
        ({"allowed_methods": ("GET",)}, 200, "GET"),
        ({"malformed_request": True}, 400, ALL),
        ({"malformed_request": None}, 200, ALL),
        ({"is_authorized": 'Basic realm="x"'}, 401, ALL),
        ({"is_authorized": True}, 200, ALL),
        ({"is_authorized": False}, 500, None),
        ({"is_authorized": None}, 500, None),
        ({"is_authorized": 1}, 500, None),
        ({"is_authorized": "Basic\r\nSet-Cookie: a=b"}, 500, None),
        ({"forbidden": True}, 403, ALL),
        ({"forbidden": None}, 200, ALL),
        ({"rate_limited": True}, 429, ALL),
        ({"rate_limited": None}, 200, ALL),
        ({"rate_limited": False}, 200, ALL),
        ({"rate_limited": 1.5}, 500, None),
        ({"rate_limited": "3"}, 500, None),
        ({"rate_limited": NAIVE}, 500, None),
        ({"valid_content_headers": False}, 501, ALL),
        ({"valid_content_headers": True}, 200, ALL),
        ({"valid_entity_length": False}, 413, ALL),
        ({"valid_entity_length": True}, 200, ALL),
    ],
)
def test_a_step_ends_the_request_or_goes_on(ask: Ask, answers: Any, status: int, allow: Any) -> None:
    response = ask(answers)
    assert response.status_code == status
    assert response.headers.get("Allow") == allow
    if status not in (200, 500):
        assert response.content_type == "application/problem+json"
        assert response.get_json()["status"] == status


@pytest.mark.parametrize(
    ("limit", "field"),
    [
        (0, "0"),
        (30, "30"),
        (-3, "0"),
        (True, None),
        (datetime(2026, 11, 6, 9, 49, 37, 999_999, tzinfo=CET), "Fri, 06 Nov 2026 08:49:37 GMT"),
        (datetime(2026, 11, 6, 8, 49, 37, tzinfo=UTC), "Fri, 06 Nov 2026 08:49:37 GMT"),
    ],
)
def test_rate_limited_says_when_to_come_back(ask: Ask, limit: Any, field: str | None) -> None:
    response = ask({"rate_limited": limit})
    assert (response.status_code, response.headers.get("Retry-After")) == (429, field)


def test_a_challenge_is_sent_as_it_is(ask: Ask) -> None:
    response = ask({"is_authorized": 'Basic realm="capulet", charset="UTF-8"'})
    assert response.headers["WWW-Authenticate"] == 'Basic realm="capulet", charset="UTF-8"'


FAILING = [
    ("service_available", False, 503),
    ("known_methods", ["POST"], 501),
    ("uri_too_long", True, 414),
    ("allowed_methods", ["POST"], 405),
    ("malformed_request", True, 400),
    ("is_authorized", "Basic", 401),
    ("forbidden", True, 403),
    ("rate_limited", 0, 429),
    ("valid_content_headers", False, 501),
    ("valid_entity_length", False, 413),
    ("content_types_provided", [], 406),
    ("languages_provided", [], 406),
    ("charsets_provided", [], 406),
    ("resource_exists", False, 404),
]


@pytest.mark.parametrize("first", range(len(FAILING)))
def test_the_earlier_step_wins(ask: Ask, first: Any) -> None:
    assert ask({name: value for name, value, _ in FAILING[first:]}).status_code == FAILING[first][2]


@pytest.mark.parametrize("first", range(len(FAILING)))
def test_no_later_callback_is_asked(ask: Ask, first: Any) -> None:
    later = {name: AssertionError(name) for name, _, _ in FAILING[first + 1 :]}
    assert ask({**later, FAILING[first][0]: FAILING[first][1]}).status_code == FAILING[first][2]


@pytest.mark.parametrize("method", sorted(Resource.route_methods))
def test_every_registered_method_reaches_the_machine(ask: Ask, method: str) -> None:
    known = {"GET": 200, "HEAD": 200, "OPTIONS": 200}
    unknown = 405 if method in {"PUT", "POST", "PATCH", "DELETE"} else 501
    response = ask(type("Plain", (Resource,), {"to_html": lambda self: "x"}), method)
    assert response.status_code == known.get(method, unknown)
    if response.status_code == 405:
        assert response.headers["Allow"] == "GET, HEAD, OPTIONS"


def test_a_class_may_add_a_private_method(ask: Ask, define: Callable[..., type[Resource]]) -> None:
    pot = define(known_methods=["BREW"], allowed_methods=["BREW"], route_methods=Resource.route_methods)
    pot.route_methods = Resource.route_methods | {"BREW"}
    assert ask(pot, "BREW").status_code == 200
    assert ask({}, "BREW").status_code == 405  # the router's own


def test_get_implies_head_where_a_class_says_so(ask: Ask, define: Callable[..., type[Resource]]) -> None:
    cls = type("Heading", (define(allowed_methods=["GET"]),), {"head_as_get": True})
    response = ask(cls, "HEAD")
    assert (response.status_code, response.data, response.headers["Allow"]) == (200, b"", "GET")
    assert ask(cls, "OPTIONS").status_code == 405


@pytest.mark.parametrize(
    ("answers", "method", "status"),
    [
        ({}, "get", 501),
        ({}, "head", 501),
        ({"known_methods": ["GET", "get"], "allowed_methods": ["GET"]}, "get", 405),
        ({"known_methods": ["get"]}, "GET", 501),
        ({"allowed_methods": ["get"]}, "GET", 405),
    ],
)
def test_methods_are_case_sensitive(ask: Ask, answers: Any, method: str, status: int) -> None:
    assert ask(answers, method).status_code == status


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS"])
def test_get_implies_nothing(ask: Ask, method: str) -> None:
    response = ask({"allowed_methods": ["GET"]}, method)
    assert (response.status_code, response.headers["Allow"]) == (405, "GET")
    assert bool(response.data) == (method != "HEAD")


@pytest.mark.parametrize(
    ("answers", "method", "status"),
    [
        ({}, "PUT", 400),
        ({}, "POST", 204),
        ({}, "GET", 200),
        ({"valid_content_headers": True}, "PUT", 204),
        ({"valid_content_headers": False}, "PUT", 501),
    ],
)
def test_a_part_is_not_stored_as_the_whole(ask: Ask, answers: Any, method: str, status: int) -> None:
    assert ask(answers, method, {"Content-Range": "bytes 0-1/2"}, data="ab").status_code == status


class TestOptions:
    def test_needs_neither_negotiation_nor_a_resource(self, ask: Ask) -> None:
        response = ask(
            {"resource_exists": AssertionError(), "content_types_provided": AssertionError()},
            "OPTIONS",
            {"Accept": "bad", "If-Match": "bad"},
        )
        assert (response.status_code, response.headers["Allow"], response.data) == (200, ALL, b"")
        assert response.headers["Content-Length"] == "0"
        assert "Content-Type" not in response.headers

    def test_the_callback_may_add_fields_and_a_body(self, ask: Ask) -> None:
        def options(self: Any) -> None:
            self.response.headers["Access-Control-Allow-Origin"] = "*"
            self.response.content_type = "text/plain"
            self.set_body("see the manual")

        response = ask({"options": options}, "OPTIONS")
        assert (response.status_code, response.content_type, response.data) == (200, "text/plain", b"see the manual")
        assert response.headers["Access-Control-Allow-Origin"] == "*"

    def test_is_not_asked_for_other_methods(self, ask: Ask) -> None:
        assert ask({"options": AssertionError()}).status_code == 200


@pytest.mark.parametrize("callback", [name for name, _, _ in FAILING] + ["init"])
def test_a_callback_may_add_a_field_before_it_answers(ask: Ask, callback: Any) -> None:
    answers = {name: value for name, value, _ in FAILING if name == callback}

    def decide(self: Any) -> Any:
        self.response.headers["Cache-Control"] = "no-store"
        return answers.get(callback)

    response = ask({callback: decide})
    assert response.headers["Cache-Control"] == "no-store"
    assert "text/html" not in (response.content_type or "")


@pytest.mark.parametrize(("callback", "value", "status"), FAILING)
def test_a_body_of_a_callback_goes_out_with_the_status(ask: Ask, callback: Any, value: Any, status: int) -> None:
    def decide(self: Any) -> Any:
        self.response.data = b"no"
        self.response.content_type = "text/x-why"
        return value

    response = ask({callback: decide})
    assert (response.status_code, response.data, response.content_type) == (status, b"no", "text/x-why")


def test_the_status_a_callback_writes_is_the_machines_to_decide(ask: Ask) -> None:
    def init(self: Any) -> None:
        self.response.status_code = 418

    assert ask({"init": init}).status_code == 200
    assert ask({"init": init, "forbidden": True}).status_code == 403
