"""M1 to M6: where a missing resource went, and D1 to D3, F2: what is left."""

from __future__ import annotations

from typing import Any

import pytest

from tests.http.conftest import Ask, accept_with
from xmpp_rest.http.resource import Created


@pytest.mark.parametrize(
    ("method", "answers", "status", "location"),
    [
        *((method, {}, 404, None) for method in ["GET", "HEAD", "DELETE", "PATCH"]),
        ("POST", {}, 204, None),
        ("PUT", {}, 201, None),
        ("GET", {"moved_permanently": "/new"}, 404, None),
        ("GET", {"moved_temporarily": "/new"}, 404, None),
        ("GET", {"previously_existed": True}, 410, None),
        ("DELETE", {"previously_existed": True}, 410, None),
        ("PATCH", {"previously_existed": True}, 410, None),
        ("GET", {"previously_existed": True, "moved_permanently": "/new"}, 301, "/new"),
        ("HEAD", {"previously_existed": True, "moved_permanently": "/new"}, 301, "/new"),
        ("POST", {"previously_existed": True, "moved_permanently": "/new"}, 301, "/new"),
        ("DELETE", {"previously_existed": True, "moved_permanently": "/new"}, 301, "/new"),
        ("GET", {"previously_existed": True, "moved_temporarily": "/new"}, 307, "/new"),
        ("GET", {"previously_existed": True, "moved_permanently": "/a", "moved_temporarily": "/b"}, 301, "/a"),
        ("GET", {"previously_existed": True, "moved_permanently": False, "moved_temporarily": "/b"}, 307, "/b"),
        ("GET", {"previously_existed": True, "moved_permanently": None, "moved_temporarily": False}, 410, None),
        ("GET", {"previously_existed": True, "moved_permanently": True}, 500, None),
        ("GET", {"previously_existed": True, "moved_permanently": "/a\r\nb"}, 500, None),
        ("PUT", {"moved_permanently": "/new"}, 301, "/new"),
        ("PUT", {"moved_permanently": False}, 201, None),
        ("PUT", {"previously_existed": AssertionError(), "moved_temporarily": AssertionError()}, 201, None),
        ("PUT", {"allow_missing_post": AssertionError()}, 201, None),
        ("POST", {"allow_missing_post": False}, 404, None),
        ("POST", {"allow_missing_post": None}, 404, None),
        ("POST", {"allow_missing_post": True}, 204, None),
        ("POST", {"allow_missing_post": False, "previously_existed": True}, 410, None),
        ("POST", {"allow_missing_post": True, "previously_existed": True}, 204, None),
        ("GET", {"allow_missing_post": AssertionError()}, 404, None),
    ],
)
def test_a_missing_resource(ask: Ask, method: str, answers: Any, status: int, location: str | None) -> None:
    response = ask({"resource_exists": False, **answers}, method)
    assert (response.status_code, response.headers.get("Location")) == (status, location)
    if status in (301, 307):
        assert (response.data, response.content_type, response.headers["Content-Length"]) == (b"", None, "0")


@pytest.mark.parametrize(
    "uri", ["/new", "new?x#y", "http://Montague.Example/%7Eromeo?", "xmpp:romeo@montague.example?message", "/a[1]?b[]=|",
            "?", "#", "//other.example/a b"],
)  # fmt: skip
def test_a_location_is_sent_as_it_was_returned(ask: Ask, uri: str) -> None:
    gone = {"resource_exists": False, "previously_existed": True, "moved_permanently": uri}
    assert ask(gone).headers["Location"] == uri
    assert ask({"accept": Created(uri)}, "POST").headers["Location"] == uri
    assert ask({"accept": accept_with(True, uri)}, "POST").headers["Location"] == uri


def test_a_location_that_is_no_uri_becomes_one(ask: Ask) -> None:
    assert ask({"accept": Created("/Жульетта")}, "POST").headers["Location"].startswith("/%D0%96")


def test_exists_is_known_after_it_was_asked(ask: Ask) -> None:
    seen = []

    def look(self: Any) -> Any:
        seen.append(self.exists)
        return True

    ask({"service_available": look, "resource_exists": 1, "accept": look}, "PUT")
    ask({"resource_exists": 0, "accept": look}, "PUT")
    assert seen == [False, True, False]


@pytest.mark.parametrize(
    ("answers", "status"),
    [
        ({"delete_resource": False}, 500),
        ({"delete_resource": None}, 500),
        ({"delete_resource": True}, 204),
        ({"delete_completed": True}, 204),
        ({"delete_completed": False}, 202),
        ({"delete_resource": False, "delete_completed": AssertionError()}, 500),
    ],
)
def test_delete(ask: Ask, answers: Any, status: int) -> None:
    response = ask(answers, "DELETE")
    assert response.status_code == status
    assert response.content_type == ("application/problem+json" if status == 500 else None)


def test_delete_fails_where_it_is_allowed_but_not_defined(ask: Ask) -> None:
    from xmpp_rest.http.resource import Resource

    response = ask(type("Kept", (Resource,), {"allowed_methods": lambda self: ["DELETE"]}), "DELETE")
    assert (response.status_code, response.get_json()["status"]) == (500, 500)


@pytest.mark.parametrize(("completed", "status"), [(True, 200), (False, 202)])
def test_delete_with_a_body(ask: Ask, completed: bool, status: int) -> None:
    def delete_resource(self: Any) -> Any:
        self.set_body("gone")
        return True

    response = ask({"delete_resource": delete_resource, "delete_completed": completed}, "DELETE")
    assert (response.status_code, response.text, response.content_type) == (status, "gone", "text/plain")


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "REPORT"])
def test_multiple_choices(ask: Ask, method: str) -> None:
    def choose(self: Any) -> Any:
        self.response.headers["Location"] = "/preferred"
        return True

    def change(self: Any) -> Any:
        self.set_body("which?")
        return True

    answers = {"multiple_choices": choose, "to_text": "which?", "accept": change, "delete_resource": change,
               "known_methods": [method], "allowed_methods": [method]}  # fmt: skip
    response = ask(answers, method)
    assert (response.status_code, response.headers["Location"]) == (300, "/preferred")
    assert response.text == ("which?" if method not in ("HEAD", "REPORT") else "")


def test_multiple_choices_is_not_asked_without_a_representation(ask: Ask) -> None:
    for method in ("PUT", "POST", "PATCH", "DELETE", "OPTIONS"):
        assert ask({"multiple_choices": AssertionError()}, method).status_code in (200, 204)
    assert ask({"multiple_choices": AssertionError(), "resource_exists": False}, "PUT").status_code == 201


def test_another_method_that_is_allowed_is_200(ask: Ask) -> None:
    answers = {"known_methods": ["REPORT"], "allowed_methods": ["REPORT"], "to_text": AssertionError()}
    response = ask(answers, "REPORT")
    assert (response.status_code, response.data, response.content_type) == (200, b"", None)
    assert ask({**answers, "resource_exists": False}, "REPORT").status_code == 404
