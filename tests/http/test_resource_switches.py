"""The switches of Resource: header fields that the machine ignores or reads otherwise, and methods that always create."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.http.conftest import Ask
from xmpp_rest.http.resource import Created, Resource

LONG_AGO, LATER = "Sun, 06 Nov 1994 08:49:37 GMT", "Fri, 01 Jan 2100 00:00:00 GMT"


@pytest.mark.parametrize(
    ("field", "value", "answers", "method", "without", "with_it"),
    [
        ("Accept", "image/png", {}, "GET", 406, 200),
        ("Accept-Language", "de", {"languages_provided": ["en"]}, "GET", 406, 200),
        ("If-Match", '"2"', {"generate_etag": '"1"'}, "PUT", 412, 204),
        ("If-Match", "*", {"resource_exists": False}, "PUT", 412, 201),
        ("If-None-Match", '"1"', {"generate_etag": '"1"'}, "GET", 304, 200),
        ("Range", "bytes=9-", {"ranges_provided": [("bytes", "auto")]}, "GET", 416, 200),
        ("Content-Range", "bytes 0-1/2", {}, "PUT", 400, 204),
        ("Content-Encoding", "br", {}, "PUT", 415, 204),
    ],
)
def test_ignored_fields(ask: Ask, define: Callable[..., type[Resource]], field: str, value: str, answers: Any, method: str, without: int, with_it: int) -> None:
    plain, ignoring = define(**answers), define(**answers)
    ignoring.ignored_fields = frozenset({field})
    assert ask(plain, method, {field: value}).status_code == without
    assert ask(ignoring, method, {field: value}).status_code == with_it


def test_a_field_that_is_ignored_stays_in_the_request(ask: Ask, define: Callable[..., type[Resource]]) -> None:
    seen = []
    cls = define(to_text=lambda self: seen.append(self.request.headers["Accept"]) or "x")
    cls.ignored_fields = frozenset({"Accept"})
    assert ask(cls, headers={"Accept": "image/png"}).text == "x"
    assert seen == ["image/png"]


@pytest.mark.parametrize(("sent", "status"), [(None, 204), ("", 204), ("application/json", 204), ("text/plain", 415)])
def test_a_body_without_a_type_can_have_one_by_default(ask: Ask, define: Callable[..., type[Resource]], sent: str | None, status: int) -> None:
    cls: Any = define(content_types_accepted=[("application/json", "accept")])
    assert ask(cls, "PUT").status_code == 415
    cls.field_readers = {"Content-Type": lambda sent: sent or "application/json"}
    assert ask(cls, "PUT", {} if sent is None else {"Content-Type": sent}).status_code == status


def test_a_field_can_be_read_otherwise(ask: Ask, define: Callable[..., type[Resource]]) -> None:
    cls: Any = define(content_types_provided=[("text/plain", "to_text"), ("text/html", "to_text")])
    cls.field_readers = {"Accept": str.lower, "If-None-Match": lambda sent: sent.replace("'", '"')}
    cls.generate_etag = lambda self: '"1"'
    assert ask(cls, headers={"Accept": "TEXT/HTML"}).content_type == "text/html"
    assert ask(cls, headers={"If-None-Match": "'1'"}).status_code == 304


def test_a_field_of_which_nothing_is_made_is_not_there(ask: Ask, define: Callable[..., type[Resource]]) -> None:
    cls = define(resource_exists=False)
    cls.field_readers = {"If-Match": lambda sent: ""}
    assert ask(cls, "PUT", {"If-Match": "*"}).status_code == 201


@pytest.mark.parametrize(
    ("method", "answers", "plain", "creating"),
    [
        ("PUT", {}, 204, 201),
        ("PUT", {"resource_exists": False}, 201, 201),
        ("POST", {}, 204, 204),  # without Location nobody could find it
        ("POST", {"accept": "/new"}, 303, 201),
        ("POST", {"accept": lambda self: self.response.headers.__setitem__("Location", "/new") or True}, 204, 201),
        ("POST", {"accept": Created("/new")}, 201, 201),
        ("PATCH", {}, 204, 204),
        ("PUT", {"accept": False}, 400, 400),
    ],
)
def test_always_creates(ask: Ask, define: Callable[..., type[Resource]], method: str, answers: Any, plain: int, creating: int) -> None:
    usual, always = define(**answers), define(**answers)
    always.always_creates = frozenset({"PUT", "POST"})
    assert ask(usual, method).status_code == plain
    assert ask(always, method).status_code == creating


@pytest.mark.parametrize(("field", "date", "status"), [("If-Unmodified-Since", LONG_AGO, 412), ("If-Unmodified-Since", LATER, 201)])
def test_what_always_creates_still_answers_to_preconditions(ask: Ask, define: Callable[..., type[Resource]], field: str, date: Any, status: int) -> None:

    cls = define(last_modified=datetime(2020, 1, 1, tzinfo=UTC))
    cls.always_creates = frozenset({"PUT"})
    assert ask(cls, "PUT", {field: date}).status_code == status
