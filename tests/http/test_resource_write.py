"""E1, M1 to M6, W1 to W3, F1, F2 and D1 to D3: what changes a resource, and where a missing one went."""

from __future__ import annotations

from typing import Any, cast

import pytest

from tests.http.conftest import Ask, accept_with
from xmpp_rest.http.resource import Accepted, Created, Resource, SeeOther

WRITES = ["PUT", "POST", "PATCH"]
JSON = ("application", "json", "*")


def accepted(*types: Any) -> Any:
    return {"content_types_accepted": [(each, "accept") for each in types]}


@pytest.mark.parametrize("method", WRITES)
@pytest.mark.parametrize(
    ("types", "content_type", "matches"),
    [
        *((["text/plain"], content_type, True) for content_type in ["text/plain", "TEXT/Plain", " text/plain ", "text/plain;"]),
        (["text/plain"], "text/plain;charset=utf-8", False),
        ([("text", "plain", [])], "text/plain;charset=utf-8", False),
        (["text/plain;charset=utf-8"], "text/plain; charset=UTF-8", True),
        (["text/plain;charset=UTF-8"], "text/plain; charset=utf-8", True),
        (["text/plain;charset=utf-8"], 'text/plain; CHARSET="utf-8"', True),
        (["text/plain;charset=utf-8"], "text/plain", False),
        (["text/plain;a=X"], "text/plain;a=x", False),
        (["text/plain;a=1;b=2"], "text/plain;b=2;a=1", True),
        (["text/plain;a=1;b=2"], "text/plain;a=1", False),
        (["text/plain;a=1"], "text/plain;a=1;b=2", False),
        ([("text", "plain", {"a": "1"})], "text/plain;a=1", True),
        ([JSON], "application/json", True),
        ([JSON], "application/json;charset=utf-8;q=0", True),
        *(([JSON], content_type, False) for content_type in ["application/ld+json", "application/*", "*/*", None, ""]),
        (["*"], None, True),
        (["*"], "", True),
        (["*"], "image/png", True),
        (["*"], "bad", False),
        (["*"], "text/plain, text/html", False),
        (["*"], "text/plain;charset", False),
        (["*"], "text/plain;a=b;c", False),
        (["*"], "text/plain foo", False),
        ([JSON], "bad", False),
        ([], "text/plain", False),
        (["multipart/form-data"], "multipart/form-data; boundary=x", True),
        (["multipart/form-data;a=b"], "multipart/form-data; boundary=x; a=b", True),
        (["text/plain"], "text/plain;boundary=x", False),
    ],
)
def test_the_content_type_of_the_request(ask: Ask, method: str, types: Any, content_type: str | None, matches: bool) -> None:
    response = ask(accepted(*types), method, data=b"x", content_type=content_type)
    assert response.status_code == (204 if matches else 415)
    missing = ask({**accepted(*types), "resource_exists": False}, method, data=b"x", content_type=content_type)
    assert missing.status_code == (404 if method == "PATCH" else 415 if not matches else 201 if method == "PUT" else 204)


@pytest.mark.parametrize("answers", [{"content_types_accepted": None}, {"content_types_accepted": []}])
@pytest.mark.parametrize("method", WRITES)
def test_nothing_is_accepted_by_default(ask: Ask, answers: Any, method: str) -> None:
    response = ask(answers, method, data=b"x", content_type="text/plain")
    assert response.status_code == 415
    assert not {"Accept", "Accept-Patch"} & set(response.headers.keys())


@pytest.mark.parametrize("method", WRITES)
def test_415_names_what_would_be_accepted(ask: Ask, method: str) -> None:
    types = [JSON, "text/plain;charset=utf-8", "text/plain"]
    response = ask(accepted(*types), method, data=b"x", content_type="image/png")
    assert response.headers["Accept"] == "application/json, text/plain; charset=utf-8, text/plain"
    assert response.headers.get("Accept-Patch") == (response.headers["Accept"] if method == "PATCH" else None)
    assert ask(accepted("*", JSON), method, content_type="bad").headers["Accept"] == "application/json"
    assert "Accept" not in ask(accepted("*"), method, content_type="bad").headers


def test_the_first_entry_that_matches_is_called(ask: Ask) -> None:
    answers = {
        "content_types_accepted": [("text/plain", "one"), (("text", "plain", "*"), "two"), ("*", "three")],
        "one": lambda self: self.set_body("one") or True,
        "two": lambda self: self.set_body("two") or True,
        "three": lambda self: self.set_body("three") or True,
    }
    for content_type, text in [("text/plain", "one"), ("text/plain;a=b", "two"), ("text/html", "three")]:
        assert ask(answers, "POST", data=b"x", content_type=content_type).text == text


@pytest.mark.parametrize("entry", ["text/*", "*/*", "bad", ("text", "*", "*"), None])
def test_an_entry_that_is_no_media_type_is_a_programming_error(ask: Ask, entry: Any) -> None:
    assert ask(accepted("text/plain", entry), "PUT", content_type="text/plain").status_code == 500


@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE"])
def test_content_type_matters_to_writes_only(ask: Ask, method: str) -> None:
    answers = {"content_types_accepted": AssertionError()}
    assert ask(answers, method, content_type="bad").status_code in (200, 204)


