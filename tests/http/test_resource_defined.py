"""Which callbacks count as defined, and how often each is called."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from flask import Flask

from tests.http.conftest import Ask
from xmpp_rest.http.callbacks import CALLBACKS
from xmpp_rest.http.resource import Resource


class TestDefined:
    def test_a_mixin_counts_on_either_side(self, ask: Ask) -> None:
        class Closed:
            def service_available(self) -> Any:
                return False

        assert ask(type("A", (Closed, Resource), {})).status_code == 503
        assert ask(type("B", (Resource, Closed), {})).status_code == 503
        assert ask(type("C", (type("D", (Resource,), {}), Closed), {})).status_code == 503

    def test_the_nearest_class_wins(self, ask: Ask, define: Callable[..., type[Resource]]) -> None:
        assert ask(define(define(service_available=False), service_available=True)).status_code == 200

    def test_super_reaches_the_base(self, ask: Ask, define: Callable[..., type[Resource]]) -> None:
        base: Any = define(forbidden=True)

        class Open(base):  # type: ignore[misc]
            def forbidden(self) -> Any:
                return not super().forbidden()

        assert ask(Open).status_code == 200

    @pytest.mark.parametrize(
        "attribute",
        [staticmethod(lambda: True), classmethod(lambda cls: issubclass(cls, Resource)), staticmethod(partial(bool, 1)),
         property(lambda self: lambda: True)],
    )  # fmt: skip
    def test_however_it_is_bound(self, ask: Ask, attribute: Any) -> None:
        cls = type("Defined", (Resource,), {"forbidden": attribute})
        assert ask(cls).status_code == 403

    def test_an_attribute_of_the_instance_has_no_effect(self, ask: Ask) -> None:
        def init(self: Any) -> None:
            self.forbidden = lambda: True
            self.service_available = lambda: False
            self.resource_exists = lambda: True

        assert ask({"init": init, "resource_exists": False}).status_code == 404

    def test_the_class_at_the_time_of_as_view_counts(self, app: Flask, define: Callable[..., type[Resource]]) -> None:
        cls: Any = define(service_available=True)
        app.add_url_rule("/", view_func=cls.as_view("thing"))
        cls.forbidden = lambda self: True
        del cls.service_available
        assert app.test_client().get("/").status_code == 200

    def test_no_callback_is_an_attribute_of_resource(self) -> None:
        assert not [name for name in CALLBACKS if hasattr(Resource, name)]
        assert len(CALLBACKS) == 31

    def test_none_is_no_callback(self, ask: Ask) -> None:
        assert ask(type("Broken", (Resource,), {"forbidden": None})).status_code == 500


EVERYTHING = {
    "known_methods": ["GET", "HEAD", "PUT", "POST", "PATCH", "DELETE", "OPTIONS"],
    "languages_provided": ["en"],
    "charsets_provided": ["utf-8"],
    "content_types_provided": [(("text", "plain", "*"), "to_text")],
    "ranges_provided": [("bytes", "auto")],
    "generate_etag": '"7"',
    "variances": ["Cookie"],
    "valid_content_headers": True,
}


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "POST", "PATCH", "DELETE", "OPTIONS"])
@pytest.mark.parametrize("exists", [True, False])
@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"If-Match": '"7"', "If-None-Match": '"6"', "Range": "bytes=0-1", "If-Range": '"7"'},
        {"If-None-Match": '"7"'},
        {"If-Unmodified-Since": "Fri, 01 Jan 2100 00:00:00 GMT", "If-Modified-Since": "Fri, 21 Sep 2012 20:36:14 GMT"},
        {"Accept": "text/plain;charset=utf-8;a=b", "Accept-Charset": "utf-8", "Accept-Language": "en", "Range": "bytes=9-"},
    ],
)
def test_a_callback_is_called_at_most_once(ask: Ask, define: Callable[..., type[Resource]], method: str, exists: bool, headers: Any) -> None:
    calls: Counter[str] = Counter()
    truths = {"service_available", "is_authorized", "valid_entity_length", "delete_resource", "delete_completed", "accept"}
    base = define(**EVERYTHING)

    def counted(name: Any) -> Any:
        def callback(self: Any) -> Any:
            calls[name] += 1
            if name == "resource_exists":
                return exists
            inherited = getattr(super(cls, self), name, None)
            return inherited() if inherited else name in truths or None

        return callback

    cls = type("Counted", (base,), {name: counted(name) for name in CALLBACKS | {"to_text", "accept"}})
    assert ask(cls, method, headers).status_code < 500
    assert set(calls.values()) == {1}
