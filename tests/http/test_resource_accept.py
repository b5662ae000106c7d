"""N1: Accept against content_types_provided."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask

from tests.http.conftest import Ask
from xmpp_rest.http.resource import Resource

HTML, PLAIN, JSON = "text/html", "text/plain", "application/json"
ANY_HTML, ANY_PLAIN = ("text", "html", "*"), ("text", "plain", "*")
LEVEL1 = ("text", "html", [("level", "1")])
BOTH = ("text", "html", [("level", "1"), ("format", "flowed")])


def provided(*types: Any) -> Any:
    return {"content_types_provided": [(each, "to_text") for each in types]}


# (types, Accept, media_type, media_params)
SELECTED = [
    # absent: the first
    *(([HTML, PLAIN], accept, HTML, {}) for accept in [None, "", " , ,\t", "*/*", "*", "*;q=0.1"]),
    (["text/html;level=1"], None, HTML, {"level": "1"}),
    ([ANY_HTML], None, HTML, {}),
    # wildcards and specificity
    ([HTML, PLAIN], "text/plain", PLAIN, {}),
    ([HTML, PLAIN], "text/*", HTML, {}),
    ([JSON, PLAIN], "text/*", PLAIN, {}),
    ([JSON, PLAIN], "text/*;q=0.5, */*;q=0.1", PLAIN, {}),
    ([HTML, PLAIN], "text/*, text/html;q=0.1", PLAIN, {}),
    ([HTML, PLAIN], "text/html;q=0.1, text/*", PLAIN, {}),
    ([HTML, PLAIN], "*/*, text/html;q=0", PLAIN, {}),
    ([HTML, PLAIN], "text/html;q=0, */*;q=0.001", PLAIN, {}),
    ([HTML, PLAIN], "*/*;q=0.5, text/plain;q=0.5", PLAIN, {}),
    ([HTML, PLAIN], "text/html;q=0.5, text/html;q=0.9, text/plain;q=0.8", HTML, {}),
    ([JSON, HTML], "application/xml, */*;q=0.1", JSON, {}),
    ([JSON, HTML], "*/json, text/html", HTML, {}),
    # weights
    ([HTML, PLAIN], "text/html;q=0.4, text/plain;q=0.5", PLAIN, {}),
    ([HTML, PLAIN], "text/html;Q=0.4, text/plain;q=.5", PLAIN, {}),
    ([HTML, PLAIN], "text/html;q=0.499, text/plain;q=0.5", PLAIN, {}),
    ([HTML, PLAIN], "text/html;q=1., text/plain;q=0.999", HTML, {}),
    ([HTML, PLAIN], "text/html;q=0., text/plain;q=0.001", PLAIN, {}),
    ([HTML, PLAIN], "text/html;q=0.05, text/plain;q=1.000", PLAIN, {}),
    ([HTML, PLAIN], "text/html;q=0.5;flag, text/plain;q=0.4", HTML, {}),
    # the client's order never matters
    ([HTML, PLAIN], "text/plain, text/html", HTML, {}),
    ([HTML, PLAIN], "text/html, text/plain", HTML, {}),
    # case and syntax
    ([HTML], "TEXT/HTML", HTML, {}),
    (["Text/HTML"], "text/html", HTML, {}),
    ([("Text", "HTML", [])], "text/html", HTML, {}),
    ([HTML], ", ,text/html,,", HTML, {}),
    ([HTML], "\ttext/html ; q=0.5 \t, ", HTML, {}),
    ([HTML], "text/html;;;q=1;", HTML, {}),
    # parameters
    ([LEVEL1], "text/html", HTML, {"level": "1"}),
    ([LEVEL1], "text/html;level=1", HTML, {"level": "1"}),
    ([LEVEL1], 'text/html;LEVEL="1"', HTML, {"level": "1"}),
    ([LEVEL1], 'text/html;level="\\1"', HTML, {"level": "1"}),
    ([LEVEL1], "*/*", HTML, {"level": "1"}),
    ([BOTH], "text/html;format=flowed", HTML, {"level": "1", "format": "flowed"}),
    ([BOTH], "text/html;format=flowed;level=1", HTML, {"level": "1", "format": "flowed"}),
    ([("text", "html", {"level": "1"})], "text/html;level=1", HTML, {"level": "1"}),
    ([HTML, LEVEL1], "text/html;level=1", HTML, {"level": "1"}),
    ([HTML, LEVEL1], "text/html;level=1;q=0.5, text/html", HTML, {}),
    ([HTML, LEVEL1], "text/html;q=0.5, text/html;level=1", HTML, {"level": "1"}),
    ([LEVEL1, PLAIN], "text/html, text/html;level=1;q=0.1, text/plain;q=0.5", PLAIN, {}),
    ([ANY_HTML], "text/html;level=1", HTML, {"level": "1"}),
    ([ANY_HTML], "text/html;q=1;level=1", HTML, {"level": "1"}),
    ([ANY_HTML], 'text/html;a="x, \\"y\\";q=0"', HTML, {"a": 'x, "y";q=0'}),
    ([ANY_HTML], "text/html;a=X;charset=UTF-8", HTML, {"a": "X", "charset": "utf-8"}),
    ([ANY_HTML], "*/*;level=1", HTML, {"level": "1"}),
    ([ANY_PLAIN], "text/plain;level=1;q=0.5, text/plain;level=2;q=0.8", PLAIN, {"level": "2"}),
    ([ANY_PLAIN], "text/plain;level=1;q=0.5, text/plain;q=0.8", PLAIN, {}),
    ([ANY_PLAIN], "text/plain;level=1, text/plain", PLAIN, {"level": "1"}),
    ([ANY_PLAIN], "text/plain;level=1;q=0, text/plain;q=0.1", PLAIN, {}),
    ([ANY_PLAIN], "text/plain;level=2, text/plain;level=1", PLAIN, {"level": "1"}),
    ([ANY_PLAIN], "text/plain;level=1, text/plain;level=2", PLAIN, {"level": "1"}),
    ([ANY_PLAIN], "text/plain;a=1;b=2, text/plain;a=1", PLAIN, {"a": "1", "b": "2"}),
    ([ANY_PLAIN], "text/*;level=3;q=0.9, text/plain;level=3;q=0.1, text/plain;q=0.5", PLAIN, {}),
]


@pytest.mark.parametrize(("types", "accept", "media_type", "params"), SELECTED)
def test_the_selected_type(ask: Ask, types: Any, accept: Any, media_type: str, params: Any) -> None:
    seen: dict[str, Any] = {}

    def to_text(self: Any) -> Any:
        seen.update(media_type=self.media_type, params=self.media_params)
        return "hello"

    response = ask({**provided(*types), "to_text": to_text}, headers={} if accept is None else {"Accept": accept})
    assert response.status_code == 200
    assert seen == {"media_type": media_type, "params": params}
    assert response.mimetype == media_type


@pytest.mark.parametrize(
    ("types", "accept"),
    [
        ([], None),
        ([], "bad"),
        *(([HTML], accept) for accept in ["text/plain", "text/html;q=0", "text/html;q=0.000", "*/*, text/html;q=0"]),
        ([HTML], "text/html;level=1"),
        ([HTML], "*/html"),
        ([LEVEL1], "text/html;level=2"),
        ([LEVEL1], "text/html;level=1;other=1"),
        ([BOTH], "text/html;level=1;q=0"),
        ([ANY_PLAIN], "text/plain;level=1;q=0"),
        ([ANY_PLAIN], "text/plain;q=0"),
        ([JSON], "image/png"),
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "POST", "PATCH", "DELETE"])
def test_nothing_acceptable(ask: Ask, types: Any, accept: str | None, method: str) -> None:
    changes = {"accept": AssertionError(), "delete_resource": AssertionError(), "resource_exists": AssertionError()}
    response = ask({**provided(*types), **changes}, method, {} if accept is None else {"Accept": accept})
    assert response.status_code == 406
    assert response.content_type == "application/problem+json"
    assert "Vary" not in response.headers


@pytest.mark.parametrize(
    "accept",
    [
        "bad", "text/", "/html", "text/html/x", "text /html", "text/ html", "text/html text/plain", "text/html;level",
        "text/html;level;q=1", "text/html;=1", "text/html;level=", "text/html;level = 1", "text/html; q =1",
        "text/html;q", "text/html;q=", "text/html;q=2", "text/html;q=1.1", "text/html;q=0.1234", "text/html;q=-1",
        "text/html;q=.", "text/html;q=.1234", "text/html;q=1.0001", 'text/html;q="1"', "text/html;q=0,5",
        "text/html;q=1;q=0", "text/html;a=b c", 'text/html;a="b', 'text/html;a="b"c', "text/html;q=1;a=",
        "(text)/html", "text/html;a=b@c", "**", "*x", "text/html, bad", "text/html;q=0.5 0.5", "é/html",
    ],
)  # fmt: skip
def test_malformed(ask: Ask, accept: str) -> None:
    response = ask(provided(HTML, ANY_PLAIN), headers={"Accept": accept})
    assert (response.status_code, response.content_type) == (400, "application/problem+json")
    assert response.json == {"type": "about:blank", "title": "Bad Request", "status": 400}


@pytest.mark.parametrize(
    "entry",
    [
        "text/*", "*/*", "*", "bad", "text/html;level", "text/html, text/plain", ("text", "*", []), ("*", "*", "*"),
        ("text", "html"), ("text", "html", "level=1"), ("te xt", "html", []), ("text", "html", [("a b", "c")]),
        ("text", "html", [("a", 1)]), ("text", "html", None), ("text", 5, "*"), None, 5, b"text/html",
    ],
)  # fmt: skip
@pytest.mark.parametrize("accept", [None, "*/*", "text/html", "bad"])
def test_an_entry_that_is_no_media_type_is_a_programming_error(ask: Ask, entry: Any, accept: str | None) -> None:
    headers = {} if accept is None else {"Accept": accept}
    assert ask(provided("text/html", entry), headers=headers).status_code == 500
    assert ask(provided("text/html", entry), headers=headers).status_code == 500  # the caches remember no failure


@pytest.mark.parametrize("value", [None, 5, [("text/html",)], ["text/html"]])
def test_what_is_no_list_of_pairs_is_a_programming_error(ask: Ask, value: Any) -> None:
    assert ask({"content_types_provided": value}).status_code == 500


def test_the_default_is_to_html(app: Flask) -> None:
    from xmpp_rest.http.resource import Resource

    class Page(Resource):
        def to_html(self) -> Any:
            return f"<p>{self.media_params}"

    app.add_url_rule("/", view_func=Page.as_view("page"))
    response = app.test_client().get("/", headers={"Accept": "text/html;level=1"})
    assert (response.content_type, response.text) == ("text/html", "<p>{'level': '1'}")
    assert app.test_client().get("/", headers={"Accept": "text/plain"}).status_code == 406


@pytest.mark.parametrize(
    ("entry", "field"),
    [
        ("text/plain", "text/plain"),
        ("text/plain;format=flowed", "text/plain; format=flowed"),
        ('text/plain;a="b c"', 'text/plain; a="b c"'),
        (("text", "plain", [("a", 'b"\\c')]), 'text/plain; a="b\\"\\\\c"'),
        (("text", "plain", [("a", "")]), 'text/plain; a=""'),
        (("text", "plain", [("A", "B"), ("c", "D")]), "text/plain; a=B; c=D"),
        (("text", "plain", "*"), "text/plain"),
        ("application/vnd.xmpp+xml", "application/vnd.xmpp+xml"),
        ("text/plain;charset=ISO-8859-1", "text/plain; charset=ISO-8859-1"),
        ("application/xml;charset=UTF-8", "application/xml; charset=UTF-8"),
    ],
)
def test_content_type_has_the_entrys_own_parameters(ask: Ask, entry: Any, field: str) -> None:
    assert ask(provided(entry)).content_type == field


def test_content_type_does_not_repeat_the_parameters_of_a_variant(ask: Ask) -> None:
    assert ask(provided(ANY_PLAIN), headers={"Accept": "text/plain;level=1"}).content_type == "text/plain"


def test_a_line_break_in_a_parameter_never_reaches_the_wire(ask: Ask) -> None:
    assert ask(provided(("text", "plain", [("a", "b\r\nX: y")]))).status_code == 500


def test_what_one_request_does_to_its_parameters_is_not_seen_by_the_next(ask: Ask, define: Callable[..., type[Resource]]) -> None:
    def to_text(self: Any) -> Any:
        self.media_params["level"] += "1"
        return self.media_params["level"]

    cls = define(**provided("text/html;level=1"), to_text=to_text)
    assert [ask(cls).text for _ in range(3)] == ["11", "11", "11"]


def test_long_fields_are_answered_but_not_remembered(ask: Ask) -> None:
    accept = ", ".join(f"application/x-{number};q=0.5" for number in range(100)) + ", text/plain;q=0.1"
    assert ask({}, headers={"Accept": accept}).status_code == 200
    assert ask({}, headers={"Accept": accept.replace("text/plain", "image/png")}).status_code == 406
