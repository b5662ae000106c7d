"""Resources made of a few answers, and one request to each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from xmpp_rest.http.resource import Resource

Ask = Callable[..., TestResponse]


class Document(Resource):
    """A text that allows everything, so that each test changes one answer."""

    def allowed_methods(self) -> list[str]:
        return ["GET", "HEAD", "OPTIONS", "PUT", "POST", "PATCH", "DELETE"]

    def content_types_provided(self) -> list[Any]:
        return [("text/plain", "to_text")]

    def content_types_accepted(self) -> list[Any]:
        return [("*", "accept")]

    def to_text(self) -> Any:
        return "hello"

    def accept(self) -> Any:
        return True

    def delete_resource(self) -> bool:
        return True


def answer(value: Any) -> Any:
    """A callback that returns ``value``, or raises it; a function is the callback itself."""
    if callable(value) and not isinstance(value, type):
        return value

    def callback(self: Resource) -> Any:
        if isinstance(value, BaseException):
            raise value
        return value

    return callback


def accept_with(value: Any, location: Any=None, body: Any=None) -> Any:
    def accept(self: Any) -> Any:
        if location:
            self.response.headers["Location"] = location
        if body:
            self.set_body(body)
        return value

    return accept


@pytest.fixture
def define() -> Callable[..., type[Resource]]:
    """A class with these answers; ``base`` is Document unless given."""

    def make(base: type[Resource] = Document, **answers: Any) -> type[Resource]:
        return type("Defined", (base,), {name: answer(value) for name, value in answers.items()})

    return make


@pytest.fixture
def app() -> Flask:
    app = Flask("test")
    app.logger.disabled = True  # programming errors are expected here, and logged with a traceback
    return app


@pytest.fixture
def ask(app: Flask, define: Callable[..., type[Resource]]) -> Ask:
    """Send one request to a class, or to a Document with these answers; a programming error is a 500."""

    def send(answers: Any = None, method: str = "GET", headers: Any = None, **request: Any) -> TestResponse:
        cls: Any = answers if isinstance(answers, type) else define(**(answers or {}))
        name = f"thing{len(app.view_functions)}"
        app._got_first_request = False
        app.add_url_rule(f"/{name}/<key>", view_func=cls.as_view(name))
        path = f"/{name}/{request.pop('key', '1')}"
        return app.test_client().open(path, method=method, headers=headers or {}, **request)

    return send
