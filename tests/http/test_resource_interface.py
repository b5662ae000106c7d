"""as_view, what an instance has, and which callbacks count as defined."""

from __future__ import annotations

import gc
import inspect
import subprocess
import sys
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

from flask import Blueprint, Flask, Request, Response, request

import xmpp_rest.http.resource
from tests.http.conftest import Ask
from xmpp_rest.http.resource import Created, Resource, SeeOther, Stop, SwitchHandler

ROOT = Path(__file__).parents[2]


class TestAsView:
    def test_the_view_function(self) -> None:
        class Thing(Resource):
            """A thing."""

        view: Any = Thing.as_view("thing")
        assert inspect.isfunction(view)
        assert not inspect.iscoroutinefunction(view)
        assert (view.__name__, view.__doc__, view.__module__) == ("thing", "A thing.", __name__)
        attributes: Any = view
        assert attributes.view_class is Thing
        assert attributes.provide_automatic_options is False
        assert attributes.methods == Resource.route_methods

    def test_passes_its_arguments_to_the_constructor(self, app: Flask) -> None:
        class Thing(Resource):
            def __init__(self, greeting: Any, *, whom: Any) -> None:
                self.greeting, self.whom = greeting, whom

            def to_html(self) -> Any:
                return f"{self.greeting} {self.whom} {self.args}"

        app.add_url_rule("/<int:number>/<path:rest>", view_func=Thing.as_view("thing", "hello", whom="juliet"))
        assert app.test_client().get("/5/a/b").text == "hello juliet {'number': 5, 'rest': 'a/b'}"

    def test_makes_one_instance_for_each_request(self, app: Flask) -> None:
        made = []

        class Thing(Resource):
            def __init__(self) -> None:
                made.append(self)

            to_html = str

        app.add_url_rule("/", view_func=Thing.as_view("thing"))
        for _ in range(3):
            app.test_client().get("/")
        assert len(set(map(id, made))) == 3

    def test_works_in_a_blueprint(self, app: Flask) -> None:
        blueprint = Blueprint("api", __name__, url_prefix="/api")
        cls: Any = type("T", (Resource,), {"to_html": lambda self: "x"})
        blueprint.add_url_rule("/<key>", view_func=cls.as_view("t"))
        app.register_blueprint(blueprint)
        assert app.test_client().get("/api/1").text == "x"
        assert app.test_client().options("/api/1").headers["Allow"] == "GET, HEAD, OPTIONS"

    def test_one_view_may_serve_several_rules_and_applications(self) -> None:
        cls: Any = type("T", (Resource,), {"to_html": lambda self: str(self.args)})
        view = cls.as_view("t")
        for number in range(2):
            app = Flask(f"app{number}")
            app.add_url_rule("/a", view_func=view)
            app.add_url_rule("/b/<x>", view_func=view)
            assert app.test_client().get("/a").text == "{}"
            assert app.test_client().get("/b/1").text == "{'x': '1'}"

    def test_after_request_and_the_response_class_of_the_application_count(self, ask: Ask, app: Flask) -> None:
        class Special(Response):
            default_mimetype = "text/special"

        app.response_class = Special
        seen = []
        app.after_request(lambda response: seen.append(type(response)) or response)

        def touch(self: Any) -> None:
            self.response.headers["X-Touched"] = "1"

        for answers in ({}, {"init": touch}, {"resource_exists": False}, {"init": touch, "to_text": None}):
            response = ask(answers)
            assert response.content_type in ("text/plain", "application/problem+json")
        assert ask({}, "DELETE").content_type is None
        assert seen == [Special] * 5

    def test_leaves_no_reference_cycle(self, ask: Ask, define: Callable[..., type[Resource]]) -> None:
        instances = []

        def init(self: Any) -> None:
            instances.append(weakref.ref(self))

        def touching(self: Any) -> Any:
            self.response.headers["X-Touched"] = "1"
            return "x"

        def stopping(self: Any) -> None:
            raise Stop("x")

        def switching(self: Any) -> None:
            raise SwitchHandler(lambda: "x")

        gc.collect()
        gc.disable()
        try:
            ask({"init": init})
            ask({"init": init, "to_text": touching})
            ask({"init": init, "resource_exists": False})
            ask({"init": init, "forbidden": stopping})
            ask({"init": init, "forbidden": switching})
            assert [each() for each in instances] == [None] * 5
        finally:
            gc.enable()


