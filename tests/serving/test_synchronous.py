"""What is left out is not missed: nothing is kept in a session, and everything else is done as Flask does it."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Blueprint, Flask, Response, after_this_request, g, request, request_tearing_down, session, url_for
from werkzeug.routing import Rule

from xmpp_rest.serving.synchronous import LONGEST, REMEMBERED, RememberedMatches, Synchronous


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


def test_functions_of_nested_blueprints_are_called_in_flasks_order(app: Flask) -> None:
    called: list[str] = []

    def hooked(routes: Flask | Blueprint, name: str) -> None:
        def after(response: Response) -> Response:
            called.append(f"after {name}")
            return response

        routes.before_request(lambda: called.append(f"before {name}"))
        routes.after_request(after)
        routes.teardown_request(lambda _error: called.append(f"end {name}"))

    inner, outer = Blueprint("inner", __name__), Blueprint("outer", __name__)
    for routes, name in ((app, "all"), (outer, "outer"), (inner, "inner")):
        hooked(routes, name)
    inner.add_url_rule("/inner", view_func=lambda: "in", endpoint="in")
    outer.add_url_rule("/outer", view_func=lambda: "out", endpoint="out")
    outer.register_blueprint(inner)
    app.register_blueprint(outer)
    app.add_url_rule("/plain", view_func=lambda: "plain", endpoint="plain")
    client = app.test_client()
    expected = {
        "/inner": [
            "before all",
            "before outer",
            "before inner",
            "after inner",
            "after outer",
            "after all",
            "end inner",
            "end outer",
            "end all",
        ],
        "/outer": ["before all", "before outer", "after outer", "after all", "end outer", "end all"],
        "/plain": ["before all", "after all", "end all"],
        "/none": ["before all", "after all", "end all"],
    }
    for path in [*expected, *expected]:
        called.clear()
        client.get(path)
        assert called == expected[path]


def test_a_function_before_the_request_answers_in_its_place(app: Flask) -> None:
    app.before_request(lambda: ("instead", 418))
    app.add_url_rule("/", view_func=lambda: "never", endpoint="never")
    answer = app.test_client().get("/")
    assert (answer.status_code, answer.data) == (418, b"instead")


def test_what_is_asked_for_within_a_request_is_done(app: Flask) -> None:
    @app.get("/one")
    def one() -> str:
        @after_this_request
        def mark(response: Response) -> Response:
            response.headers["Marked"] = "yes"
            return response

        return "one"

    app.add_url_rule("/other", view_func=lambda: "other", endpoint="other")
    app.url_value_preprocessor(lambda _endpoint, _values: setattr(g, "asked", True))
    app.after_request(lambda response: response if g.asked else Response("not asked", 500))
    client = app.test_client()
    assert [client.get(path).headers.get("Marked") for path in ("/one", "/other", "/one")] == ["yes", None, "yes"]


def test_listeners_hear_of_the_end(app: Flask) -> None:
    ends: list[str] = []

    def listen(_app: Flask, **_: Any) -> None:
        ends.append(request.path)

    app.add_url_rule("/", view_func=lambda: "", endpoint="all")
    app.teardown_appcontext(lambda _error: ends.append("context"))
    with request_tearing_down.connected_to(listen, app):
        app.test_client().get("/")
    assert ends == ["/", "context"]


def routed(made_by: type[Flask]) -> Flask:
    """Rules of every kind that this project has."""
    app = made_by("test")
    app.url_map.merge_slashes = False

    def told(**values: Any) -> dict[str, Any]:
        assert request.url_rule is not None
        found = {
            "rule": request.url_rule.rule,
            "values": dict(values),
            "link": url_for("item", name="a b"),
            "whole": url_for("plain", _external=True),
        }
        values.clear()
        assert request.view_args is not None
        request.view_args["more"] = "of this request alone"
        return found

    app.add_url_rule("/plain", "plain", told, methods=["GET", "PUT"])
    app.add_url_rule("/plain", "posted", told, methods=["POST"], provide_automatic_options=False)
    app.add_url_rule("/folder/", "folder", told)
    app.add_url_rule("/item/<name>", "item", told)
    app.add_url_rule("/rest/<path:rest>", "rest", told)
    app.add_url_rule("/v1/api", "api", told, defaults={"version": 1})
    app.url_map.add(Rule("/any", endpoint="any", methods=None))
    app.view_functions["any"] = told
    return app


ASKED = [
    ("GET", "/plain"), ("HEAD", "/plain"), ("PUT", "/plain"), ("POST", "/plain"), ("OPTIONS", "/plain"), ("DELETE", "/plain"), ("get", "/plain"),
    ("GET", "//plain"), ("GET", "/plain/"), ("GET", "/folder"), ("GET", "/folder/"), ("GET", "/folder//"), ("POST", "/folder"), ("GET", ""),
    ("GET", "/item/x"), ("GET", "/item/x/"), ("GET", "/item/"), ("GET", "/item/%C3%A9"), ("GET", "/item/%FF"), ("GET", "/item/a%2Fb"),
    ("GET", "/rest/a//b"), ("GET", "/rest/a/"), ("GET", "/v1/api"), ("BREW", "/any"), ("OPTIONS", "/any"), ("GET", "/nowhere"),
]  # fmt: skip


@pytest.mark.parametrize(("method", "path"), ASKED)
def test_rules_are_found_as_flask_finds_them_also_when_they_are_remembered(method: str, path: str) -> None:
    answers = []
    for client in (routed(Flask).test_client(), *[routed(Synchronous).test_client()] * 3):
        answer = client.open(path, method=method, headers={"Host": "gateway.example"})
        answers.append((answer.status, answer.data, sorted(answer.headers)))
    assert answers[1:] == answers[:1] * 3


def test_a_websocket_is_refused_as_flask_refuses_it() -> None:
    upgrade = {"Connection": "Upgrade", "Upgrade": "websocket"}
    clients = [routed(made_by).test_client() for made_by in (Flask, Synchronous)]
    flasks, ours = ([client.get("/any", headers=headers).status_code for headers in ({}, upgrade, {}, upgrade)] for client in clients)
    assert ours == flasks == [200, 400, 200, 400]


def test_hosts_that_flask_is_told_to_trust_are_the_only_ones() -> None:
    app = routed(Synchronous)
    app.config["TRUSTED_HOSTS"] = ["gateway.example"]
    statuses = [app.test_client().get("/plain", headers={"Host": host}).status_code for host in ("gateway.example", "other.example")]
    assert statuses == [200, 400]


def test_paths_are_remembered_within_bounds() -> None:
    matches, rule = RememberedMatches(), Rule("/x/<name>")
    matches.add("GET", "/x/" + "y" * LONGEST, (rule, {"name": "y"}))
    assert matches.get("GET", "/x/" + "y" * LONGEST) is None
    for n in range(REMEMBERED + 1):
        matches.add("GET", f"/x/{n}", (rule, {"name": str(n)}))
    assert (matches.get("GET", "/x/0"), matches.get("GET", f"/x/{REMEMBERED}")) == (None, (rule, {"name": str(REMEMBERED)}))
    assert matches.get("POST", f"/x/{REMEMBERED}") is None


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