@pytest.mark.parametrize(
    ("method", "exists", "value", "location", "status", "sent"),
    [
        ("PUT", True, True, None, 204, None),
        ("POST", True, True, None, 204, None),
        ("PATCH", True, True, None, 204, None),
        ("PUT", False, True, None, 201, None),
        ("POST", False, True, None, 204, None),
        ("POST", False, True, "/new", 201, "/new"),
        ("POST", True, True, "/new", 204, "/new"),
        ("PUT", True, True, "/new", 204, "/new"),
        ("PUT", False, True, "/new", 201, "/new"),
        ("PUT", True, False, None, 400, None),
        ("POST", True, False, None, 400, None),
        ("PATCH", True, False, None, 400, None),
        ("PUT", False, False, None, 400, None),
        ("POST", False, False, None, 400, None),
        ("POST", True, Created("/new"), None, 201, "/new"),
        ("POST", False, Created("/new"), None, 201, "/new"),
        ("POST", True, SeeOther("/new"), None, 303, "/new"),
        ("POST", False, SeeOther("/new"), None, 303, "/new"),
        ("POST", True, "/new", None, 303, "/new"),
        ("POST", False, "/new", None, 201, "/new"),
        ("PUT", True, "/new", None, 500, None),
        ("PUT", False, "/new", None, 500, None),
        ("PUT", False, Created("/new"), None, 500, None),
        ("PUT", True, SeeOther("/new"), None, 500, None),
        ("PATCH", True, "/new", None, 500, None),
        ("PATCH", True, Created("/new"), None, 500, None),
        ("POST", True, None, None, 500, None),
        ("PUT", True, None, None, 500, None),
        ("PUT", False, None, None, 500, None),
        ("PATCH", True, None, None, 500, None),
        *(("POST", True, value, None, 500, None) for value in [1, 0, Created(cast("Any", None)), {"a": 1}]),
        ("POST", True, Created("/a\r\nX: y"), None, 500, None),
    ],
)
@pytest.mark.parametrize("body", [None, "done"])
def test_what_an_accept_callback_returns(ask: Ask, method: str, exists: bool, value: Any, location: str | None, status: int, sent: str | None, body: str | None) -> None:
    answers = {"accept": accept_with(value, location, body), "resource_exists": exists}
    response = ask(answers, method, data=b"x")
    if body and status == 204:
        status = 200
    assert (response.status_code, response.headers.get("Location")) == (status, sent)
    if status == 500:
        return
    if body:
        assert (response.text, response.content_type) == (body, "text/plain")
    elif status == 400:
        assert response.get_json()["status"] == 400
    else:
        assert (response.data, response.content_type) == (b"", None)
        assert response.headers.get("Content-Length") == (None if status == 204 else "0")


@pytest.mark.parametrize("form", ["name", "callable", "missing", "number"])
def test_an_accept_callback_is_a_callable_or_a_name(ask: Ask, form: str) -> None:
    callbacks = {"name": "store", "callable": lambda: True, "missing": "nowhere", "number": 5}
    answers = {"content_types_accepted": [("*", callbacks[form])], "store": True}
    assert ask(answers, "PUT").status_code == (204 if form in ("name", "callable") else 500)


def test_a_name_is_looked_up_when_it_is_needed(ask: Ask) -> None:
    assert ask({"content_types_accepted": [("*", "nowhere")], "is_conflict": True}, "PUT").status_code == 409


@pytest.mark.parametrize("exists", [True, False])
def test_is_conflict_is_for_put(ask: Ask, exists: bool) -> None:
    answers = {"is_conflict": True, "accept": AssertionError(), "resource_exists": exists}
    assert ask(answers, "PUT").status_code == 409
    for method in ("POST", "PATCH"):
        wanted = 404 if (method, exists) == ("PATCH", False) else 204
        assert ask({"is_conflict": AssertionError(), "resource_exists": exists}, method).status_code == wanted
    assert ask({"is_conflict": None, "resource_exists": exists}, "PUT").status_code == (204 if exists else 201)


def test_415_comes_before_preconditions_and_409_after(ask: Ask) -> None:
    answers = {"generate_etag": '"7"', "is_conflict": True, **accepted("text/plain")}
    mismatch = {"If-Match": '"6"'}
    assert ask(answers, "PUT", mismatch, content_type="image/png").status_code == 415
    assert ask(answers, "PUT", mismatch, content_type="text/plain").status_code == 412
    assert ask(answers, "PUT", content_type="text/plain").status_code == 409


@pytest.mark.parametrize(("method", "exists"), [("PUT", True), ("PUT", False), ("POST", True), ("POST", False), ("PATCH", True)])
def test_accepted_is_202(ask: Ask, method: str, exists: bool) -> None:
    answer = ask({"accept": lambda _: Accepted(), "resource_exists": exists}, method)
    assert (answer.status_code, answer.data, "Content-Type" in answer.headers) == (202, b"", False)


def test_accepted_may_have_a_body_and_fields(ask: Ask) -> None:
    def accept(self: Resource) -> Accepted:
        self.response.headers["X-Job"] = "7"
        self.set_body("queued")
        return Accepted()

    answer = ask({"accept": accept}, "POST")
    assert (answer.status_code, answer.text, answer.headers["X-Job"], answer.mimetype) == (202, "queued", "7", "text/plain")