class TestTheInstance:
    def test_from_the_start(self, ask: Ask) -> None:
        seen: dict[str, Any] = {}

        def init(self: Any) -> None:
            seen.update(
                request=type(self.request), same=self.request is cast("Any", request)._get_current_object(), args=self.args,
                problem=self.problem, media_type=self.media_type, language=self.language, charset=self.charset,
                exists=self.exists, range=self.range, status=self.response.status_code,
                content_type=self.response.content_type, response=isinstance(self.response, Response),
            )  # fmt: skip

        ask({"init": init}, key="juliet")
        assert seen == {
            "request": Request, "same": True, "args": {"key": "juliet"}, "problem": {}, "media_type": None,
            "language": None, "charset": None, "exists": False, "range": None, "status": 200, "content_type": None,
            "response": True,
        }  # fmt: skip

    def test_the_response_is_one_object(self, ask: Ask) -> None:
        seen = []

        def look(self: Any) -> Any:
            seen.append(self.response)
            return True

        ask({"service_available": look, "resource_exists": look, "to_text": lambda self: look(self) and "x"})
        assert len(set(map(id, seen))) == 1

    def test_fields_of_the_machine_show_on_the_response(self, ask: Ask) -> None:
        seen = []

        def to_text(self: Any) -> Any:
            seen.extend(self.response.headers)
            return "x"

        ask({"to_text": to_text, "generate_etag": '"1"', "languages_provided": ["en"]})
        assert {("ETag", '"1"'), ("Content-Type", "text/plain"), ("Content-Language", "en")} <= set(seen)


class TestTheModule:
    def test_exports(self) -> None:
        assert set(xmpp_rest.http.resource.__all__) == {"Resource", "Stop", "SwitchHandler", "Accepted", "Created", "SeeOther"}
        assert (Created("/a").uri, SeeOther("/b").uri) == ("/a", "/b")

    def test_depends_on_flask_and_werkzeug_only(self) -> None:
        script = (
            "import sys, xmpp_rest.http.resource\n"
            "print([name for name in sys.modules if name.startswith('xmpp_rest.') and "
            "not name.startswith('xmpp_rest.http')])"
        )
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT)
        assert done.stdout.strip() == "[]"

    def test_strictly_typed_users_are_served(self, tmp_path: Path) -> None:
        user = tmp_path / "user.py"
        user.write_text(
            "from flask import Flask\n"
            "from xmpp_rest.http.resource import Created, Resource, Stop, SwitchHandler\n\n"
            "class Thing(Resource):\n"
            "    def __init__(self, name: str) -> None:\n"
            "        self.name = name\n\n"
            "    def allowed_methods(self) -> list[str]:\n"
            "        return ['GET', 'POST']\n\n"
            "    def forbidden(self) -> bool:\n"
            "        if 'x' in self.request.args:\n"
            "            raise Stop(('no', 403))\n"
            "        if 'y' in self.args:\n"
            "            raise SwitchHandler(lambda text: text, self.name)\n"
            "        self.problem['detail'] = self.media_type or self.media_params.get('a', '')\n"
            "        self.response.headers['X'] = self.language or self.charset or str(self.exists)\n"
            "        return self.range is not None\n\n"
            "    def accept(self) -> Created:\n"
            "        self.set_body({'a': 1})\n"
            "        return Created('/a')\n\n"
            "    def render_error(self, status: int) -> tuple[str, str]:\n"
            "        return str(status), 'text/plain'\n\n"
            "app = Flask(__name__)\n"
            "app.add_url_rule('/', view_func=Thing.as_view('thing', 'juliet'))\n"
        )
        done = subprocess.run(
            [sys.executable, "-m", "mypy", "--strict", str(user)], capture_output=True, text=True, check=False, cwd=ROOT
        )
        assert done.returncode == 0, done.stdout
