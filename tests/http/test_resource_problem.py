"""Problem documents, and error bodies of another shape."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.http.conftest import Ask
from xmpp_rest.http.problem import reason_phrase
from xmpp_rest.http.resource import Resource

METHODS = ["GET", "HEAD", "PUT", "POST", "PATCH", "DELETE"]


class TestProblem:
    @pytest.mark.parametrize("method", METHODS)
    def test_says_what_went_wrong(self, ask: Ask, method: str) -> None:
        def forbidden(self: Any) -> Any:
            self.problem["detail"] = "this is the Capulets' house"
            self.problem["instance"] = "/house"
            return True

        response = ask({"forbidden": forbidden}, method)
        assert (response.status_code, response.content_type) == (403, "application/problem+json")
        expected = {"type": "about:blank", "title": "Forbidden", "status": 403,
                    "detail": "this is the Capulets' house", "instance": "/house"}  # fmt: skip
        if method == "HEAD":
            assert response.data == b""
            assert response.headers["Content-Length"] == ask({"forbidden": forbidden}).headers["Content-Length"]
        else:
            assert json.loads(response.data) == expected

    def test_may_replace_its_members(self, ask: Ask) -> None:
        def forbidden(self: Any) -> Any:
            self.problem.update(type="https://example.org/banned", title="Banned")
            return True

        expected = {"type": "https://example.org/banned", "title": "Banned", "status": 403}
        assert ask({"forbidden": forbidden}).json == expected

    def test_starts_empty_in_every_request(self, ask: Ask, define: Callable[..., type[Resource]]) -> None:
        def forbidden(self: Any) -> Any:
            self.problem["count"] = len(self.problem)
            return True

        cls = define(forbidden=forbidden)
        assert [ask(cls).get_json()["count"] for _ in range(2)] == [0, 0]

    def test_accept_is_not_consulted(self, ask: Ask) -> None:
        response = ask({"resource_exists": False}, headers={"Accept": "text/plain"})
        assert (response.status_code, response.content_type) == (404, "application/problem+json")

    @pytest.mark.parametrize(
        ("status", "phrase"),
        [(400, "Bad Request"), (404, "Not Found"), (413, "Content Too Large"), (414, "URI Too Long"),
         (416, "Range Not Satisfiable"), (429, "Too Many Requests"), (503, "Service Unavailable"), (599, "Unknown")],
    )  # fmt: skip
    def test_the_title_is_the_phrase_of_rfc_9110(self, status: int, phrase: str) -> None:
        assert reason_phrase(status) == phrase

    def test_of_a_value_that_json_cannot_express_is_a_programming_error(self, ask: Ask) -> None:
        assert ask({"forbidden": lambda self: self.problem.update(a=object()) or True}).status_code == 500


class TestRenderError:
    @pytest.mark.parametrize(
        ("rendered", "data", "content_type"),
        [
            (("<error>é</error>", "application/xml"), "<error>é</error>".encode(), "application/xml"),
            ((b'{"error":1}', "application/json"), b'{"error":1}', "application/json"),
            ((b"", "text/plain"), b"", None),
        ],
    )
    @pytest.mark.parametrize("touched", [False, True])
    def test_is_the_one_place_that_makes_error_bodies(self, ask: Ask, rendered: Any, data: Any, content_type: str | None, touched: bool) -> None:
        def forbidden(self: Any) -> Any:
            if touched:
                self.response.headers["X-Touched"] = "1"
            return True

        answers = {"forbidden": forbidden, "render_error": lambda self, status: rendered}
        response = ask(answers)
        assert (response.status_code, response.data, response.content_type) == (403, data, content_type)
        head = ask(answers, "HEAD")
        assert (head.status_code, head.data, dict(head.headers)) == (403, b"", dict(response.headers))

    def test_is_called_when_a_problem_would_be_sent(self, ask: Ask) -> None:
        calls = []

        def render_error(self: Any, status: Any) -> Any:
            calls.append(status)
            return b"x", "text/plain"

        def with_body(self: Any) -> Any:
            self.set_body("no")
            return False

        answers = {"render_error": render_error}
        ask(answers)
        ask({**answers, "resource_exists": with_body})
        ask({**answers, "generate_etag": '"1"'}, headers={"If-None-Match": "*"})
        ask({**answers, "to_text": ValueError()})
        assert calls == []
        ask({**answers, "resource_exists": False})
        ask({**answers, "delete_resource": False}, "DELETE")
        ask({**answers, "service_available": False}, "HEAD")
        assert calls == [404, 500, 503]
